# SPDX-License-Identifier: Apache-2.0
"""A computation graph as a table and as a drawing (SVG), made without any dependency."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

__all__ = ["DRAWN_NODES", "draw", "table"]

DRAWN_NODES = 300

_WIDTH, _HEIGHT = 132, 58  # of a node
_LETTERS = 21  # that fit into it
_COLUMN, _ROW = 210, 78  # from one node to the next
_FORWARD, _BACKWARD = "#2a7fba", "#d1622b"  # told from white and from black


def table(order: Sequence[Any]) -> str:
    """Return a line per node: what it is, its value, its derivatives and its gradient.

    Parameters
    ----------
    order : sequence of Node
        Every node that goes into one of them is before it.

    Returns
    -------
    str
    """
    labels = _labels(order)
    rows = [("node", "is", "value", "d node / d inputs", "gradient")]
    for node in order:
        made = "" if node.operation is None else _made_of(node, labels)
        derivatives = ", ".join(f"{d:.6g}" for d in _derivatives(node)[:4])
        if len(node.inputs) > 4:
            derivatives += ", ..."
        gradient = "" if node.gradient is None else f"{node.gradient:.6g}"
        if node.operation is not None or node.name:  # a constant stands where it is used
            rows.append((labels[node], made, f"{node.value:.6g}", derivatives, gradient))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def draw(order: Sequence[Any]) -> str:
    """Return the graph as SVG: inputs on the left, the result on the right.

    A node shows its value and below it d result / d node; an edge shows the local derivative.

    Parameters
    ----------
    order : sequence of Node
        As for `table`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there are more than `DRAWN_NODES`.
    """
    if len(order) > DRAWN_NODES:
        raise ValueError(
            f"the graph has {len(order)} nodes; up to {DRAWN_NODES} can be drawn, table() has all"
        )
    labels = _labels(order)
    positions = _positions(order)
    edges, boxes = [], []
    for node in order:
        x, y = positions[node]
        for given, derivative in zip(node.inputs, _derivatives(node), strict=True):
            edges.append(_edge(positions[given], (x, y), f"{derivative:.4g}"))
        boxes.append(_box(node, x, y, labels))
    width = max(x for x, _ in positions.values()) + _WIDTH + 10
    height = max(y for _, y in positions.values()) + _HEIGHT + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="12" '
        f'role="img" fill="currentColor"><title>{html.escape(_title(order, labels))}</title>'
        + "".join(edges)
        + "".join(boxes)
        + "</svg>"
    )


def _title(order: Sequence[Any], labels: dict[Any, str]) -> str:
    return f"Computation graph of {labels[order[-1]]}, {len(order)} nodes"


def _labels(order: Sequence[Any]) -> dict[Any, str]:
    """Return the nodes' names; v1, v2, ... for computed ones without, the number for constants."""
    labels, count = {}, 0
    for node in order:
        if node.operation is not None and not node.name:
            count += 1
        labels[node] = node.name or (f"{node.value:.6g}" if node.operation is None else f"v{count}")
    return labels


def _made_of(node: Any, labels: dict[Any, str]) -> str:
    text: str = node.operation.text([labels[given] for given in node.inputs])
    return text if len(text) <= 40 else f"{text[:37]}..."


def _derivatives(node: Any) -> list[float]:
    if node.operation is None:
        return []
    return list(node.operation.derivatives(node.value, *(given.value for given in node.inputs)))


def _positions(order: Sequence[Any]) -> dict[Any, tuple[float, float]]:
    """Return where each node's box begins: a column for each step from the inputs."""
    # Within a column the nodes stand in the order of the middle of their inputs.
    depth: dict[Any, int] = {}
    first_use: dict[Any, int] = {}
    for node in order:
        depth[node] = 1 + max((depth[given] for given in node.inputs), default=-1)
    for node in reversed(order):
        for given in node.inputs:
            first_use[given] = min(depth[node], first_use.get(given, depth[node]))
    columns: dict[int, list[Any]] = {}
    for node in order:
        # What goes in late, such as a weight, stands just before its use.
        column = depth[node] if node.inputs else first_use.get(node, 1) - 1
        columns.setdefault(column, []).append(node)
    heights: dict[Any, float] = {}
    tallest = max(map(len, columns.values()))
    for column in sorted(columns):
        nodes = columns[column]
        middles = {
            node: sum(heights[given] for given in node.inputs) / len(node.inputs)
            if node.inputs
            else float("inf")
            for node in nodes
        }
        nodes.sort(key=middles.__getitem__)
        top = (tallest - len(nodes)) / 2
        for place, node in enumerate(nodes):
            heights[node] = top + place
    return {
        node: (10.0 + column * _COLUMN, 10.0 + heights[node] * _ROW)
        for column, nodes in columns.items()
        for node in nodes
    }


def _box(node: Any, x: float, y: float, labels: dict[Any, str]) -> str:
    middle = x + _WIDTH / 2
    made = "" if node.operation is None else _made_of(node, labels)
    head = labels[node] if not made else f"{labels[node]} = {made}"
    if len(head) > _LETTERS and made:
        head = f"{labels[node]} = {node.operation.name}(…)"
    if len(head) > _LETTERS:
        head = f"{head[: _LETTERS - 1]}…"
    lines = [(head, "currentColor"), (f"{node.value:.6g}", _FORWARD)]
    if node.gradient is not None:
        lines.append((f"gradient {node.gradient:.4g}", _BACKWARD))
    texts = "".join(
        f'<text x="{middle:.0f}" y="{y + 17 + 16 * i:.0f}" text-anchor="middle" fill="{color}">'
        f"{html.escape(line)}</text>"
        for i, (line, color) in enumerate(lines)
    )
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" '
        f'fill="currentColor" fill-opacity="0.06" stroke="currentColor"/>{texts}'
    )


def _edge(begin: tuple[float, float], end: tuple[float, float], derivative: str) -> str:
    x1, y1 = begin[0] + _WIDTH, begin[1] + _HEIGHT / 2
    x2, y2 = end[0], end[1] + _HEIGHT / 2
    bend = (x2 - x1) / 2
    # Near the input, where edges of one node's inputs are apart.
    x, y = x1 + 0.3 * (x2 - x1), y1 + 0.22 * (y2 - y1) - 4
    return (
        f'<path d="M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} '
        f'{x2:.0f} {y2:.0f}" fill="none" stroke="currentColor" stroke-opacity="0.5"/>'
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="10" fill="{_BACKWARD}">'
        f"{html.escape(derivative)}</text>"
    )
