# SPDX-License-Identifier: Apache-2.0
"""The table that describes a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chainrule.stack import Stack

__all__ = ["summary_table"]


def summary_table(net: Stack) -> str:
    """Return a line per layer with its output width and parameters, and the totals.

    Parameters
    ----------
    net : Stack
        A built network.

    Returns
    -------
    str
    """
    core = net._need_core()
    rows = [("layer", "output", "parameters")]
    width = core.inputs
    rows.append(("Input", str(width), "0"))
    for index, layer in enumerate(net.layers):
        width = layer._core.outputs(width)
        size = sum(int(np.prod(p.shape)) for p in core.parameters if p.layer == index)
        rows.append((repr(layer), str(width), f"{size:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {output:>{widths[1]}}  {size:>{widths[2]}}"
        for name, output, size in rows
    ]
    rule = "-" * len(lines[0])
    total = net.count_params()
    fixed = total - net.count_params(trainable_only=True)
    nbytes = total * np.dtype(net.dtype).itemsize
    lines = [lines[0], rule, *lines[1:], rule]
    lines.append(f"{total:,} parameters in {net.dtype}, {_bytes(nbytes)}")
    if fixed:
        lines.append(f"{fixed:,} of them not trained")
    return "\n".join(lines)


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
