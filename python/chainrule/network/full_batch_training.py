# SPDX-License-Identifier: Apache-2.0
"""Training on all rows at once: each iteration of the core's is an epoch of its loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule import _core
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.network.measuring import evaluate
from chainrule.network.observer import Observer
from chainrule.network.output_losses import OutputLosses, loss_weights_of

if TYPE_CHECKING:
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.network.compiled import Compiled
    from chainrule.network.fit_plan import FitPlan
    from chainrule.optimizers.full_batch import FullBatchOptimizer

__all__ = ["full_batch_observer"]


def full_batch_observer(
    net: Compiled, loss: Any, optimizer: FullBatchOptimizer, data: CheckedData, plan: FitPlan
) -> type[Observer]:
    """Return what makes the epochs; ValueError where something does not go with `optimizer`."""
    if isinstance(data.x, LazyRows):
        raise ValueError(
            f"{optimizer.kind} needs all rows in memory before each step: pass x[:], or take an "
            "optimizer that works batch by batch, such as adam"
        )
    described = _core.FullBatchOptimizer(optimizer.config)
    described.max_iterations = plan.epochs
    core = net._built_core()
    training = (
        _core.FullBatchTraining32
        if isinstance(core, _core.Network32)
        else _core.FullBatchTraining64
    )
    run: Any = training(
        core,  # type: ignore[arg-type]
        core_rows(data.x),
        core_rows(data.y),
        loss._core,
        described,
        plan.batch_size,
        plan.num_threads,
        plan.input_sparsity,
        data.sample_weight,
        data.class_weight,
        loss_weights_of(loss),
    )

    class FullBatchObserver(Observer):
        """Makes an iteration for each epoch, which stays whatever comes: the loss is smaller."""

        iterates = True

        def steps(self) -> tuple[Any, ...]:
            self._present = self._optimizer._core, None
            return self._loss._core, loss_weights_of(self._loss), None, None, None, "", False, 0

        def iterate(self) -> tuple[float, _core.LossSum] | None:
            self._net._built_core()  # with what others made of parameters that it shares
            report = run.step(self._outputs)
            self._net.history.end = run.end
            if report is None:
                return None
            self._report = report
            loss = float(report.loss)
            self._progress.batch(1, loss)
            if self._callbacks.wants_batches:
                self._callbacks.on_batch_end(self._seen, self._epoch, 1, {"loss": loss})
            losses = report.losses
            if isinstance(self._loss, OutputLosses) and len(losses.means) != len(self._loss.names):
                # Least squares know the sum of all errors alone.
                _, _, losses = evaluate(
                    net, data, self._loss, [], plan.batch_size, plan.num_threads, "auto"
                )
            return loss, losses

        def trained(self, loss: float, losses: _core.LossSum, learning_rate: float) -> None:
            super().trained(loss, losses, learning_rate)
            self._logs.update({name: getattr(self._report, name) for name in optimizer.reports})

    return FullBatchObserver
