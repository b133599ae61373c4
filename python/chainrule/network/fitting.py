# SPDX-License-Identifier: Apache-2.0
"""Training and measuring a network: what callers give is checked, then the loop runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from chainrule import metrics
from chainrule.arguments import positive_integer, sparsity_name, thread_count
from chainrule.inputs.dataset import Dataset
from chainrule.losses import Loss
from chainrule.names import names_arguments
from chainrule.network import measuring
from chainrule.network.compiled import Compiled
from chainrule.network.fit_call import FitCall, end_passes
from chainrule.network.history import History
from chainrule.network.measuring import Undefined, measure, metrics_for, resolve_metrics
from chainrule.network.training_data import make_dataset

if TYPE_CHECKING:
    from chainrule.augment import Augmentation
    from chainrule.callbacks import Callback
    from chainrule.inputs.targets import ClassWeight
    from chainrule.losses.custom import LossFunction
    from chainrule.optimizers import AnyOptimizer

__all__ = ["AnyLoss", "AnyMetrics", "evaluate", "fit"]

OneLoss: TypeAlias = "str | Loss | LossFunction"
AnyLoss: TypeAlias = "OneLoss | Mapping[str, OneLoss] | Sequence[OneLoss] | None"
AnyAugmentation: TypeAlias = "str | Mapping[str, Any] | Augmentation"
AnyMetric: TypeAlias = "str | metrics.Metric | Callable[..., Any]"
AnyMetrics: TypeAlias = "Iterable[AnyMetric] | Mapping[str, Iterable[AnyMetric]] | None"


@names_arguments
def fit(
    net: Compiled,
    /,
    x: object,
    y: object = None,
    *,
    loss: AnyLoss = None,
    loss_weights: Mapping[str, float] | Sequence[float] | None = None,
    optimizer: str | AnyOptimizer | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    validation_data: Dataset | Sequence[object] | None = None,
    validation_split: float = 0.0,
    sample_weight: object = None,
    class_weight: ClassWeight = None,
    shuffle: bool | None = None,
    callbacks: Iterable[Callback | Callable[[int, Mapping[str, Any]], object]] = (),
    metrics: AnyMetrics = None,
    verbose: int = 1,
    num_threads: int | None = None,
    input_sparsity: str = "auto",
    augment: Iterable[AnyAugmentation] | None = None,
) -> History:
    """Train; a second call goes on from the present weights and the optimizer's state.

    Parameters
    ----------
    x : array_like of shape (rows, inputs), or mapping or sequence of such
        The rows; for several inputs those of each, by name or in their order.
        uint8, int32, int64, float32 and float64 are read where they lie, whatever their
        strides; memory maps, data frames and CPU tensors too. Images (rows, height, width) are
        flattened. A data frame's columns are matched by name, see `feature_names`. SciPy's
        sparse matrices are taken too, CSR without a copy; the first layer must then be Dense,
        or Dense behind a Rescaling without offset. A `Dataset` has x and all else, and spares
        further calls the checks. Of an input of shape (time, features) with one of their lengths,
        see `layers.RecurrentLayer`, a list of sequences (steps, features) of different length is
        taken for both: where there are others, in a mapping that leaves the lengths out.
    y : array_like, or mapping or sequence of such
        The targets; for several outputs those of each, by name or in their order.
        Integer labels (rows,) or probability rows (rows, outputs) for cross_entropy, else
        numbers of shape (rows, outputs) or (rows,). In the place of labels, those of a single
        output included, the names of classes are taken, see `class_names`. SciPy's sparse
        matrices (rows, outputs) are taken too, CSR without a copy; only metrics, which need all
        outputs at once, make a table of them. Of an output with several positions, such as
        (time, classes), labels or rows for each of them; where x is a list of sequences, also a
        list of as many for each. Steps behind the end of a sequence then weigh 0.
    loss : str, Loss or function, or mapping or sequence of such, optional
        Default: the one last used. A function is called as `chainrule.losses.Custom` says. Of
        several outputs, one for all of them or one for each.
    loss_weights : mapping or sequence of float, optional
        The weights of the outputs' losses in their sum, which training minimises; those that a
        mapping lacks are 1.
    optimizer : str, Optimizer or FullBatchOptimizer, optional
        Default: the one last used, at first ``Adam()``. Its state is kept as long as its kind
        stays the same; another kind starts afresh.
    epochs : int, optional
        Passes over the data in this call, by default 1; of a full-batch optimizer such as
        ``"lbfgs"`` the most iterations, by default those that it says.
    batch_size : int, optional
        Rows per step; the last batch may be shorter. Default: 32, or the size of a generator's
        batches. Of a full-batch optimizer the rows that are worked on at a time, by default 1024.
    validation_data : Dataset, (x, y) or (x, y, sample_weight), optional
        Evaluated after each epoch under names with ``val_`` in front.
    validation_split : float, default 0
        Fraction of the rows, the last ones, to hold back for validation.
    sample_weight : array_like of shape (rows,), optional
        Weight of each row in the mean loss; of an output with several positions also of each of
        these, such as (rows, time).
    class_weight : mapping, sequence or "balanced", optional
        Weight of each label: of each class for cross_entropy, of 0 and 1 for a single output. A
        mapping may be by the classes' names. "balanced": such weights that all classes of the
        training rows count the same, n / (classes * rows of the class), where `sample_weight`
        counts rows. It helps the training and leaves ``val_loss`` as it is. Of several outputs,
        a mapping of their names to weights or "balanced".
    shuffle : bool, optional
        Visit the rows of each epoch in a new random order. Default: yes, unless they come from a
        generator, whose order stays.
    callbacks : iterable of Callback or callable
        A plain function is called as ``f(epoch, logs)`` at the end of each epoch.
    metrics : iterable of str, Metric or callable, or mapping of such, optional
        Default: accuracy for the cross-entropy losses, else none. Those of training are taken
        from the outputs as the epoch saw them, before each update. Of several outputs, those of
        each by name, or the same for all.
    verbose : {0, 1, 2}, default 1
        Nothing; a progress bar where there is a terminal, else lines; lines.
    num_threads : int, optional
        Default: `default_num_threads()`. It never changes a result.
    input_sparsity : {"auto", "dense", "sparse"}, default "auto"
        Whether a first dense layer leaves out zeros of `x`. It never changes a result; "auto"
        looks at a sample of the rows and takes what should be faster. A lazy optimizer leaves
        them out always.
    augment : list of Augmentation, optional
        What becomes of images each time the network is trained on them, see `chainrule.augment`;
        those for validation stay as they are. It takes an input of shape (height, width) or
        (height, width, channels), such as ``Input((28, 28, 1))``. Of several such inputs all are
        changed, or by ``RandomFlip(input="photo")`` one alone.

    Returns
    -------
    History
        A list per metric over all epochs so far, of several outputs "digit_loss" and
        "digit_accuracy" for an output "digit"; also kept as ``net.history``. After Ctrl-C
        it ends with the last whole epoch and its ``interrupted`` is True.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit; the network has not changed.
    DivergenceError
        If the loss becomes NaN or infinite; the network is as the epoch found it, or the epoch
        before where that one's update made weights that give no finite numbers.
    RuntimeError
        If the network is being trained already, by another thread or by the caller of a
        callback.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> x, y = [[1.0, 0.0], [0.0, 1.0]], [2.0, -1.0]
    >>> history = net.fit(x, y, loss="mse", optimizer=cr.Adam(0.1), epochs=200, verbose=0)
    >>> history["loss"][-1] < 1e-3
    True
    """
    call = FitCall(
        net,
        x,
        y,
        loss=loss,
        loss_weights=loss_weights,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        validation_data=validation_data,
        validation_split=validation_split,
        sample_weight=sample_weight,
        class_weight=class_weight,
        shuffle=shuffle,
        callbacks=callbacks,
        metrics=metrics,
        verbose=verbose,
        num_threads=num_threads,
        input_sparsity=input_sparsity,
        augment=augment,
    )
    try:
        history: History = net._training.run(call.run)
    finally:
        end_passes(x, validation_data)
    return history


@names_arguments
def evaluate(
    net: Compiled,
    /,
    x: object,
    y: object = None,
    *,
    loss: AnyLoss = None,
    loss_weights: Mapping[str, float] | Sequence[float] | None = None,
    metrics: AnyMetrics = None,
    sample_weight: object = None,
    class_weight: ClassWeight = None,
    batch_size: int = measuring.INFERENCE_ROWS,
    num_threads: int | None = None,
    input_sparsity: str = "auto",
) -> dict[str, Any]:
    """Return the mean loss and the metrics on data, in inference mode.

    Parameters
    ----------
    x, y, loss, loss_weights, metrics, sample_weight, class_weight, num_threads, input_sparsity
        As in `fit`.
    batch_size : int, default 256
        Rows worked on at a time.

    Returns
    -------
    dict
        ``{"loss": ..., "accuracy": ...}``; a confusion matrix is an array. Of several outputs
        the names are as in the history.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.set_weights([[[3.0], [1.0]], [0.0]])
    >>> net.evaluate([[1.0, 2.0]], [4.0], loss="mse", metrics=["mae"])
    {'loss': 1.0, 'mae': 1.0}
    """
    objective = net._chosen_loss(loss, loss_weights)
    chosen = net.metrics if metrics is None else resolve_metrics(metrics, objective)
    rows = positive_integer("batch_size", batch_size)
    threads = thread_count(num_threads)
    path = sparsity_name(input_sparsity)
    try:
        with net._rollback_build():
            data = make_dataset(net, x, y, objective, sample_weight, class_weight)
        measured = metrics_for(objective, net.outputs, chosen, data.y)
        value, outputs, sums = measuring.evaluate(
            net, data, objective, measured, rows, threads, path
        )
    finally:
        end_passes(x)
    logs: dict[str, Any] = {}
    measure(measured, objective, data, value, outputs, logs, Undefined(), losses=sums)
    return logs
