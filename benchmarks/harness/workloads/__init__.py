# SPDX-License-Identifier: Apache-2.0
"""The work that is measured: training, on sparse data too, of many small networks, inference."""

from __future__ import annotations

from harness.workloads.categorical_training import CategoricalTraining
from harness.workloads.image_network import ImageNetwork
from harness.workloads.inference import Inference
from harness.workloads.many_networks import ManyNetworks
from harness.workloads.mnist_training import MnistTraining
from harness.workloads.network import DIGITS_DENSITY, Network
from harness.workloads.sparse_training import SparseTraining
from harness.workloads.training import Training

__all__ = [
    "IMAGES",
    "QUICK",
    "SPARSE",
    "WORKLOADS",
    "CategoricalTraining",
    "ImageNetwork",
    "Inference",
    "ManyNetworks",
    "MnistTraining",
    "Network",
    "SparseTraining",
    "Training",
    "Workload",
]

Workload = Training | ManyNetworks | Inference

_DIGITS = Training(Network((784, 128, 10)), 64, "sgd", 0.1, rows=12_800, density=DIGITS_DENSITY)
_WIDE_DIGITS = Training(
    Network((784, 512, 512, 10)), 128, "adam", 1e-3, rows=12_800, density=DIGITS_DENSITY
)
_DEEP = Network((784, 1024, 1024, 1024, 10))
_TABLE = Training(Network((32, 64, 64, 1)), 32, "adam", 1e-3, rows=100_000, loss="mse")
_ONE_DIGIT = Inference(Network((784, 128, 10)), 1, calls=1000)

WORKLOADS: tuple[Workload, ...] = (
    _DIGITS,
    _WIDE_DIGITS,
    Training(
        Network((784, 512, 512, 10), "float64"),
        128,
        "adam",
        1e-3,
        rows=12_800,
        density=DIGITS_DENSITY,
    ),
    Training(Network((784, 300, 100, 10)), 100, "adam", 1e-3, rows=12_800, density=DIGITS_DENSITY),
    Training(_DEEP, 256, "adam", 1e-3, rows=12_800, density=DIGITS_DENSITY),
    # One step of this takes about a second.
    Training(
        Network((4096, 4096, 4096, 4096)),
        1024,
        "adam",
        1e-4,
        rows=3 * 1024,
        loss="mse",
        check_batches=2,
    ),
    _TABLE,
    ManyNetworks(
        Training(Network((16, 32, 32, 4)), 32, "adam", 1e-3, rows=1000), count=64, epochs=5
    ),
    _ONE_DIGIT,
    Inference(Network((8, 64, 64, 4)), 1, calls=1000),
    Inference(Network((376, 256, 256, 17)), 1, calls=1000),
    Inference(_DEEP, 1024, calls=4),
)

_CLICKS = Network((100_000, 256, 128, 1))
SPARSE: tuple[Workload, ...] = (
    MnistTraining(Network((784, 128, 10)), 64, "sgd", 0.1, rows=60_000),
    MnistTraining(Network((784, 512, 512, 10)), 128, "adam", 1e-3, rows=12_800),
    MnistTraining(_DEEP, 256, "adam", 1e-3, rows=12_800),
    SparseTraining(Network((20_000, 128, 2)), 128, "adam", 1e-3, rows=100_000),
    CategoricalTraining(
        _CLICKS, 1024, "lazy_adam", 1e-3, rows=1_000_000, loss="binary_cross_entropy"
    ),
    CategoricalTraining(
        _CLICKS, 1024, "adagrad", 1e-2, rows=1_000_000, loss="binary_cross_entropy"
    ),
)

IMAGES: tuple[Workload, ...] = (
    MnistTraining(
        ImageNetwork((784, 256, 10), image=(28, 28, 1), convolutions=((5, 24), (3, 32))),
        256,
        "adam",
        1e-3,
        rows=12_800,
    ),
    Training(
        ImageNetwork((1024 * 3, 64, 10), image=(32, 32, 3), convolutions=((3, 32), (3, 64))),
        64,
        "adam",
        1e-3,
        rows=3_200,
    ),
)

# For a first impression.
QUICK: tuple[Workload, ...] = (_DIGITS, _TABLE, _ONE_DIGIT)
