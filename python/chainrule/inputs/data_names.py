# SPDX-License-Identifier: Apache-2.0
"""What a network's features and classes are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.class_labels import class_names_in, labels_by_name, text_in
from chainrule.inputs.column_names import column_names, order_by_name, refuse_twice
from chainrule.inputs.containers import is_plain

CoreNetwork = _core.Network32 | _core.Network64


class Named(ABC):
    """The part of `Network` that knows what the columns of x and the classes are called.

    The compiled network holds the names, so copies, model files and programs in C and C++ keep
    them.
    """

    _core: CoreNetwork | None

    @abstractmethod
    def _built_core(self) -> CoreNetwork:
        """Return the compiled network; RuntimeError before there is one."""

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the columns of x in their order, or None.

        `fit`, `train_on_batch`, `adapt` and `forward` in training take them from a data frame
        unless the network has some. From then on every frame is brought into this order by name,
        where missing and unknown columns are errors; arrays, which have no names, are taken as
        they are.

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

        There is one for each output, or two, of the labels 0 and 1, for a single output. `fit` and
        `train_on_batch` take them from class names in the place of labels unless the network has
        some, in sorted order, or in that of a pandas categorical.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As of `feature_names`.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Dense(2)], seed=0)
        >>> x = np.array([[-1.0], [1.0], [1.0]])
        >>> _ = net.fit(x, ["no", "yes", "yes"], loss="cross_entropy", epochs=50, verbose=0)
        >>> net.class_names
        ('no', 'yes')
        >>> np.array(net.class_names)[net.predict(x).argmax(axis=1)]
        array(['no', 'yes', 'yes'], dtype='<U3')
        """
        return self._names("class_names")

    @class_names.setter
    def class_names(self, names: Iterable[str] | None) -> None:
        self._set_names("class_names", names)

    def _column_order(self, x: object, *, allow_single: bool = False) -> NDArray[np.intp] | None:
        """Return where the features are among the columns of a frame; None if in their places."""
        given = column_names(x, allow_single=allow_single)
        known = None if given is None else self.feature_names
        return None if given is None or known is None else order_by_name(known, given)

    def _unnamed(self, data: Iterable[object]) -> tuple[str, ...]:
        """Return which names the network lacks, and could learn from `data`."""
        for each in data:
            if not is_plain(each):
                break
        else:
            return ()
        return tuple(k for k in ("feature_names", "class_names") if self._names(k) is None)

    def _forget_names(self, kinds: Iterable[str]) -> None:
        """Take out what was learnt where there were no names."""
        for kind in kinds:
            setattr(self, kind, None)

    def _learn_feature_names(self, x: object) -> None:
        """Take over the names of a frame's columns where the network has none."""
        given = column_names(x)
        if given is not None and self.feature_names is None:
            refuse_twice(given, "x")
            self.feature_names = tuple(given)

    def _labels(self, y: Any, *, learn: bool) -> Any:
        """Return the labels that class names stand for; targets of other kinds as they are."""
        text = text_in(y)
        if text is None:
            return y
        if self.class_names is None:
            if not learn:
                raise ValueError(
                    "y holds class names, but the network has no class_names; fit sets them, or "
                    "set them in the order of the labels"
                )
            self.class_names = tuple(class_names_in(y, text, self._built_core().classes))
        assert self.class_names is not None
        return labels_by_name(text, self.class_names)

    def _names(self, kind: str) -> tuple[str, ...] | None:
        return None if self._core is None else tuple(getattr(self._core, kind)) or None

    def _set_names(self, kind: str, given: Iterable[str] | None) -> None:
        core = self._built_core()
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
