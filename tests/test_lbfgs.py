# SPDX-License-Identifier: Apache-2.0
"""L-BFGS: optima, bits, ends and what it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, sparse
from subprocesses import outputs_of_instruction_sets

import chainrule as cr


def softmax_objective(
    flat: np.ndarray, x: np.ndarray, y: np.ndarray, weight: np.ndarray, l2: float
) -> tuple[float, np.ndarray]:
    """Cross-entropy of a linear model with its penalty, plainly in float64, and its gradient."""
    inputs, classes = x.shape[1], int(y.max()) + 1
    w, b = flat[: inputs * classes].reshape(inputs, classes), flat[inputs * classes :]
    z = x @ w + b
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    share = weight / weight.sum()
    loss = -(share * np.log(p[np.arange(len(y)), y])).sum()
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    d *= share[:, None]
    gradient = np.concatenate([(x.T @ d + 2 * l2 * w).ravel(), d.sum(axis=0)])
    return float(loss + l2 * (w**2).sum()), gradient


def flat(net: cr.Sequential) -> np.ndarray:
    return np.concatenate([p.ravel() for p in net.parameters.values()]).astype(float)


def table(rows: int = 300, inputs: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, inputs))
    y = (x @ rng.normal(size=(inputs, 3)) + rng.normal(size=(rows, 3))).argmax(axis=1)
    return x, y


@pytest.mark.parametrize("batch_size", [None, 64])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-5)])
def test_finds_the_optimum_of_a_convex_loss(
    dtype: str, tolerance: float, batch_size: int | None
) -> None:
    """The one that scipy finds of a plain NumPy loss, with weights of rows and a penalty."""
    x, y = table()
    weight = np.random.default_rng(1).uniform(0, 2, len(x))
    l2 = 1e-3
    best = optimize.minimize(
        softmax_objective,
        np.zeros(8 * 3 + 3),
        (x, y, weight, l2),
        jac=True,
        method="BFGS",
        options={"gtol": 1e-10},
    )
    net = cr.Sequential([cr.Input(8), cr.Dense(3, l2=l2)], seed=3, dtype=dtype)
    history = net.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer=cr.LBFGS(tolerance=tolerance),
        sample_weight=weight,
        batch_size=batch_size,
        verbose=0,
    )
    assert history.end == "the gradient is within the tolerance"
    value, _ = softmax_objective(flat(net), x, y, weight, l2)
    assert value == pytest.approx(best.fun, rel=1e-12 if dtype == "float64" else 1e-6)
    weights = net.parameters["0.weight"]
    assert weights == pytest.approx(best.x[:24].reshape(8, 3), abs=100 * tolerance)
    assert history["loss"][-1] == pytest.approx(
        value - l2 * (weights.astype(float) ** 2).sum(), rel=1e-6
    )


def test_reaches_the_minimum_of_a_hard_valley() -> None:
    """Least squares whose curvatures differ by 1e6, where gradient descent would take ages."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 6)) * np.logspace(0, 3, 6)
    y = x @ rng.normal(size=6) + 1 + 0.1 * rng.normal(size=200)
    net = cr.Sequential([cr.Input(6), cr.Dense(1)], seed=0, dtype="float64")
    net.fit(x, y, loss="mse", optimizer=cr.LBFGS(tolerance=1e-8), epochs=500, verbose=0)
    design = np.column_stack([x, np.ones(200)])
    expected = np.linalg.lstsq(design, y, rcond=None)[0]
    found = np.append(net.parameters["0.weight"].ravel(), net.parameters["0.bias"])
    assert found == pytest.approx(expected, rel=1e-6)


def test_has_the_optimum_of_scikit_learn() -> None:
    """Same network, start and loss on digits, alpha included; a convex one."""
    neural = pytest.importorskip("sklearn.neural_network")
    x, y = (array[:600] for array in cr.data.load_digits())
    x = np.asarray(x, float) / 16
    alpha = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = neural.MLPClassifier(
            (), solver="lbfgs", alpha=alpha, tol=1e-6, max_iter=1000, max_fun=10**6, random_state=0
        ).fit(x, y)
    l2 = alpha / (2 * len(x))
    net = cr.Sequential([cr.Input(64), cr.Dense(10, l2=l2)], seed=0, dtype="float64")
    net.fit(x, y, loss="cross_entropy", optimizer=cr.LBFGS(tolerance=1e-6), epochs=1000, verbose=0)
    assert net.parameters["0.weight"] == pytest.approx(theirs.coefs_[0], abs=2e-3)
    ours = net.predict_proba(x)
    assert ours == pytest.approx(theirs.predict_proba(x), abs=1e-3)


def network(dtype: str = "float32") -> cr.Sequential:
    layers = [cr.Dense(20, activation="tanh", l2=1e-4), cr.PReLU(), cr.Dense(3)]
    return cr.Sequential([cr.Input(8), *layers], seed=5, dtype=dtype)


def test_history_and_callbacks_follow_the_iterations() -> None:
    x, y = table()
    seen: list[tuple[int, Mapping[str, Any]]] = []
    net = network()
    history = net.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer="lbfgs",
        epochs=12,
        validation_split=0.2,
        callbacks=[lambda epoch, logs: seen.append((epoch, dict(logs)))],
        verbose=0,
    )
    assert history.epochs == list(range(1, 13)) == [epoch for epoch, _ in seen]
    assert history.end == "the maximum of iterations is reached"
    assert np.all(np.diff(history["loss"]) <= 0)
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy", "gradient_norm"}
    last = net.evaluate(x[:240], y[:240])
    assert history["loss"][-1] == pytest.approx(last["loss"], rel=1e-6)
    assert history["accuracy"][-1] == last["accuracy"]
    # A second fit goes on, with the optimizer used last.
    again = net.fit(x[:240], y[:240], epochs=2, verbose=0)
    assert again.epochs[-1] == 14
    assert again["loss"][-1] < again["loss"][-3]


_HASH = """
import hashlib
import numpy as np
import chainrule as cr
from scipy import sparse
rng = np.random.default_rng(0)
x = rng.normal(size=(700, 40)) * (rng.random((700, 40)) < 0.2)
y = rng.integers(0, 5, 700)
for dtype in ("float32", "float64"):
    for threads in (1, 3):
        for rows in (x, sparse.csr_array(x)):
            net = cr.Sequential(
                [cr.Input(40), cr.Dense(37, activation="relu", l2=1e-4), cr.Dense(5)],
                seed=1, dtype=dtype)
            net.fit(rows, y, loss="cross_entropy", optimizer="lbfgs", epochs=15, batch_size=256,
                    num_threads=threads, verbose=0)
            weights = b"".join(p.tobytes() for p in net.parameters.values())
            print(dtype, hashlib.sha256(weights).hexdigest())
"""


def test_bits_do_not_depend_on_threads_instruction_set_or_sparsity() -> None:
    outputs = outputs_of_instruction_sets(_HASH).values()
    assert all(len(printed.splitlines()) == 8 for printed in outputs)
    lines = {line for printed in outputs for line in printed.splitlines()}
    assert sorted(line.split()[0] for line in lines) == ["float32", "float64"]
    assert len({line.split()[1] for line in lines}) == 2


def test_an_interrupt_leaves_the_last_iteration() -> None:
    x, y = table()
    net = network()

    def interrupt(epoch: int, logs: Mapping[str, Any]) -> None:
        if epoch == 4:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        history = net.fit(
            x,
            y,
            loss="cross_entropy",
            optimizer="lbfgs",
            epochs=10,
            callbacks=[interrupt],
            verbose=0,
        )
    assert history.interrupted
    assert history.epochs == [1, 2, 3, 4]
    same = network()
    same.fit(x, y, loss="cross_entropy", optimizer="lbfgs", epochs=4, verbose=0)
    assert flat(net).tolist() == flat(same).tolist()


def test_weights_that_a_callback_sets_are_where_it_goes_on() -> None:
    x, y = table()
    net, other = network(), network()
    other.fit(x, y, loss="cross_entropy", optimizer="lbfgs", epochs=20, verbose=0)

    def jump(epoch: int, logs: Mapping[str, Any]) -> None:
        if epoch == 2:
            net.set_weights(other.get_weights())

    history = net.fit(
        x, y, loss="cross_entropy", optimizer="lbfgs", epochs=3, callbacks=[jump], verbose=0
    )
    assert history["loss"][-1] < other.evaluate(x, y)["loss"]


def test_ends() -> None:
    x, y = table()
    net = network()
    history = net.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer=cr.LBFGS(max_evaluations=7),
        epochs=100,
        verbose=0,
    )
    assert history.end == "the maximum of evaluations is reached"
    assert len(history.epochs) <= 7
    net.fit(x, y, optimizer=cr.LBFGS(tolerance=1.0), verbose=0)
    assert net.history.end == "the gradient is within the tolerance"
    net.fit(x, y, optimizer="adam", verbose=0)
    assert net.history.end is None
    # With no tolerance the loss stops at rounding, or no step is found.
    linear = cr.Sequential([cr.Input(8), cr.Dense(3, l2=1e-2)], seed=3)
    linear.fit(x, y, loss="cross_entropy", optimizer=cr.LBFGS(tolerance=0.0), epochs=500, verbose=0)
    assert linear.history.end in (
        "the loss no longer changes by more than rounding",
        "no step along the gradient makes the loss smaller",
    )
    assert linear.history["gradient_norm"][-1] < 1e-5


def test_several_outputs() -> None:
    x, y = table()
    inputs = cr.Input(8, name="x")
    hidden = cr.Dense(10, activation="tanh")(inputs)
    net = cr.Network(
        inputs, {"class": cr.Dense(3)(hidden), "size": cr.Dense(1)(hidden)}, seed=0, dtype="float64"
    )
    size = x[:, :1] ** 2
    history = net.fit(
        x,
        {"class": y, "size": size},
        loss={"class": "cross_entropy", "size": "mse"},
        loss_weights={"size": 0.5},
        optimizer="lbfgs",
        epochs=30,
        batch_size=128,
        verbose=0,
    )
    expected = history["class_loss"][-1] + 0.5 * history["size_loss"][-1]
    assert history["loss"][-1] == pytest.approx(expected, rel=1e-12)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert net.evaluate(x, {"class": y, "size": size})["loss"] == pytest.approx(expected, rel=1e-9)


def test_a_model_file_keeps_it(tmp_path: Path) -> None:
    x, y = table()
    net = network()
    net.fit(x, y, loss="cross_entropy", optimizer=cr.LBFGS(5, tolerance=1e-3), verbose=0)
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.optimizer == cr.LBFGS(5, tolerance=1e-3)
    again.fit(x, y, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (cr.Dropout(0.5), "dropout.*draws random numbers"),
        (cr.GaussianNoise(0.5), "gaussian_noise.*draws random numbers"),
        (cr.BatchNormalization(), "batch_normalization.*other rows"),
    ],
)
def test_layers_that_are_no_functions_are_refused(layer: Any, why: str) -> None:
    x, y = table()
    net = cr.Sequential([cr.Input(8), cr.Dense(4), layer, cr.Dense(3)], seed=0)
    before = flat(net).tolist()
    with pytest.raises(ValueError, match=why):
        net.fit(x, y, loss="cross_entropy", optimizer="lbfgs", verbose=0)
    assert flat(net).tolist() == before
    assert net.optimizer is None


def test_what_steps_batch_by_batch_refuses_it() -> None:
    x, y = table()
    net = network()
    with pytest.raises(ValueError, match="lbfgs takes all rows at once, which train_on_batch"):
        net.train_on_batch(x, y, loss="cross_entropy", optimizer="lbfgs")
    with pytest.raises(ValueError, match=r"lbfgs.*diagnosis"):
        net.diagnose(x, y, loss="cross_entropy", optimizer="lbfgs")
    with pytest.raises(ValueError, match="memory must be >= 1, got 0"):
        cr.LBFGS(0)
    with pytest.raises(ValueError, match="epochs"):
        net.fit(x, y, loss="cross_entropy", optimizer="lbfgs", epochs=0)


def test_a_step_by_hand_after_it() -> None:
    """The state of an earlier optimizer is gone, and the next one starts afresh."""
    x, y = table()
    net = network()
    net.fit(x, y, loss="cross_entropy", optimizer="adam", verbose=0)
    net.fit(x, y, optimizer="lbfgs", epochs=3, verbose=0)
    net.forward(x[:4])
    net.backward(np.ones((4, 3)))
    cr.Adam().step(net)
    assert isinstance(net.optimizer, cr.Adam)


def test_sparse_rows_give_what_their_table_gives() -> None:
    x, y = table()
    x = x * (np.abs(x) > 1)
    nets = [network(), network()]
    for net, rows in zip(nets, (x, sparse.csr_array(x)), strict=True):
        net.fit(rows, y, loss="cross_entropy", optimizer="lbfgs", epochs=10, verbose=0)
    assert flat(nets[0]).tolist() == flat(nets[1]).tolist()


def test_outputs_of_several_positions() -> None:
    """Each position of a row counts as a row does, with a weight of its own."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 4, 3)), rng.integers(0, 3, (30, 4))
    weights = rng.uniform(0.5, 2, (30, 4))

    def network(shape: Any) -> cr.Network:
        inputs = cr.Input(shape)
        return cr.Network(inputs, cr.Dense(3, l2=0.01)(inputs), seed=0, dtype="float64")

    ours, theirs = network((4, 3)), network(3)
    options: Any = {"loss": "cross_entropy", "optimizer": "lbfgs", "epochs": 60, "verbose": 0}
    ours.fit(x, y, sample_weight=weights, **options)
    theirs.fit(x.reshape(-1, 3), y.ravel(), sample_weight=weights.ravel(), **options)
    assert ours.history["loss"][-1] == pytest.approx(theirs.history["loss"][-1], rel=1e-8)
    for name, values in ours.parameters.items():
        assert values == pytest.approx(theirs.parameters[name], abs=1e-4)
