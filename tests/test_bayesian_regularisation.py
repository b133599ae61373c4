# SPDX-License-Identifier: Apache-2.0
"""Bayesian regularisation against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_levenberg_marquardt import Arrays, data, flat, forward, network, split

import chainrule as cr


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
