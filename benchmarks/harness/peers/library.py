# SPDX-License-Identifier: Apache-2.0
"""What the benchmark asks of a library."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.workloads import (
    ImageNetwork,
    Inference,
    ManyNetworks,
    MnistTraining,
    Training,
    Workload,
)

Weights = Sequence[NDArray[Any]]
Data = tuple[NDArray[Any], NDArray[Any]]
HeldTo = Mapping[str, Mapping[str, str]]


class Trainer(Protocol):
    """A network that a library trains."""

    def train(self, epochs: int, *, shuffle: bool) -> None:
        """Train for some epochs, on the rows in their order or in a new one each epoch."""

    def weights(self) -> list[NDArray[Any]]:
        """Return weight (in, out) and bias (out,) of each layer in turn."""


@dataclass
class Predictor:
    """A network by which a library predicts.

    Attributes
    ----------
    batches : list
        What each call is given, in the library's own kind of array.
    call : callable
        Takes a batch to its outputs, and returns when they are there.
    context : callable
        Of what the calls are made in.
    """

    batches: list[Any]
    call: Callable[[Any], Any]
    context: Callable[[], AbstractContextManager[Any]] = nullcontext

    def predict(self, passes: int) -> None:
        """Go through all batches some times."""
        call, batches = self.call, self.batches
        with self.context():
            for _ in range(passes):
                for batch in batches:
                    call(batch)

    def outputs(self) -> list[NDArray[Any]]:
        """Return the outputs of each batch."""
        with self.context():
            # Copies, since some calls write to the same array each time.
            return [np.asarray(self.call(batch)).copy() for batch in self.batches]


class Library(ABC):
    """A library and what it can do, known without importing it.

    Attributes
    ----------
    name : str
        In tables.
    packages : tuple of str
        What has to be installed; the first one has the version.
    workloads : tuple of type
        Kinds of work that it is fit for.
    images : bool
        Whether its networks may be convolutional.
    starts_slowly : bool
        Whether compiling takes long enough to leave it out of a quick look.
    isa_environment : mapping
        Environment variables that hold it to an instruction set, by the set's name.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    workloads: ClassVar[tuple[type, ...]] = (Training, MnistTraining, ManyNetworks, Inference)
    images: ClassVar[bool] = False
    starts_slowly: ClassVar[bool] = False
    isa_environment: ClassVar[HeldTo] = {}

    def installed(self) -> bool:
        """Tell whether its packages are."""
        return all(importlib.util.find_spec(package) for package in self.packages)

    def takes(self, workload: Workload) -> bool:
        """Tell whether it is fit for some work."""
        fits = self.images or not isinstance(workload.network, ImageNetwork)
        return fits and type(workload) in self.workloads

    def version(self) -> str:
        """Return the version."""
        return str(importlib.import_module(self.packages[0]).__version__)

    @abstractmethod
    def trainer(self, work: Training, data: Data, weights: Weights, threads: int) -> Trainer:
        """Return a network that starts from some weights."""

    @abstractmethod
    def predictor(self, work: Inference, weights: Weights, threads: int) -> Predictor:
        """Return a network of some weights, ready to predict ``work.batches()``."""

    def forget_compiled(self) -> None:  # noqa: B027 - most libraries keep nothing
        """Drop what earlier networks have left compiled, where the library keeps such."""
