# SPDX-License-Identifier: Apache-2.0
"""The C functions that operations call: those of activations, and the files in the folder ``c``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from chainrule.activations import Activation

__all__ = ["called", "definitions", "needs_math", "prefixed"]

_OF_MATH = ("erfcf", "expm1f", "log1pf", "sqrtf", "tanhf")


def definitions(names: Iterable[str], prefix: str = "") -> list[str]:
    """Return the texts of functions, which are files of the folder ``c`` or activations.

    Each comes after those that it calls. Their names in the text begin with the prefix, so that
    several exports go into one file.

    Examples
    --------
    >>> [text.splitlines()[0] for text in definitions(["relu"])]
    ['/* y = max(0, x). */']
    >>> len(definitions(["sigmoid", "softmax"]))  # with exponential and power_of_two
    4
    """
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        for callee in called(_texts()[name]):
            if callee != name:
                add(callee)
        ordered.setdefault(name, _texts()[name])

    for name in names:
        add(name)
    # Parameters on a second line stay below those of the first.
    margin = re.compile(r"^ +(?=[^;{}]*\) \{$)", re.MULTILINE)
    indented = (margin.sub(lambda m: m[0] + " " * len(prefix), each) for each in ordered.values())
    return [prefixed(text, prefix) for text in indented]


def needs_math(text: str) -> bool:
    """Return whether a C text calls a function of math.h."""
    return not set(_OF_MATH).isdisjoint(re.findall(r"\b(\w+)\(", text))


def prefixed(text: str, prefix: str) -> str:
    """Return a C text in which the names of these functions begin with a prefix."""
    return re.sub(r"\b(\w+)\(", lambda m: prefix * (m[1] in _texts()) + m[0], text)


def called(text: str) -> list[str]:
    """Return the names of these functions that a C text calls."""
    # A function's own name is among them, which keeps the pattern simple.
    return [name for name in re.findall(r"\b(\w+)\(", text) if name in _texts()]


@cache
def _texts() -> dict[str, str]:
    files = resources.files("chainrule.c_export").joinpath("c").iterdir()
    texts = {
        file.name.removesuffix(".c"): file.read_text("utf-8").split("\n", 1)[1].rstrip()
        for file in files
        if file.name.endswith(".c")
    }
    for owner in Activation.of_kinds():
        for text in owner.c_source.rstrip().split("\n\n"):
            if text:
                texts[_name(text)] = text
    return texts


def _name(text: str) -> str:
    found = re.search(r"^static \w+ (\w+)\(", text, re.M)
    assert found is not None
    return found[1]
