# SPDX-License-Identifier: Apache-2.0
"""What Keras, PyTorch and scikit-learn call things, and what that is here.

Tables only; `names` looks things up in them. All names are in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping


def _by_synonym(synonyms: Mapping[str, str]) -> Mapping[str, str]:
    return {synonym: name for name, given in synonyms.items() for synonym in given.split()}


ALIASES: Mapping[str, Mapping[str, str]] = {
    "activation": _by_synonym(
        {
            "gelu_tanh": "gelupytorchtanh",
            "hard_swish": "hardsilu",
            "linear": "identity",
            "sigmoid": "logistic",
            "silu": "swish",
        }
    ),
    "initializer": _by_synonym(
        {
            "glorot_normal": "xaviernormal",
            "glorot_uniform": "xavieruniform",
            "he_normal": "kaimingnormal",
            "he_uniform": "kaiminguniform",
            "zeros": "zero",
        }
    ),
    "loss": _by_synonym(
        {
            "binary_cross_entropy": "bce bceloss binarycrossentropy binarycrossentropywithlogits",
            "cross_entropy": "categoricalcrossentropy sparsecategoricalcrossentropy",
            "huber": "huberloss",
            "log_cosh": "logcosh",
            "mae": "absoluteerror l1loss meanabsoluteerror",
            "mse": "meansquarederror mseloss squarederror",
            "poisson": "poissonnllloss",
            "quantile": "pinball pinballloss",
        }
    ),
    "metric": _by_synonym(
        {
            "accuracy": (
                "acc accuracyscore binaryaccuracy categoricalaccuracy sparsecategoricalaccuracy"
            ),
            "auc": "rocauc rocaucscore",
            "brier": "brierscore brierscoreloss",
            "f1": "f1score",
            "mae": "meanabsoluteerror",
            "mape": "meanabsolutepercentageerror",
            "mse": "meansquarederror",
            "pinball": "meanpinballloss",
            "precision": "precisionscore",
            "r2": "r2score",
            "recall": "recallscore",
            "rmse": "rootmeansquarederror",
            "top_5": "sparsetopkcategoricalaccuracy topkcategoricalaccuracy",
        }
    ),
}
"""Per family, what means the same as a name here, without underscores; capitals are taken too."""

_SGD = "it is SGD(momentum=0.9)"
_NO_LOSS = "there is no such loss"
_NO_OPTIMIZER = "there is no such optimizer"
_NO_ACTIVATION = "there is no such activation"

ADVICE: Mapping[str, Mapping[str, str]] = {
    "activation": {
        "logsoftmax": "leave the last layer linear: cross_entropy contains the log-softmax",
        "prelu": "it is a layer, PReLU(), since its slopes are trained",
        "exponential": f"{_NO_ACTIVATION}; the loss poisson contains the exponential",
    },
    "initializer": {
        "ones": "it is initializers.Constant(1.0)",
        "randomnormal": "it is initializers.Normal, whose standard deviation is to be given",
        "randomuniform": "it is initializers.Uniform, whose bounds are to be given",
        "truncatednormal": "there is no such initializer; glorot_normal and he_normal are",
    },
    "loss": {
        "nllloss": "it expects log-probabilities; use cross_entropy with a linear last layer, "
        "which contains the log-softmax",
        "logloss": "use cross_entropy for one class of many, binary_cross_entropy for yes or no",
        "bcedice": f"{_NO_LOSS}; binary_cross_entropy is one part of it",
        "cosinesimilarity": _NO_LOSS,
        "focal": f"{_NO_LOSS}; class_weight of fit weighs rare classes",
        "kldivergence": "cross_entropy with rows of probabilities as y differs by a constant, "
        "and has the same gradient",
        "kldivloss": "cross_entropy with rows of probabilities as y differs by a constant, "
        "and has the same gradient",
        "mape": f"{_NO_LOSS}; mae of log(y) is relative too",
        "meanabsolutepercentageerror": f"{_NO_LOSS}; mae of log(y) is relative too",
        "meansquaredlogarithmicerror": f"{_NO_LOSS}; give mse log(1 + y) as targets",
        "msle": f"{_NO_LOSS}; give mse log(1 + y) as targets",
        "rmse": "its minimum is that of mse",
        "smoothl1": "it is huber(delta=beta) divided by beta",
        "smoothl1loss": "it is huber(delta=beta) divided by beta",
        "squaredhinge": f"{_NO_LOSS}; hinge and binary_cross_entropy separate two classes too",
        "accuracy": "it is a metric; of classes cross_entropy is the loss",
    },
    "metric": {
        "loss": "the loss is always reported",
        "bce": "it is a loss, which is always reported",
        "logloss": "the loss is always reported",
        "balancedaccuracy": "it is recall with average='macro': "
        "metrics.Metric('recall', metrics.recall, options={'average': 'macro'})",
        "topkaccuracyscore": "name k, as in 'top_2'",
    },
    "optimizer": {
        "adamax": f"{_NO_OPTIMIZER}; adam is nearest",
        "amsgrad": "it is Adam(amsgrad=True)",
        "ftrl": f"{_NO_OPTIMIZER}; adagrad is nearest",
        "momentum": _SGD,
        "nesterov": "it is SGD(momentum=0.9, nesterov=True)",
        "sparseadam": "it is Adam(lazy=True)",
    },
}
"""Per family, what to do instead of what has no name here."""

_NOT_HERE = "not part of chainrule, which trains small networks on a CPU"

_POOLING = "of (time, features) or (height, width, channels)"

ATTRIBUTES: Mapping[str, str] = {
    **_by_synonym({_NOT_HERE: "Conv3D MaxPool3d MultiHeadAttention Transformer"}),
    **_by_synonym(
        {
            f"it is AveragePooling, {_POOLING}": "AvgPool1d AvgPool2d AveragePooling1D "
            "AveragePooling2D",
            f"it is MaxPooling, {_POOLING}": "MaxPool1d MaxPool2d MaxPooling1D MaxPooling2D",
            f"it is GlobalMaxPooling, {_POOLING}": "GlobalMaxPooling1D GlobalMaxPooling2D",
            f"it is UpSampling, {_POOLING}": "UpSampling1D UpSampling2D",
            f"it is ZeroPadding, {_POOLING}": "ZeroPad1d ZeroPad2d ZeroPadding1D ZeroPadding2D",
            f"it is Cropping, {_POOLING}": "Cropping1D Cropping2D",
        }
    ),
    "BCELoss": "it is losses.BinaryCrossEntropy",
    "BCEWithLogitsLoss": "it is losses.BinaryCrossEntropy",
    "BatchNorm1d": "it is BatchNormalization",
    "BinaryCrossentropy": "it is losses.BinaryCrossEntropy",
    "CategoricalCrossentropy": "it is losses.CrossEntropy",
    "Conv1d": "it is Conv1D, of (time, features)",
    "Conv2d": "it is Conv2D, of (height, width, channels)",
    "ConvTranspose1d": "it is Conv1DTranspose, of (time, features)",
    "ConvTranspose2d": "it is Conv2DTranspose, of (height, width, channels)",
    "CosineAnnealingLR": "it is schedules.Cosine",
    "CosineDecay": "it is schedules.Cosine",
    "CrossEntropyLoss": "it is losses.CrossEntropy",
    "DataLoader": "not needed: fit takes whole arrays or a Dataset and cuts the batches",
    **_by_synonym(
        {
            "it is Dropout(rate, per_channel=True)": "Dropout1d Dropout2d SpatialDropout1D "
            "SpatialDropout2D",
            "it is a DepthwiseConv and a convolution of kernel size 1 behind it": "SeparableConv1D "
            "SeparableConv2D",
        }
    ),
    "ELU": 'it is activation="elu"',
    "ElasticTransform": "it is augment.ElasticDeformation",
    "ExponentialDecay": "it is schedules.Exponential",
    "ExponentialLR": "it is schedules.Exponential",
    "Functional": f"{_NOT_HERE}: Sequential",
    "GELU": 'it is activation="gelu"',
    "GlobalAveragePooling1D": "it is GlobalAveragePooling",
    "GlobalAveragePooling2D": "it is GlobalAveragePooling",
    "GridSearchCV": "use scikit-learn's, or a loop over networks",
    "Hardtanh": "it is Clip(-1, 1)",
    "HuberLoss": "it is losses.Huber",
    "InputLayer": "it is Input",
    "KFold": "use scikit-learn's on the arrays, with a new network for each fold",
    "L1Loss": "it is losses.MAE",
    "LambdaLR": "give the optimizer a function: learning_rate=lambda epoch: ...",
    "LayerNorm": "it is LayerNormalization",
    "LeakyReLU": "it is activation=activations.LeakyRelu(...)",
    "LearningRateScheduler": "give the optimizer a function: learning_rate=lambda epoch: ...",
    "Linear": "it is Dense",
    "MLPClassifier": "it is Sequential([...]) with loss='cross_entropy'; see from_sklearn",
    "MLPRegressor": "it is Sequential([...]) with loss='mse'; see from_sklearn",
    "MSELoss": "it is losses.MSE",
    "MeanAbsoluteError": "it is losses.MAE",
    "MeanSquaredError": "it is losses.MSE",
    "MinMaxScaler": "Rescaling scales by given numbers, Normalization by mean and variance",
    "Model": "it is Sequential",
    "Module": "it is Sequential, of which subclasses may be made",
    "MultiStepLR": "it is schedules.Piecewise",
    "NLLLoss": "use losses.CrossEntropy with a linear last layer, which contains the log-softmax",
    "OneHotEncoder": "it is CategoryEncoding",
    "PiecewiseConstantDecay": "it is schedules.Piecewise",
    "RNN": "it is SimpleRNN",
    "RandomErasing": "it is augment.CutOut",
    "RandomFlip": "it is augment.RandomFlip",
    "RandomHorizontalFlip": "it is augment.RandomFlip",
    "RandomRotation": "it is augment.RandomRotation",
    "RandomTranslation": "it is augment.RandomShift",
    "RandomZoom": "it is augment.RandomZoom",
    "ReLU": 'it is activation="relu"',
    "ReduceLROnPlateau": "give it to the optimizer: learning_rate=schedules.ReduceOnPlateau(...)",
    "SELU": 'it is activation="selu"',
    "SiLU": 'it is activation="silu"',
    "SparseCategoricalCrossentropy": "it is losses.CrossEntropy",
    "StandardScaler": "it is Normalization",
    "StepLR": "it is schedules.Step",
    "TensorBoard": "callbacks.CSVLogger writes a table of every epoch",
    "TimeDistributed": "not needed: layers work on each position of (time, features)",
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
    "dilation_rate": ("dilation",),
    "embedding_dim": ("units",),
    "output_dim": ("units",),
    "input_dim": ("num_embeddings",),
    "eps": ("epsilon",),
    "eval_set": ("validation_data",),
    "factor": ("gamma",),
    "filepath": ("path",),
    "fit_intercept": ("use_bias",),
    "global_clipnorm": ("clip_norm",),
    "hidden_size": ("units",),
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
    "num_filters": ("filters",),
    "out_channels": ("filters",),
    "out_features": ("units",),
    "p": ("rate",),
    "random_state": ("seed",),
    "stride": ("strides",),
    "tol": ("min_delta", "threshold"),
    "validation_fraction": ("validation_split",),
    "workers": ("num_threads",),
}
"""What the arguments of other libraries are called here, where the function has one of these."""

ARGUMENT_ADVICE: Mapping[str, str] = {
    "activation": "GRU and LSTM have tanh and sigmoid; an Activation may follow any layer",
    "batch_first": "rows come first, and a row has the shape (time, features)",
    "bidirectional": "it is Bidirectional(layer), in a Network",
    "data_format": "channels come last: (height, width, channels)",
    "dropout": "put a Dropout before the layer; recurrent_dropout= is of its state",
    "in_channels": "the channels are those of what the layer reads",
    "num_layers": "put layers behind each other, all but the last with return_sequences=True",
    "recurrent_activation": "the gates have the sigmoid",
    "reset_after": "the reset gate acts behind the product, as Keras has it by default",
    "unroll": "not needed: steps cost no overhead",
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
    "groups": "DepthwiseConv1D and DepthwiseConv2D have a group for each channel; a few groups are "
    "a Take and a convolution each, and a Concatenate",
    "stateful": "give return_state=True, and initial_state= next time, or use StreamingPredictor",
    "device": "there is none but the CPU",
    "steps_per_epoch": "an epoch is one pass over all rows",
    "initial_epoch": "epochs go on from the network's own count",
    "validation_steps": "validation takes all of its rows",
    "early_stopping": "give callbacks=[EarlyStopping(...)]",
    "name": "layers have no names; parameters are called by their place, such as '0.weight'",
}
"""What to do instead of arguments that have no counterpart."""
