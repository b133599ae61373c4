# SPDX-License-Identifier: Apache-2.0
"""Levenberg-Marquardt beside PyTorch and Adam, L-BFGS beside scikit-learn, as Markdown tables.

    python benchmarks/second_order.py speed
    python benchmarks/second_order.py error
    python benchmarks/second_order.py lbfgs

*speed*: seconds of an iteration. PyTorch gets the same initial weights and the same rule of the
damping, and makes the Jacobian by ``torch.autograd.functional.jacobian``, the straightforward way,
which goes back from each output, or by ``vmap(jacrev)``; all come to the same loss. The goal of 20
times PyTorch's speed was set for the straightforward way; against ``vmap(jacrev)`` it is out of
reach, since J^T J and the factorization are 72 % of an iteration with 151 parameters and 85 % with
301, and PyTorch's libraries are not slow there. *error*: the loss after some seconds beside that
of Adam, over several seeds, without and with ``acceleration``. *lbfgs*: seconds to the same optimum
of a multinomial classifier. Those compared run alternately; figures are medians. PyTorch and the
libraries of NumPy run on as many threads as chainrule. ``--cpu`` counts processor time, which other
programs disturb less; it means something on one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr

Rows = NDArray[np.float64]
clock: Callable[[], float] = time.perf_counter
ITERATIONS = 20
UNITS = (15, 20, 30, 100)
DAMPING, DECREASE, INCREASE = 1e-3, 0.3, 3.0


def concrete(seed: int = 0) -> tuple[Rows, Rows]:
    """Return a made regression of 1,030 rows and 8 columns, smooth, without noise."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (1030, 8))
    y = np.sin(2 * x[:, 0] * x[:, 1]) + x[:, 2] ** 2 + 0.5 * x[:, 3] * x[:, 4] - x[:, 5]
    return x, y[:, np.newaxis]


def sinc(seed: int = 0) -> tuple[Rows, Rows]:
    """Return 400 rows of sin(pi x) / (pi x)."""
    x = np.linspace(-4, 4, 400)[:, np.newaxis]
    return x, np.sinc(x)


def friedman_1(seed: int = 0) -> tuple[Rows, Rows]:
    """Return Friedman's first function of ten columns, standardised, without noise."""
    x = np.random.default_rng(seed).uniform(size=(500, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    return _standard(x), _standard(y + 10 * x[:, 3] + 5 * x[:, 4])[:, np.newaxis]


def friedman_2(seed: int = 0) -> tuple[Rows, Rows]:
    """Return Friedman's second function of four columns, standardised, without noise."""
    u = np.random.default_rng(seed).uniform(size=(500, 4))
    x = u * [100, 520 * np.pi, 1, 10] + [0, 40 * np.pi, 0, 1]
    y = np.sqrt(x[:, 0] ** 2 + (x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])) ** 2)
    return _standard(x), _standard(y)[:, np.newaxis]


def _standard(a: Rows) -> Rows:
    return (a - a.mean(0)) / a.std(0)


def network(inputs: int, units: int, seed: int = 0) -> cr.Sequential:
    """Return a hidden layer of tanh in float64."""
    layers = [cr.Input(inputs), cr.Dense(units, activation="tanh"), cr.Dense(1)]
    return cr.Sequential(layers, seed=seed, dtype="float64")


def ours(x: Rows, y: Rows, units: int, threads: int) -> tuple[float, float]:
    """Return the seconds of an iteration and the last loss."""
    net = network(x.shape[1], units)
    start = clock()
    history = net.fit(
        x,
        y,
        loss="mse",
        optimizer=cr.LevenbergMarquardt(DAMPING, decrease=DECREASE, increase=INCREASE),
        epochs=ITERATIONS,
        num_threads=threads,
        verbose=0,
    )
    seconds = clock() - start
    return seconds / len(history.epochs), float(history["loss"][-1])


def pytorch(x: Rows, y: Rows, units: int, threads: int, together: bool) -> tuple[float, float]:
    """Return the same of PyTorch, with the Jacobian by vmap(jacrev) where rows go `together`."""
    import torch
    from torch.autograd.functional import jacobian as row_by_row
    from torch.func import functional_call, jacrev, vmap

    torch.set_num_threads(threads)
    net = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], units), torch.nn.Tanh(), torch.nn.Linear(units, 1)
    ).double()
    w1, b1, w2, b2 = (
        torch.tensor(np.asarray(w)) for w in network(x.shape[1], units).parameters.values()
    )
    first = {"0.weight": w1.T.contiguous(), "0.bias": b1, "2.weight": w2.T.contiguous()}
    values = {**first, "2.bias": b2}
    inputs, targets = torch.tensor(x), torch.tensor(y[:, 0])
    scale = 1 / np.sqrt(len(x))

    def output(parameters: dict[str, Any], row: Any) -> Any:
        return functional_call(net, parameters, row[None])[0, 0]

    def outputs(*arrays: Any) -> Any:
        return functional_call(net, dict(zip(values, arrays, strict=True)), inputs)[:, 0]

    rows_together = vmap(jacrev(output), (None, 0))

    def errors(parameters: dict[str, Any]) -> Any:
        with torch.no_grad():
            return (functional_call(net, parameters, inputs)[:, 0] - targets) * scale

    def moved(parameters: dict[str, Any], step: Any) -> dict[str, Any]:
        parts = torch.split(step, [w.numel() for w in parameters.values()])
        return {
            name: w - part.view_as(w)
            for (name, w), part in zip(parameters.items(), parts, strict=True)
        }

    start = clock()
    damping = DAMPING
    e = errors(values)
    loss = e @ e
    for _ in range(ITERATIONS):
        if together:
            parts = rows_together(values, inputs).values()
        else:
            parts = row_by_row(outputs, tuple(values.values()))
        with torch.no_grad():
            jacobian = torch.cat([part.flatten(1) for part in parts], 1) * scale
            jj, je = jacobian.T @ jacobian, jacobian.T @ e
            while True:
                system = jj + damping * torch.eye(len(jj), dtype=jj.dtype)
                tried = moved(values, torch.linalg.solve(system, je))
                e_tried = errors(tried)
                if e_tried @ e_tried < loss:
                    break
                damping *= INCREASE
        values, e, loss, damping = tried, e_tried, e_tried @ e_tried, damping * DECREASE
    return (clock() - start) / ITERATIONS, float(loss)


def medians(runs: int, *timed: Callable[[], tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the median seconds of each, run alternately after an untimed run; and what it gave."""
    found = [[run() for run in timed] for _ in range(runs + 1)][1:]
    return [
        (statistics.median(seconds for seconds, _ in each), each[-1][1])
        for each in zip(*found, strict=True)
    ]


def speed(threads: int, runs: int) -> None:
    """Print iterations beside PyTorch's."""
    print(
        "| units, parameters | functional.jacobian | vmap(jacrev) | chainrule | ratios | losses |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    x, y = concrete()
    for units in UNITS:
        (slow, _), (fast, a), (own, b) = medians(
            runs,
            lambda u=units: pytorch(x, y, u, threads, together=False),
            lambda u=units: pytorch(x, y, u, threads, together=True),
            lambda u=units: ours(x, y, u, threads),
        )
        print(
            f"| {units}, {10 * units + 1:,} | {1e3 * slow:.1f} ms | {1e3 * fast:.2f} ms "
            f"| {1e3 * own:.2f} ms | {slow / own:.0f}, {fast / own:.1f} | {a:.3e}, {b:.3e} |",
            flush=True,
        )


def loss_after(
    seconds: float, net: cr.Sequential, data: tuple[Rows, Rows], **options: Any
) -> float:
    """Return the least loss that a training of so many seconds comes to."""
    x, y = data
    end = clock() + seconds

    class Clock(cr.callbacks.Callback):
        def on_epoch_end(self, net: Any, epoch: int, logs: dict[str, float]) -> None:
            if clock() >= end:
                raise cr.callbacks.StopTraining

    history = net.fit(x, y, loss="mse", callbacks=[Clock()], verbose=0, **options)
    return float(min(history["loss"]))


def error(threads: int, runs: int) -> None:
    """Print losses after 0.3 s beside Adam's."""
    print("| data, units | Adam | plain, ratio by seed | accelerated, ratio by seed |")
    print("|---|--:|--:|--:|")
    works = {
        ("sinc", 15): sinc,
        ("Friedman 1", 30): friedman_1,
        ("Friedman 1", 50): friedman_1,
        ("Friedman 2", 30): friedman_2,
        ("Friedman 2", 50): friedman_2,
        ("1,030 rows", 30): concrete,
    }
    for (name, units), make in works.items():
        losses = []
        for seed in range(runs):
            data = make(seed)
            each = [
                loss_after(
                    0.3,
                    network(data[0].shape[1], units, seed),
                    data,
                    optimizer=optimizer,
                    num_threads=threads,
                    epochs=100_000,
                    **more,
                )
                for optimizer, more in (
                    (cr.Adam(0.01), {"batch_size": 32}),
                    (cr.LevenbergMarquardt(), {}),
                    (cr.LevenbergMarquardt(acceleration=True), {}),
                )
            ]
            losses.append(each)
        cells = [f"{name}, {units}"]
        for column in zip(*losses, strict=True):
            ratios = ", ".join(f"{b / a[0]:.1e}" for a, b in zip(losses, column, strict=True))
            cells.append(f"{statistics.median(column):.1e}: {ratios}")
        cells[1] = cells[1].split(":")[0]
        print(f"| {' | '.join(cells)} |", flush=True)


def lbfgs(threads: int, runs: int) -> None:
    """Print logistic regressions and small networks to the same optimum beside scikit-learn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    digits, labels = cr.data.load_digits()
    x = digits.astype(np.float64) / 16
    n = len(x)

    def regression(**options: Any) -> tuple[float, float]:
        net = cr.Sequential([cr.Input(64), cr.Dense(10, l2=1e-3)], seed=0, dtype="float64")
        start = clock()
        net.fit(
            x, labels, loss="cross_entropy", optimizer=cr.LBFGS(tolerance=1e-6), epochs=1000,
            num_threads=threads, metrics=[], verbose=0,
        )  # fmt: skip
        return clock() - start, objective(net.parameters["0.weight"], net.predict(x))

    def objective(weight: Any, z: Rows) -> float:
        z = z - z.max(1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        return float(-log_p[np.arange(n), labels].mean() + 1e-3 * (np.asarray(weight) ** 2).sum())

    def theirs() -> tuple[float, float]:
        start = clock()
        model = LogisticRegression(C=1 / (2e-3 * n), tol=1e-6, max_iter=1000).fit(x, labels)
        return clock() - start, objective(model.coef_, model.decision_function(x))

    def mlp(kind: Any) -> tuple[float, float]:
        start = clock()
        model = kind((64,), solver="lbfgs", max_iter=500, tol=1e-4, alpha=1.0, random_state=0)
        model.fit(x, labels)
        return clock() - start, float(model.loss_)

    print("| model | scikit-learn | chainrule | ratio | losses |")
    print("|---|--:|--:|--:|--:|")
    works: dict[str, tuple[Callable[[], tuple[float, float]], ...]] = {
        "logistic regression of the digits": (theirs, regression),
        "64-64-10, alpha=1": (lambda: mlp(MLPClassifier), lambda: mlp(cr_sklearn())),
    }
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (peer, own) in works.items():
            (slow, a), (fast, b) = medians(runs, peer, own)
            print(
                f"| {name} | {slow:.3f} s | {fast:.3f} s | {slow / fast:.1f} | {a:.7f}, {b:.7f} |",
                flush=True,
            )


def cr_sklearn() -> Any:
    """Return chainrule's estimator of the same name."""
    from chainrule.sklearn import MLPClassifier

    return MLPClassifier


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    tables = {"speed": speed, "error": error, "lbfgs": lbfgs}
    parser.add_argument("table", choices=list(tables))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu", action="store_true", help="processor time, of one thread")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, or seeds")
    arguments = parser.parse_args()
    if arguments.cpu:
        globals()["clock"] = time.process_time
    tables[arguments.table](arguments.threads, arguments.runs)


if __name__ == "__main__":
    main()
