# SPDX-License-Identifier: Apache-2.0
"""How a network reads what callers pass as rows: one input or several, in memory or elsewhere."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.arrays import as_features, check_axes
from chainrule.inputs.column_names import shown_columns
from chainrule.inputs.compressed_rows import Rows, as_rows
from chainrule.inputs.containers import is_plain, is_sparse
from chainrule.inputs.data_names import Named
from chainrule.inputs.lazy_inputs import LazyInputs
from chainrule.inputs.lazy_rows import LazyRows, is_lazy
from chainrule.inputs.several import Several, by_name, check_parts
from chainrule.network.sequences import marked_sequences, padded_inputs, refuse_ragged

if TYPE_CHECKING:
    from chainrule.losses import Loss
    from chainrule.network.graph import Graph

__all__ = ["Reading"]

AnyRows = TypeVar("AnyRows", NDArray[Any], Rows)


class Reading(Named):
    """The part of `Network` that makes rows of its inputs of what callers pass."""

    _graph: Graph | None

    @property
    @abstractmethod
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of a row of each node."""

    @abstractmethod
    def build(self, inputs: int) -> None:
        """Raise ValueError unless the network reads `inputs` columns; a subclass may create it."""

    def _takes_in_place(self, x: object) -> bool:
        """Whether rows go to the core as they are; then their numbers have been checked."""
        return self._core is not None and self._core.takes_in_place(x)

    def _takes_targets_in_place(self, x: object, y: object, loss: Loss) -> bool:
        """Whether the same holds for rows with their targets."""
        core = self._core
        return core is not None and core.takes_targets_in_place(x, y, loss._core)

    def _features(self, x: object) -> Any:
        """Return a table that fits the network, which is built for it if it is not yet."""
        # Where there are several inputs, `Several` tables. The caller forgets what was built where
        # this raises; see `_rollback_build`.
        if self._takes_in_place(x):
            return x
        x = self._only(x)
        if self._several_inputs:
            return self._each_input(x, as_features)
        return self._checked_rows(*self._in_order(x, as_features))

    def _as_rows(self, x: object, *, allow_single: bool = False) -> Any:
        """Return the same, or compressed sparse rows."""
        return self._stored_rows(self._only(x), allow_single=allow_single)

    def _rows_wherever(self, x: object, *, allow_single: bool = False) -> Any:
        """Return the same, or rows that are read when they are needed."""
        x = self._only(x)
        unread = self._unread(x)
        return self._stored_rows(x, allow_single=allow_single) if unread is None else unread

    def _stored_rows(self, x: object, *, allow_single: bool) -> Any:
        if self._takes_in_place(x):
            return x
        if self._several_inputs:
            return self._each_input(x, as_rows, allow_single=allow_single)
        return self._checked_rows(*self._in_order(x, as_rows, allow_single=allow_single))

    def _unread(self, x: object) -> LazyRows | None:
        """Return rows that are not in memory; None where all are."""
        if not self._several_inputs:
            if not is_lazy(x):
                return None
            rows = LazyRows(x)
            self._check_axes(x, "x")
            self._check_columns(rows.shape[1])
            return rows
        given = self._by_input(x)
        if not any(map(is_lazy, given.values())):
            return None
        parts: dict[str, Any] = {}
        for name, part in given.items():
            called = f"x[{name!r}]"
            if is_sparse(part):
                raise TypeError(
                    f"{called} is sparse, which needs all inputs in memory; pass the dense array"
                )
            if is_lazy(part):
                parts[name] = LazyRows(part, name=called)
                self._check_axes(part, called, name)
            else:
                parts[name], _ = self._in_order(part, as_features, part=name)
            self._check_input(parts, name)
        return LazyInputs([*parts], [*parts.values()])

    def _in_order(
        self,
        x: object,
        convert: Callable[..., AnyRows],
        *,
        part: str | None = None,
        **options: bool,
    ) -> tuple[AnyRows, list[str]]:
        """Return `x` by `convert`, columns in the features' order, and what errors call them."""
        # `part` is the number of the input.
        name = "x" if part is None else f"x[{part!r}]"
        self._check_axes(x, name, part)
        if is_plain(x):  # has no names
            return convert(x, name=name, **options), []
        order = self._column_order(x, part=part, name=name, **options)
        rows = convert(x, name=name, **options)
        if order is not None:
            rows = np.asarray(rows)[:, order]
        return rows, shown_columns(x, order=order, **options)

    def _check_axes(self, x: object, name: str, part: str | None = None) -> None:
        if self._graph is None:
            self._learn_axes(getattr(x, "shape", ())[1:])
        else:
            node = self._graph.inputs[0] if part is None else self._graph[part]
            if isinstance(x, list | tuple):
                refuse_ragged(self._graph, lambda: self._shapes, x, name, part)
            check_axes(x, node.shape, name=name)

    def _learn_axes(self, shape: tuple[int, ...]) -> None:
        """Take over the shape of rows, before the network is built for them."""

    def _checked_rows(self, features: AnyRows, columns: list[str]) -> AnyRows:
        self._check_columns(features.shape[1])
        self._built_core().check_takes(features, columns)
        return features

    @property
    def _several_inputs(self) -> bool:
        return self._graph is not None and len(self._graph.inputs) > 1

    def _only(self, x: object) -> object:
        """Return what a mapping holds for an only input; other things as they are."""
        # Lists of sequences become rows and their lengths.
        if isinstance(x, np.ndarray):  # quicker to see than that something is no mapping
            return x
        if self._several_inputs:
            return self._padded(x)[0]
        if isinstance(x, Mapping) and self._graph is not None and len(self._graph.inputs) == 1:
            name = self._graph.inputs[0].name
            if name in x or not hasattr(x, "dtype"):
                return by_name("x", "input", x, [name])[0]
        return x

    def _padded(self, x: object, name: str = "x") -> tuple[Any, NDArray[np.bool_] | None]:
        """Return rows of several inputs, and the steps of sequences that a list has."""
        assert self._graph is not None
        return padded_inputs(self._graph, lambda: self._shapes, x, name)

    def _marked_sequences(self, x: object) -> Any:
        """Return rows for a `Dataset`, which lists of sequences have to be told to."""
        if not self._several_inputs or self._graph is None:
            return x
        return marked_sequences(self._graph, lambda: self._shapes, x)

    def _only_target(self, y: object) -> object:
        """Return what a mapping holds for an only output; other things as they are."""
        if isinstance(y, np.ndarray):
            return y
        if isinstance(y, Mapping) and self._graph is not None and y:
            (name,) = self._graph.outputs
            return by_name("y", "output", y, [name])[0]
        return y

    def _by_input(self, x: object) -> dict[str, Any]:
        """Return what was given for each of several inputs."""
        assert self._graph is not None
        names = [node.name for node in self._graph.inputs]
        return dict(zip(names, by_name("x", "input", x, names), strict=True))

    def _each_input(self, x: object, convert: Callable[..., Any], **options: bool) -> Several:
        """Return rows for each input, checked."""
        parts: dict[str, Any] = {}
        columns = []
        for name, value in self._by_input(x).items():
            parts[name], shown = self._in_order(value, convert, part=name, **options)
            columns.append(shown)
            self._check_input(parts, name)
        called = [f"x[{name!r}]" for name in parts]
        check_parts(self._built_core(), [*parts.values()], called, columns)
        return Several([*parts.values()])

    def _check_input(self, parts: Mapping[str, Any], name: str) -> None:
        """Raise ValueError where the rows of an input do not fit it, or those of the first."""
        assert self._graph is not None
        rows, shape = parts[name], self._graph[name].shape
        first = next(iter(parts))
        if rows.shape[1] != math.prod(shape):
            raise ValueError(
                f"x[{name!r}] has {rows.shape[1]} columns; the input expects {math.prod(shape)}, "
                f"of shape {shape}"
            )
        if len(rows) != len(parts[first]):
            raise ValueError(f"x[{first!r}] has {len(parts[first])} rows, x[{name!r}] {len(rows)}")

    def _check_columns(self, columns: int) -> None:
        """Build the network for `columns` columns, or raise ValueError if it is for others."""
        if self._core is None or columns != self._core.inputs:
            self.build(columns)
