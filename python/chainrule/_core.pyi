# SPDX-License-Identifier: Apache-2.0
"""Compiled core of chainrule."""

from __future__ import annotations

import collections.abc
import typing

import numpy
import numpy.typing

class CompressedRows:
    """Compressed sparse rows over arrays that are read in place."""

    def __getitem__(self, rows: slice) -> CompressedRows:
        """Return the rows of a slice, which share this one's memory."""
    def __init__(
        self,
        data: numpy.typing.NDArray[typing.Any],
        indices: numpy.typing.NDArray[typing.Any],
        offsets: numpy.typing.NDArray[typing.Any],
        columns: int,
        name: str,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def rises(self) -> bool:
        """Whether no row has a column twice or out of order."""
    @property
    def shape(self) -> tuple[int, int]: ...

class Activation:
    """A checked activation."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __init__(self, config: typing.Any) -> None: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Initializer:
    """A checked initializer."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __init__(self, config: typing.Any) -> None: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Layer:
    """A checked layer."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def outputs(self, inputs: int) -> int: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Loss:
    """A checked loss."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def target_columns(self, outputs: int) -> int: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...
    @property
    def link(self) -> str: ...
    @property
    def takes_labels(self) -> bool: ...

class Optimizer:
    """A checked optimizer."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def slots(self) -> list[str]: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Schedule:
    """A checked learning-rate schedule."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def rate(self, step: int, steps_per_epoch: int) -> float: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Plateau:
    """The memory of a reduce_on_plateau schedule."""

    def __init__(self, schedule: Schedule) -> None: ...
    def observe(self, schedule: Schedule, value: float) -> float: ...
    @property
    def bad_epochs(self) -> int: ...
    @bad_epochs.setter
    def bad_epochs(self, arg0: int) -> None: ...
    @property
    def best(self) -> float: ...
    @best.setter
    def best(self, arg0: float) -> None: ...
    @property
    def cooldown_left(self) -> int: ...
    @cooldown_left.setter
    def cooldown_left(self, arg0: int) -> None: ...
    @property
    def rate(self) -> float: ...
    @rate.setter
    def rate(self, arg0: float) -> None: ...

class ParameterInfo:
    @property
    def layer(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def trainable(self) -> bool: ...

class EpochResult:
    @property
    def batches(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def stopped(self) -> bool: ...
    @property
    def weight(self) -> float: ...

class Network32:
    def __init__(
        self, layers: collections.abc.Sequence[dict[str, typing.Any]], inputs: int, seed: int
    ) -> None: ...
    def adapt(self, layer: int, x: numpy.typing.NDArray[typing.Any]) -> None: ...
    def backward(
        self, dy: numpy.typing.NDArray[typing.Any]
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def check_takes(self, x: numpy.typing.NDArray[typing.Any] | CompressedRows) -> None: ...
    def compute_gradients(
        self,
        x: numpy.typing.NDArray[typing.Any],
        y: numpy.typing.NDArray[typing.Any],
        loss: Loss,
        *,
        training: bool,
        num_threads: int = 0,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
    ) -> tuple[float, numpy.typing.NDArray[typing.Any]]: ...
    def copy(self) -> Network32: ...
    def evaluate(
        self,
        x: numpy.typing.NDArray[typing.Any] | CompressedRows,
        y: numpy.typing.NDArray[typing.Any],
        loss: Loss,
        *,
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        outputs: numpy.typing.NDArray[numpy.float32] | None = None,
    ) -> float: ...
    def forward(
        self, x: numpy.typing.NDArray[typing.Any], *, training: bool, num_threads: int = 0
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def get_gradient(self, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def get_parameter(self, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def get_slot(self, slot: str, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def plan(
        self, batch_size: int, num_threads: int = 0
    ) -> tuple[int, list[tuple[str, str, float, float]]]: ...
    def predict(
        self,
        x: numpy.typing.NDArray[typing.Any] | CompressedRows,
        *,
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        out: numpy.typing.NDArray[numpy.float32] | None = None,
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def predict_in_place(self, x: typing.Any, batch_size: int, out: typing.Any) -> typing.Any: ...
    def reset_optimizer(self) -> None: ...
    def restore_training(
        self, optimizer: Optimizer, steps: int, total_steps: int, epochs: int
    ) -> None: ...
    def run_epoch(
        self,
        x: numpy.typing.NDArray[typing.Any] | CompressedRows,
        y: numpy.typing.NDArray[typing.Any],
        loss: Loss,
        optimizer: Optimizer,
        *,
        batch_size: int,
        shuffle: bool = True,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        learning_rates: numpy.typing.NDArray[numpy.float64] | None = None,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        first_batch: int = 0,
        batches: int = -1,
        whole_epoch: bool = True,
        outputs: numpy.typing.NDArray[numpy.float32] | None = None,
        poll: typing.Any = None,
    ) -> EpochResult: ...
    def set_parameter(self, name: str, values: numpy.typing.NDArray[numpy.float32]) -> None: ...
    def set_slot(
        self, slot: str, name: str, values: numpy.typing.NDArray[numpy.float32]
    ) -> None: ...
    def step(self, optimizer: Optimizer, learning_rate: float = 0.0) -> None: ...
    @property
    def epochs(self) -> int: ...
    @property
    def has_gradients(self) -> bool: ...
    @property
    def inputs(self) -> int: ...
    @property
    def optimizer_kind(self) -> str: ...
    @property
    def optimizer_slots(self) -> list[str]: ...
    @property
    def outputs(self) -> int: ...
    @property
    def parameters(self) -> list[ParameterInfo]: ...
    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def total_steps(self) -> int: ...

class Network64:
    def __init__(
        self, layers: collections.abc.Sequence[dict[str, typing.Any]], inputs: int, seed: int
    ) -> None: ...
    def adapt(self, layer: int, x: numpy.typing.NDArray[typing.Any]) -> None: ...
    def backward(
        self, dy: numpy.typing.NDArray[typing.Any]
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def check_takes(self, x: numpy.typing.NDArray[typing.Any] | CompressedRows) -> None: ...
    def compute_gradients(
        self,
        x: numpy.typing.NDArray[typing.Any],
        y: numpy.typing.NDArray[typing.Any],
        loss: Loss,
        *,
        training: bool,
        num_threads: int = 0,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
    ) -> tuple[float, numpy.typing.NDArray[typing.Any]]: ...
    def copy(self) -> Network64: ...
    def evaluate(
        self,
        x: numpy.typing.NDArray[typing.Any] | CompressedRows,
        y: numpy.typing.NDArray[typing.Any],
        loss: Loss,
        *,
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        outputs: numpy.typing.NDArray[numpy.float64] | None = None,
    ) -> float: ...
    def forward(
        self, x: numpy.typing.NDArray[typing.Any], *, training: bool, num_threads: int = 0
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def get_gradient(self, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def get_parameter(self, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def get_slot(self, slot: str, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def plan(
        self, batch_size: int, num_threads: int = 0
    ) -> tuple[int, list[tuple[str, str, float, float]]]: ...
    def predict(
        self,
        x: numpy.typing.NDArray[typing.Any] | CompressedRows,
        *,
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        out: numpy.typing.NDArray[numpy.float64] | None = None,
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def predict_in_place(self, x: typing.Any, batch_size: int, out: typing.Any) -> typing.Any: ...
    def reset_optimizer(self) -> None: ...
    def restore_training(
        self, optimizer: Optimizer, steps: int, total_steps: int, epochs: int
    ) -> None: ...
    def run_epoch(
        self,
        x: numpy.typing.NDArray[typing.Any] | CompressedRows,
        y: numpy.typing.NDArray[typing.Any],
        loss: Loss,
        optimizer: Optimizer,
        *,
        batch_size: int,
        shuffle: bool = True,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        learning_rates: numpy.typing.NDArray[numpy.float64] | None = None,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        first_batch: int = 0,
        batches: int = -1,
        whole_epoch: bool = True,
        outputs: numpy.typing.NDArray[numpy.float64] | None = None,
        poll: typing.Any = None,
    ) -> EpochResult: ...
    def set_parameter(self, name: str, values: numpy.typing.NDArray[numpy.float64]) -> None: ...
    def set_slot(
        self, slot: str, name: str, values: numpy.typing.NDArray[numpy.float64]
    ) -> None: ...
    def step(self, optimizer: Optimizer, learning_rate: float = 0.0) -> None: ...
    @property
    def epochs(self) -> int: ...
    @property
    def has_gradients(self) -> bool: ...
    @property
    def inputs(self) -> int: ...
    @property
    def optimizer_kind(self) -> str: ...
    @property
    def optimizer_slots(self) -> list[str]: ...
    @property
    def outputs(self) -> int: ...
    @property
    def parameters(self) -> list[ParameterInfo]: ...
    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def total_steps(self) -> int: ...

@typing.overload
def apply_link(loss: Loss, outputs: numpy.typing.NDArray[numpy.float32]) -> None: ...
@typing.overload
def apply_link(loss: Loss, outputs: numpy.typing.NDArray[numpy.float64]) -> None: ...
def check_finite(
    x: numpy.typing.NDArray[typing.Any] | CompressedRows, name: str, single: bool
) -> None: ...
def check_input_sparsity(name: str) -> None:
    """Raise ValueError unless the name is one of the paths for input."""

def copy_rate(nbytes: int, *, seconds: float, num_threads: int = 0) -> float:
    """Return the GB/s read and written by copies within so many bytes."""

def default_num_threads() -> int: ...
def fma_peak(dtype: str, *, seconds: float, num_threads: int = 0) -> float:
    """Return the most Gflop/s that the threads can do with the instruction set in use."""

def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
@typing.overload
def loss_and_gradient(
    loss: Loss,
    outputs: numpy.typing.NDArray[numpy.float32],
    y: numpy.typing.NDArray[typing.Any],
    sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
    class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
) -> tuple[float, numpy.typing.NDArray[typing.Any]]: ...
@typing.overload
def loss_and_gradient(
    loss: Loss,
    outputs: numpy.typing.NDArray[numpy.float64],
    y: numpy.typing.NDArray[typing.Any],
    sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
    class_weight: numpy.typing.NDArray[numpy.float64] | None = None,
) -> tuple[float, numpy.typing.NDArray[typing.Any]]: ...
def thread_backend() -> str: ...
def unknown_name(what: str, given: str, valid: collections.abc.Sequence[str]) -> str:
    """Return the text of the error for a name that is not among the valid ones."""

__version__: str = "0.1.0"
