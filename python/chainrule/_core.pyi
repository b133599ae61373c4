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
    def data(self) -> numpy.typing.NDArray[typing.Any]: ...
    @property
    def indices(self) -> numpy.typing.NDArray[typing.Any]: ...
    @property
    def offsets(self) -> numpy.typing.NDArray[typing.Any]: ...
    @property
    def rises(self) -> bool:
        """Whether no row has a column twice or out of order."""
    @property
    def shape(self) -> tuple[int, int]: ...

class Activation:
    """A checked activation."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Augmentation:
    """A checked augmentation."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Initializer:
    """A checked initializer."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Layer:
    """A checked layer."""

    @staticmethod
    def custom(
        name: str, owner: typing.Any, output_shape: collections.abc.Sequence[int] | None
    ) -> Layer:
        """Return a Lambda of owner.run_forward and owner.run_backward, while the owner lives."""
    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    def categories(self, inputs: int) -> list[int]: ...
    def output_shape(
        self, inputs: collections.abc.Sequence[collections.abc.Sequence[int]]
    ) -> tuple[int, ...]: ...
    def outputs(self, inputs: int) -> int: ...
    def reads_lengths(
        self, inputs: collections.abc.Sequence[collections.abc.Sequence[int]]
    ) -> bool: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Loss:
    """A checked loss."""

    @staticmethod
    def custom(name: str, owner: typing.Any) -> Loss:
        """Return a loss of the function owner.run, while the owner lives."""
    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    def target_columns(self, outputs: int) -> int: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...
    @property
    def is_custom(self) -> bool: ...
    @property
    def link(self) -> str: ...
    @property
    def takes_labels(self) -> bool: ...

class Optimizer:
    """A checked optimizer."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    def remembers_as(self, other: Optimizer) -> bool:
        """Whether each could go on from the other's memory."""
    def slots(self) -> list[str]: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...
    @property
    def learning_rate(self) -> float: ...

class Schedule:
    """A checked learning-rate schedule."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    def rate(self, step: int, steps_per_epoch: int) -> float: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...

class Plateau:
    """The memory of a reduce_on_plateau schedule."""

    def __getstate__(self) -> tuple[float, float, int, int]: ...
    def __init__(self, schedule: Schedule) -> None: ...
    def __setstate__(self, arg0: tuple[float, float, int, int]) -> None: ...
    def observe(self, schedule: Schedule, value: float, rises: bool = False) -> float: ...
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

class EarlyStoppingMemory:
    """What early stopping remembers of epochs."""

    def __getstate__(self) -> tuple[float, int, int, int]: ...
    def __init__(self) -> None: ...
    def __setstate__(self, arg0: tuple[float, int, int, int]) -> None: ...
    def observe(
        self, epoch: int, value: float, patience: int, min_delta: float, rises: bool
    ) -> bool:
        """Take an epoch's value; return whether it is the best so far."""
    @property
    def best(self) -> float: ...
    @best.setter
    def best(self, arg0: float) -> None: ...
    @property
    def best_epoch(self) -> int: ...
    @best_epoch.setter
    def best_epoch(self, arg0: int) -> None: ...
    @property
    def stopped_epoch(self) -> int: ...
    @stopped_epoch.setter
    def stopped_epoch(self, arg0: int) -> None: ...
    @property
    def waited(self) -> int: ...
    @waited.setter
    def waited(self, arg0: int) -> None: ...

class ParameterInfo:
    @property
    def layer(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def trainable(self) -> bool: ...

class StageInfo:
    @property
    def bytes(self) -> float: ...
    @property
    def name(self) -> str: ...
    @property
    def operations(self) -> float: ...
    @property
    def threads_own(self) -> str: ...

class InputPath:
    @property
    def dense_operations(self) -> float: ...
    @property
    def density(self) -> float: ...
    @property
    def reason(self) -> str: ...
    @property
    def sparse(self) -> bool: ...
    @property
    def sparse_operations(self) -> float: ...

class PlanInfo:
    @property
    def input(self) -> InputPath | None: ...
    @property
    def stages(self) -> list[StageInfo]: ...
    @property
    def threads(self) -> int: ...

class LossSum:
    @typing.overload
    def __init__(self) -> None: ...
    @typing.overload
    def __init__(
        self,
        parts: collections.abc.Sequence[
            typing.Annotated[collections.abc.Sequence[float], "FixedSize(3)"]
        ],
    ) -> None: ...
    @property
    def means(self) -> list[float]:
        """The mean loss of each output."""
    @property
    def parts(self) -> list[typing.Annotated[list[float], "FixedSize(3)"]]:
        """Sum, weight and unit of each output, which say it exactly."""

class EpochResult:
    @property
    def loss(self) -> float: ...
    @property
    def losses(self) -> LossSum: ...

class FitOutcome:
    """What came of one of many trainings."""

    def check(self) -> None:
        """Raise what fit would have raised."""
    @property
    def finished(self) -> bool: ...

class Network32:
    adapted: bool
    @staticmethod
    def train_many(
        calls: collections.abc.Sequence[tuple[typing.Any, ...]],
        num_threads: int,
        progress: typing.Any,
    ) -> list[FitOutcome]:
        """Run many calls of fit at once, each a tuple of a network and its arguments."""
    @typing.overload
    def __init__(
        self, layers: collections.abc.Sequence[dict[str, typing.Any]], inputs: int, seed: int
    ) -> None: ...
    @typing.overload
    def __init__(
        self,
        nodes: collections.abc.Sequence[dict[str, typing.Any]],
        outputs: collections.abc.Sequence[str],
        seed: int,
    ) -> None: ...
    def activations(self) -> list[typing.Any]: ...
    def adapt(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
    ) -> None: ...
    def adapt_pieces(self, pieces: typing.Any) -> None: ...
    def backward(
        self, dy: numpy.typing.NDArray[typing.Any]
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def category_code(self, column: int, name: str) -> int: ...
    def check_augment(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows]
        | None,
        augment: collections.abc.Sequence[Augmentation],
    ) -> None: ...
    def check_loss(
        self, loss: typing.Any, loss_weights: collections.abc.Sequence[float] | None = None
    ) -> None: ...
    def check_takes(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        columns: collections.abc.Sequence[str] = [],
        name: str = "x",
        finite: bool = True,
        part: int | None = None,
    ) -> None:
        """Raise ValueError unless these rows, all finite, can be the network's input."""
    def check_trains(self, optimizer: Optimizer, input_sparsity: str, batch_rows: int) -> None: ...
    def class_names(self, output: int = 0) -> list[str]: ...
    def classes(self, output: int = 0) -> int: ...
    def compute_gradients(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        training: bool,
        num_threads: int = 0,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> tuple[float, numpy.typing.NDArray[typing.Any]]: ...
    def copy(self) -> Network32: ...
    def evaluate(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        outputs: numpy.typing.NDArray[numpy.float32] | None = None,
        losses: LossSum | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> float: ...
    def feature_names(self, input: int = 0) -> list[str]: ...
    def fit(
        self,
        observer: typing.Any,
        training: tuple[typing.Any, ...],
        validation: tuple[typing.Any, ...] | None,
        epochs: int,
        batch_size: int,
        shuffle: bool,
        num_threads: int,
        input_sparsity: str,
        first_batch: int,
        losses_before: LossSum | None,
        progress: typing.Any,
        wants_batches: bool,
        augment: collections.abc.Sequence[Augmentation],
    ) -> None:
        """Run the core's loop of training, which asks and tells `observer`."""
    def forward(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        training: bool,
        num_threads: int = 0,
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def get_gradient(self, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def get_parameter(self, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def get_slot(self, slot: str, name: str) -> numpy.typing.NDArray[numpy.float32]: ...
    def interpolate(self, source: Network32, tau: float) -> None: ...
    def missing_columns(self, input: int = 0) -> list[bool]:
        """Whether each column of an input may hold NaN; empty where none may."""
    def plan(
        self,
        batch_size: int,
        num_threads: int = 0,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows]
        | None = None,
        input_sparsity: str = "auto",
    ) -> PlanInfo: ...
    def predict(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        out: numpy.typing.NDArray[numpy.float32] | None = None,
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def predict_first(
        self,
        layers: int,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def predict_in_place(
        self, x: typing.Any, batch_size: typing.Any, out: typing.Any
    ) -> typing.Any:
        """Return outputs; None where arguments must be converted."""
    def reset_optimizer(self) -> None: ...
    def restore_epoch(self) -> None: ...
    def run_epoch(
        self,
        x: typing.Any,
        y: typing.Any,
        loss: typing.Any,
        optimizer: Optimizer,
        batch_size: int,
        shuffle: bool = True,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        learning_rates: numpy.typing.NDArray[numpy.float64] | None = None,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        first_batch: int = 0,
        batches: int = -1,
        whole_epoch: bool = True,
        loss_weights: collections.abc.Sequence[float] | None = None,
        schedule_origin: int = 0,
    ) -> EpochResult: ...
    def set_class_names(self, names: collections.abc.Sequence[str], output: int = 0) -> None: ...
    def set_feature_names(self, names: collections.abc.Sequence[str], input: int = 0) -> None: ...
    def set_gradients(
        self,
        given: collections.abc.Mapping[str, numpy.typing.NDArray[numpy.float32]],
        others_zero: bool,
    ) -> None: ...
    def set_parameter(self, name: str, values: numpy.typing.NDArray[numpy.float32]) -> None: ...
    def set_slot(
        self, slot: str, name: str, values: numpy.typing.NDArray[numpy.float32]
    ) -> None: ...
    def set_trainable(self, node: str, trainable: bool) -> None: ...
    def step(self, optimizer: Optimizer, learning_rate: float = 0.0) -> None: ...
    def takes_in_place(self, x: typing.Any) -> bool:
        """Whether the core can read these rows as they are, and takes their numbers."""
    def takes_targets_in_place(self, x: typing.Any, y: typing.Any, loss: Loss) -> bool:
        """Whether it can and does, rows and their targets."""
    def train_in_place(
        self, x: typing.Any, y: typing.Any, loss: Loss, optimizer: Optimizer
    ) -> typing.Any:
        """Take a step and return the loss before it; None where arguments must be converted."""
    @property
    def category_names(self) -> list[list[str]]: ...
    @category_names.setter
    def category_names(
        self, arg1: collections.abc.Sequence[collections.abc.Sequence[str]]
    ) -> None: ...
    @property
    def epochs(self) -> int: ...
    @property
    def input_names(self) -> list[str]: ...
    @property
    def inputs(self) -> int: ...
    @property
    def layers(self) -> list[dict[str, typing.Any]]: ...
    @property
    def nodes(self) -> list[dict[str, typing.Any]]: ...
    @property
    def optimizer_kind(self) -> str: ...
    @property
    def optimizer_slots(self) -> list[str]: ...
    @property
    def output_names(self) -> list[str]: ...
    @property
    def outputs(self) -> int: ...
    @property
    def parameters(self) -> list[ParameterInfo]: ...
    @property
    def seed(self) -> int: ...
    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of a row of each node."""
    @property
    def steps(self) -> int: ...
    @property
    def total_steps(self) -> int: ...

class Network64:
    adapted: bool
    @staticmethod
    def train_many(
        calls: collections.abc.Sequence[tuple[typing.Any, ...]],
        num_threads: int,
        progress: typing.Any,
    ) -> list[FitOutcome]:
        """Run many calls of fit at once, each a tuple of a network and its arguments."""
    @typing.overload
    def __init__(
        self, layers: collections.abc.Sequence[dict[str, typing.Any]], inputs: int, seed: int
    ) -> None: ...
    @typing.overload
    def __init__(
        self,
        nodes: collections.abc.Sequence[dict[str, typing.Any]],
        outputs: collections.abc.Sequence[str],
        seed: int,
    ) -> None: ...
    def activations(self) -> list[typing.Any]: ...
    def adapt(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
    ) -> None: ...
    def adapt_pieces(self, pieces: typing.Any) -> None: ...
    def backward(
        self, dy: numpy.typing.NDArray[typing.Any]
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def category_code(self, column: int, name: str) -> int: ...
    def check_augment(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows]
        | None,
        augment: collections.abc.Sequence[Augmentation],
    ) -> None: ...
    def check_loss(
        self, loss: typing.Any, loss_weights: collections.abc.Sequence[float] | None = None
    ) -> None: ...
    def check_takes(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        columns: collections.abc.Sequence[str] = [],
        name: str = "x",
        finite: bool = True,
        part: int | None = None,
    ) -> None:
        """Raise ValueError unless these rows, all finite, can be the network's input."""
    def check_trains(self, optimizer: Optimizer, input_sparsity: str, batch_rows: int) -> None: ...
    def class_names(self, output: int = 0) -> list[str]: ...
    def classes(self, output: int = 0) -> int: ...
    def compute_gradients(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        training: bool,
        num_threads: int = 0,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> tuple[float, numpy.typing.NDArray[typing.Any]]: ...
    def copy(self) -> Network64: ...
    def evaluate(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        outputs: numpy.typing.NDArray[numpy.float64] | None = None,
        losses: LossSum | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> float: ...
    def feature_names(self, input: int = 0) -> list[str]: ...
    def fit(
        self,
        observer: typing.Any,
        training: tuple[typing.Any, ...],
        validation: tuple[typing.Any, ...] | None,
        epochs: int,
        batch_size: int,
        shuffle: bool,
        num_threads: int,
        input_sparsity: str,
        first_batch: int,
        losses_before: LossSum | None,
        progress: typing.Any,
        wants_batches: bool,
        augment: collections.abc.Sequence[Augmentation],
    ) -> None:
        """Run the core's loop of training, which asks and tells `observer`."""
    def forward(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        training: bool,
        num_threads: int = 0,
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def get_gradient(self, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def get_parameter(self, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def get_slot(self, slot: str, name: str) -> numpy.typing.NDArray[numpy.float64]: ...
    def interpolate(self, source: Network64, tau: float) -> None: ...
    def missing_columns(self, input: int = 0) -> list[bool]:
        """Whether each column of an input may hold NaN; empty where none may."""
    def plan(
        self,
        batch_size: int,
        num_threads: int = 0,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows]
        | None = None,
        input_sparsity: str = "auto",
    ) -> PlanInfo: ...
    def predict(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        out: numpy.typing.NDArray[numpy.float64] | None = None,
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def predict_first(
        self,
        layers: int,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        batch_size: int,
        num_threads: int = 0,
        input_sparsity: str = "auto",
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def predict_in_place(
        self, x: typing.Any, batch_size: typing.Any, out: typing.Any
    ) -> typing.Any:
        """Return outputs; None where arguments must be converted."""
    def reset_optimizer(self) -> None: ...
    def restore_epoch(self) -> None: ...
    def run_epoch(
        self,
        x: typing.Any,
        y: typing.Any,
        loss: typing.Any,
        optimizer: Optimizer,
        batch_size: int,
        shuffle: bool = True,
        num_threads: int = 0,
        input_sparsity: str = "auto",
        learning_rates: numpy.typing.NDArray[numpy.float64] | None = None,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        first_batch: int = 0,
        batches: int = -1,
        whole_epoch: bool = True,
        loss_weights: collections.abc.Sequence[float] | None = None,
        schedule_origin: int = 0,
    ) -> EpochResult: ...
    def set_class_names(self, names: collections.abc.Sequence[str], output: int = 0) -> None: ...
    def set_feature_names(self, names: collections.abc.Sequence[str], input: int = 0) -> None: ...
    def set_gradients(
        self,
        given: collections.abc.Mapping[str, numpy.typing.NDArray[numpy.float64]],
        others_zero: bool,
    ) -> None: ...
    def set_parameter(self, name: str, values: numpy.typing.NDArray[numpy.float64]) -> None: ...
    def set_slot(
        self, slot: str, name: str, values: numpy.typing.NDArray[numpy.float64]
    ) -> None: ...
    def set_trainable(self, node: str, trainable: bool) -> None: ...
    def step(self, optimizer: Optimizer, learning_rate: float = 0.0) -> None: ...
    def takes_in_place(self, x: typing.Any) -> bool:
        """Whether the core can read these rows as they are, and takes their numbers."""
    def takes_targets_in_place(self, x: typing.Any, y: typing.Any, loss: Loss) -> bool:
        """Whether it can and does, rows and their targets."""
    def train_in_place(
        self, x: typing.Any, y: typing.Any, loss: Loss, optimizer: Optimizer
    ) -> typing.Any:
        """Take a step and return the loss before it; None where arguments must be converted."""
    @property
    def category_names(self) -> list[list[str]]: ...
    @category_names.setter
    def category_names(
        self, arg1: collections.abc.Sequence[collections.abc.Sequence[str]]
    ) -> None: ...
    @property
    def epochs(self) -> int: ...
    @property
    def input_names(self) -> list[str]: ...
    @property
    def inputs(self) -> int: ...
    @property
    def layers(self) -> list[dict[str, typing.Any]]: ...
    @property
    def nodes(self) -> list[dict[str, typing.Any]]: ...
    @property
    def optimizer_kind(self) -> str: ...
    @property
    def optimizer_slots(self) -> list[str]: ...
    @property
    def output_names(self) -> list[str]: ...
    @property
    def outputs(self) -> int: ...
    @property
    def parameters(self) -> list[ParameterInfo]: ...
    @property
    def seed(self) -> int: ...
    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of a row of each node."""
    @property
    def steps(self) -> int: ...
    @property
    def total_steps(self) -> int: ...

class BestParameters32:
    def __init__(self, network: Network32) -> None: ...
    def hold(
        self, arrays: collections.abc.Sequence[numpy.typing.NDArray[numpy.float32]]
    ) -> None: ...
    def put_back(self, network: Network32) -> None: ...
    def take(self, network: Network32) -> None: ...
    @property
    def arrays(self) -> list[numpy.typing.NDArray[numpy.float32]]: ...
    @property
    def held(self) -> bool: ...

class BestParameters64:
    def __init__(self, network: Network64) -> None: ...
    def hold(
        self, arrays: collections.abc.Sequence[numpy.typing.NDArray[numpy.float64]]
    ) -> None: ...
    def put_back(self, network: Network64) -> None: ...
    def take(self, network: Network64) -> None: ...
    @property
    def arrays(self) -> list[numpy.typing.NDArray[numpy.float64]]: ...
    @property
    def held(self) -> bool: ...

class Predictor32:
    @staticmethod
    def calibrate(
        network: Network32,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
    ) -> list[tuple[float, float]]:
        """Return the range of what enters each dense layer, for int8."""
    def __init__(
        self,
        network: Network32,
        weights: str = "unchanged",
        ranges: collections.abc.Sequence[tuple[float, float]] = [],
    ) -> None: ...
    def predict(
        self,
        x: numpy.typing.NDArray[numpy.float32],
        out: numpy.typing.NDArray[numpy.float32] | None = None,
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def update(self, network: Network32) -> None: ...

class Predictor64:
    @staticmethod
    def calibrate(
        network: Network64,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
    ) -> list[tuple[float, float]]:
        """Return the range of what enters each dense layer, for int8."""
    def __init__(
        self,
        network: Network64,
        weights: str = "unchanged",
        ranges: collections.abc.Sequence[tuple[float, float]] = [],
    ) -> None: ...
    def predict(
        self,
        x: numpy.typing.NDArray[numpy.float64],
        out: numpy.typing.NDArray[numpy.float64] | None = None,
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def update(self, network: Network64) -> None: ...

class StreamingPredictor32:
    @typing.overload
    def __init__(self, network: Network32) -> None: ...
    @typing.overload
    def __init__(self, other: StreamingPredictor32) -> None: ...
    def reset(self) -> None: ...
    def step(
        self, frames: numpy.typing.NDArray[numpy.float32]
    ) -> numpy.typing.NDArray[numpy.float32]: ...
    def update(self, network: Network32) -> None: ...
    @property
    def inputs(self) -> int: ...

class StreamingPredictor64:
    @typing.overload
    def __init__(self, network: Network64) -> None: ...
    @typing.overload
    def __init__(self, other: StreamingPredictor64) -> None: ...
    def reset(self) -> None: ...
    def step(
        self, frames: numpy.typing.NDArray[numpy.float64]
    ) -> numpy.typing.NDArray[numpy.float64]: ...
    def update(self, network: Network64) -> None: ...
    @property
    def inputs(self) -> int: ...

class Hessian:
    """Second derivatives of the mean loss of some rows, which are read in place."""

    @typing.overload
    def __init__(
        self,
        network: Network32,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        num_threads: int = 0,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> None: ...
    @typing.overload
    def __init__(
        self,
        network: Network64,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        num_threads: int = 0,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> None: ...
    def eigenvalues(
        self, count: int, tolerance: float, max_iterations: int, seed: int
    ) -> tuple[list[float], list[float], int, bool]:
        """Return eigenvalues, residuals, the number of products, and whether they converged."""
    def matrix(self) -> numpy.typing.NDArray[numpy.float64]: ...
    def multiply(
        self, v: numpy.typing.NDArray[numpy.float64]
    ) -> numpy.typing.NDArray[numpy.float64]:
        """Return H v."""
    @property
    def size(self) -> int: ...

class FullBatchOptimizer:
    """A checked full-batch optimizer."""

    @staticmethod
    def kinds() -> list[str]: ...
    def __getstate__(self) -> dict[str, typing.Any]: ...
    def __init__(self, config: typing.Any) -> None: ...
    def __setstate__(self, arg0: dict[str, typing.Any]) -> None: ...
    @property
    def config(self) -> dict[str, typing.Any]: ...
    @property
    def max_iterations(self) -> int: ...
    @max_iterations.setter
    def max_iterations(self, arg1: int) -> None: ...

class IterationReport:
    @property
    def alpha(self) -> float: ...
    @property
    def beta(self) -> float: ...
    @property
    def damping(self) -> float: ...
    @property
    def effective_parameters(self) -> float: ...
    @property
    def epoch(self) -> int: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def gradient_norm(self) -> float: ...
    @property
    def loss(self) -> float: ...
    @property
    def losses(self) -> LossSum: ...
    @property
    def step_length(self) -> float: ...

class FullBatchTraining32:
    def __init__(
        self,
        network: Network32,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        optimizer: FullBatchOptimizer,
        batch_size: int,
        num_threads: int,
        input_sparsity: str,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> None: ...
    def step(
        self, outputs: numpy.typing.NDArray[numpy.float32] | None = None
    ) -> IterationReport | None:
        """Make the next iteration; None where the training has ended."""
    @property
    def end(self) -> str:
        """Why it has ended, as a sentence."""

class FullBatchTraining64:
    def __init__(
        self,
        network: Network64,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        loss: typing.Any,
        optimizer: FullBatchOptimizer,
        batch_size: int,
        num_threads: int,
        input_sparsity: str,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None = None,
        class_weight: numpy.typing.NDArray[numpy.float64]
        | collections.abc.Sequence[numpy.typing.NDArray[numpy.float64] | None]
        | None = None,
        loss_weights: collections.abc.Sequence[float] | None = None,
    ) -> None: ...
    def step(
        self, outputs: numpy.typing.NDArray[numpy.float64] | None = None
    ) -> IterationReport | None:
        """Make the next iteration; None where the training has ended."""
    @property
    def end(self) -> str:
        """Why it has ended, as a sentence."""

class Laplace:
    @staticmethod
    @typing.overload
    def of(
        network: Network32,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any] | CompressedRows,
        prior_precision: float | None,
        noise: float | None,
        num_threads: int,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None,
    ) -> Laplace: ...
    @staticmethod
    @typing.overload
    def of(
        network: Network64,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
        y: numpy.typing.NDArray[typing.Any] | CompressedRows,
        prior_precision: float | None,
        noise: float | None,
        num_threads: int,
        sample_weight: numpy.typing.NDArray[numpy.float64] | None,
    ) -> Laplace: ...
    def predict(
        self,
        x: numpy.typing.NDArray[typing.Any]
        | CompressedRows
        | collections.abc.Sequence[numpy.typing.NDArray[typing.Any] | CompressedRows],
    ) -> tuple[numpy.typing.NDArray[typing.Any], numpy.typing.NDArray[typing.Any]]:
        """Return means and standard deviations, rows x outputs."""
    @property
    def effective_parameters(self) -> float: ...
    @property
    def log_evidence(self) -> float: ...
    @property
    def noise(self) -> float: ...
    @property
    def prior_precision(self) -> float: ...

class TrainingLock:
    """Lets one training at a time run."""

    @staticmethod
    def run_all(locks: collections.abc.Sequence[TrainingLock], function: typing.Any) -> typing.Any:
        """Return function(), as run() of all of these locks at once."""
    def __init__(self) -> None: ...
    def run(self, function: typing.Any) -> typing.Any:
        """Return function(); RuntimeError while another call of this lock runs."""

class TrainingState:
    """What training needs to go on, beside what the network holds."""

    loss: Loss | None
    mode: str
    monitor: str
    optimizer: Optimizer | None
    plateau: Plateau | None
    rest: str
    schedule: Schedule | None
    def __init__(self) -> None: ...
    @property
    def schedule_origin(self) -> int: ...
    @schedule_origin.setter
    def schedule_origin(self, arg0: int) -> None: ...

@typing.overload
def apply_inverse_link(loss: Loss, predictions: numpy.typing.NDArray[numpy.float32]) -> None: ...
@typing.overload
def apply_inverse_link(loss: Loss, predictions: numpy.typing.NDArray[numpy.float64]) -> None: ...
@typing.overload
def apply_link(loss: Loss, outputs: numpy.typing.NDArray[numpy.float32]) -> None: ...
@typing.overload
def apply_link(loss: Loss, outputs: numpy.typing.NDArray[numpy.float64]) -> None: ...
@typing.overload
def augment_images(
    augmentations: collections.abc.Sequence[Augmentation],
    x: numpy.typing.NDArray[typing.Any],
    shape: collections.abc.Sequence[int],
    seed: int,
    epoch: int,
    first_row: int,
    out: numpy.typing.NDArray[numpy.float32],
) -> None: ...
@typing.overload
def augment_images(
    augmentations: collections.abc.Sequence[Augmentation],
    x: numpy.typing.NDArray[typing.Any],
    shape: collections.abc.Sequence[int],
    seed: int,
    epoch: int,
    first_row: int,
    out: numpy.typing.NDArray[numpy.float64],
) -> None: ...
def check_input_sparsity(name: str) -> None:
    """Raise ValueError unless the name is one of the paths for input."""

def check_targets(
    y: numpy.typing.NDArray[typing.Any] | CompressedRows,
    loss: Loss,
    name: str,
    single: bool,
    columns: collections.abc.Sequence[str],
) -> None: ...
def copy_rate(nbytes: int, seconds: float, num_threads: int = 0) -> float:
    """Return the GB/s read and written by copies within a working set of `bytes` bytes."""

def default_num_threads() -> int: ...
def first_wrong_label(labels: numpy.typing.NDArray[numpy.int64], classes: int) -> int:
    """Return the row of the first label that is none of 0 to classes - 1, -1 without one."""

def fma_peak(dtype: str, seconds: float, num_threads: int = 0) -> float:
    """Return the most Gflop/s that the threads can do with the instruction set in use."""

def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def load_model(
    path: bytes,
) -> tuple[Network32 | Network64, TrainingState, str, list[tuple[float, float]]]: ...
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
@typing.overload
def model_bytes(network: Network32, training: TrainingState) -> bytes: ...
@typing.overload
def model_bytes(network: Network64, training: TrainingState) -> bytes: ...
def nearest_name(given: str, valid: collections.abc.Sequence[str]) -> str:
    """Return the valid name that was probably meant; an empty text if none is near."""

def read_model(
    content: bytes,
) -> tuple[Network32 | Network64, TrainingState, str, list[tuple[float, float]]]: ...
def read_model_description(content: bytes) -> str: ...
def reads_in_place(table: typing.Any) -> bool:
    """Whether the core can read a table as it is."""

@typing.overload
def save_model(
    path: bytes,
    network: Network32,
    training: TrainingState,
    weights: str = "unchanged",
    ranges: collections.abc.Sequence[tuple[float, float]] = [],
) -> None: ...
@typing.overload
def save_model(
    path: bytes,
    network: Network64,
    training: TrainingState,
    weights: str = "unchanged",
    ranges: collections.abc.Sequence[tuple[float, float]] = [],
) -> None: ...
def shuffled_order(rows: int, seed: int, epoch: int) -> numpy.typing.NDArray[numpy.int64]:
    """Return the order in which the epoch, counted from 0, visits the rows."""

def threading_layer() -> str: ...
def threading_layers() -> list[str]: ...
def write_atomically(path: bytes, content: bytes) -> None: ...

MODEL_FORMAT_VERSION: int = 5
__version__: str = "0.1.0"
