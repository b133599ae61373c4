# SPDX-License-Identifier: Apache-2.0
"""What Keras, PyTorch and scikit-learn call things, and what that is here.

Tables only; `names` looks things up in them. All names are in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ADVICE", "ALIASES", "ARGUMENTS", "ARGUMENT_ADVICE", "ATTRIBUTES"]

ALIASES: Mapping[str, Mapping[str, str]] = {
    "activation": {
        "hard_silu": "hard_swish",
        "identity": "linear",
        "logistic": "sigmoid",
        "swish": "silu",
        "gelu_pytorch_tanh": "gelu_tanh",
    },
    "initializer": {
        "xavier_normal": "glorot_normal",
        "xavier_uniform": "glorot_uniform",
        "kaiming_normal": "he_normal",
        "kaiming_uniform": "he_uniform",
        "zero": "zeros",
    },
    "loss": {
        "absolute_error": "mae",
        "bce": "binary_cross_entropy",
        "bceloss": "binary_cross_entropy",
        "binary_cross_entropy_with_logits": "binary_cross_entropy",
        "binary_crossentropy": "binary_cross_entropy",
        "binarycrossentropy": "binary_cross_entropy",
        "categorical_crossentropy": "cross_entropy",
        "categoricalcrossentropy": "cross_entropy",
        "huber_loss": "huber",
        "l1_loss": "mae",
        "logcosh": "log_cosh",
        "mean_absolute_error": "mae",
        "mean_squared_error": "mse",
        "meanabsoluteerror": "mae",
        "meansquarederror": "mse",
        "mse_loss": "mse",
        "pinball": "quantile",
        "pinball_loss": "quantile",
        "poisson_nll_loss": "poisson",
        "sparse_categorical_crossentropy": "cross_entropy",
        "sparsecategoricalcrossentropy": "cross_entropy",
        "squared_error": "mse",
    },
    "metric": {
        "mean_absolute_percentage_error": "mape",
        "root_mean_squared_error": "rmse",
        "mean_pinball_loss": "pinball",
        "acc": "accuracy",
        "accuracy_score": "accuracy",
        "binary_accuracy": "accuracy",
        "binaryaccuracy": "accuracy",
        "categorical_accuracy": "accuracy",
        "categoricalaccuracy": "accuracy",
        "f1_score": "f1",
        "f1score": "f1",
        "mean_absolute_error": "mae",
        "mean_squared_error": "mse",
        "meanabsoluteerror": "mae",
        "meansquarederror": "mse",
        "precision_score": "precision",
        "r2_score": "r2",
        "r2score": "r2",
        "recall_score": "recall",
        "roc_auc": "auc",
        "roc_auc_score": "auc",
        "sparse_categorical_accuracy": "accuracy",
        "sparsecategoricalaccuracy": "accuracy",
        "sparse_top_k_categorical_accuracy": "top_5",
        "top_k_categorical_accuracy": "top_5",
    },
    "optimizer": {},
    "schedule": {},
    "layer": {},
}
"""Per family, what means the same as a name here; names here in capitals are taken too, and those
of PyTorch's classes, which the classes know."""

_SGD = "it is SGD(momentum=0.9)"
_NO_LOSS = "there is no such loss"
_NO_OPTIMIZER = "there is no such optimizer"
_NO_ACTIVATION = "there is no such activation"

ADVICE: Mapping[str, Mapping[str, str]] = {
    "activation": {
        "log_softmax": "leave the last layer linear: cross_entropy contains the log-softmax",
        "logsoftmax": "leave the last layer linear: cross_entropy contains the log-softmax",
        "prelu": "it is a layer, PReLU(), since its slopes are trained",
        "exponential": f"{_NO_ACTIVATION}; the loss poisson contains the exponential",
    },
    "initializer": {
        "ones": "it is initializers.Constant(1.0)",
        "random_normal": "it is initializers.Normal, whose standard deviation is to be given",
        "randomnormal": "it is initializers.Normal, whose standard deviation is to be given",
        "random_uniform": "it is initializers.Uniform, whose bounds are to be given",
        "randomuniform": "it is initializers.Uniform, whose bounds are to be given",
        "truncated_normal": "there is no such initializer; glorot_normal and he_normal are",
    },
    "loss": {
        "nll_loss": "it expects log-probabilities; use cross_entropy with a linear last layer, "
        "which contains the log-softmax",
        "nllloss": "it expects log-probabilities; use cross_entropy with a linear last layer, "
        "which contains the log-softmax",
        "log_loss": "use cross_entropy for one class of many, binary_cross_entropy for yes or no",
        "bce_dice": f"{_NO_LOSS}; binary_cross_entropy is one part of it",
        "cosine_similarity": _NO_LOSS,
        "focal": f"{_NO_LOSS}; class_weight of fit weighs rare classes",
        "kl_divergence": "cross_entropy with rows of probabilities as y differs by a constant, "
        "and has the same gradient",
        "kldivergence": "cross_entropy with rows of probabilities as y differs by a constant, "
        "and has the same gradient",
        "kldivloss": "cross_entropy with rows of probabilities as y differs by a constant, "
        "and has the same gradient",
        "mape": f"{_NO_LOSS}; mae of log(y) is relative too",
        "mean_absolute_percentage_error": f"{_NO_LOSS}; mae of log(y) is relative too",
        "mean_squared_logarithmic_error": f"{_NO_LOSS}; give mse log(1 + y) as targets",
        "msle": f"{_NO_LOSS}; give mse log(1 + y) as targets",
        "rmse": "its minimum is that of mse",
        "smooth_l1": "it is huber(delta=beta) divided by beta",
        "smooth_l1_loss": "it is huber(delta=beta) divided by beta",
        "smoothl1loss": "it is huber(delta=beta) divided by beta",
        "squared_hinge": f"{_NO_LOSS}; hinge and binary_cross_entropy separate two classes too",
        "accuracy": "it is a metric; of classes cross_entropy is the loss",
    },
    "metric": {
        "loss": "the loss is always reported",
        "bce": "it is a loss, which is always reported",
        "log_loss": "the loss is always reported",
        "balanced_accuracy": "it is recall with average='macro': "
        "metrics.Metric('recall', metrics.recall, options={'average': 'macro'})",
        "top_k_accuracy_score": "name k, as in 'top_2'",
    },
    "optimizer": {
        "adamax": f"{_NO_OPTIMIZER}; adam is nearest",
        "amsgrad": "it is Adam(amsgrad=True)",
        "ftrl": f"{_NO_OPTIMIZER}; adagrad is nearest",
        "lbfgs": f"{_NO_OPTIMIZER}: training goes by batches; adam needs the least care",
        "momentum": _SGD,
        "nesterov": "it is SGD(momentum=0.9, nesterov=True)",
        "sparse_adam": "it is Adam(lazy=True)",
        "sparseadam": "it is Adam(lazy=True)",
    },
    "schedule": {},
    "layer": {},
}
"""Per family, what to do instead of what has no name here."""

_FLAT = "not needed: rows of shape (rows, height, width) are flattened"
_NOT_HERE = "not part of chainrule, which trains multilayer perceptrons"
_SPLIT = "use data.train_test_split, or scikit-learn's own on the arrays"

ATTRIBUTES: Mapping[str, str] = {
    "AvgPool2d": _NOT_HERE,
    "BCELoss": "it is losses.BinaryCrossEntropy",
    "BCEWithLogitsLoss": "it is losses.BinaryCrossEntropy",
    "BatchNorm1d": "it is BatchNormalization",
    "BinaryCrossentropy": "it is losses.BinaryCrossEntropy",
    "CategoricalCrossentropy": "it is losses.CrossEntropy",
    "Conv1D": _NOT_HERE,
    "Conv1d": _NOT_HERE,
    "Conv2D": _NOT_HERE,
    "Conv2d": _NOT_HERE,
    "Conv3D": _NOT_HERE,
    "CosineAnnealingLR": "it is schedules.Cosine",
    "CosineDecay": "it is schedules.Cosine",
    "CrossEntropyLoss": "it is losses.CrossEntropy",
    "DataLoader": "not needed: fit takes whole arrays and cuts the batches; see data.batches",
    "Dataset": "not needed: fit takes whole arrays and cuts the batches; see data.batches",
    "ELU": 'it is activation="elu"',
    "ExponentialDecay": "it is schedules.Exponential",
    "ExponentialLR": "it is schedules.Exponential",
    "Flatten": _FLAT,
    "Functional": f"{_NOT_HERE}: Sequential",
    "GELU": 'it is activation="gelu"',
    "GRU": _NOT_HERE,
    "GridSearchCV": "use scikit-learn's, or a loop over networks",
    "HuberLoss": "it is losses.Huber",
    "InputLayer": "it is Input",
    "KFold": "use scikit-learn's on the arrays, with a new network for each fold",
    "L1Loss": "it is losses.MAE",
    "LSTM": _NOT_HERE,
    "LambdaLR": "give the optimizer a function: learning_rate=lambda epoch: ...",
    "LayerNorm": "it is LayerNormalization",
    "LeakyReLU": "it is activation=activations.LeakyRelu(...)",
    "LearningRateScheduler": "give the optimizer a function: learning_rate=lambda epoch: ...",
    "Linear": "it is Dense",
    "MLPClassifier": "it is Sequential([...]) with loss='cross_entropy'; see from_sklearn",
    "MLPRegressor": "it is Sequential([...]) with loss='mse'; see from_sklearn",
    "MSELoss": "it is losses.MSE",
    "MaxPool2d": _NOT_HERE,
    "MaxPooling2D": _NOT_HERE,
    "MeanAbsoluteError": "it is losses.MAE",
    "MeanSquaredError": "it is losses.MSE",
    "MinMaxScaler": "Rescaling scales by given numbers, Normalization by mean and variance",
    "Model": "it is Sequential",
    "Module": "it is Sequential, of which subclasses may be made",
    "MultiHeadAttention": _NOT_HERE,
    "MultiStepLR": "it is schedules.Piecewise",
    "NLLLoss": "use losses.CrossEntropy with a linear last layer, which contains the log-softmax",
    "OneHotEncoder": "it is CategoryEncoding",
    "PiecewiseConstantDecay": "it is schedules.Piecewise",
    "RNN": _NOT_HERE,
    "ReLU": 'it is activation="relu"',
    "ReduceLROnPlateau": "give it to the optimizer: learning_rate=schedules.ReduceOnPlateau(...)",
    "SELU": 'it is activation="selu"',
    "SiLU": 'it is activation="silu"',
    "SparseCategoricalCrossentropy": "it is losses.CrossEntropy",
    "StandardScaler": "it is Normalization",
    "StepLR": "it is schedules.Step",
    "TensorBoard": "callbacks.CSVLogger writes a table of every epoch",
    "Tensor": "not needed: arrays are NumPy's",
    "inference_mode": "not needed: predict and evaluate keep no gradients",
    "load_model": "it is load",
    "manual_seed": "give each network its own: Sequential([...], seed=0)",
    "models": "it is Sequential",
    "nn": "layers lie in chainrule itself: Dense, Dropout, ...",
    "no_grad": "not needed: predict and evaluate keep no gradients",
    "optim": "it is optimizers",
    "save": "it is a network's own: net.save(path)",
    "save_model": "it is a network's own: net.save(path)",
    "set_seed": "give each network its own: Sequential([...], seed=0)",
    "tensor": "not needed: arrays are NumPy's",
    "train_test_split": "it is data.train_test_split",
    "cross_val_score": "use scikit-learn's KFold on the arrays, with a new network for each fold",
    "StratifiedKFold": "use scikit-learn's on the arrays, with a new network for each fold",
}
"""What to use instead of other libraries' classes and functions."""

_INPUTS = "the number of inputs is learnt from the data, or given by Input(n) as the first layer"
_PENALTY = "penalties are l1= and l2="

ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "alpha": ("negative_slope", "l2", "rho", "weight_decay"),
    "batchsize": ("batch_size",),
    "beta_1": ("beta1",),
    "beta_2": ("beta2",),
    "bias": ("use_bias",),
    "checkpoint_path": ("path",),
    "clipnorm": ("clip_norm",),
    "clipvalue": ("clip_value",),
    "decay": ("weight_decay",),
    "embedding_dim": ("units",),
    "output_dim": ("units",),
    "input_dim": ("num_embeddings",),
    "eps": ("epsilon",),
    "eval_set": ("validation_data",),
    "factor": ("gamma",),
    "filepath": ("path",),
    "fit_intercept": ("use_bias",),
    "global_clipnorm": ("clip_norm",),
    "hidden_units": ("units",),
    "initial_learning_rate": ("learning_rate",),
    "kernel_initializer": ("weight_initializer",),
    "lr": ("learning_rate",),
    "learning_rate_init": ("learning_rate",),
    "max_epochs": ("epochs",),
    "max_iter": ("epochs",),
    "max_norm": ("clip_norm",),
    "min_lr": ("minimum",),
    "n_epochs": ("epochs",),
    "n_jobs": ("num_threads",),
    "n_units": ("units",),
    "nb_epoch": ("epochs",),
    "num_epochs": ("epochs",),
    "out_features": ("units",),
    "p": ("rate",),
    "random_state": ("seed",),
    "tol": ("min_delta", "threshold"),
    "validation_fraction": ("validation_split",),
    "workers": ("num_threads",),
}
"""What the arguments of other libraries are called here, where the function has one of these."""

ARGUMENT_ADVICE: Mapping[str, str] = {
    "betas": "give beta1= and beta2=",
    "bias_regularizer": f"{_PENALTY} of the layer's weights",
    "in_features": _INPUTS,
    "input_dim": _INPUTS,
    "input_shape": _INPUTS,
    "kernel_constraint": "there are no constraints on weights",
    "kernel_regularizer": f"{_PENALTY} of the layer's weights",
    "weight_decay": f"it belongs to the optimizer; {_PENALTY} of the layer's weights",
    "lr": "the learning rate belongs to the optimizer: optimizer=Adam(learning_rate=...)",
    "learning_rate": "it belongs to the optimizer: optimizer=Adam(learning_rate=...)",
    "device": "there is none but the CPU",
    "steps_per_epoch": "an epoch is one pass over all rows",
    "initial_epoch": "epochs go on from the network's own count",
    "validation_steps": "validation takes all of its rows",
    "early_stopping": "give callbacks=[EarlyStopping(...)]",
    "name": "layers have no names; parameters are called by their place, such as '0.weight'",
}
"""What to do instead of arguments that have no counterpart."""
