# SPDX-License-Identifier: Apache-2.0
"""What reads a network's loss and names, on networks of several inputs or outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import chainrule as cr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
LABELS = np.arange(60) % 3
TARGETS: dict[str, Any] = {"kind": LABELS, "told": LABELS}
TARGETS |= dict.fromkeys(("both", "count", "size"), X[:, 0] > 0)


def network(dtype: str = "float32", *, inputs: int = 1) -> cr.Network:
    given: Any = cr.Input(3, name="x")
    x = given
    if inputs == 2:
        given = [cr.Input(2, name="left"), cr.Input(1, name="right")]
        x = cr.Concatenate()(given)
    h = cr.Dense(8, activation="tanh")(x)
    outputs = {
        "kind": cr.Dense(3)(h),
        "told": cr.Dense(3, activation="softmax")(h),
        "both": cr.Dense(1)(h),
        "count": cr.Dense(1)(h),
        "size": cr.Dense(1)(h),
    }
    return cr.Network(given, outputs, seed=0, dtype=dtype)


LOSSES = {
    "kind": "cross_entropy",
    "told": "cross_entropy",
    "both": "binary_cross_entropy",
    "count": "poisson",
    "size": "mse",
}


def expected_probabilities(outputs: dict[str, Any]) -> dict[str, Any]:
    z = {name: part.astype(np.float64) for name, part in outputs.items()}
    e = np.exp(z["kind"])
    return {
        "kind": e / e.sum(axis=1, keepdims=True),
        "told": z["told"],
        "both": 1 / (1 + np.exp(-z["both"])),
        "count": np.exp(z["count"]),
        "size": z["size"],
    }


@pytest.mark.parametrize("inputs", [1, 2])
def test_onnx_files_of_probabilities(inputs: int, tmp_path: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net = network(inputs=inputs)
    net.compile(loss=LOSSES)
    rows = X.astype(np.float32)
    x: Any = rows if inputs == 1 else {"left": rows[:, :2], "right": rows[:, 2:]}
    told = net.predict_proba(x)
    for name, part in expected_probabilities(net.predict(x)).items():
        assert_allclose(told[name], part, rtol=1e-5, err_msg=name)
    report = cr.to_onnx(net, tmp_path / "net.onnx", output="probabilities")
    assert report.max_relative_difference <= 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    found = session.run([*told], x if inputs == 2 else {"x": rows})
    for name, part in zip(told, found, strict=True):
        assert_allclose(part, told[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_onnx_probabilities_of_one_output_and_several_inputs(tmp_path: Any) -> None:
    pytest.importorskip("onnxruntime")
    left, right = cr.Input(2, name="left"), cr.Input(1, name="right")
    y = cr.Dense(3)(cr.Concatenate()([left, right]))
    net = cr.Network([left, right], y, seed=0)
    net.compile(loss="cross_entropy")
    report = cr.to_onnx(net, tmp_path / "net.onnx", output="probabilities")
    assert report.max_relative_difference <= 1e-5


@pytest.mark.parametrize("weights", [None, {"b": 0.25}])
def test_least_squares_report_the_loss_of_each_output(weights: Any) -> None:
    x = cr.Input(3, name="x")
    h = cr.Dense(4, activation="tanh")(x)
    net = cr.Network(x, {"a": cr.Dense(2)(h), "b": cr.Dense(1)(h)}, seed=0, dtype="float64")
    y = {"a": np.sin(X[:, :2]), "b": X[:, :1] ** 2}
    history = net.fit(
        X, y, loss="mse", loss_weights=weights, optimizer=cr.LevenbergMarquardt(), epochs=4,
        metrics=["mae"], verbose=0,
    )  # fmt: skip
    z = net.predict(X)
    a, b = (np.mean((z[name] - y[name]) ** 2) for name in ("a", "b"))
    assert_allclose([history["a_loss"][-1], history["b_loss"][-1]], [a, b], rtol=1e-9)
    assert_allclose(history["loss"][-1], a + (0.25 if weights else 1.0) * b, rtol=1e-9)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_scikit_learn_holds_one_output() -> None:
    pytest.importorskip("sklearn")
    net = network()
    net.fit(X, TARGETS, loss=LOSSES, epochs=1, verbose=0)
    with pytest.raises(ValueError, match=r"it is no chain of layers.*net\.subnetwork\(output\)"):
        cr.to_sklearn(net)
    with pytest.raises(ValueError, match="it is no chain of layers with one input"):
        cr.to_sklearn(network(inputs=2).subnetwork("size"))
    one = net.subnetwork("size")
    rows = X.astype(np.float32)
    assert_allclose(cr.to_sklearn(one).predict(rows), one.predict(rows)[:, 0], rtol=1e-4, atol=1e-5)
    steps = cr.Input((2, 3))
    with pytest.raises(ValueError, match="it is no chain of layers that read flat rows"):
        cr.to_sklearn(cr.Network(steps, cr.Dense(1)(steps), seed=0))


def test_findings_name_columns_of_several_inputs() -> None:
    left, right = cr.Input(2, name="left"), cr.Input(2, name="right")
    y = cr.Dense(1)(cr.Concatenate()([left, right]))
    net = cr.Network([left, right], y, seed=0)
    x = {"left": X[:, :2], "right": np.column_stack([X[:, 2], X[:, 0]])}
    net.feature_names = {"right": ["weight", "age"]}
    report = str(net.diagnose(x, X[:, 0], loss="mse"))
    assert "'age' = 'left[0]'" in report


@pytest.mark.parametrize("first", ["codes", "numbers"])
def test_gradient_check_leaves_categories_of_any_input(first: str) -> None:
    inputs = {"codes": cr.Input(2, name="codes"), "numbers": cr.Input(3, name="numbers")}
    read = {"codes": cr.Embedding(4, 2)(inputs["codes"]), "numbers": inputs["numbers"]}
    order = [first, *({*inputs} - {first})]
    h = cr.Concatenate()([cr.Dense(2)(read[name]) for name in order])
    net = cr.Network([inputs[name] for name in order], h, seed=0)
    x = {"codes": RNG.integers(0, 4, (5, 2)), "numbers": X[:5]}
    report = cr.gradient_check(net, x, RNG.normal(size=(5, 4)), "mse")
    assert report.max_relative_error <= 1e-7
    assert "x['numbers']" in report.relative_errors
    assert "x['codes']" not in report.relative_errors


def test_weights_are_the_same_for_lists_and_mappings() -> None:
    nets = [network(inputs=2), network(inputs=2)]
    nets[0].fit([X[:, :2], X[:, 2:]], [*TARGETS.values()], loss=LOSSES, epochs=1, verbose=0)
    nets[1].fit({"right": X[:, 2:], "left": X[:, :2]}, TARGETS, loss=LOSSES, epochs=1, verbose=0)
    for name, values in nets[0].parameters.items():
        assert_array_equal(values, nets[1].parameters[name])
