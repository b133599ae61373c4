# SPDX-License-Identifier: Apache-2.0
"""Small work for the tests of the benchmark, and the scripts in benchmarks/ as modules."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import harness
from harness.workloads import (
    CategoricalTraining,
    ImageNetwork,
    Inference,
    ManyNetworks,
    Network,
    SparseTraining,
    Training,
)

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

SPARSE = Training(Network((20, 8, 3)), 16, "sgd", 0.1, rows=64, density=0.19)
TABLE = Training(Network((6, 8, 2)), 16, "adam", 0.01, rows=64, loss="mse")
DOUBLE = Training(Network((6, 8, 3), "float64"), 16, "adam", 0.01, rows=64)
WORDS = SparseTraining(Network((300, 8, 2)), 16, "adam", 0.01, rows=64, nonzeros=20)
CLICKS = CategoricalTraining(
    Network((200, 8, 1)),
    16,
    "lazy_adam",
    0.01,
    rows=64,
    loss="binary_cross_entropy",
    columns=5,
)
CLICKS_ADAGRAD = replace(CLICKS, network=Network((200, 8, 4, 1)), optimizer="adagrad")
PICTURES = Training(
    ImageNetwork((300, 7, 3), image=(10, 10, 3), convolutions=((3, 4), (2, 6))),
    16,
    "adam",
    0.01,
    rows=64,
)
PREDICT = Inference(Network((6, 8, 2)), 4, calls=3)
MANY = ManyNetworks(TABLE, count=2, epochs=3)


def report(*measurements: harness.Measurement, threads: tuple[int, ...] = (1, 2)) -> harness.Report:
    machine = {"processor": "P", "cores": "2", "system": "S", "python": "3"}
    return harness.Report(machine, threads, measurements=list(measurements))


def script(name):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
