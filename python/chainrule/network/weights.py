# SPDX-License-Identifier: Apache-2.0
"""Parameters by name: copies, and new values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule import _core
from chainrule.inputs.containers import as_array
from chainrule.names import unknown_name
from chainrule.network.compiled import Compiled

__all__ = ["best_weights", "checked_arrays", "count_params", "get_weights", "set_weights"]

_BEST = {"float32": _core.BestParameters32, "float64": _core.BestParameters64}


def get_weights(net: Compiled) -> list[NDArray[Any]]:
    """Return copies of all parameters in the order of `parameters`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> [array.shape for array in net.get_weights()]
    [(2, 1), (1,)]
    """
    return list(net.parameters.values())


def set_weights(net: Compiled, weights: Sequence[ArrayLike] | Mapping[str, ArrayLike]) -> None:
    """Set parameters, all in the order of `parameters` or some by name.

    Parameters
    ----------
    weights : sequence of array_like or mapping of str to array_like
        Arrays of the parameters' own shapes.

    Raises
    ------
    TypeError, ValueError
        If a name is unknown, a shape differs, the number of arrays is wrong, or a value is not
        a finite real number; no parameter has changed then.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.set_weights({"0.bias": [0.5]})
    >>> net.parameters["0.bias"]
    array([0.5], dtype=float32)
    """
    core = net._built_core()
    names = [p.name for p in core.parameters]
    if not isinstance(weights, Mapping):
        if len(weights) != len(names):
            raise ValueError(
                f"expected {len(names)} arrays ({', '.join(names)}), got {len(weights)}"
            )
        weights = dict(zip(names, weights, strict=True))
    shapes = {p.name: p.shape for p in core.parameters}
    for name, array in checked_arrays(net, weights, shapes, "values").items():
        core.set_parameter(name, array)
    net._changing()


def count_params(net: Compiled, *, trainable_only: bool = False) -> int:
    """Return the number of parameters, with or without those that are not trained.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.count_params()
    3
    """
    return sum(
        int(np.prod(p.shape))
        for p in net._built_core().parameters
        if not trainable_only or (p.trainable and p.name.rpartition(".")[0] not in net._frozen)
    )


def checked_arrays(
    net: Compiled, given: Mapping[str, ArrayLike], shapes: Mapping[str, tuple[int, ...]], what: str
) -> dict[str, NDArray[Any]]:
    """Return arrays of these shapes for the core; `what` they are is for the error's text."""
    checked = {}
    for name, values in given.items():
        if name not in shapes:
            raise ValueError(unknown_name("parameter", name, list(shapes)))
        array = as_array(values, name=name)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} has dtype {array.dtype}, expected numbers")
        if array.shape != shapes[name]:
            raise ValueError(f"{name} has shape {shapes[name]}, got {array.shape}")
        with np.errstate(over="ignore"):
            checked[name] = np.ascontiguousarray(array, dtype=net.dtype)
        if not np.isfinite(checked[name]).all():
            raise ValueError(f"the {what} for {name} contain NaN or infinity")
    return checked


def best_weights(net: Compiled) -> _BestWeights:
    """Return where the core keeps the parameters of the best epoch; room for them is taken now."""
    return _BestWeights(net)


class _BestWeights:
    """The parameters of a training's best epoch, which the core keeps."""

    def __init__(self, net: Compiled) -> None:
        self._net = net
        self._kept: Any = _BEST[net.dtype](net._built_core())

    @property
    def held(self) -> bool:
        """Whether there are any."""
        return bool(self._kept.held)

    def take(self) -> None:
        """Keep the present parameters."""
        self._kept.take(self._net._built_core())

    def put_back(self) -> None:
        """Make those that are kept the network's, and keep none."""
        self._kept.put_back(self._net._built_core())
        self._net._changing()

    def arrays(self) -> list[NDArray[Any]]:
        """Return copies of those that are kept, in the order of `parameters`."""
        shapes = (p.shape for p in self._net._built_core().parameters)
        return [a.reshape(shape) for a, shape in zip(self._kept.arrays, shapes, strict=True)]

    def hold(self, weights: Sequence[ArrayLike]) -> None:
        """Keep arrays of the parameters' own shapes."""
        self._kept.hold([np.asarray(a, self._net.dtype).ravel() for a in weights])
