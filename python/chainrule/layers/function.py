# SPDX-License-Identifier: Apache-2.0
"""A layer that is two functions of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from chainrule import _core
from chainrule.inputs.results import function_name, store_result
from chainrule.layers.layer import Layer, checked_name

__all__ = ["Lambda"]

Forward: TypeAlias = Callable[[Any], Any]
Backward: TypeAlias = Callable[[Any, Any, Any], Any]


class Lambda(Layer):
    r"""A stage in NumPy in the middle of the engine. It is slow: for research and teaching.

    The engine calls the functions with whole batches, in arrays of their own, while its other
    threads wait. `chainrule.gradient_check` tells whether they fit each other.

    Parameters
    ----------
    forward : callable
        ``forward(x) -> y``, of float32 or float64 as the network, shapes (rows, \*shape of x) and
        (rows, \*output_shape).
    backward : callable
        ``backward(x, y, dy) -> dx``: of what `forward` read and gave, and the loss's derivative
        with respect to y, that with respect to x, of the shape of x.
    output_shape : int or sequence of int, optional
        Of a row of y. Default: that of a row of x.
    name : str, optional
        See `Layer`.

    Notes
    -----
    What a function raises comes out of the call unchanged, and the network is as it was before the
    batch. Neither a model file nor ONNX, PyTorch, C or a `Predictor` can hold the functions; they
    refuse such a network and name the node. The same bits come on any number of threads, as far as
    the functions give the same for the same arrays.

    Examples
    --------
    >>> import chainrule as cr
    >>> import numpy as np
    >>> sine = cr.Lambda(np.sin, lambda x, y, dy: dy * np.cos(x), name="sine")
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(8), sine, cr.Dense(1)], seed=0)
    >>> x = np.random.default_rng(0).normal(size=(5, 2))
    >>> cr.gradient_check(net, x, x.sum(axis=1), "mse").max_relative_error < 1e-7
    True
    """

    kind = "lambda"

    def __init__(
        self,
        forward: Forward,
        backward: Backward,
        output_shape: int | Sequence[int] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        for what, function in (("forward", forward), ("backward", backward)):
            if not callable(function):
                raise TypeError(f"Lambda: {what} must be a function, got {function!r:.80}")
        name = checked_name("Lambda", name)
        extents = None
        if output_shape is not None:
            extents = _extents(output_shape)
        runner = _Runner(forward, backward, extents, name or function_name(forward))
        core = _core.Layer.custom(runner.name, runner, extents)
        _RUNNERS[core.config["functions"]] = runner
        vars(self).update(_core=core, _name=name, _runner=runner)

    def _take(self, config: dict[str, Any], **attributes: object) -> None:
        # The core refuses the number of functions that are gone.
        super()._take(config, _runner=_RUNNERS.get(config.get("functions", 0)), **attributes)

    @property
    def forward(self) -> Forward:
        """As given."""
        return self._functions.forward

    @property
    def backward(self) -> Backward:
        """As given."""
        return self._functions.backward

    @property
    def output_shape(self) -> tuple[int, ...] | None:
        """As given."""
        extents = self._functions.extents
        return None if extents is None else tuple(extents)

    @property
    def _functions(self) -> _Runner:
        runner: _Runner = vars(self)["_runner"]
        return runner

    def __repr__(self) -> str:
        """Return the names of the functions."""
        shown = [function_name(self.forward), function_name(self.backward)]
        if self.output_shape is not None:
            shown.append(f"output_shape={self.output_shape}")
        return f"Lambda({', '.join(shown)})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the functions, by their names as Python does."""
        return _lambda, (self.forward, self.backward, self.output_shape, self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Lambda:
        """Return the layer itself, which does not change."""
        return self


class _Runner:
    """What the core calls, and only knows as long as the layer lives."""

    def __init__(
        self, forward: Forward, backward: Backward, extents: list[int] | None, name: str
    ) -> None:
        self.forward = forward
        self.backward = backward
        self.extents = extents
        self.name = name

    def run_forward(self, x: Any, y: Any) -> None:
        """Call a function, and leave what it returns in an array of the core's."""
        store_result(f"Lambda {self.name!r}: forward's result", self.forward(x), y.shape, y)

    def run_backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        """Do the same."""
        given = self.backward(x, y, dy)
        store_result(f"Lambda {self.name!r}: backward's result", given, dx.shape, dx)


_RUNNERS: WeakValueDictionary[int, _Runner] = WeakValueDictionary()
"""By the numbers that the core's configs have."""


def _extents(shape: int | Sequence[int]) -> list[int]:
    try:
        extents = [index(extent) for extent in (shape if isinstance(shape, Sequence) else [shape])]
    except TypeError:
        raise TypeError(
            f"Lambda: output_shape must be an integer or several, got {shape!r:.80}"
        ) from None
    if not extents or min(extents) < 1:
        raise ValueError(f"Lambda: output_shape must hold integers of 1 or more, got {shape!r:.80}")
    return extents


def _lambda(forward: Forward, backward: Backward, shape: Any, name: str | None) -> Lambda:
    return Lambda(forward, backward, shape, name=name)
