# SPDX-License-Identifier: Apache-2.0
"""The C functions that operations call, kept as C in the folder ``c``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

__all__ = ["definitions", "needs_math"]

_OF_MATH = ("erfcf", "expm1f", "log1pf", "sqrtf", "tanhf")


def definitions(names: Iterable[str]) -> list[str]:
    """Return the texts of functions, each after those that it calls.

    Parameters
    ----------
    names : iterable of str
        Functions, which are the files of the folder ``c``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> [text.splitlines()[0] for text in definitions(["relu"])]
    ['/* y = max(0, x). */']
    >>> len(definitions(["sigmoid", "softmax"]))  # with exponential and power_of_two
    4
    """
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        for callee in _called(_texts()[name]):
            if callee != name:
                add(callee)
        ordered.setdefault(name, _texts()[name])

    for name in names:
        add(name)
    return list(ordered.values())


def needs_math(text: str) -> bool:
    """Return whether a C text calls a function of math.h."""
    return not set(_OF_MATH).isdisjoint(re.findall(r"\b(\w+)\(", text))


def _called(text: str) -> list[str]:
    # A function's own name is among them, which keeps the pattern simple.
    return [name for name in re.findall(r"\b(\w+)\(", text) if name in _texts()]


@cache
def _texts() -> dict[str, str]:
    files = resources.files("chainrule.export_c").joinpath("c").iterdir()
    return {
        file.name.removesuffix(".c"): file.read_text("utf-8").split("\n", 1)[1].rstrip()
        for file in files
        if file.name.endswith(".c")
    }
