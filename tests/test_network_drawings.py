# SPDX-License-Identifier: Apache-2.0
"""Drawings of networks of graphs, as text and by Graphviz."""

from __future__ import annotations

import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from graph_cases import CASES, classifier

import chainrule as cr


def test_drawings(tmp_path: Path) -> None:
    net = classifier()
    text = net.plot()
    assert text.splitlines() == [
        "o    pixels       (5,)   Input",
        "| o  context      (3,)   Input",
        "o |  dense        (8,)   Dense(8, activation='relu')",
        "o-'  concatenate  (11,)  Concatenate()",
        "+-o  digit        (3,)   Dense(3)",
        "o    ink          (1,)   Dense(1)",
    ]
    net.plot(tmp_path / "net.txt")
    assert (tmp_path / "net.txt").read_text() == text + "\n"
    net.plot(tmp_path / "net.dot")
    dot = (tmp_path / "net.dot").read_text()
    assert '"dense" -> "concatenate";' in dot
    assert '"digit" [label="digit\\nDense(3)\\n(3,)"];' in dot
    with pytest.raises(ValueError, match="path must end in a format"):
        net.plot(tmp_path / "net")


@pytest.mark.skipif(shutil.which("dot") is None, reason="the program dot of Graphviz is missing")
@pytest.mark.parametrize("make", CASES)
def test_drawings_by_the_program_itself(tmp_path: Path, make: Callable[[], cr.Network]) -> None:
    pytest.importorskip("graphviz")
    net = make()
    path = tmp_path / "net.svg"
    net.plot(path)
    drawing = ElementTree.parse(path).getroot()
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    nodes, edges = set(), set()
    for group in drawing.iter("{http://www.w3.org/2000/svg}g"):
        title = group.findtext("{http://www.w3.org/2000/svg}title")
        if group.get("class") == "node":
            texts = [text.text for text in group.iter("{http://www.w3.org/2000/svg}text")]
            assert texts[0] == title
            assert texts[-1] == str(net._shapes[title])
            nodes.add(title)
        elif group.get("class") == "edge":
            edges.add(title)
    graph = net._graph
    assert nodes == {node.name for node in graph.nodes}
    assert edges == {f"{read}->{node.name}" for node in graph.nodes for read in node.inputs}
    net.plot(tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    net.plot(tmp_path / "net.pdf")
    assert (tmp_path / "net.pdf").read_bytes().startswith(b"%PDF")


def test_drawings_by_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    class Source:
        def __init__(self, source: str) -> None:
            given["source"] = source

        def pipe(self, format: str) -> bytes:
            given["format"] = format
            return b"<svg/>"

    module = types.ModuleType("graphviz")
    module.Source, module.ExecutableNotFound = Source, OSError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "graphviz", module)
    net = classifier()
    net.plot(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_bytes() == b"<svg/>"
    assert given["format"] == "svg"
    net.plot(tmp_path / "net.dot")
    assert given["source"] == (tmp_path / "net.dot").read_text()
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r"pip install \"chainrule\[graphviz\]\""):
        net.plot(tmp_path / "other.svg")
