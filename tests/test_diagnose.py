# SPDX-License-Identifier: Apache-2.0
"""Diagnosis of networks made sick and of healthy ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse
from diagnosed_cases import CROSS, SCALE, digits, shallow, waves

import chainrule as cr
from chainrule.diagnosis.layers import root_mean_square


def normal(deviation: float) -> dict[str, object]:
    return {"kind": "normal", "standard_deviation": deviation}


# Name: what is found; layers, data, loss, and options of diagnose.
SICK = {
    "20 sigmoid layers": (
        {"vanishing_gradients"},
        lambda: [SCALE, *(cr.Dense(20, "sigmoid") for _ in range(20)), cr.Dense(10)],
        digits,
        CROSS,
        {},
    ),
    "exploding initialisation": (
        {"exploding_activations"},
        lambda: [
            SCALE,
            *(cr.Dense(256, "relu", weight_initializer=normal(1.0)) for _ in range(4)),
            cr.Dense(10),
        ],
        digits,
        CROSS,
        {},
    ),
    "dead relus": (
        {"dead_units"},
        lambda: [
            SCALE,
            cr.Dense(64, "relu", bias_initializer={"kind": "constant", "value": -8.0}),
            cr.Dense(10),
        ],
        digits,
        CROSS,
        {},
    ),
    "unscaled inputs": (
        {"unscaled_inputs"},
        lambda: [cr.Dense(64, "relu"), cr.Dense(10)],
        lambda: (digits()[0] * 100.0, digits()[1]),
        CROSS,
        {},
    ),
    "rate too high": (
        {"learning_rate_too_high"},
        shallow,
        digits,
        CROSS,
        {"optimizer": cr.SGD(50.0)},
    ),
    "rate too low": (
        {"learning_rate_too_low"},
        shallow,
        digits,
        CROSS,
        {"optimizer": cr.SGD(1e-5)},
    ),
    "saturated tanh": (
        {"saturated_units"},
        lambda: [SCALE, cr.Dense(64, "tanh", weight_initializer=normal(5.0)), cr.Dense(10)],
        digits,
        CROSS,
        {},
    ),
    "identical units": (
        {"identical_units", "dead_units"},
        lambda: [SCALE, cr.Dense(64, "relu", weight_initializer="zeros"), cr.Dense(10)],
        digits,
        CROSS,
        {},
    ),
    "Adam's rate too high": (
        {"learning_rate_too_high"},
        shallow,
        digits,
        CROSS,
        {"optimizer": cr.Adam(1.0)},
    ),
    "Adam's rate too low": (
        {"learning_rate_too_low"},
        shallow,
        digits,
        CROSS,
        {"optimizer": cr.Adam(1e-6)},
    ),
    "unscaled targets": (
        {"unscaled_targets"},
        lambda: [cr.Dense(16, "relu"), cr.Dense(1)],
        lambda: (waves()[0], waves()[1] * 1000 + 5000),
        "mae",
        {"optimizer": cr.Adam(0.1)},
    ),
    "a rare class": (
        {"imbalanced_classes"},
        lambda: [cr.Dense(16, "relu"), cr.Dense(1, "sigmoid")],
        lambda: (waves()[0], (waves()[0][:, 0] > 1.9).astype(int)),
        "binary_cross_entropy",
        {},
    ),
    "a column twice": (
        {"duplicated_columns"},
        lambda: [cr.Dense(16, "relu"), cr.Dense(1)],
        lambda: (waves()[0][:, [0, 1, 2, 1]], waves()[1]),
        "mse",
        {},
    ),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SICK)
def test_what_is_wrong_is_named(name: str, seed: int) -> None:
    kinds, layers, data, loss, options = SICK[name]
    net = cr.Sequential(layers(), seed=seed)
    diagnosis = net.diagnose(*data(), loss=loss, **options)
    assert {finding.kind for finding in diagnosis.findings} == kinds
    for finding in diagnosis.findings:
        assert str(finding) in str(diagnosis)


def trained(net: cr.Sequential, data, loss: str, epochs: int = 20) -> cr.Sequential:
    net.fit(*data, loss=loss, epochs=epochs, verbose=0)
    return net


def normalised() -> list:
    deep = [
        layer
        for _ in range(8)
        for layer in (cr.Dense(32, use_bias=False), cr.BatchNormalization(), cr.Activation("relu"))
    ]
    return [SCALE, *deep, cr.Dense(10)]


HEALTHY = {
    "relu": (shallow, digits, CROSS, {}),
    "sgd": (shallow, digits, CROSS, {"optimizer": cr.SGD(0.1)}),
    "slow sgd": (shallow, digits, CROSS, {"optimizer": cr.SGD(0.01)}),
    "rmsprop": (shallow, digits, CROSS, {"optimizer": cr.RMSprop(1e-3)}),
    "tanh and softmax": (
        lambda: [SCALE, cr.Dense(64, "tanh"), cr.Dense(64, "tanh"), cr.Dense(10, "softmax")],
        digits,
        CROSS,
        {},
    ),
    "ten relu layers": (
        lambda: [SCALE, *(cr.Dense(64, "relu") for _ in range(10)), cr.Dense(10)],
        digits,
        CROSS,
        {},
    ),
    "batch normalisation": (normalised, digits, CROSS, {}),
    "regression": (lambda: [cr.Dense(32, "tanh"), cr.Dense(1)], waves, "mse", {}),
    "normalised regression": (
        lambda: [cr.Normalization(), cr.Dense(32, "gelu"), cr.Dense(1)],
        lambda: (waves()[0] * 1000 + 5000, waves()[1]),
        "huber",
        {},
    ),
    "two classes": (
        lambda: [cr.Dense(32, "relu"), cr.Dense(1, "sigmoid")],
        lambda: (waves()[0], (waves()[1] > 0).astype(int)),
        "binary_cross_entropy",
        {},
    ),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_found_in_a_healthy_network(name: str, seed: int) -> None:
    layers, data, loss, options = HEALTHY[name]
    net = cr.Sequential(layers(), seed=seed)
    diagnosis = net.diagnose(*data(), loss=loss, **options)
    assert diagnosis.findings == []
    assert str(diagnosis).endswith("Nothing was found.")


@pytest.mark.parametrize("name", ["relu", "tanh and softmax", "regression", "two classes"])
def test_nothing_is_found_in_a_trained_network(name: str) -> None:
    layers, data, loss, _ = HEALTHY[name]
    net = trained(cr.Sequential(layers(), seed=0), data(), loss)
    assert net.diagnose(*data()).findings == []


def test_measures_are_those_of_numpy() -> None:
    x, y = waves()
    net = cr.Sequential([cr.Input(8), cr.Dense(6, "tanh"), cr.Dense(1)], 0, "float64")
    diagnosis = net.diagnose(x, y, loss="mse", optimizer=cr.SGD(0.1))
    w0, b0, w1, b1 = net.get_weights()
    hidden = np.tanh(x @ w0 + b0)
    outputs = hidden @ w1 + b1
    assert diagnosis.loss == pytest.approx(np.mean((outputs[:, 0] - y) ** 2))
    dz1 = 2 * (outputs - y[:, None]) / len(y)
    g1 = hidden.T @ dz1
    g0 = x.T @ (dz1 @ w1.T * (1 - hidden**2))
    first, last = diagnosis.layers

    def rms(values: np.ndarray) -> float:
        return math.sqrt(np.mean(values**2))

    assert first.output == pytest.approx(rms(hidden))
    assert first.gradient == pytest.approx(rms(g0))
    assert last.gradient == pytest.approx(rms(g1))
    assert first.update == pytest.approx(0.1 * rms(g0))
    assert first.ratio == pytest.approx(0.1 * rms(g0) / rms(w0))
    assert diagnosis.gradient_ratio == pytest.approx(rms(g0) / rms(g1))
    assert f"gradient is {rms(g0) / rms(g1):.2g} of the last" in str(diagnosis)
    assert first.saturated == pytest.approx(np.mean(np.abs(hidden) > 0.98))
    assert (first.units, last.units) == (6, 1)
    assert first.dead is None
    assert last.saturated is None


def ridge(deviations: list[float]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return rows, targets and the largest curvature of their mean squared error."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, len(deviations))) * deviations
    rows = np.concatenate([x, np.ones((200, 1))], axis=1)
    curvature = np.linalg.eigvalsh(2 * rows.T @ rows / 200)[-1]
    return x, x @ rng.normal(size=len(deviations)) + 1.0, curvature


@pytest.mark.parametrize(
    ("share", "kinds"),
    [(1e-5, {"learning_rate_too_low"}), (0.4, set()), (4.0, {"learning_rate_too_high"})],
)
def test_the_learning_rate_against_the_curvature(share: float, kinds: set[str]) -> None:
    x, y, curvature = ridge([2.0, 1.0, 0.5])
    net = cr.Sequential([cr.Input(3), cr.Dense(1)], seed=0, dtype="float64")
    rate = share * 2 / curvature
    diagnosis = net.diagnose(x, y, loss="mse", optimizer=cr.SGD(rate), batch_size=200)
    assert diagnosis.curvature.largest == pytest.approx(curvature, rel=1e-3)
    assert diagnosis.curvature.highest_rate == pytest.approx(2 / curvature, rel=1e-3)
    assert {finding.kind for finding in diagnosis.findings} == kinds
    limit = f"2 / {curvature:.3g} = {2 / curvature:.2g}"
    assert f"needs learning rates below {limit}." in str(diagnosis)
    for finding in diagnosis.findings:
        assert f"diverges at rates above {limit}" in finding.advice


def test_a_rate_too_high_for_the_curvature_is_named_where_steps_do_not_show_it() -> None:
    """At the minimum no step changes anything."""
    x = np.repeat(np.random.default_rng(0).integers(-3, 4, (64, 3)).astype(float), 2, axis=0)
    y = np.tile([1.0, -1.0], 64)
    rows = np.concatenate([x, np.ones((128, 1))], axis=1)
    curvature = np.linalg.eigvalsh(2 * rows.T @ rows / 128)[-1]
    net = cr.Sequential([cr.Input(3), cr.Dense(1)], seed=0, dtype="float64")
    net.set_weights([np.zeros((3, 1)), np.zeros(1)])
    options = {"loss": "mse", "batch_size": 128}
    limit = 2 / curvature
    for factor, found in ((2.0, []), (5.0, ["5 times what the curvature allows"])):
        optimizer = cr.SGD(factor * limit)
        diagnosis = net.diagnose(x, y, optimizer=optimizer, **options)
        assert [f.text.partition("it is ")[2] for f in diagnosis.findings] == found
    # It says nothing of other steps.
    diagnosis = net.diagnose(x, y, optimizer=cr.SGD(5 * limit, momentum=0.9), **options)
    assert diagnosis.findings == []
    assert not diagnosis.curvature.applies


def test_curvature_where_there_is_none() -> None:
    x, y = digits()
    assert cr.Sequential(normalised(), seed=0).diagnose(x, y, loss=CROSS).curvature is None
    x, y, _ = ridge([2.0, 1.0])
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    assert net.diagnose(x, y, loss="mae").curvature is None


def test_dead_units_are_counted() -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(4, "relu"), cr.Dense(1)], seed=0)
    weight = np.array([[1.0, -1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 1.0]])
    net.set_weights({"0.weight": weight, "0.bias": [0.0, 0.0, -1.0, 0.0]})
    x = np.abs(np.random.default_rng(0).normal(size=(40, 2)))
    diagnosis = net.diagnose(x, x[:, 0], loss="mse")
    assert diagnosis.layers[0].dead == 0.5
    (finding,) = [f for f in diagnosis.findings if f.kind == "dead_units"]
    assert finding.layer == 0
    assert "50% of the units of layer 0" in finding.text


def test_numbers_that_are_not_finite_are_named_and_left_out() -> None:
    x, y = waves()
    x[3, 2], x[7, 5] = np.nan, np.inf
    net = cr.Sequential([cr.Dense(8, "tanh"), cr.Dense(1)], seed=0)
    diagnosis = net.diagnose(x, y, loss="mse")
    (finding,) = diagnosis.findings
    assert finding.kind == "not_finite"
    assert "columns 2, 5" in finding.text
    assert diagnosis.data.rows == 498
    with pytest.raises(ValueError, match="every row of x has NaN"):
        net.diagnose(np.full((3, 8), np.nan), [1.0, 2.0, 3.0], loss="mse")


def test_the_network_is_not_changed() -> None:
    x, y = digits()
    unbuilt = cr.Sequential(shallow(), seed=0)
    unbuilt.diagnose(x, y, loss=CROSS)
    assert not unbuilt.built
    assert unbuilt.loss is None
    net = trained(cr.Sequential(normalised(), seed=0), (x, y), CROSS, epochs=1)
    twin = trained(cr.Sequential(normalised(), seed=0), (x, y), CROSS, epochs=1)
    net.diagnose(x, y)
    net.fit(x, y, verbose=0)
    twin.fit(x, y, verbose=0)
    for a, b in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_is_the_same_every_time() -> None:
    x, y = digits()
    reports = [str(cr.Sequential(shallow(), seed=0).diagnose(x, y, loss=CROSS)) for _ in range(2)]
    assert reports[0] == reports[1]


def test_frames_sparse_rows_and_names() -> None:
    pandas = pytest.importorskip("pandas")
    x, y = digits()
    frame = pandas.DataFrame(x[:, :6].astype(float), columns=list("abcdef"))
    frame["f"] = frame["c"]
    net = cr.Sequential([SCALE, cr.Dense(16, "relu"), cr.Dense(10)], seed=0)
    net.fit(frame, y, loss=CROSS, verbose=0)
    (finding,) = net.diagnose(frame, pandas.Series(y)).findings
    assert "'f' = 'c'" in finding.text
    table = scipy.sparse.csr_array(x.astype(np.float32))
    net = cr.Sequential(shallow(), seed=0)
    diagnosis = net.diagnose(table, y, loss=CROSS, max_rows=200)
    assert diagnosis.findings == []
    assert diagnosis.data.rows == 200


def test_categories() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 5, 200), rng.integers(0, 3, 200)], axis=1)
    net = cr.Sequential([cr.CategoryEncoding((5, 3)), cr.Dense(8, "relu"), cr.Dense(2)], seed=0)
    assert net.diagnose(x, x[:, 0] % 2, loss=CROSS).findings == []


@pytest.mark.parametrize(
    ("x", "y", "options", "text"),
    [
        (np.ones((4, 3)), [0, 1, 0], {}, "rows"),
        (np.ones((1, 3)), [0], {}, "2 rows or more"),
        (np.ones((4, 3)), [0, 1, 0, 2], {}, "out of range"),
        (np.ones((4, 3)), [0, 1, 0, 1], {"max_rows": 0}, "max_rows"),
        (np.ones((4, 3)), [0, 1, 0, 1], {"batch_size": 0}, "batch_size"),
        (np.ones((4, 2)), [0, 1, 0, 1], {}, "columns"),
    ],
)
def test_what_does_not_fit_is_named(x, y, options, text: str) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    with pytest.raises(ValueError, match=text):
        net.diagnose(x, y, loss=CROSS, **options)


def test_reports_as_text_html_and_plot(tmp_path) -> None:
    net = cr.Sequential(shallow(), seed=0)
    diagnosis = net.diagnose(*digits(), loss=CROSS, optimizer=cr.SGD(50.0))
    lines = str(diagnosis).splitlines()
    assert lines[0].startswith("1000 rows of 64 columns, 10 classes; loss ")
    assert [line.split()[0] for line in lines[3:6]] == ["0", "1", "2"]
    assert "- the learning rate 50 is too high" in str(diagnosis)
    page = diagnosis._repr_html_()
    assert page == diagnosis.to_html()
    assert page.count("<tr>") == 4
    assert "the learning rate 50 is too high" in page
    pytest.importorskip("matplotlib")
    figure = diagnosis.plot(tmp_path / "layers.png")
    assert (tmp_path / "layers.png").stat().st_size > 1000
    drawn = figure.axes[1].get_lines()[0]
    assert list(drawn.get_xdata()) == [1, 2]
    assert list(drawn.get_ydata()) == [layer.gradient for layer in diagnosis.layers[1:]]


def test_root_mean_square_does_not_overflow() -> None:
    assert root_mean_square(np.array([3e200, -4e200])) == pytest.approx(math.sqrt(12.5) * 1e200)
    assert root_mean_square(np.zeros(3)) == 0.0
    assert root_mean_square(np.array([1.0, np.inf])) == math.inf
