# SPDX-License-Identifier: Apache-2.0
"""Time to the same loss, chainrule.sklearn beside scikit-learn, as a Markdown table.

    python benchmarks/tables/scikit_learn_mlp.py
    CHAINRULE_DATA=folder python benchmarks/tables/scikit_learn_mlp.py mnist

Both estimators get the same parameters, data of the same dtype and the same first weights. A
training ends after the epoch whose loss, as the estimators report it, is not above the target; a
time is that of the whole ``fit``. Runs of the two alternate, with a pause in which the threads of
NumPy's BLAS, which spin behind their last product, fall asleep; the table has medians and the range
of their ratios. Without an argument the digits are those that scikit-learn ships.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import neural_network as theirs
from sklearn.exceptions import ConvergenceWarning

import chainrule as cr
from chainrule import sklearn as ours

_RUNS = 5
_PAUSE = 0.25  # seconds
Data = tuple[NDArray[Any], NDArray[Any]]

# The loss to be reached, and options, of each data set and solver.
WORK: dict[str, list[tuple[float, dict[str, Any]]]] = {
    "digits": [
        (0.05, {"hidden_layer_sizes": (64,), "max_iter": 200}),
        (0.05, {"hidden_layer_sizes": (64,), "max_iter": 200, "solver": "lbfgs"}),
    ],
    "mnist": [
        (0.05, {"hidden_layer_sizes": (128,), "max_iter": 30}),
        (0.10, {"hidden_layer_sizes": (128,), "max_iter": 200, "solver": "lbfgs"}),
    ],
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", choices=list(WORK), default="digits")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    arguments = parser.parse_args()
    x, y = _data(arguments.data)
    x = x.astype(arguments.dtype)
    print("| data, solver, loss | scikit-learn | chainrule | ratio (range) | losses |")
    print("|---|--:|--:|--:|--:|")
    for target, options in WORK[arguments.data]:
        print(row(arguments.data, (x, y), target, options), flush=True)


def row(name: str, data: Data, target: float, options: dict[str, Any]) -> str:
    """Return a line of the table."""
    # How many epochs each needs is counted once; the timed fits then do as many.
    theirs_needs = epochs_to(theirs.MLPClassifier, data, target, options)
    ours_needs = epochs_to(ours.MLPClassifier, data, target, options)
    times: list[tuple[float, float]] = []
    losses = (0.0, 0.0)
    for _ in range(_RUNS):
        a, first = timed(theirs.MLPClassifier, data, {**options, "max_iter": theirs_needs})
        b, second = timed(ours.MLPClassifier, data, {**options, "max_iter": ours_needs})
        times.append((a, b))
        losses = first, second
    slow, fast = (statistics.median(each) for each in zip(*times, strict=True))
    ratios = [b / a for a, b in times]
    return (
        f"| {name}, {options.get('solver', 'adam')}, {target} | {slow:.3f} s, {theirs_needs} "
        f"| {fast:.3f} s, {ours_needs} | 1/{slow / fast:.1f} "
        f"(1/{1 / max(ratios):.1f} to 1/{1 / min(ratios):.1f}) | {losses[0]:.4f}, {losses[1]:.4f} |"
    )


def epochs_to(estimator: Any, data: Data, target: float, options: dict[str, Any]) -> int:
    """Return the number of epochs, or iterations, after which the loss is not above the target."""
    most = options["max_iter"]
    if options.get("solver") != "lbfgs":
        _, model = _fitted(estimator, data, {**options, "n_iter_no_change": most})
        reached = np.flatnonzero(np.array(model.loss_curve_) <= target)
        return int(reached[0]) + 1 if len(reached) else most
    low, high = 0, most  # scikit-learn reports the last loss alone
    while high - low > 1:
        middle = (low + high) // 2
        _, model = _fitted(estimator, data, {**options, "max_iter": middle})
        low, high = (low, middle) if model.loss_ <= target else (middle, high)
    return high


def timed(estimator: Any, data: Data, options: dict[str, Any]) -> tuple[float, float]:
    """Return the seconds of a fit and its last loss."""
    seconds, model = _fitted(estimator, data, options)
    return seconds, float(model.loss_)


def _fitted(estimator: Any, data: Data, options: dict[str, Any]) -> tuple[float, Any]:
    model = estimator(**options, random_state=0, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        time.sleep(_PAUSE)
        start = time.perf_counter()
        model.fit(*data)
        return time.perf_counter() - start, model


def _data(name: str) -> Data:
    if name == "mnist":
        (x, y), _ = cr.data.load_mnist()
        return x.reshape(len(x), -1) / 255, y
    x, y = cr.data.load_digits()
    return x / 16, y


if __name__ == "__main__":
    main()
