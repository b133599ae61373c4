# SPDX-License-Identifier: Apache-2.0
"""What optimizers have in common."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypedDict

from numpy.typing import ArrayLike

from chainrule import _core
from chainrule.schedules import FunctionSchedule, PerEpoch, Schedule
from chainrule.spec import Field, Spec, check_no_class, plain

LearningRate: TypeAlias = float | Schedule | Mapping[str, Any] | Callable[[int], float]


class GradientOptions(TypedDict, total=False):
    """Options of every optimizer that act on gradients."""

    clip_value: float | None
    clip_norm: float | None
    lazy: bool


class SharedOptions(GradientOptions, total=False):
    """Options of every optimizer, but of those whose default weight decay is another."""

    weight_decay: float


_SHARED = {"weight_decay": 0.0, "clip_value": None, "clip_norm": None, "lazy": False}


class Steppable(Protocol):
    """What an optimizer asks of a network."""

    def _hand_over(self, gradients: Mapping[str, ArrayLike]) -> None: ...

    def _step(self, optimizer: _core.Optimizer, learning_rate: float) -> None: ...


class Optimizer(Spec):
    """Base class of optimizers.

    The arrays that an optimizer keeps per parameter belong to the network, so one optimizer may
    train several.

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable
        A number above 0, a schedule or its config, or a function of the epoch, counted from 0.
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
    **options
        Options of the subclass.

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
    """

    _core_type = _core.Optimizer
    _optional = ("learning_rate", "clip_value", "clip_norm")
    _schedule: Schedule | None = None

    weight_decay = Field[float]()
    clip_value = Field[float | None](lambda value: value or None)
    clip_norm = Field[float | None](lambda value: value or None)

    def __init_subclass__(cls) -> None:
        """Let the constructor's signature name the options that it takes as ``**shared``."""
        if "__init__" in vars(cls):
            _name_shared_options(cls.__init__)
        super().__init_subclass__()

    def __init__(self, learning_rate: LearningRate, **options: Any) -> None:
        if learning_rate is None:
            raise TypeError(f"{self.kind}: learning_rate must not be None")
        schedule = _as_schedule(learning_rate)
        if schedule is not None:
            self._schedule = schedule
            learning_rate = _core_rate(schedule)
        super().__init__(learning_rate=learning_rate, **options)

    @property
    def schedule(self) -> Schedule | None:
        """The learning rate's schedule, None if the rate is a number."""
        return self._schedule

    @property
    def lazy(self) -> bool:
        """Whether inputs that are zero in a whole batch are left alone."""
        return bool(self._core.config.get("lazy", False))

    @property
    def learning_rate(self) -> float:
        """The learning rate; with a schedule, its rate of step 0 at one step per epoch.

        It can be set, to whatever the constructor takes: in the midst of a training too, where the
        next step takes it, or where no callback asks for batches the next epoch. A schedule then
        begins with that step.

        Examples
        --------
        >>> import chainrule as cr
        >>> adam = cr.Adam()
        >>> adam.learning_rate = 1e-4
        >>> adam
        Adam(learning_rate=0.0001)
        """
        if self._schedule is not None:
            return self._schedule.rate(0, 1)
        return float(self._core.learning_rate)

    @learning_rate.setter
    def learning_rate(self, learning_rate: LearningRate) -> None:
        if learning_rate is None:
            raise TypeError(f"{self.kind}: learning_rate must not be None")
        schedule = _as_schedule(learning_rate)
        rate = learning_rate if schedule is None else _core_rate(schedule)
        core = self._core_type({**self._core.config, "learning_rate": plain(rate)})
        # One assignment, so that an interrupt leaves the old rate or the new one.
        vars(self).update(_core=core, _schedule=schedule)

    @property
    def config(self) -> dict[str, Any]:
        """The kind and all options as plain data.

        A schedule is there by its config; in the place of a function, which a config cannot hold,
        is the first number that it gives.
        """
        config = super().config
        if self._schedule is not None and not isinstance(self._schedule, FunctionSchedule):
            config["learning_rate"] = self._schedule.config
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
            if self._schedule is not None:
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

    @classmethod
    def _from_config(cls, config: dict[str, Any]) -> Optimizer:
        schedule = _as_schedule(config.get("learning_rate"))
        if schedule is not None:
            config = {**config, "learning_rate": _core_rate(schedule)}
        optimizer = cls.__new__(cls)
        optimizer._core = cls._core_type(config)
        optimizer._schedule = schedule
        return optimizer

    def _argument(self, name: str) -> object:
        if name == "learning_rate" and self._schedule is not None:
            return self._schedule
        return super()._argument(name)

    def __eq__(self, other: object) -> bool:
        """Whether kind, options and schedule are equal."""
        if not isinstance(other, Optimizer):
            return NotImplemented
        return super().__eq__(other) and self._schedule == other._schedule

    def __hash__(self) -> int:
        """Hash of the kind and the options that cannot be set."""
        return hash(repr({**self._core.config, "learning_rate": None}))


def _name_shared_options(init: Any) -> None:
    signature = inspect.signature(init)
    own = dict(signature.parameters)
    shared = own.pop("shared", None)
    if shared is None or shared.kind is not shared.VAR_KEYWORD:
        return
    types = {**GradientOptions.__annotations__, **SharedOptions.__annotations__}
    for name, default in _SHARED.items():
        named = inspect.Parameter(
            name, shared.KEYWORD_ONLY, default=default, annotation=_text(types[name])
        )
        own.setdefault(name, named)
    # In the order that all have, whichever of them a class declares by itself.
    ordered = [own[name] for name in own if name not in _SHARED] + [own[name] for name in _SHARED]
    init.__signature__ = signature.replace(parameters=ordered)


def _text(annotation: Any) -> str:
    return str(getattr(annotation, "__forward_arg__", annotation))


def _as_schedule(learning_rate: LearningRate | None) -> Schedule | None:
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if isinstance(learning_rate, Mapping):
        return Schedule.from_config(learning_rate)
    check_no_class(learning_rate, "learning_rate: ")
    return PerEpoch(learning_rate) if callable(learning_rate) else None


def _core_rate(schedule: Schedule) -> Any:
    # A schedule may begin at 0, which the core's own rate must not be; it is used by no step then.
    return schedule.rate(0, 1) or None
