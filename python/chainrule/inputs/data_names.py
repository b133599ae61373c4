# SPDX-License-Identifier: Apache-2.0
"""What a network's features and classes are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.class_labels import class_names_in, labels_by_name, text_in
from chainrule.inputs.column_names import column_names, order_by_name, refuse_twice
from chainrule.inputs.containers import is_plain
from chainrule.names import unknown_name

CoreNetwork = _core.Network32 | _core.Network64

_KINDS = ("feature_names", "class_names")


class Named(ABC):
    """The part of `Network` that knows what the columns of x and the classes are called.

    The compiled network holds the names, so copies, model files and programs in C and C++ keep
    them.
    """

    _core: CoreNetwork | None

    @abstractmethod
    def _built_core(self) -> CoreNetwork:
        """Return the compiled network; RuntimeError before there is one."""

    @abstractmethod
    def _only(self, x: object) -> object:
        """Return what a mapping holds for an only input; other things as they are."""

    @property
    def feature_names(self) -> Any:
        """Names of the columns of x in their order, a tuple, or None.

        Of several inputs they are a dict with those of each input that has some.

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
    def feature_names(self, names: Any) -> None:
        self._set_names("feature_names", names)

    @property
    def class_names(self) -> Any:
        """Names of the classes in the order of their labels, a tuple, or None.

        Of several outputs they are a dict with those of each output that has some.

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
    def class_names(self, names: Any) -> None:
        self._set_names("class_names", names)

    @property
    def category_names(self) -> Any:
        """Names of the categories of columns of x, a dict of tuples in the order of their codes.

        None where no column has such. Columns are counted from 0, of several inputs one behind the
        other. A column of names has as many as all layers know that read its categories. They are
        for those who bring text: `tables.TableDescription.of_network` makes rows of it, and
        C++ and C have the names and codes too.

        They are set by a mapping from columns, by number or, of one input, by feature name, to
        names, or None.

        Raises
        ------
        TypeError, ValueError
            When they are set: unless they are as many different strings as a column has categories.
        RuntimeError
            When they are set before the number of inputs is known.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.CategoryEncoding(3, columns=1), cr.Dense(1)])
        >>> net.category_names = {1: ["red", "green", "blue"]}
        >>> net.category_names
        {1: ('red', 'green', 'blue')}
        """
        lists = [] if self._core is None else self._core.category_names
        return {column: tuple(names) for column, names in enumerate(lists) if names} or None

    @category_names.setter
    def category_names(self, names: Any) -> None:
        core = self._built_core()
        if names is not None and not isinstance(names, Mapping):
            raise TypeError(
                f"category_names must be a dict by the columns of x or None, got {names!r:.80}"
            )
        lists: list[list[str]] = [[] for _ in range(core.inputs)]
        for column, each in (names or {}).items():
            place = column
            if isinstance(column, str):
                known = core.feature_names() if len(core.input_names) == 1 else []
                if column not in known:
                    raise ValueError(f"category_names: {unknown_name('feature', column, known)}")
                place = known.index(column)
            if not isinstance(place, int | np.integer) or not 0 <= place < core.inputs:
                raise ValueError(
                    f"category_names: columns must be 0 to {core.inputs - 1}, or names of "
                    f"features, got {column!r:.80}"
                )
            lists[place] = _strings(f"category_names[{column!r}]", each)
        core.category_names = lists

    def _column_order(
        self, x: object, *, part: str | None = None, name: str = "x", allow_single: bool = False
    ) -> NDArray[np.intp] | None:
        """Return where the features are among the columns of a frame; None if in their places."""
        # `part` is the input, of several.
        given = column_names(x, name=name, allow_single=allow_single)
        known = None if given is None else self._names_of("feature_names", part)
        if given is None or known is None:
            return None
        return order_by_name(known, given, name=name, known_as=_known_as("feature_names", part))

    def _unnamed(self, data: Iterable[object]) -> tuple[tuple[str, Any], ...]:
        """Return the kinds of names that the network could learn from `data`, and what they are."""
        for each in data:
            if not is_plain(each):
                break
        else:
            return ()
        known = ((kind, self._names(kind)) for kind in _KINDS)
        # Of several inputs or outputs some may have names, and others not.
        return tuple((k, names) for k, names in known if names is None or isinstance(names, dict))

    def _forget_names(self, before: Iterable[tuple[str, Any]]) -> None:
        """Take out what was learnt where there were no names."""
        for kind, names in before:
            setattr(self, kind, names)

    def _learn_feature_names(self, x: Any) -> None:
        """Take over the names of a frame's columns where the network has none."""
        parts = self._named_parts("feature_names")
        if not parts:
            self._learn_names("feature_names", None, column_names(self._only(x)), "x")
            return
        # Lists of sequences stand for two inputs, and have no names.
        listed = isinstance(x, list | tuple) and len(x) == len(parts)
        given = dict(zip(parts, x, strict=True)) if listed else x
        for part in parts if isinstance(given, Mapping) else ():
            name = f"x[{part!r}]"
            names = column_names(given.get(part), name=name)
            self._learn_names("feature_names", part, names, name)

    def _learn_class_names(self, found: Any) -> None:
        """Take over names of classes, of several outputs by name, where the network has none."""
        if isinstance(found, dict):
            for part, names in found.items():
                self._learn_names("class_names", part, names, f"y[{part!r}]")
        else:
            self._learn_names("class_names", None, found, "y")

    def _learn_names(
        self, kind: str, part: str | None, given: Sequence[str] | None, name: str
    ) -> None:
        if given is None or self._names_of(kind, part) is not None:
            return
        refuse_twice(given, name)
        self._set_names(kind, given if part is None else {**(self._names(kind) or {}), part: given})

    def _labels(self, y: Any, *, learn: bool, part: str | None = None) -> Any:
        """Return the labels that class names stand for; targets of other kinds as they are."""
        # `part` is the output, of several.
        name, known_as = "y" if part is None else f"y[{part!r}]", _known_as("class_names", part)
        text = text_in(y, name=name)
        if text is None:
            return y
        if self._names_of("class_names", part) is None:
            if not learn:
                raise ValueError(
                    f"{name} holds class names, but the network has no {known_as}; fit sets them, "
                    "or set them in the order of the labels"
                )
            number = 0 if part is None else self._named_parts("class_names").index(part)
            classes = self._built_core().classes(number)
            found = tuple(class_names_in(y, text, classes, name=name))
            self._learn_names("class_names", part, found, name)
        known = self._names_of("class_names", part)
        assert known is not None
        return labels_by_name(text, known, name=name, known_as=known_as)

    def _named_parts(self, kind: str) -> list[str]:
        """Return what several inputs or outputs are called; nothing for one."""
        if self._core is None:
            return []
        parts = self._core.input_names if kind == "feature_names" else self._core.output_names
        return parts if len(parts) > 1 else []

    def _names_of(self, kind: str, part: str | None) -> tuple[str, ...] | None:
        """Return the names that an input or output has, or where `part` is None the only one."""
        parts = self._named_parts(kind)
        if self._core is None or (parts and part not in parts):
            return None
        return tuple(getattr(self._core, kind)(parts.index(part) if part and parts else 0)) or None

    def _names(self, kind: str) -> Any:
        parts = self._named_parts(kind)
        if not parts:
            return self._names_of(kind, None)
        names = {part: self._names_of(kind, part) for part in parts}
        return {part: each for part, each in names.items() if each} or None

    def _set_names(self, kind: str, given: Any) -> None:
        core = self._built_core()
        parts = self._named_parts(kind)
        wanted = _by_part(kind, given, parts) if parts else [_strings(kind, given)]
        before = [getattr(core, kind)(number) for number in range(len(wanted))]
        set_names = getattr(core, f"set_{kind}")
        try:
            for number, names in enumerate(wanted):
                set_names(names, number)
        except ValueError:
            for number, names in enumerate(before):
                set_names(names, number)
            raise


def _known_as(kind: str, part: str | None) -> str:
    """Return what error texts call the names of an input or output."""
    return kind if part is None else f"{kind}[{part!r}]"


def _by_part(kind: str, given: Any, parts: list[str]) -> list[list[str]]:
    """Return the names of each input or output."""
    what = "input" if kind == "feature_names" else "output"
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(
            f"{kind} must be a dict by the names of {what}s ({', '.join(parts)}) or None, got "
            f"{given!r:.80}"
        )
    for part in given or {}:
        if part not in parts:
            raise ValueError(f"{kind}: {unknown_name(what, part, parts)}")
    return [_strings(_known_as(kind, part), (given or {}).get(part)) for part in parts]


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
    if not names:
        raise ValueError(f"{what} is empty; None stands for no names")
    return names
