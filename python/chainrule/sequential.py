# SPDX-License-Identifier: Apache-2.0
"""The network that users hold: a stack of layers, its parameters and the state of its training."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule import _core, losses, metrics, model_file, optimizers, training
from chainrule.arguments import positive_integer, sparsity_name, thread_count
from chainrule.arrays import check_output
from chainrule.examples import prepare, prepare_validation, split_validation
from chainrule.history import History
from chainrule.interop.exports import Exports
from chainrule.layers import Activation, Dense, Input, Layer, Normalization
from chainrule.stack import Stack

if TYPE_CHECKING:
    from chainrule.callbacks import Callback
    from chainrule.export_c import CExport
    from chainrule.losses import Loss
    from chainrule.optimizers import Optimizer

__all__ = ["Sequential"]

_PREDICT_ROWS = 256


class Sequential(Exports, Stack):
    """A stack of layers, each fed by the one before.

    Parameters
    ----------
    layers : sequence of Layer
        May begin with `Input`, which fixes the number of inputs; without it they are learnt from
        the first data.
    seed : int, optional
        Decides initial weights, the order of rows and dropout. The same seed and data give the
        same bits for any number of threads and any instruction set. None: a random seed, which
        `seed` tells.
    dtype : {"float32", "float64"}, default "float32"
        Precision of parameters and arithmetic.

    Attributes
    ----------
    layers : list of Layer
        The layers, without `Input`.
    history : History
        What every epoch of training so far gave.

    Notes
    -----
    Parameters live in the layout that the kernels want, so the arrays that `parameters`,
    `get_weights` and `gradients` give are copies of shape (inputs, units) and (units,).

    One thread at a time may use a network; a second one gets a `RuntimeError`. `copy.deepcopy`
    gives each thread its own.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential(
    ...     [cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0
    ... )
    >>> history = net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=5, verbose=0)
    >>> net.evaluate(x, y)["accuracy"] > 0.95
    True
    """

    def __init__(
        self, layers: Sequence[Layer | Input], seed: int | None = None, dtype: str = "float32"
    ) -> None:
        super().__init__(layers, seed, dtype)
        self.history = History()
        self.loss: Loss | None = None
        self.optimizer: Optimizer | None = None
        self.metrics: list[metrics.Metric] | None = None
        self._schedule_origin = 0
        self._training = threading.Lock()

    def compile(
        self,
        *,
        loss: str | Loss | None = None,
        optimizer: str | Optimizer | None = None,
        metrics: Iterable[str | metrics.Metric | Callable[..., Any]] | None = None,
    ) -> None:
        """Give once what `fit`, `train_on_batch` and `evaluate` otherwise take each time.

        Parameters
        ----------
        loss, optimizer, metrics
            As in `fit`; what is None stays as it is.
        """
        if loss is not None:
            self.loss = losses.get(loss)
        if optimizer is not None:
            self._use_optimizer(optimizers.get(optimizer))
        if metrics is not None:
            self.metrics = training.resolve_metrics(metrics)

    def fit(
        self,
        x: object,
        y: object,
        *,
        loss: str | Loss | None = None,
        optimizer: str | Optimizer | None = None,
        epochs: int = 1,
        batch_size: int = 32,
        validation_data: Sequence[object] | None = None,
        validation_split: float = 0.0,
        sample_weight: object = None,
        class_weight: Mapping[int, float] | Sequence[float] | None = None,
        shuffle: bool = True,
        callbacks: Iterable[Callback | Callable[[int, Mapping[str, Any]], object]] = (),
        metrics: Iterable[str | metrics.Metric | Callable[..., Any]] | None = None,
        verbose: int = 1,
        num_threads: int | None = None,
        input_sparsity: str = "auto",
    ) -> History:
        """Train; a second call goes on from the present weights and the optimizer's state.

        Parameters
        ----------
        x : array_like of shape (rows, inputs)
            uint8, float32 or float64 are read where they lie, whatever their strides; memory maps,
            data frames and CPU tensors too. Images (rows, height, width) are flattened. SciPy's
            sparse matrices are taken too, CSR without a copy; the first layer must then be Dense,
            or Dense behind a Rescaling without offset.
        y : array_like
            Integer labels (rows,) or probability rows (rows, outputs) for cross_entropy, else
            numbers of shape (rows, outputs) or (rows,). SciPy's sparse matrices (rows, outputs) are
            taken too, CSR without a copy; only metrics, which need all outputs at once, make a
            table of them.
        loss : str or Loss, optional
            Default: the one last used.
        optimizer : str or Optimizer, optional
            Default: the one last used, at first ``Adam()``. Its state is kept as long as its kind
            stays the same; another kind starts afresh.
        epochs : int, default 1
            Passes over the data in this call.
        batch_size : int, default 32
            Rows per step; the last batch may be shorter.
        validation_data : (x, y) or (x, y, sample_weight), optional
            Evaluated after each epoch under names with ``val_`` in front.
        validation_split : float, default 0
            Fraction of the rows, the last ones, to hold back for validation.
        sample_weight : array_like of shape (rows,), optional
            Weight of each row in the mean loss.
        class_weight : mapping or sequence, optional
            Weight of each label: of each class for cross_entropy, of 0 and 1 for a single output.
        shuffle : bool, default True
            Visit the rows of each epoch in a new random order.
        callbacks : iterable of Callback or callable
            A plain function is called as ``f(epoch, logs)`` at the end of each epoch.
        metrics : iterable of str, Metric or callable, optional
            Default: accuracy for the cross-entropy losses, else none. Those of training are taken
            from the outputs as the epoch saw them, before each update.
        verbose : {0, 1, 2}, default 1
            Nothing; a progress bar where there is a terminal, else lines; lines.
        num_threads : int, optional
            Default: `default_num_threads()`. It never changes a result.
        input_sparsity : {"auto", "dense", "sparse"}, default "auto"
            Whether a first dense layer leaves out zeros of `x`. It never changes a result; "auto"
            looks at a sample of the rows and takes what should be faster. A lazy optimizer leaves
            them out always.

        Returns
        -------
        History
            A list per metric over all epochs so far; also kept as ``self.history``. After Ctrl-C
            it ends with the last whole epoch and its ``interrupted`` is True.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit; the network has not changed.
        DivergenceError
            If the loss becomes NaN or infinite; the network is as the epoch found it.
        RuntimeError
            If the network is being trained already, by another thread or by the caller of a
            callback.
        """
        loss = self._chosen_loss(loss)
        optimizer = optimizers.get(optimizer if optimizer is not None else self.optimizer or "adam")
        plan = training.FitPlan(
            epochs=positive_integer("epochs", epochs),
            batch_size=positive_integer("batch_size", batch_size),
            shuffle=training.boolean("shuffle", shuffle),
            verbose=verbose,
            num_threads=thread_count(num_threads),
            input_sparsity=sparsity_name(input_sparsity),
            callbacks=training.resolve_callbacks(callbacks),
        )
        chosen = self.metrics if metrics is None else training.resolve_metrics(metrics)
        with self._sole_training():
            with self._kept_unbuilt_on_error():
                data = prepare(self, x, y, loss, sample_weight, class_weight)
                self._need_core().check_trains(optimizer._core, plan.input_sparsity)
                data, validation = split_validation(data, validation_split)
                if validation_data is not None:
                    if validation is not None:
                        raise ValueError("give validation_data or validation_split, not both")
                    validation = prepare_validation(self, validation_data, loss, class_weight)
                measured = training.metrics_for(loss, self.outputs, chosen, data.y)
                training.check_monitor(optimizer, measured, validated=validation is not None)
                progress = training.progress(self, data, plan)
            self.loss = loss
            self.metrics = chosen
            self._use_optimizer(optimizer)
            if not self._adapted and any(isinstance(layer, Normalization) for layer in self.layers):
                self.adapt(data.x)
            return training.fit(self, data, validation, plan, progress)

    def train_on_batch(
        self,
        x: object,
        y: object,
        *,
        loss: str | Loss | None = None,
        optimizer: str | Optimizer | None = None,
        sample_weight: object = None,
        class_weight: Mapping[int, float] | Sequence[float] | None = None,
        num_threads: int | None = None,
        input_sparsity: str = "auto",
    ) -> dict[str, float]:
        """Take one optimizer step on these rows.

        Parameters
        ----------
        x, y, loss, optimizer, sample_weight, class_weight, num_threads, input_sparsity
            As in `fit`.

        Returns
        -------
        dict of str to float
            ``{"loss": mean loss before the step}``.
        """
        loss = self._chosen_loss(loss)
        optimizer = optimizers.get(optimizer if optimizer is not None else self.optimizer or "adam")
        threads = thread_count(num_threads)
        path = sparsity_name(input_sparsity)
        with self._sole_training():
            with self._kept_unbuilt_on_error():
                data = prepare(self, x, y, loss, sample_weight, class_weight)
                self._need_core().check_trains(optimizer._core, path)
            self.loss = loss
            self._use_optimizer(optimizer)
            result = self._need_core().run_epoch(
                data.x,
                data.y,
                loss._core,
                optimizer._core,
                batch_size=len(data.x),
                shuffle=False,
                whole_epoch=False,
                learning_rates=training.step_rates(self, optimizer, 1, 1),
                sample_weight=data.sample_weight,
                class_weight=data.class_weight,
                num_threads=threads,
                input_sparsity=path,
            )
        return {"loss": result.loss}

    def evaluate(
        self,
        x: object,
        y: object,
        *,
        loss: str | Loss | None = None,
        metrics: Iterable[str | metrics.Metric | Callable[..., Any]] | None = None,
        sample_weight: object = None,
        class_weight: Mapping[int, float] | Sequence[float] | None = None,
        batch_size: int = _PREDICT_ROWS,
        num_threads: int | None = None,
        input_sparsity: str = "auto",
    ) -> dict[str, Any]:
        """Return the mean loss and the metrics on data, in inference mode.

        Parameters
        ----------
        x, y, loss, metrics, sample_weight, class_weight, num_threads, input_sparsity
            As in `fit`.
        batch_size : int, default 256
            Rows worked on at a time.

        Returns
        -------
        dict
            ``{"loss": ..., "accuracy": ...}``; a confusion matrix is an array.
        """
        loss = self._chosen_loss(loss)
        chosen = self.metrics if metrics is None else training.resolve_metrics(metrics)
        rows = positive_integer("batch_size", batch_size)
        threads = thread_count(num_threads)
        path = sparsity_name(input_sparsity)
        with self._kept_unbuilt_on_error():
            data = prepare(self, x, y, loss, sample_weight, class_weight)
        measured = training.metrics_for(loss, self.outputs, chosen, data.y)
        return training.evaluate(self, data, loss, measured, rows, threads, path)

    def predict(
        self,
        x: object,
        *,
        batch_size: int = _PREDICT_ROWS,
        num_threads: int | None = None,
        input_sparsity: str = "auto",
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Return the last layer's outputs; each row's bits are independent of the other rows.

        Parameters
        ----------
        x : array_like of shape (rows, inputs)
            As in `fit`; one row may be given as (inputs,).
        batch_size : int, default 256
            Rows worked on at a time.
        num_threads : int, optional
            As in `fit`.
        input_sparsity : {"auto", "dense", "sparse"}, default "auto"
            As in `fit`.
        out : ndarray of shape (rows, outputs), optional
            C-contiguous, of the network's dtype; filled and returned.

        Returns
        -------
        ndarray of shape (rows, outputs)
            Of the network's dtype.
        """
        usual = num_threads is None and input_sparsity == "auto" and type(batch_size) is int
        if self._core is not None and usual:
            outputs: NDArray[Any] | None = self._core.predict_in_place(x, batch_size, out)
            if outputs is not None:
                return outputs
        rows = positive_integer("batch_size", batch_size)
        threads = thread_count(num_threads)
        path = sparsity_name(input_sparsity)
        with self._kept_unbuilt_on_error():
            features = self._rows(x, allow_single=True)
            if out is not None:
                check_output(out, (len(features), self.outputs), self.dtype)
        return self._need_core().predict(
            features, batch_size=rows, num_threads=threads, input_sparsity=path, out=out
        )

    def predict_proba(
        self, x: object, *, batch_size: int = _PREDICT_ROWS, num_threads: int | None = None
    ) -> NDArray[Any]:
        """Return probabilities: `predict` through the loss's link (softmax, sigmoid, exp).

        A network whose last activation is already that link is not changed twice.

        Raises
        ------
        ValueError
            If the network has no loss yet or its loss has no link.
        """
        loss = self._chosen_loss(None)
        link = self._link_to_apply()
        outputs = self.predict(x, batch_size=batch_size, num_threads=num_threads)
        if link != "linear":
            _core.apply_link(loss._core, outputs)
        return outputs

    def _link_to_apply(self) -> str:
        """Return what makes probabilities of the outputs: "linear" if they are such already."""
        loss = self._chosen_loss(None)
        link = str(loss._core.link)
        if link == "identity":
            raise ValueError(f"{loss.kind} has no link to probabilities; use predict")
        return "linear" if self._ends_with(link) else link

    def _step(self, optimizer: _core.Optimizer, learning_rate: float) -> None:
        """One optimizer step from the last gradients; `Optimizer.step` calls it."""
        self._need_core().step(optimizer, learning_rate)
        # The optimizer that owns the state has to be known, or a model file could not keep it.
        if not self._goes_on_from_state():
            self._use_optimizer(optimizers.get(optimizer.config))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network with its training state to a safetensors file.

        The file is written under a temporary name and renamed, so an interruption leaves the old
        file or the new one. What is a function of the caller's, such as a learning rate or a
        metric, cannot be kept; of a learning rate its first value is.

        Parameters
        ----------
        path : path-like
            Customarily ending in ``.safetensors``.
        """
        model_file.save(self, path)

    def export_c(
        self,
        directory: str | os.PathLike[str],
        *,
        name: str = "model",
        dtype: str = "float32",
        calibration: object = None,
        validation_data: Sequence[object] | None = None,
        test_rows: object = None,
    ) -> CExport:
        """Write C99 that predicts without a heap: NAME.h, NAME.c and the self-test NAME_test.c.

        Parameters
        ----------
        directory : path-like
            Where to write; created if missing. Existing files are replaced.
        name : str, default "model"
            First part of the names of files, functions and macros.
        dtype : {"float32", "int8"}, default "float32"
            Of the dense layers' weights and arithmetic. What lies between them and is no relu, and
            outputs, are floats in either case.
        calibration : array_like of shape (rows, inputs), optional
            Rows from which int8 takes its scales, layer by layer, without the largest and smallest
            0.01 % of the values; needed for int8.
        validation_data : (x, y) or (x, y, sample_weight), optional
            Where to compare loss and metrics before and after.
        test_rows : array_like of shape (rows, inputs), optional
            The first 8 become the self-test's vectors. Default: those of `calibration`, else random
            numbers.

        Returns
        -------
        CExport
            Files, sizes, the largest difference, metrics before and after; prints as a report.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit or the network has no form in C; the text lists all reasons,
            and nothing is written.
        RuntimeError
            If the number of inputs is not known yet.
        """
        from chainrule.export_c import export

        return export(
            self,
            directory,
            name=name,
            dtype=dtype,
            calibration=calibration,
            validation_data=validation_data,
            test_rows=test_rows,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Sequential:
        """Copy the network with its parameters and the state of its training."""
        new = Sequential.__new__(Sequential)
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            if name == "_core":
                new._core = None if value is None else value.copy()
            elif name == "_training":
                new._training = threading.Lock()
            else:
                setattr(new, name, copy.deepcopy(value, memo))
        return new

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle through the bytes of a model file, which lack functions of the caller's."""
        state = {"loss": self.loss, "optimizer": self.optimizer, "metrics": self.metrics}
        if self._core is None:
            return Sequential, (self.layers, self.seed, self.dtype), state
        return model_file.from_bytes, (model_file.to_bytes(self),), state

    def _ends_with(self, link: str | None) -> bool:
        """Whether the last activation is already the loss's link."""
        last = self.layers[-1]
        return isinstance(last, Dense | Activation) and last.activation.config["kind"] == link

    def _chosen_loss(self, given: str | Loss | None) -> Loss:
        if given is not None:
            return losses.get(given)
        if self.loss is None:
            raise ValueError('the network has no loss yet: give one, such as loss="cross_entropy"')
        return self.loss

    @contextmanager
    def _sole_training(self) -> Iterator[None]:
        if not self._training.acquire(blocking=False):
            raise RuntimeError(
                "the network is being trained already; copy.deepcopy gives one to train beside it"
            )
        try:
            yield
        finally:
            self._training.release()

    def _goes_on_from_state(self) -> bool:
        """Whether the optimizer at hand would go on from the optimizer state that there is."""
        core, optimizer = self._need_core(), self.optimizer
        return (
            optimizer is not None
            and optimizer.kind == core.optimizer_kind
            and optimizer._core.slots() == core.optimizer_slots
        )

    def _use_optimizer(self, optimizer: Optimizer) -> None:
        # A new schedule counts its steps from here; the same one goes on.
        before = None if self.optimizer is None else self.optimizer.schedule
        if self._core is not None and optimizer.schedule != before:
            self._schedule_origin = self._core.total_steps
        self.optimizer = optimizer
