# SPDX-License-Identifier: Apache-2.0
"""Bad arguments are refused by an error that says what is wrong, and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from refusals import (
    CLASSES,
    ROWS,
    CudaTensor,
    X,
    Y,
    assert_refused,
    snapshot,
    trained,
    with_value,
)

import chainrule as cr

FIT_ARGUMENTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"epochs": 0}, ValueError, "epochs must be >= 1, got 0"),
    ({"epochs": -3}, ValueError, "epochs must be >= 1, got -3"),
    ({"epochs": 1.5}, TypeError, "epochs must be an integer, got 1.5"),
    ({"epochs": True}, TypeError, "epochs must be an integer, got True"),
    ({"epochs": 10**20}, ValueError, "epochs must be <= 2147483647, got 100000000000000000000"),
    ({"batch_size": 0}, ValueError, "batch_size must be >= 1, got 0"),
    ({"batch_size": -1}, ValueError, "batch_size must be >= 1, got -1"),
    ({"batch_size": "8"}, TypeError, "batch_size must be an integer, got '8'"),
    ({"batch_size": 2**80}, ValueError, "batch_size must be <= 2147483647, got"),
    ({"num_threads": 0}, ValueError, "num_threads must be >= 1, got 0"),
    ({"num_threads": "all"}, TypeError, "num_threads must be an integer, got 'all'"),
    ({"num_threads": 2**40}, ValueError, "num_threads must be <= 2147483647, got"),
    ({"shuffle": "no"}, TypeError, "shuffle must be True or False, got 'no'"),
    ({"verbose": 3}, ValueError, "verbose must be 0, 1 or 2, got 3"),
    ({"verbose": "auto"}, ValueError, "verbose must be 0, 1 or 2, got 'auto'"),
    ({"validation_split": 1.0}, ValueError, "validation_split must lie in [0, 1), got 1.0"),
    ({"validation_split": -0.1}, ValueError, "validation_split must lie in [0, 1), got -0.1"),
    ({"validation_split": np.nan}, ValueError, "validation_split must lie in [0, 1), got nan"),
    ({"validation_split": "a"}, TypeError, "validation_split must be a number, got 'a'"),
    (
        {"validation_split": 0.001},
        ValueError,
        "validation_split=0.001 of 24 rows leaves nothing to train or validate on",
    ),
    (
        {"validation_split": 0.99},
        ValueError,
        "validation_split=0.99 of 24 rows leaves nothing to train or validate on",
    ),
    (
        {"validation_split": 0.5, "validation_data": (X, Y)},
        ValueError,
        "give validation_data or validation_split, not both",
    ),
    ({"validation_data": X}, TypeError, "validation_data must be (x, y) or (x, y, sample_weight)"),
    ({"validation_data": (X,)}, ValueError, "(x, y, sample_weight), got 1 items"),
    (
        {"validation_data": (X, Y, np.ones(3))},
        ValueError,
        "validation_data: sample_weight has shape (3,), expected one weight per row: (24,)",
    ),
    (
        {"sample_weight": np.ones(23)},
        ValueError,
        "sample_weight has shape (23,), expected one weight per row: (24,)",
    ),
    (
        {"sample_weight": with_value(np.ones(ROWS), 4, -1)},
        ValueError,
        "sample_weight[4] = -1.0 is not a weight: expected finite numbers, 0 or more",
    ),
    ({"sample_weight": with_value(np.ones(ROWS), 4, np.inf)}, ValueError, "sample_weight[4] = inf"),
    ({"sample_weight": ["a"] * ROWS}, TypeError, "sample_weight has dtype"),
    (
        {"class_weight": [1.0, 2.0]},
        ValueError,
        "class_weight has shape (2,), expected one weight per class: (3,)",
    ),
    (
        {"class_weight": {3: 1.0}},
        ValueError,
        "class_weight has the key 3; valid labels are 0 to 2",
    ),
    (
        {"class_weight": {"red": 1.0}},
        TypeError,
        "class_weight has the key 'red'; keys are labels 0 to 2",
    ),
    (
        {"class_weight": [1, -1, 1]},
        ValueError,
        "class_weight[1] = -1 is not a weight: expected finite numbers, 0 or more",
    ),
    ({"class_weight": "heavy"}, ValueError, 'class_weight must be weights or "balanced", got '),
    (
        {"class_weight": [1, 1], "loss": "binary_cross_entropy", "y": np.eye(3)[Y]},
        ValueError,
        "class_weight with binary_cross_entropy needs one output, got 3",
    ),
    ({"callbacks": 3}, TypeError, "callbacks must be a list, got 3"),
    ({"callbacks": print}, TypeError, "callbacks must be a list, got <built-in function print>"),
    ({"callbacks": cr.EarlyStopping()}, TypeError, "callbacks must be a list, got <"),
    ({"callbacks": [3]}, TypeError, "callbacks must be Callback objects or functions, got 3"),
    (
        {"callbacks": [cr.EarlyStopping]},
        TypeError,
        "callbacks must be instances, got the class EarlyStopping; pass EarlyStopping(...)",
    ),
    (
        {"loss": "crossentropy"},
        ValueError,
        "unknown loss 'crossentropy'; did you mean 'cross_entropy'? valid: binary_cross_entropy,",
    ),
    ({"loss": 3}, TypeError, "expected a loss by its name or config, got 3"),
    (
        {"optimizer": "adaw"},
        ValueError,
        "unknown optimizer 'adaw'; did you mean 'adam'? valid: adadelta, adagrad, adam,",
    ),
    ({"optimizer": 0.1}, TypeError, "expected an optimizer by its name or config, got 0.1"),
    (
        {"metrics": ["acuracy"]},
        ValueError,
        "unknown metric 'acuracy'; did you mean 'accuracy'? valid: accuracy, top_k,",
    ),
    ({"metrics": [3]}, TypeError, "metric must be a name, a function or a Metric, got 3"),
    (
        {"optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentun": 0.9}},
        ValueError,
        "unknown sgd option 'momentun'; did you mean 'momentum'?",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "error", "text"), FIT_ARGUMENTS, ids=lambda value: repr(value)[:30]
)
def test_arguments_of_fit(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    given = {"x": X, "y": Y, "loss": "cross_entropy", "optimizer": "sgd", "verbose": 0, **arguments}
    net = trained()
    assert_refused(net, lambda: net.fit(**given), error, text)
    unbuilt = cr.Sequential([cr.Normalization(), cr.Dense(CLASSES)], seed=0)
    assert_refused(unbuilt, lambda: unbuilt.fit(**given), error, text)


def test_a_loss_is_needed() -> None:
    text = 'the network has no loss yet: give one, such as loss="cross_entropy"'
    net = cr.Sequential([cr.Dense(CLASSES)], seed=0)
    assert_refused(net, lambda: net.fit(X, Y, verbose=0), ValueError, text)
    assert_refused(net, lambda: net.train_on_batch(X, Y), ValueError, text)
    assert_refused(net, lambda: net.evaluate(X, Y), ValueError, text)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be >= 1, got 0"),
        ({"batch_size": 2**62}, ValueError, "batch_size must be <= 2147483647, got"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer, got 2.0"),
        ({"num_threads": -1}, ValueError, "num_threads must be >= 1, got -1"),
        ({"out": [0.0]}, TypeError, "out must be an ndarray, got list"),
        (
            {"out": np.zeros((3, 3), np.float32)},
            ValueError,
            "out has shape (3, 3), expected (24, 3)",
        ),
        ({"out": np.zeros((24, 3))}, TypeError, "out has dtype float64, expected float32"),
        ({"out": np.zeros((3, 24), np.float32).T}, ValueError, "out must be C-contiguous"),
        ({"out": np.broadcast_to(np.float32(0), (24, 3))}, ValueError, "out must be C-contiguous"),
    ],
    ids=repr,
)
def test_arguments_of_predict(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    for net in (trained(), cr.Sequential([cr.Dense(CLASSES)], seed=0)):
        assert_refused(net, lambda: net.predict(X, **arguments), error, text)  # noqa: B023


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: cr.Dense(0), ValueError, "dense: units must be >= 1, got 0"),
        (lambda: cr.Dense(-4), ValueError, "dense: units must be >= 1, got -4"),
        (
            lambda: cr.Dense(4, "rleu"),
            ValueError,
            "unknown activation 'rleu'; did you mean 'relu'?",
        ),
        (
            lambda: cr.Dense(4, weight_initializer="he_norml"),
            ValueError,
            "unknown initializer 'he_norml'; did you mean 'he_normal'?",
        ),
        (lambda: cr.Adam(0.0), ValueError, "adam: learning_rate must be > 0, got 0"),
        (lambda: cr.SGD(-0.1), ValueError, "sgd: learning_rate must be > 0, got -0.1"),
        (
            lambda: cr.Adam(np.nan),
            ValueError,
            "adam: learning_rate must be finite and > 0, got nan",
        ),
        (lambda: cr.Adam(None), TypeError, "adam: learning_rate must not be None"),  # type: ignore[arg-type]
        (lambda: cr.SGD(0.1, momentum=1.0), ValueError, "sgd: momentum must be"),
        (lambda: cr.Dropout(1.0), ValueError, "dropout: rate must be"),
        (lambda: cr.Input(0), ValueError, "Input: axes must be >= 1, got 0"),
        (lambda: cr.Input(2.5), TypeError, "Input: axes must be integers, got 2.5"),  # type: ignore[arg-type]
        (lambda: cr.Sequential([]), ValueError, "a network needs at least one layer"),
        (lambda: cr.Sequential([cr.Input(3)]), ValueError, "a network needs at least one layer"),
        (
            lambda: cr.Sequential(cr.Dense(3)),
            TypeError,
            "layers must be a list of layers, got Dense(3)",
        ),  # type: ignore[arg-type]
        (lambda: cr.Sequential([cr.Dense]), TypeError, "layers[0] must be a Layer, got <class"),  # type: ignore[list-item]
        (
            lambda: cr.Sequential([cr.Dense(2), "relu"]),
            TypeError,
            "layers[1] must be a Layer, got 'relu'",
        ),  # type: ignore[list-item]
        (
            lambda: cr.Sequential([cr.Dense(2), cr.Input(3)]),
            ValueError,
            "Input(3) must be the first of the layers, and the only Input",
        ),
        (
            lambda: cr.Sequential([cr.Dense(2)], dtype="float16"),
            ValueError,
            "unknown dtype 'float16'; did you mean 'float32'? valid: float32, float64",
        ),
        (
            lambda: cr.Sequential([cr.Dense(2)], dtype=None),
            ValueError,
            "unknown dtype None; valid:",
        ),  # type: ignore[arg-type]
        (
            lambda: cr.Sequential([cr.Dense(2)], seed=-1),
            ValueError,
            "seed must lie in 0..2^64-1, got -1",
        ),
        (
            lambda: cr.Sequential([cr.Dense(2)], seed=2**64),
            ValueError,
            "seed must lie in 0..2^64-1",
        ),
        (
            lambda: cr.Sequential([cr.Dense(2)], seed="a"),
            TypeError,
            "seed must be an integer or None",
        ),  # type: ignore[arg-type]
        (
            lambda: cr.metrics.get("score"),
            ValueError,
            "unknown metric 'score'",
        ),
        (
            lambda: cr.no_such_name,
            AttributeError,
            "module 'chainrule' has no attribute 'no_such_name'",
        ),
    ],
)
def test_descriptions(make: Callable[[], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    assert text in str(caught.value)


def test_numpy_dtypes_are_dtypes() -> None:
    for dtype in (np.float64, np.dtype("float64"), "float64"):
        assert cr.Sequential([cr.Dense(2)], dtype=dtype).dtype == "float64"  # type: ignore[arg-type]


@pytest.mark.parametrize("inputs", [0, -1, 2.0, "4", None])
def test_build(inputs: Any) -> None:
    net = cr.Sequential([cr.Dense(2)], seed=0)
    error = ValueError if isinstance(inputs, int) else TypeError
    assert_refused(net, lambda: net.build(inputs), error, "inputs must be ")
    other = trained()
    assert_refused(
        other, lambda: other.build(6), ValueError, "x has 6 columns; the network expects 5"
    )


@pytest.mark.parametrize(
    ("weights", "error", "text"),
    [
        ([np.zeros(3)], ValueError, "expected 8 arrays (0.weight, 0.bias, 1.gamma,"),
        (
            {"0.weigth": np.zeros((5, 4))},
            ValueError,
            "unknown parameter '0.weigth'; did you mean '0.weight'?",
        ),
        ({"0.weight": np.zeros((4, 5))}, ValueError, "0.weight has shape (5, 4), got (4, 5)"),
        (
            {"0.bias": [0, 0, 0, np.nan]},
            ValueError,
            "the values for 0.bias contain NaN or infinity",
        ),
        ({"0.bias": [0, 0, 0, 1e39]}, ValueError, "the values for 0.bias contain NaN or infinity"),
        (
            {"0.bias": np.zeros(4, complex)},
            TypeError,
            "0.bias has dtype complex128, expected numbers",
        ),
        ({"0.bias": ["a"] * 4}, TypeError, "0.bias has dtype <U1, expected numbers"),
        ({"0.bias": CudaTensor()}, TypeError, "0.bias is on device cuda:0"),
        # The first would fit, and must not be set.
        (
            {"2.bias": np.ones(3), "0.bias": np.ones(3)},
            ValueError,
            "0.bias has shape (4,), got (3,)",
        ),
    ],
)
def test_set_weights(weights: Any, error: type[Exception], text: str) -> None:
    net = trained()
    assert_refused(net, lambda: net.set_weights(weights), error, text)


@pytest.mark.parametrize(
    ("dy", "text"),
    [
        (np.ones((ROWS, 2)), "dy has shape (24, 2); the last forward pass gave (24, 3)"),
        (np.ones((3, 3)), "dy has shape (3, 3); the last forward pass gave (24, 3)"),
        (
            with_value(np.ones((ROWS, 3)), (1, 2), np.nan),
            "dy must be finite; row 1, column 2 is NaN",
        ),
        (np.ones(3), "dy is 1-D with shape (3,)"),
    ],
)
def test_backward(dy: NDArray[Any], text: str) -> None:
    net = trained()
    net.forward(X)
    assert_refused(net, lambda: net.backward(dy), ValueError, text)
    net.backward(np.ones((ROWS, 3)))


def test_step() -> None:
    net = trained()
    net.forward(X, training=False)
    net.backward(np.ones((ROWS, CLASSES)))
    sgd = cr.SGD(0.1)
    for rate, text in ((0.0, "got 0.0"), (-1.0, "got -1.0"), (np.inf, "got inf")):
        assert_refused(
            net,
            lambda rate=rate: sgd.step(net, rate),  # type: ignore[misc]
            ValueError,
            f"learning_rate must be finite and > 0, {text}",
        )


def test_save_needs_a_folder(tmp_path: Any) -> None:
    net = trained()
    path = tmp_path / "missing" / "net.safetensors"
    before = snapshot(net)
    with pytest.raises(FileNotFoundError, match="missing"):
        net.save(path)
    assert snapshot(net) == before
