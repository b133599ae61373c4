# SPDX-License-Identifier: Apache-2.0
"""The Laplace approximation: closed forms, coverage, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


def test_a_linear_network_is_bayesian_linear_regression() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = x @ rng.normal(size=(3, 1)) + 0.3 * rng.normal(size=(60, 1))
    net = cr.Sequential([cr.Input(3), cr.Dense(1)], seed=0, dtype="float64")
    net.fit(x, y, loss="mse", optimizer="levenberg_marquardt", epochs=30, verbose=0)
    around = net.laplace(x, y, prior_precision=2.0, noise=0.3)
    design = np.column_stack([x, np.ones(60)])
    precision = design.T @ design / 0.3**2 + 2.0 * np.eye(4)
    new = rng.normal(size=(150, 3))
    points = np.column_stack([new, np.ones(150)])
    variance = np.einsum("ri,ij,rj->r", points, np.linalg.inv(precision), points) + 0.3**2
    means, deviations = around.predict(new, return_std=True)
    assert deviations[:, 0] == pytest.approx(np.sqrt(variance), rel=1e-10)
    assert means == pytest.approx(net.predict(new), rel=1e-12, abs=1e-12)
    assert around.predict(new) == pytest.approx(means)
    assert around.effective_parameters == pytest.approx(
        4 - 2.0 * np.trace(np.linalg.inv(precision)), rel=1e-10
    )
    w = np.concatenate([p.ravel() for p in net.parameters.values()])
    errors = ((design @ w - y[:, 0]) ** 2).sum()
    evidence = (
        -0.5 * (errors / 0.09 + 2.0 * w @ w)
        + 2 * np.log(2.0)
        - 30 * np.log(2 * np.pi * 0.09)
        - 0.5 * np.linalg.slogdet(precision)[1]
    )
    assert around.log_evidence == pytest.approx(evidence, rel=1e-10)


def test_what_the_evidence_finds_is_its_fixed_point() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3))
    y = x @ rng.normal(size=(3, 2)) + 0.3 * rng.normal(size=(200, 2))
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0, dtype="float64")
    net.fit(x, y, loss="mse", optimizer="levenberg_marquardt", epochs=30, verbose=0)
    around = net.laplace(x, y)
    w = np.concatenate([p.ravel() for p in net.parameters.values()])
    errors = ((net.predict(x) - y) ** 2).sum()
    gamma = around.effective_parameters
    assert around.prior_precision == pytest.approx(gamma / (w @ w), rel=1e-4)
    assert around.noise**2 == pytest.approx(errors / (400 - gamma), rel=1e-4)
    assert around.noise == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ninety_percent_intervals_cover_ninety_percent(dtype: str) -> None:
    rng = np.random.default_rng(2)

    def draw(rows: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.uniform(-2, 2, (rows, 2))
        return x, np.sin(2 * x[:, :1]) * x[:, 1:] + 0.2 * rng.normal(size=(rows, 1))

    x, y = draw(400)
    net = cr.Sequential(
        [cr.Input(2), cr.Dense(12, activation="tanh"), cr.Dense(1)], seed=0, dtype=dtype
    )
    net.fit(x, y, loss="mse", optimizer=cr.LevenbergMarquardt(bayesian=True), verbose=0)
    new, targets = draw(4000)
    means, deviations = net.laplace(x, y).predict(new, return_std=True)
    covered = np.mean(np.abs(targets - means) <= 1.645 * deviations)
    assert 0.87 <= covered <= 0.93


def test_it_is_a_copy() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(50, 2)), rng.normal(size=(50, 1))
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    net.fit(x, y, loss="mse", optimizer="lbfgs", verbose=0)
    around = net.laplace(x, y)
    before = around.predict(x, return_std=True)
    net.set_weights([np.zeros(w.shape) for w in net.get_weights()])
    x_before = x.copy()
    x[:] = 0.0
    after = around.predict(x_before, return_std=True)
    assert before[0].tolist() == after[0].tolist()
    assert before[1].tolist() == after[1].tolist()


def test_refusals() -> None:
    x, y = np.ones((4, 2)), np.ones((4, 1))
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match=r"noise must be finite and > 0, got -1"):
        net.laplace(x, y, noise=-1.0)
    with pytest.raises(ValueError, match=r"x has 3 columns"):
        net.laplace(x, y, noise=1.0).predict(np.ones((4, 3)))
    large = cr.Sequential([cr.Input(2), cr.Dense(2000), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match=r"at most 5000; the network has 8001: take"):
        large.laplace(x, y)
    noisy = cr.Sequential([cr.Input(2), cr.Dropout(0.5), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match=r"dropout\) does not go with laplace"):
        noisy.laplace(x, y)
