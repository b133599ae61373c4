# SPDX-License-Identifier: Apache-2.0
"""What a network's features and classes are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from chainrule import _core

__all__ = ["Named"]

CoreNetwork = _core.Network32 | _core.Network64


class Named(ABC):
    """The part of `Sequential` that knows what the columns of x and the classes are called.

    The compiled network holds the names, so copies, model files and programs in C and C++ keep
    them.
    """

    _core: CoreNetwork | None

    @abstractmethod
    def _need_core(self) -> CoreNetwork:
        """Return the compiled network; RuntimeError before there is one."""

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the columns of x in their order, or None.

        `fit` takes them from a data frame unless the network has some. From then on frames are
        brought into this order by name; arrays, which have no names, are taken as they are.

        Raises
        ------
        TypeError, ValueError
            When they are set: unless they are as many different strings as there are inputs, or
            None.
        RuntimeError
            When they are set before the number of inputs is known.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)])
        >>> net.feature_names = ["width", "height"]
        >>> net.feature_names
        ('width', 'height')
        """
        return self._names("feature_names")

    @feature_names.setter
    def feature_names(self, names: Iterable[str] | None) -> None:
        self._set_names("feature_names", names)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes in the order of their labels, or None.

        There is one for each output, or two, of the labels 0 and 1, for a single output.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As of `feature_names`.
        """
        return self._names("class_names")

    @class_names.setter
    def class_names(self, names: Iterable[str] | None) -> None:
        self._set_names("class_names", names)

    def _names(self, kind: str) -> tuple[str, ...] | None:
        return None if self._core is None else tuple(getattr(self._core, kind)) or None

    def _set_names(self, kind: str, given: Iterable[str] | None) -> None:
        core = self._need_core()
        names = _strings(kind, given)
        if given is not None and not names:
            raise ValueError(f"{kind} is empty; None stands for no names")
        setattr(core, kind, names)


def _strings(what: str, given: Iterable[str] | None) -> list[str]:
    """Return the names as the core takes them; TypeError or ValueError unless they are text."""
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{what} must be strings or None, got {given!r:.80}")
    names = []
    for index, name in enumerate(given):
        if not isinstance(name, str):
            raise TypeError(f"{what}[{index}] must be a string, got {name!r:.80}")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{what}[{index}] is {name!a:.80}, which is no Unicode text") from None
        names.append(str(name))
    return names
