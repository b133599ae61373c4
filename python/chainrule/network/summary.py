# SPDX-License-Identifier: Apache-2.0
"""The table that describes a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from chainrule import _core
from chainrule.layers import Activation, Dense, Dropout, Rescaling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.layers import Layer
    from chainrule.network.core_network import CoreNetwork
    from chainrule.network.graph import Graph

__all__ = ["graph_table", "summary_table"]


def summary_table(core: CoreNetwork | None, layers: Sequence[Layer], dtype: str) -> str:
    """Return a line per layer with its output width and parameters, and the totals.

    Parameters
    ----------
    core : CoreNetwork, optional
        The compiled network. Before there is one, what depends on the number of inputs is shown
        as "?".
    layers : sequence of Layer
        Its layers.
    dtype : str
        Its dtype.

    Returns
    -------
    str
    """
    if core is None:
        return _unbuilt_table(layers)
    rows: list[tuple[str, ...]] = [("layer", "output", "parameters")]
    width = core.inputs
    rows.append(("Input", str(width), "0"))
    for index, layer in enumerate(layers):
        width = layer._core.outputs(width)
        size = sum(int(np.prod(p.shape)) for p in core.parameters if p.layer == index)
        rows.append((repr(layer), str(width), f"{size:,}"))
    return "\n".join([*_lines(rows), *_totals(core, dtype)])


def graph_table(core: CoreNetwork, graph: Graph, dtype: str) -> str:
    """Return a line per node with what it reads, the shape that it gives and its parameters."""
    rows: list[tuple[str, ...]] = [("node", "layer", "reads", "output", "parameters")]
    for node, shape in zip(graph.nodes, core.shapes, strict=True):
        own = [p for p in core.parameters if p.name.rpartition(".")[0] == node.name]
        size = f"{sum(int(np.prod(p.shape)) for p in own):,}"
        rows.append(
            (
                node.name,
                node.text,
                ", ".join(node.inputs),
                str(shape),
                size if node.shares is None else f"as {node.shares}",
            )
        )
    return "\n".join([*_lines(rows), *_totals(core, dtype)])


def _totals(core: CoreNetwork, dtype: str) -> list[str]:
    """Return what all parameters come to."""
    total = sum(int(np.prod(p.shape)) for p in core.parameters)
    frozen = {node["name"] for node in core.nodes if not node.get("trainable", True)}
    fixed = sum(
        int(np.prod(p.shape))
        for p in core.parameters
        if not p.trainable or p.name.rpartition(".")[0] in frozen
    )
    nbytes = total * np.dtype(dtype).itemsize
    lines = [f"{total:,} parameters in {dtype}, {_bytes(nbytes)}"]
    if fixed:
        lines.append(f"{fixed:,} of them not trained")
    return lines


def _unbuilt_table(layers: Sequence[Layer]) -> str:
    """Return what is known before the number of inputs is."""
    rows: list[tuple[str, ...]] = [("layer", "output", "parameters"), ("Input", "?", "0")]
    width: int | None = None
    for layer in layers:
        # A layer's own number of units does not depend on its inputs.
        size = "?"
        if width is not None:
            alone = _core.Network32([layer.config], width, 0)
            size = f"{sum(int(np.prod(p.shape)) for p in alone.parameters):,}"
            width = alone.outputs
        elif isinstance(layer, Dense):
            width = layer.units
        elif isinstance(layer, Activation | Dropout | Rescaling):
            size = "0"
        rows.append((repr(layer), "?" if width is None else str(width), size))
    return "\n".join([*_lines(rows), "the number of inputs is not known yet: build(n) or fit"])


def _lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as a table, of which the last two columns are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            f"{cell:>{width}}" if place >= len(widths) - 2 else f"{cell:<{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return [lines[0], rule, *lines[1:], rule]


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
