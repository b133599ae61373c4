# SPDX-License-Identifier: Apache-2.0
"""Copies and pickles of networks, which keep the class and whatever a subclass adds."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

from chainrule import _core
from chainrule.layers import Dense
from chainrule.network.saved_training import model_bytes
from chainrule.network.trainable import Trainable

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["Copied"]

N = TypeVar("N", bound="Copied")

_REMADE = ("_core", "_training")


class Copied(Trainable):
    """The part of `Sequential` that copies and pickles.

    The compiled network and the lock of its training are made anew; all other attributes go
    through Python's own protocol, so subclasses may have slots, `__getstate__` and `__setstate__`,
    and `__init__` is not called.
    """

    def __getstate__(self) -> Any:
        """Return the attributes: a dict, or with slots a pair of dicts, as Python 3.11 does."""
        slots = {
            name: getattr(self, name)
            for cls in type(self).__mro__
            for name in _slots(cls)
            if hasattr(self, name)
        }
        return (dict(vars(self)), slots) if slots else dict(vars(self))

    def __copy__(self: N) -> N:
        """Copy the network; what a subclass has added is shared."""
        state = Copied.__getstate__(self)
        attributes, slots = state if isinstance(state, tuple) else (state, {})
        own = vars(Copied([Dense(1)]))
        added = {name: value for name, value in attributes.items() if name not in own}
        shared = [value for value in (*added.values(), *slots.values()) if value is not self]
        return copy.deepcopy(self, {id(value): value for value in shared})

    def __deepcopy__(self: N, memo: dict[int, Any]) -> N:
        """Copy the network with its parameters and the state of its training."""
        new = _bare(type(self), None if self._core is None else self._core.copy())
        memo[id(self)] = new
        state = copy.deepcopy(_without_remade(self.__getstate__()), memo)
        if hasattr(new, "__setstate__"):
            new.__setstate__(state)
            return new
        attributes, slots = state if isinstance(state, tuple) else (state, {})
        vars(new).update(attributes)
        for name, value in slots.items():
            setattr(new, name, value)
        return new

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the compiled network as the bytes of a model file."""
        content = None if self._core is None else model_bytes(self)
        return _unpickled, (type(self), content), _without_remade(self.__getstate__())


def _unpickled(cls: type[N], content: bytes | None) -> N:
    """Return a network to which pickle gives its attributes."""
    return _bare(cls, None if content is None else _core.read_model(content)[0])


def _bare(cls: type[N], core: CoreNetwork | None) -> N:
    network = cls.__new__(cls)
    network._core = core
    vars(network)["_training"] = _core.TrainingLock()
    return network


def _without_remade(state: Any) -> Any:
    """Return the attributes without those that are made anew, in whatever form they come."""
    if isinstance(state, tuple) and len(state) == 2:
        return _without_remade(state[0]), state[1]
    if not isinstance(state, dict):
        return state
    return {name: value for name, value in state.items() if name not in _REMADE}


def _slots(cls: type) -> list[str]:
    """Return the attributes that the slots of a class hold, by the names that Python gives them."""
    given = vars(cls).get("__slots__", ())
    names = [given] if isinstance(given, str) else list(given)
    return [
        f"_{cls.__name__.lstrip('_')}{name}"
        if name.startswith("__") and not name.endswith("__")
        else name
        for name in names
        if name not in ("__dict__", "__weakref__")
    ]
