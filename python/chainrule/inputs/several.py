# SPDX-License-Identifier: Apache-2.0
"""Rows for each input of a network, or targets for each output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.compressed_rows import Rows, taken_rows
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.names import unknown_name

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["Several", "by_name", "check_parts", "core_rows"]


class Several:
    """Tables, or compressed rows, of as many rows each; a slice of it has a part of the rows."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = list(parts)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.parts[0])

    def __getitem__(self, rows: slice) -> Several:
        """Return the rows of a slice, which share this one's memory."""
        return Several([part[rows] for part in self.parts])

    def taken(self, numbers: NDArray[np.int64]) -> Several:
        """Return a copy of the rows of these numbers."""
        return Several([taken_rows(part, numbers) for part in self.parts])


def core_rows(rows: Rows | LazyRows | Several | None) -> Any:
    """Return rows as the core takes them: those of several inputs as a list."""
    return rows.parts if isinstance(rows, Several) else rows


def check_parts(
    core: CoreNetwork,
    parts: Sequence[Rows],
    names: Sequence[str],
    columns: Sequence[list[str]] | None = None,
) -> None:
    """Raise ValueError where the core cannot take rows of several inputs.

    `names` are what the text calls them, and `columns` what it calls their columns.
    """
    for place, part in enumerate(parts):
        values = part if isinstance(part, np.ndarray) else part.data
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            named = columns[place] if columns else []
            core.check_takes(list(parts), named, names[place], part=place)
    core.check_takes(list(parts), finite=False)


def by_name(argument: str, what: str, given: object, names: Sequence[str]) -> list[Any]:
    """Return what a mapping or a list holds for each input or output, in the order of `names`.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If something is missing, or is for none of them.
    """
    listed = ", ".join(names)
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise ValueError(f"{argument}: {unknown_name(what, name, names)}")
        for name in names:
            if name not in given:
                raise ValueError(f"{argument} has nothing for the {what} {name!r}")
        return [given[name] for name in names]
    if not isinstance(given, list | tuple):
        raise TypeError(
            f"{argument} must be a dict or a list with one entry for each {what} ({listed}), got "
            f"{type(given).__name__}"
        )
    if len(given) != len(names):
        raise ValueError(
            f"{argument} needs an entry for each {what} ({listed}), got {len(given)} entries"
        )
    return list(given)
