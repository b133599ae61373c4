# SPDX-License-Identifier: Apache-2.0
"""What optimizers have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from numpy.typing import ArrayLike

from chainrule import _core
from chainrule.schedules import FunctionSchedule, PerEpoch, Schedule
from chainrule.spec import Field, Spec, check_no_class

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

LearningRate: TypeAlias = float | Schedule | Mapping[str, Any] | Callable[[int], float]


class Steppable(Protocol):
    """What an optimizer asks of a network."""

    def _hand_over(self, gradients: Mapping[str, ArrayLike]) -> None: ...

    def _step(self, optimizer: _core.Optimizer, learning_rate: float) -> None: ...


class Rate:
    """The learning rate; with a schedule, its rate of step 0 at one step per epoch."""

    takes = "LearningRate"

    def __init__(self, default: float) -> None:
        self.default = default

    def __get__(self, optimizer: Optimizer | None, owner: object) -> float:
        """Return the rate, or of the class its default."""
        if optimizer is None:
            return self.default
        schedule = optimizer.schedule
        return float(optimizer._core.learning_rate) if schedule is None else schedule.rate(0, 1)

    def __set__(self, optimizer: Optimizer, learning_rate: LearningRate) -> None:
        """Take what the constructor takes."""
        if learning_rate is None:
            raise TypeError(f"{optimizer.kind}: learning_rate must not be None")
        optimizer._take({**optimizer._core.config, "learning_rate": learning_rate})


class Optimizer(Spec):
    """Base class of optimizers.

    The arrays that an optimizer keeps per parameter belong to the network, so one optimizer may
    train several.

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable
        A number above 0, a schedule or its config, or a function of the epoch, counted from 0. It
        can be set: in the midst of a training too, where the next step takes it, or where no
        callback asks for batches the next epoch. A schedule then begins with that step. Of a
        schedule it is the rate of step 0 at one step per epoch.
    weight_decay : float, default 0.0
        Added to the gradient, times the parameter; decoupled from it for `AdamW` and `Lion`.
    clip_value : float, optional
        Largest magnitude of a gradient's entries; greater ones are cut to it.
    clip_norm : float, optional
        Largest 2-norm of all gradients together, after `clip_value`; greater ones are scaled to it.
    lazy : bool, default False
        Leave the first layer's weights of inputs that are zero in the whole batch alone, and what
        is remembered of them, where the formulas would move them by momentum, averages, decay or
        penalties. Which rows share a batch then matters, but a step takes no more time than its
        entries are worth. The first layer must be Dense, or Dense behind a Rescaling or a
        Normalization; `clip_norm` and `step` do not go with it.
    weight_decay_schedule : Schedule or dict, optional
        Of each step a number that `weight_decay` is times, such as ``FlatCosine(1.0, epochs=10)``:
        any schedule of `chainrule.schedules` but functions and `ReduceOnPlateau`. It begins where
        a schedule of the learning rate does; `step` knows nothing of it.

    References
    ----------
    For `lazy`: torch.optim.SparseAdam, which leaves alone rows of an embedding without a gradient,
    and LazyAdam of TensorFlow Addons.

    Examples
    --------
    >>> from chainrule import optimizers, schedules
    >>> optimizers.get("adam").learning_rate
    0.001
    >>> optimizers.SGD(schedules.Cosine(0.1, epochs=10), momentum=0.9)
    SGD(learning_rate=Cosine(0.1, 10.0), momentum=0.9)
    >>> adam = optimizers.Adam()
    >>> adam.learning_rate = 1e-4
    >>> adam
    Adam(learning_rate=0.0001)
    """

    _core_type = _core.Optimizer
    learning_rate: Rate = Rate(0.01)
    _: KW_ONLY
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    lazy: bool = False
    weight_decay_schedule: Schedule | None = Field(Schedule.from_config, None)  # type: ignore[assignment]

    @property
    def schedule(self) -> Schedule | None:
        """The learning rate's schedule, None if the rate is a number."""
        schedule: Schedule | None = vars(self)["_schedule"]
        return schedule

    @property
    def config(self) -> dict[str, Any]:
        """The kind and all options as plain data.

        A schedule is there by its config; in the place of a function, which a config cannot hold,
        is the first number that it gives.
        """
        config = super().config
        if self.schedule is not None and not isinstance(self.schedule, FunctionSchedule):
            config["learning_rate"] = self.schedule.config
        return config

    def step(
        self,
        net: Steppable,
        learning_rate: float | None = None,
        *,
        gradients: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Update a network's parameters once, from the gradients of its last ``backward``.

        Parameters
        ----------
        net : Sequential
            The network.
        learning_rate : float, optional
            The rate of this step. With a schedule it must be given, as a single step has no place
            in the schedule.
        gradients : mapping of str to array_like, optional
            Taken in the place of those of ``backward``, by the names of ``net.gradients``. Those
            that are not given are 0. They are ``net.gradients`` then, whatever comes of the step.

        Raises
        ------
        RuntimeError
            If the network has no gradients.
        TypeError, ValueError
            If the rate is missing, not finite or not above 0, the gradients are not finite or not
            those of parameters, or the optimizer is lazy: gradients do not tell which inputs were
            zero. The network is as it was then.
        DivergenceError
            If parameters would become NaN or infinite. The step is not made then, and neither
            parameters nor the optimizer's state have changed.

        Examples
        --------
        The gradient of a batch is the mean of those of its halves, if these are as large:

        >>> import numpy as np
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
        >>> x, dy = np.ones((8, 3)), np.ones((8, 2)) / 8
        >>> total = {name: np.zeros_like(p) for name, p in net.parameters.items()}
        >>> for half in (slice(0, 4), slice(4, 8)):
        ...     outputs = net.forward(x[half])
        ...     dx = net.backward(dy[half])
        ...     for name, gradient in net.gradients.items():
        ...         total[name] += gradient
        >>> cr.SGD(0.1).step(net, gradients=total)
        """
        if learning_rate is None:
            if self.schedule is not None:
                raise ValueError(
                    f"{self.kind} has a schedule: step needs learning_rate, such as "
                    "optimizer.schedule.rate(step, steps_per_epoch)"
                )
            learning_rate = self.learning_rate
        if not (math.isfinite(learning_rate) and learning_rate > 0.0):
            raise ValueError(f"learning_rate must be finite and > 0, got {learning_rate}")
        if gradients is not None:
            if self.lazy:
                raise ValueError("an optimizer with lazy=True cannot step by hand")
            net._hand_over(gradients)
        net._step(self._core, float(learning_rate))

    def _take(self, config: dict[str, Any], **attributes: object) -> None:
        schedule = _as_schedule(config.get("learning_rate"))
        if schedule is not None:
            # It may begin at 0, which the core's own rate must not be; no step uses that.
            config = {**config, "learning_rate": schedule.rate(0, 1) or None}
        super()._take(config, _schedule=schedule, **attributes)

    def _argument(self, name: str) -> object:
        rate = name == "learning_rate"
        return self.schedule if rate and self.schedule is not None else super()._argument(name)

    def __eq__(self, other: object) -> bool:
        """Whether kind, options and schedule are equal."""
        if not isinstance(other, Optimizer):
            return NotImplemented
        return super().__eq__(other) and self.schedule == other.schedule

    def __hash__(self) -> int:
        """Hash of the kind and the options that cannot be set."""
        return hash(repr({**self._core.config, "learning_rate": None}))


def _as_schedule(learning_rate: LearningRate | None) -> Schedule | None:
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if isinstance(learning_rate, Mapping):
        return Schedule.from_config(learning_rate)
    check_no_class(learning_rate, "learning_rate: ")
    return PerEpoch(learning_rate) if callable(learning_rate) else None
