# SPDX-License-Identifier: Apache-2.0
"""No module of the package imports one that leads back to it, for types or within functions too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import chainrule

PACKAGE = Path(chainrule.__file__).parent


def _module(path: Path) -> str:
    parts = ("chainrule", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, known: set[str]) -> set[str]:
    """Return the modules among `known` that a module's text imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return found & known


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Return a path of imports that ends where it begins; empty if there is none."""
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        path.append(module)
        for other in sorted(edges[module]):
            if found := visit(other):
                return found
        path.pop()
        done.add(module)
        return []

    for module in edges:
        if found := visit(module):
            return found
    return []


def test_no_import_circles() -> None:
    sources = {_module(path): path.read_text() for path in PACKAGE.rglob("*.py")}
    # The compiled module imports nothing of the package.
    known = {*sources, "chainrule._core"}
    edges = {module: imports(source, known) for module, source in sources.items()}
    edges["chainrule._core"] = set()
    assert len(edges) > 100
    assert circle(edges) == []


@pytest.mark.parametrize(
    "inner",
    ["import p.a", "def f():\n    from p import a", "if TYPE_CHECKING:\n    from p.a import name"],
)
def test_circles_are_found(inner: str) -> None:
    known = {"p.a", "p.b"}
    edges = {"p.a": imports("from p.b import x", known), "p.b": imports(inner, known)}
    assert circle(edges) == ["p.a", "p.b", "p.a"]
