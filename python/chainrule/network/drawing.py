# SPDX-License-Identifier: Apache-2.0
"""Drawings of graphs: plain text, and Graphviz."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainrule.atomic_file import write_atomically

__all__ = ["Drawn", "draw", "write_drawing"]


@dataclass(frozen=True)
class Drawn:
    """A node as drawings show it.

    Attributes
    ----------
    name, shape, text : str
        Its name, the shape of what it gives for a row, and its layer.
    inputs : tuple of str
        The nodes that it reads.
    """

    name: str
    shape: str
    text: str
    inputs: tuple[str, ...]


def draw(nodes: Sequence[Drawn]) -> str:
    """Return a line for each node, behind lines that lead to those that read it.

    A node is ``o``. ``+`` is where it reads a tensor that others read too, and ``'`` where it is
    the last to do so.

    Examples
    --------
    >>> print(draw([Drawn("x", "(4,)", "Input", ()), Drawn("h", "(4,)", "Dense(4)", ("x",)),
    ...             Drawn("sum", "(4,)", "Add()", ("x", "h"))]))
    o    x    (4,)  Input
    +-o  h    (4,)  Dense(4)
    o-'  sum  (4,)  Add()
    """
    readers = {node.name: sum(node.name in other.inputs for other in nodes) for node in nodes}
    lanes: list[str | None] = []
    drawn = []
    for node in nodes:
        read = [lanes.index(name) for name in dict.fromkeys(node.inputs)]
        ends = set()
        for lane in read:
            name = lanes[lane]
            assert name is not None
            readers[name] -= 1
            if readers[name] == 0:
                ends.add(lane)
        own = min(ends, default=-1)
        if own < 0:
            own = lanes.index(None) if None in lanes else len(lanes)
            lanes[own:own] = [] if own < len(lanes) else [None]
        drawn.append(_lane_text(lanes, own, set(read), ends))
        for lane in ends:
            lanes[lane] = None
        lanes[own] = node.name if readers[node.name] else None
    width = max(map(len, drawn))
    names = max(len(node.name) for node in nodes)
    shapes = max(len(node.shape) for node in nodes)
    return "\n".join(
        f"{lane:<{width}}  {node.name:<{names}}  {node.shape:<{shapes}}  {node.text}".rstrip()
        for lane, node in zip(drawn, nodes, strict=True)
    )


def _lane_text(lanes: Sequence[str | None], own: int, read: set[int], ends: set[int]) -> str:
    """Return the lines of one node: its own, those that it reads, and those that pass by."""
    text = ""
    first, last = min({own, *read}), max({own, *read})
    for lane, name in enumerate(lanes):
        between = first <= lane <= last
        if lane == own:
            text += "o"
        elif lane in read:
            text += "'" if lane in ends else "+"
        elif name is not None:
            text += "|"
        else:
            text += "-" if between else " "
        text += "-" if first <= lane < last else " "
    return text.rstrip()


def write_drawing(path: str | os.PathLike[str], nodes: Sequence[Drawn]) -> None:
    """Write a drawing, whose format the ending of the path names.

    Parameters
    ----------
    path : path-like
        ``.txt`` gives plain text and ``.dot`` or ``.gv`` Graphviz' language; Graphviz itself makes
        the others, such as ``.svg``, ``.pdf`` and ``.png``.
    nodes : sequence of Drawn
        The nodes.

    Raises
    ------
    ImportError
        If Graphviz is needed and not installed.
    ValueError
        If the path has no ending, or one that Graphviz does not know.
    """
    ending = Path(path).suffix.lower()
    if not ending:
        raise ValueError(f"path must end in a format, such as .svg or .txt, got {os.fspath(path)}")
    if ending == ".txt":
        content = (draw(nodes) + "\n").encode()
    elif ending in (".dot", ".gv"):
        content = _dot(nodes).encode()
    else:
        content = _rendered(_dot(nodes), ending[1:])
    write_atomically(path, content)


def _rendered(source: str, kind: str) -> bytes:
    """Return what Graphviz makes of its language."""
    try:
        import graphviz
    except ImportError as error:
        raise ImportError(
            'drawings need graphviz: pip install "chainrule[graphviz]"; plot() without a path '
            "returns a drawing in plain text"
        ) from error
    try:
        content: bytes = graphviz.Source(source).pipe(format=kind)
    except graphviz.ExecutableNotFound as error:
        raise ImportError(
            "drawings need the program dot of Graphviz (https://graphviz.org/download), which is "
            "not on the path; plot() without a path returns a drawing in plain text"
        ) from error
    return content


def _dot(nodes: Sequence[Drawn]) -> str:
    """Return the graph in Graphviz' language."""
    lines = ["digraph {", '  node [shape=box, fontname="sans-serif"];']
    for node in nodes:
        label = "\\n".join(_quoted(text) for text in (node.name, node.text, node.shape) if text)
        lines.append(f'  "{_quoted(node.name)}" [label="{label}"];')
    for node in nodes:
        for name in node.inputs:
            lines.append(f'  "{_quoted(name)}" -> "{_quoted(node.name)}";')
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
