# SPDX-License-Identifier: Apache-2.0
"""Steps on rows that the caller chooses, one a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from chainrule import _core, optimizers
from chainrule.arguments import AUTO, sparsity_name, thread_count
from chainrule.inputs.dataset import Dataset
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.inputs.targets import is_balanced
from chainrule.losses import Loss
from chainrule.names import names_arguments
from chainrule.network import fit_loop
from chainrule.network.before_training import BeforeTraining
from chainrule.network.output_losses import OutputLosses, function_names, loss_weights_of
from chainrule.network.training_data import make_dataset
from chainrule.optimizers import Optimizer

if TYPE_CHECKING:
    from chainrule.inputs.targets import ClassWeight
    from chainrule.network.compiled import Compiled
    from chainrule.network.fitting import AnyLoss

__all__ = ["train_on_batch"]


@names_arguments
def train_on_batch(
    net: Compiled,
    /,
    x: object,
    y: object = None,
    *,
    loss: AnyLoss = None,
    loss_weights: Mapping[str, float] | Sequence[float] | None = None,
    optimizer: str | Optimizer | None = None,
    sample_weight: object = None,
    class_weight: ClassWeight = None,
    num_threads: int | None = None,
    input_sparsity: str = AUTO,
) -> dict[str, float]:
    """Take one optimizer step on these rows.

    Parameters
    ----------
    x, y, loss, loss_weights, optimizer, sample_weight, class_weight, num_threads, \
input_sparsity
        As in `fit`.

    Returns
    -------
    dict of str to float
        ``{"loss": mean loss before the step}``, and of several outputs the loss of each.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.compile(loss="mse", optimizer=cr.SGD(0.05))
    >>> losses = [net.train_on_batch([[1.0, 2.0]], [3.0])["loss"] for _ in range(5)]
    >>> losses[-1] < losses[0]
    True
    """
    as_compiled = loss is None and loss_weights is None and optimizer is None
    unweighted = sample_weight is None and class_weight is None
    if as_compiled and unweighted and num_threads is None and input_sparsity is AUTO:
        value = _step_in_place(net, x, y)
        if value is not None:
            return {"loss": value}
    if isinstance(x, Dataset) and x._source is not None:
        raise ValueError("train_on_batch takes a batch of the generator, not all of its rows")
    if class_weight is not None and is_balanced(class_weight):
        raise ValueError(
            f"class_weight={class_weight!r} would weigh each batch in another way; give the weights"
        )
    objective = net._chosen_loss(loss, loss_weights)
    optimizer = optimizers.get_stepping(
        optimizer if optimizer is not None else net.optimizer or "adam", "train_on_batch"
    )
    threads = thread_count(num_threads)
    path = sparsity_name(input_sparsity)

    def step() -> _core.EpochResult:
        rollback = net._rollback_build(x, y)
        before = BeforeTraining(net, rollback.unnamed)
        try:
            with rollback:
                data = make_dataset(
                    net, x, y, objective, sample_weight, class_weight, learn_names=True
                )
                core, rows = net._built_core(), len(data.x)
                if isinstance(data.x, LazyRows):
                    data = data._replace(x=data.x.whole(core))
                core.check_trains(optimizer._core, path, rows)
            net.loss = objective
            net._use_optimizer(optimizer)
            net._changing()
            by_schedule = optimizer.schedule is not None
            return core.run_epoch(
                core_rows(data.x),
                core_rows(data.y),
                objective._core,
                optimizer._core,
                rows,
                False,  # in the order of the rows
                threads,
                path,
                fit_loop.single_rate(net, optimizer) if by_schedule else None,
                data.sample_weight,
                data.class_weight,
                0,  # from the first batch
                1,
                False,  # not of an epoch
                loss_weights_of(objective),
                net._schedule_origin,
            )
        except Exception as error:
            if isinstance(error, MemoryError) or function_names(objective):
                before.unless_begun()
            raise

    result = net._training.run(step)
    logs = {"loss": result.loss}
    if isinstance(objective, OutputLosses):
        means = zip(objective.names, result.losses.means, strict=True)
        logs.update({f"{name}_loss": mean for name, mean in means})
    return logs


def _step_in_place(net: Compiled, x: object, y: object) -> float | None:
    """Take a step by what the network is trained by; None where there is more to be done for it."""
    # The loss is that before the step.
    core, loss, optimizer = net._core, net.loss, net.optimizer
    if core is None or net._shared is not None or not isinstance(loss, Loss):
        return None
    if not isinstance(optimizer, Optimizer):
        return None
    schedules = optimizer.schedule, optimizer.weight_decay_schedule
    if schedules != (None, None) or schedules != net._schedules or net._schedule_origin:
        return None
    described = loss._core, optimizer._core
    value: float | None = net._training.run(lambda: core.train_in_place(x, y, *described))
    return value
