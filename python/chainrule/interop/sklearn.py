# SPDX-License-Identifier: Apache-2.0
"""Networks from and to the multilayer perceptrons of scikit-learn."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import losses
from chainrule.activations import Activation
from chainrule.errors import ExportError
from chainrule.interop.affine import affine_of
from chainrule.interop.assembly import Assembly
from chainrule.interop.difference import relative_differences, sample_rows
from chainrule.interop.nodes import built_core, is_chain, nodes_of
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import Dense, Dropout
from chainrule.losses.link import LINKS

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    from chainrule.network.network import Network

__all__ = ["OUTPUTS", "from_sklearn", "give_names", "to_sklearn"]

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "relu": "relu", "tanh": "tanh"}
_SKLEARN_NAMES = {name: theirs for theirs, name in _ACTIVATIONS.items()}
OUTPUTS = {name: link.sklearn_name for name, link in LINKS.items()}
_LOSSES = {
    "exp": "poisson",
    "identity": "mse",
    "logistic": "binary_cross_entropy",
    "softmax": "cross_entropy",
}
# What an estimator predicts for so many rows is compared, relative to the largest output.
_ROWS = 24
_TOLERANCES = {"float32": 1e-4, "float64": 1e-7}


def from_sklearn(estimator: MLPClassifier | MLPRegressor) -> Network:
    """Return a network with copies of a fitted estimator's weights.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        A fitted estimator of scikit-learn, or of `chainrule.sklearn`, of which the
        ``network_`` is copied.

    Returns
    -------
    Sequential
        Of the weights' dtype. Its last layer is linear and its loss that of the estimator, so
        `predict_proba` gives the classifier's probabilities (of the second class alone where there
        are two), and `predict` a regressor's predictions. Labels are indices into
        ``estimator.classes_``, which become `class_names` where they are text;
        ``feature_names_in_`` become `feature_names`.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    TypeError
        If `estimator` is something else.
    ValueError
        If it is not fitted, or of a class derived from those that predicts something else than its
        weights do.

    Examples
    --------
    >>> import chainrule as cr
    >>> from sklearn.neural_network import MLPRegressor
    >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]
    >>> estimator = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", random_state=0).fit(x, y)
    >>> net = cr.from_sklearn(estimator)
    >>> bool(abs(net.predict(x)[:, 0] - estimator.predict(x)).max() < 1e-5)
    True
    """
    neural_network = _neural_network()
    kinds = (neural_network.MLPClassifier, neural_network.MLPRegressor)
    own = _is_of_chainrule(estimator)
    if not own and not isinstance(estimator, kinds):
        raise TypeError(
            f"estimator must be an MLPClassifier or MLPRegressor, got {type(estimator).__name__}"
        )
    if not hasattr(estimator, "coefs_"):
        raise ValueError(f"this {type(estimator).__name__} is not fitted yet")
    if own:
        copied: Network = copy.deepcopy(estimator.network_)
        return copied
    weights = estimator.coefs_
    hidden = Activation.get(_ACTIVATIONS[estimator.activation])
    assembly = Assembly(str(weights[0].dtype))
    x = assembly.input((weights[0].shape[0],))
    for index, (weight, bias) in enumerate(zip(weights, estimator.intercepts_, strict=True)):
        if index:
            x = assembly.activation(x, hidden)
        x = assembly.dense(x, weight, bias)
    net = assembly.network({"y": x})
    net.loss = losses.get(_LOSSES[estimator.out_activation_])
    difference = _difference(net, estimator)
    if not difference <= _TOLERANCES[net.dtype]:
        raise ValueError(
            f"this {type(estimator).__name__} predicts something else than its weights do: "
            f"outputs differ by {difference:.2g}"
        )
    give_names(net, estimator)
    return net


def _is_of_chainrule(estimator: object) -> bool:
    """Whether an estimator is one of `chainrule.sklearn`, which is imported then."""
    module = sys.modules.get("chainrule.sklearn.estimator")
    return module is not None and isinstance(estimator, module.Estimator)


def give_names(net: Network, estimator: Any) -> None:
    """Give a network the names of an estimator's features and classes."""
    net.feature_names = getattr(estimator, "feature_names_in_", None)
    labels = getattr(estimator, "classes_", ())
    if len(labels) and all(isinstance(label, str) for label in labels):
        net.class_names = labels


def to_sklearn(net: Network, classes: Sequence[Any] | None = None) -> MLPClassifier | MLPRegressor:
    """Return a fitted estimator of scikit-learn with copies of the weights.

    A network whose loss is `CrossEntropy` or `BinaryCrossEntropy`, or whose last activation is
    softmax or sigmoid, becomes an ``MLPClassifier``, another one an ``MLPRegressor``. Layers
    that scale and shift are folded into the weights beside them.

    Parameters
    ----------
    net : Network
        A built network.
    classes : sequence, optional
        Labels of the classes, in the order of the outputs (of the classes 0 and 1 for a single
        output). Default: the network's `class_names` where they are sorted, as scikit-learn
        keeps labels, else 0, 1, ...

    Returns
    -------
    MLPClassifier or MLPRegressor
        Its ``predict`` and ``predict_proba`` agree with the network's up to rounding.

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    ValueError
        If scikit-learn cannot hold the network; the text lists every reason. If `classes` has
        another length, or the network is no classifier.
    chainrule.ExportError
        If the estimator's outputs differ from the network's on random rows.
    RuntimeError
        If the number of inputs is not known yet.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="relu"), cr.Dense(1)], seed=0)
    >>> estimator = cr.to_sklearn(net)
    >>> bool(abs(estimator.predict([[1.0, 2.0]]) - net.predict([[1.0, 2.0]])[:, 0]).max() < 1e-6)
    True
    """
    neural_network = _neural_network()
    inputs = built_core(net).inputs
    shapes, nodes, outputs = nodes_of(net)
    if not is_chain(shapes, nodes, outputs):
        raise ValueError(
            "scikit-learn cannot hold this network: it is no chain of layers with one input and "
            "one output; to_sklearn(net.subnetwork(output)) takes an output that is one"
        )
    if any(len(shape) > 1 for shape in shapes.values()):
        raise ValueError(
            "scikit-learn cannot hold this network: it is no chain of layers that read flat rows"
        )
    if net.layers[0].categories(inputs):
        raise ValueError(
            f"scikit-learn cannot hold this network: {net.layers[0]!r} is none of its layers"
        )
    merged = _merged(net)
    dense = [layer for layer in merged.layers if isinstance(layer, Dense)]
    kinds = [str(layer.activation.config["kind"]) for layer in dense]
    link = "identity" if net.loss is None else str(net.loss._core.link)
    _refuse(merged, kinds, link)
    output = OUTPUTS.get(kinds[-1], OUTPUTS.get(link, "identity"))
    arrays = [node.arrays for node in nodes_of(merged)[1]]
    weights = [each["weight"] for each in arrays]
    biases = [each.get("bias", np.zeros(each["weight"].shape[1], merged.dtype)) for each in arrays]
    if output == "softmax" and merged.outputs == 2:
        # Of two classes, scikit-learn's networks give the second one's logit alone.
        output = "logistic"
        weights[-1] = weights[-1][:, 1:] - weights[-1][:, :1]
        biases[-1] = biases[-1][1:] - biases[-1][:1]
    options: dict[str, Any] = {
        "hidden_layer_sizes": tuple(layer.units for layer in dense[:-1]),
        "activation": _SKLEARN_NAMES[kinds[0]] if len(kinds) > 1 else "relu",
    }
    if output == "exp":
        options["loss"] = "poisson"
    if output in ("softmax", "logistic"):
        estimator = neural_network.MLPClassifier(**options)
        names = net.class_names
        if classes is None and names is not None and list(names) == sorted(names):
            classes = names
        _give_classes(estimator, len(biases[-1]), output, classes)
    elif classes is not None:
        raise ValueError("classes are for classifiers, which by its loss the network is not")
    else:
        estimator = neural_network.MLPRegressor(**options)
    estimator.coefs_, estimator.intercepts_ = weights, biases
    estimator.n_features_in_ = merged.inputs
    if net.feature_names is not None:
        estimator.feature_names_in_ = np.array(net.feature_names, dtype=object)
    estimator.n_layers_ = len(dense) + 1
    estimator.n_outputs_ = len(biases[-1])
    estimator.out_activation_ = output
    # What training leaves, of a training that took no step.
    estimator.n_iter_ = estimator.t_ = 0
    estimator.loss_curve_ = []
    estimator.best_loss_ = estimator.loss_ = np.inf
    estimator.validation_scores_ = estimator.best_validation_score_ = None
    difference = _difference(net, estimator)
    if not difference <= _TOLERANCES[net.dtype]:
        raise ExportError(
            f"the {type(estimator).__name__} predicts something else than the network: outputs "
            f"differ by {difference:.2g}"
        )
    return estimator


def _difference(net: Network, estimator: Any) -> float:
    """Return the largest relative difference of a network's predictions on random rows."""
    # Of large rows the float32 sums differ by their rounding alone.
    scales = (1.0, 1e3, 0.0) if net.dtype == "float64" else (1.0, 0.0)
    rng = np.random.default_rng(0)
    rows = sample_rows(net._built_core().inputs, scales, _ROWS, rng).astype(net.dtype)
    with warnings.catch_warnings():
        # Rows without names, where it was fitted on a frame.
        warnings.simplefilter("ignore")
        if hasattr(estimator, "classes_"):
            theirs = np.asarray(estimator.predict_proba(rows))
            theirs = theirs[:, -net.outputs :] if net.outputs == 1 else theirs
        else:
            theirs = np.asarray(estimator.predict(rows)).reshape(len(rows), -1)
    linked = net.loss is not None and net.loss._core.link != "identity"
    outputs = net.predict_proba(rows) if linked else net.predict(rows)
    return float(np.max(relative_differences(outputs, theirs, _ROWS)))  # which keeps NaN


def _neural_network() -> Any:
    try:
        from sklearn import neural_network
    except ImportError as error:
        raise ImportError(
            'estimators need scikit-learn: pip install "chainrule[sklearn]"'
        ) from error
    return neural_network


def _merged(net: Network) -> Network:
    """Return the network without dropout, with scaling folded into the weights beside it."""
    inputs, nodes, _ = nodes_of(net)
    assembly = Assembly(net.dtype, fold=True)
    (x,) = (assembly.input(shape) for shape in inputs.values())
    for node in nodes:
        layer, arrays = node.layer, node.arrays
        affine = affine_of(layer, arrays, "float64")
        if affine is not None:
            x = assembly.affine(x, *affine)
        elif isinstance(layer, Dense | ActivationLayer):
            if isinstance(layer, Dense):
                x = assembly.dense(x, arrays["weight"], arrays.get("bias"))
            x = assembly.activation(x, layer.activation)
        elif not isinstance(layer, Dropout):
            x = assembly.layer(layer, arrays, x)
    return assembly.network({"y": x})


def _refuse(merged: Network, kinds: list[str], link: str) -> None:
    """Raise ValueError with every reason why scikit-learn cannot hold a network."""
    reasons = [
        f"{layer!r} is none of its layers"
        for layer in merged.layers
        if not isinstance(layer, Dense)
    ]
    reasons += [
        f"activation {kind!r} is none of {', '.join(_SKLEARN_NAMES)}"
        for kind in sorted(set(kinds[:-1]) - set(_SKLEARN_NAMES))
    ]
    if len(set(kinds[:-1])) > 1:
        reasons.append(f"its hidden layers share one activation; here are {', '.join(kinds[:-1])}")
    if not kinds:
        reasons.append("it has no Dense layer")
    elif kinds[-1] not in ("linear", link, *(("softmax", "sigmoid") if link == "identity" else ())):
        reasons.append(f"the last activation is {kinds[-1]!r}")
    if reasons:
        raise ValueError(f"scikit-learn cannot hold this network: {'; '.join(reasons)}")


def _give_classes(estimator: Any, outputs: int, output: str, classes: Sequence[Any] | None) -> None:
    """Set the labels, and what turns outputs into them."""
    from sklearn.preprocessing import LabelBinarizer

    several = output == "logistic" and outputs > 1
    count = max(outputs, 2)
    labels: NDArray[Any] = np.arange(count) if classes is None else np.asarray(classes)
    if labels.shape != (count,) or len(np.unique(labels)) != count:
        raise ValueError(f"classes must be {count} different labels, got {classes!r:.80}")
    if np.any(labels[:-1] > labels[1:]):
        raise ValueError("classes must be sorted, as scikit-learn keeps them")
    # Outputs that are classes of their own have rows of indicators for labels.
    binarizer = LabelBinarizer().fit(np.ones((2, count), dtype=int) if several else labels)
    estimator.classes_ = labels
    estimator._label_binarizer = binarizer
