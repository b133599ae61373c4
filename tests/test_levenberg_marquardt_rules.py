# SPDX-License-Identifier: Apache-2.0
"""Accelerated steps and MacKay's regularisation against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from least_squares import Arrays, data, flat, forward, network, outputs, split
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

import chainrule as cr


@pytest.mark.parametrize("bayesian", [False, True])
@pytest.mark.parametrize(
    ("rows", "inputs", "form"), [(120, 3, "dense"), (120, 3, "sparse"), (2700, 400, "dense")]
)
def test_accelerated_steps_are_those_of_plain_numpy(
    rows: int, inputs: int, form: str, bayesian: bool
) -> None:
    """Transtrum and Sethna's step and Nielsen's damping; 2,700 rows are more than a batch takes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, inputs)) / np.sqrt(inputs / 3)
    y = np.column_stack([np.sin(x[:, 0]) * x[:, 1], np.cos(x[:, 0]) * x[:, 2]])
    layers = [cr.Dense(2, activation="tanh"), cr.Dense(2)]
    net = cr.Sequential([cr.Input(inputs), *layers], seed=1, dtype="float64")
    w = list(net.parameters.values())
    optimizer = cr.LevenbergMarquardt(1e-5, acceleration=True, bayesian=bayesian)
    count = 8 if rows < 1000 else 3
    given = x if form == "dense" else sparse.csr_array(x)
    history = net.fit(given, y, loss="mse", optimizer=optimizer, epochs=count, verbose=0)

    def errors(at: Arrays) -> np.ndarray:
        return (outputs(at, x) - y).ravel() / np.sqrt(y.size)

    n, h, damping = flat(w).size, 0.1, 1e-5
    loss = (errors(w) ** 2).sum()
    beta, alpha = 1 / y.size, 0.0
    if bayesian:
        jacobian = forward(w, x)[1] / np.sqrt(y.size)
        beta = 1 / (2 * loss)
        alpha = 1e-3 * beta * y.size * (jacobian**2).sum() / n
    weight = beta * y.size
    losses, dampings, bends, failed = [], [], 0, 0
    for epoch in range(count):
        e, jacobian = errors(w), forward(w, x)[1] / np.sqrt(y.size)
        before = weight * e @ e + alpha * flat(w) @ flat(w)
        gradient = weight * jacobian.T @ e + alpha * flat(w)
        gram = weight * (jacobian.T @ jacobian)
        increase = 3.0
        while True:
            factor = cho_factor(gram + (alpha + damping) * np.eye(n))
            v = -cho_solve(factor, gradient)
            predicted = damping * v @ v - gradient @ v
            second = 2 / h * ((errors(split(flat(w) + h * v, w)) - e) / h - jacobian @ v)
            bend = -cho_solve(factor, weight * (jacobian.T @ second))
            follows = 2 * np.linalg.norm(bend) <= 0.75 * np.linalg.norm(v)
            tried = split(flat(w) + v + 0.5 * bend * follows, w)
            value = weight * (errors(tried) ** 2).sum() + alpha * flat(tried) @ flat(tried)
            bends += follows
            if value < before:
                break
            damping, increase, failed = damping * increase, increase * 2, failed + 1
        w = tried
        damping *= max(0.3, 1 - (2 * (before - value) / predicted - 1) ** 3)
        losses.append((errors(w) ** 2).sum())
        dampings.append(damping)
        if bayesian:
            alpha, beta = (history[name][epoch] for name in ("alpha", "beta"))
            weight = beta * y.size
    assert bends > 0
    assert failed > 1 or rows > 1000
    assert history["loss"] == pytest.approx(losses, rel=1e-6)
    assert history["damping"] == pytest.approx(dampings, rel=1e-6)
    assert flat(net.parameters.values()) == pytest.approx(flat(w), rel=1e-4, abs=1e-6)


def test_bayesian_regularisation_is_that_of_plain_numpy() -> None:
    """The fixed point of MacKay's equations, checked by a plain Gauss-Newton matrix."""
    x, y = data(outputs=1)
    net = network(1)
    history = net.fit(
        x,
        y,
        loss="mse",
        optimizer=cr.LevenbergMarquardt(bayesian=True),
        epochs=200,
        verbose=0,
    )
    w = list(net.parameters.values())
    z, jacobian = forward(w, x)
    errors, squares = ((z - y) ** 2).sum(), (flat(w) ** 2).sum()
    alpha, beta = history["alpha"][-1], history["beta"][-1]
    gamma = history["effective_parameters"][-1]
    n = len(flat(w))
    inverse = np.linalg.inv(beta * jacobian.T @ jacobian + alpha * np.eye(n))
    assert 0 < gamma < n
    assert gamma == pytest.approx(n - alpha * np.trace(inverse), rel=1e-3)
    assert alpha == pytest.approx(gamma / (2 * squares), rel=1e-3)
    assert beta == pytest.approx((len(x) - gamma) / (2 * errors), rel=1e-3)
    gradient = beta * jacobian.T @ (z - y).ravel() + alpha * flat(w)
    assert np.abs(gradient).max() < 5e-2 * np.abs(alpha * flat(w)).max()
    # The noise's standard deviation is 0.05, and 1 / (2 beta) its square.
    assert np.sqrt(1 / (2 * beta)) == pytest.approx(0.05, rel=0.2)


def bayesian_run(w: Arrays, x: np.ndarray, y: np.ndarray, epochs: int) -> dict[str, Any]:
    """Gauss-Newton steps with weights found anew where the objective falls by less than 10 %."""
    n, count, damping = flat(w).size, len(y), 1e-3
    z, jacobian = forward(w, x)
    curvature = jacobian.T @ jacobian
    errors = (z - y).ravel()
    beta = count / (2 * errors @ errors)
    alpha = 1e-3 * beta * np.trace(curvature) / n
    logs: dict[str, Any] = {"alpha": [], "beta": [], "effective_parameters": []}
    for _ in range(epochs):
        before = beta * errors @ errors + alpha * flat(w) @ flat(w)
        while True:
            step = np.linalg.solve(
                beta * curvature + (alpha + damping) * np.eye(n),
                beta * jacobian.T @ errors + alpha * flat(w),
            )
            tried = split(flat(w) - step, w)
            e_tried = (forward(tried, x)[0] - y).ravel()
            value = beta * e_tried @ e_tried + alpha * flat(tried) @ flat(tried)
            if value < before:
                break
            damping *= 3
        w, damping = tried, damping * 0.3
        z, jacobian = forward(w, x)
        curvature = jacobian.T @ jacobian
        errors = (z - y).ravel()
        eigenvalues = np.clip(np.linalg.eigvalsh(beta * curvature), 0, None)
        gamma = float((eigenvalues / (eigenvalues + alpha)).sum())
        if value > 0.9 * before:
            alpha = gamma / (2 * flat(w) @ flat(w))
            beta = (count - gamma) / (2 * errors @ errors)
        for name, number in zip(logs, (alpha, beta, gamma), strict=True):
            logs[name].append(number)
    return logs


def wave(seed: int, noise: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, (80, 1))
    return x, np.sin(2 * x) + 0.3 * x + rng.normal(0, noise, x.shape)


def wide_network(seed: int) -> cr.Sequential:
    layers = [cr.Dense(20, activation="tanh"), cr.Dense(1)]
    return cr.Sequential([cr.Input(1), *layers], seed=seed, dtype="float64")


@pytest.mark.parametrize("seed", [1, 4])
def test_bayesian_steps_are_those_of_plain_numpy(seed: int) -> None:
    x, y = wave(seed)
    net = wide_network(seed)
    expected = bayesian_run(list(net.parameters.values()), x, y, 25)
    optimizer = cr.LevenbergMarquardt(bayesian=True)
    history = net.fit(x, y, loss="mse", optimizer=optimizer, epochs=25, verbose=0)
    for name, values in expected.items():
        assert history[name] == pytest.approx(values, rel=1e-4), name


@pytest.mark.parametrize("seed", [1, 4])
def test_bayesian_regularisation_of_far_too_many_units(seed: int) -> None:
    """61 parameters and 80 rows, from initial weights that fit nothing."""
    x, y = wave(seed)
    net = wide_network(seed)
    optimizer = cr.LevenbergMarquardt(bayesian=True)
    history = net.fit(x, y, loss="mse", optimizer=optimizer, epochs=200, verbose=0)
    gamma, alpha = (np.array(history[k]) for k in ("effective_parameters", "alpha"))
    assert gamma.min() > 0
    assert gamma.max() < 61
    assert alpha.min() > 0
    assert 8 < gamma[-1] < 20
    assert np.sqrt(1 / (2 * history["beta"][-1])) == pytest.approx(0.15, rel=0.2)
    grid = np.linspace(-3, 3, 300)[:, None]
    assert np.abs(net.predict(grid) - np.sin(2 * grid) - 0.3 * grid).mean() < 0.15 / 2


def test_bayesian_regularisation_where_nothing_can_be_learned() -> None:
    """Targets of noise alone: hardly a parameter is determined, and all numbers stay in range."""
    x, _ = wave(0)
    y = np.random.default_rng(5).normal(size=x.shape)
    net = wide_network(0)
    optimizer = cr.LevenbergMarquardt(bayesian=True)
    history = net.fit(x, y, loss="mse", optimizer=optimizer, epochs=300, verbose=0)
    for name in ("effective_parameters", "alpha", "beta", "loss"):
        assert np.isfinite(history[name]).all(), name
        assert min(history[name]) > 0, name
    assert history["effective_parameters"][-1] < 5
