# SPDX-License-Identifier: Apache-2.0
"""chainrule itself, by `Sequential.fit` and `Sequential.predict`."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.layers import (
    Activation,
    CategoryEncoding,
    Conv2D,
    Dense,
    Flatten,
    Input,
    Layer,
    MaxPooling,
    Rescaling,
)
from chainrule.network.sequential import Sequential
from chainrule.optimizers import Optimizer
from harness.peers.library import Data, HeldTo, Library, Predictor, Weights
from harness.workloads import (
    CategoricalTraining,
    ImageNetwork,
    Inference,
    ManyNetworks,
    MnistTraining,
    Network,
    SparseTraining,
    Training,
)


class Chainrule(Library):
    """chainrule."""

    name = "chainrule"
    packages = ("chainrule",)
    workloads = (
        Training,
        MnistTraining,
        ManyNetworks,
        Inference,
        SparseTraining,
        CategoricalTraining,
    )
    images = True
    isa_environment: ClassVar[HeldTo] = {"avx2": {"CHAINRULE_ISA": "avx2"}}

    def version(self) -> str:
        """Return the version and the kernels."""
        return f"{_core.__version__} ({_core.instruction_set()})"

    def trainer(
        self, work: Training, data: Data, weights: Weights, threads: int
    ) -> _ChainruleTrainer:
        """Return a network that starts from some weights."""
        return _ChainruleTrainer(work, data, weights, threads)

    def predictor(self, work: Inference, weights: Weights, threads: int) -> Predictor:
        """Return a network of some weights; the process decides on the number of threads."""
        out = np.empty((work.batch_size, work.network.sizes[-1]), work.network.dtype)
        return Predictor(work.batches(), partial(network(work.network, weights).predict, out=out))


def network(shape: Network, weights: Weights, *front: Layer | Input) -> Sequential:
    """Return a network of some weights, behind layers that give it its inputs from x."""
    *hidden, last = shape.sizes[1:]
    layers: list[Layer | Input] = [*(front or [_input(shape)])]
    if isinstance(shape, ImageNetwork):
        for size, filters in shape.convolutions:
            layers += [Conv2D(filters, size), MaxPooling(2), Activation("relu")]
        layers.append(Flatten())
    layers += [Dense(units, activation="relu") for units in hidden]
    layers.append(Dense(last))
    net = Sequential(layers, seed=0, dtype=shape.dtype)
    net.set_weights(weights)
    return net


def _input(shape: Network) -> Input:
    return Input(shape.image if isinstance(shape, ImageNetwork) else shape.sizes[0])


def optimizer(work: Training) -> Optimizer:
    """Return the optimizer of a training."""
    rate = {"learning_rate": work.learning_rate}
    if work.optimizer == "lazy_adam":
        return Optimizer.from_config({"kind": "adam", "lazy": True, **rate})
    return Optimizer.from_config({"kind": work.optimizer, **rate})


class _ChainruleTrainer:
    """Leaves out zeros only where the work is about them: other libraries multiply them."""

    def __init__(self, work: Training, data: Data, weights: Weights, threads: int) -> None:
        x, y = data
        front: list[Layer | Input] = [_input(work.network)]
        if isinstance(work, MnistTraining):
            x = work.pixels()
            front.append(Rescaling(1 / 255))
        elif isinstance(work, CategoricalTraining):
            front = [Input(work.columns), CategoryEncoding(work.column_sizes)]
        self._net = network(work.network, weights, *front)
        self._net.compile(loss=work.loss, optimizer=optimizer(work), metrics=[])
        self._data = x, y
        self._batch_size = work.batch_size
        self._threads = threads
        self._input_sparsity = "dense" if type(work) is Training else "auto"

    def train(self, epochs: int, *, shuffle: bool) -> None:
        self._net.fit(
            *self._data,
            epochs=epochs,
            batch_size=self._batch_size,
            shuffle=shuffle,
            verbose=0,
            num_threads=self._threads,
            input_sparsity=self._input_sparsity,
        )

    def weights(self) -> list[NDArray[Any]]:
        return self._net.get_weights()
