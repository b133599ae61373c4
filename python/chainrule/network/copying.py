# SPDX-License-Identifier: Apache-2.0
"""Copies and pickles of networks, which keep the class and whatever a subclass adds.

The compiled network and the lock of its training are made anew; all other attributes go through
Python's own protocol, so subclasses may have slots, `__getstate__` and `__setstate__`, and
`__init__` is not called. Parameters that are shared with other networks are the copy's own.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

from chainrule import _core
from chainrule.layers import Dense
from chainrule.network.compiled import Compiled
from chainrule.network.saved_training import model_bytes

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["attributes_of", "copied", "deeply_copied", "pickled"]

N = TypeVar("N", bound=Compiled)

_REMADE = ("_core", "_shared", "_training")


def attributes_of(net: Compiled) -> Any:
    """Return the attributes: a dict, or with slots a pair of dicts, as Python 3.11 does."""
    slots = {
        name: getattr(net, name)
        for cls in type(net).__mro__
        for name in _slots(cls)
        if hasattr(net, name)
    }
    return (dict(vars(net)), slots) if slots else dict(vars(net))


def copied(net: N) -> N:
    """Return a copy; what a subclass has added is shared with it."""
    state = attributes_of(net)
    attributes, slots = state if isinstance(state, tuple) else (state, {})
    own = vars(Compiled([Dense(1)], None, 0, "float32", None))
    added = {name: value for name, value in attributes.items() if name not in own}
    shared = [value for value in (*added.values(), *slots.values()) if value is not net]
    return copy.deepcopy(net, {id(value): value for value in shared})


def deeply_copied(net: N, memo: dict[int, Any]) -> N:
    """Return a copy with the parameters and the state of the training."""
    new = _bare(type(net), None if net._core is None else net._built_core().copy())
    memo[id(net)] = new
    state = copy.deepcopy(_without_remade(net.__getstate__()), memo)
    if hasattr(new, "__setstate__"):
        new.__setstate__(state)
        return new
    attributes, slots = state if isinstance(state, tuple) else (state, {})
    vars(new).update(attributes)
    for name, value in slots.items():
        setattr(new, name, value)
    return new


def pickled(net: Compiled) -> tuple[object, ...]:
    """Return what pickle needs: the compiled network as a model file's bytes, and attributes."""
    content = None if net._core is None else model_bytes(net)
    return _unpickled, (type(net), content), _without_remade(net.__getstate__())


def _unpickled(cls: type[N], content: bytes | None) -> N:
    """Return a network to which pickle gives its attributes."""
    return _bare(cls, None if content is None else _core.read_model(content)[0])


def _bare(cls: type[N], core: CoreNetwork | None) -> N:
    network = cls.__new__(cls)
    vars(network).update(_core=core, _shared=None, _training=_core.TrainingLock())
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
