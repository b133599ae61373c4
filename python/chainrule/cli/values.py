# SPDX-License-Identifier: Apache-2.0
"""What the values of options may be, as types for argparse."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError

_DELIMITERS = {
    "tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"
}  # fmt: skip


def positive_integer(text: str) -> int:
    """Return an integer of at least 1."""
    return _integer(text, 1)


def seed(text: str) -> int:
    """Return an integer of at least 0."""
    return _integer(text, 0)


def index(text: str) -> int:
    """Return a place that is counted from 0."""
    return _integer(text, 0)


def positive_number(text: str) -> float:
    """Return a finite number above 0."""
    value = _number(text)
    if not 0.0 < value < math.inf:
        raise ArgumentTypeError(f"expected a number > 0, got {text!r}")
    return value


def fraction(text: str) -> float:
    """Return a number of at least 0 and below 1."""
    value = _number(text)
    if not 0.0 <= value < 1.0:
        raise ArgumentTypeError(f"expected a number in [0, 1), got {text!r}")
    return value


def layer_sizes(text: str) -> tuple[int, ...]:
    """Return the units of the hidden layers; ``none`` means no hidden layer."""
    if text == "none":
        return ()
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise ArgumentTypeError(
            f"expected integers >= 1 between commas, such as 512,256, or none, got {text!r}"
        )
    return sizes


def column(text: str) -> str | int:
    """Return a column's index if the text is an integer, else its name."""
    try:
        return int(text)
    except ValueError:
        return text


def columns(text: str) -> list[str | int]:
    """Return names and indices that stand between commas."""
    return [column(part) for part in names(text)]


def names(text: str) -> list[str]:
    """Return names that stand between commas."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise ArgumentTypeError(f"expected names between commas, got {text!r}")
    return found


def delimiter(text: str) -> str:
    """Return one character, which may be given by its name."""
    return separator(_DELIMITERS.get(text.lower(), text))


def separator(text: str) -> str:
    """Return one character."""
    if len(text) != 1:
        raise ArgumentTypeError(f"expected one character, got {text!r}")
    return text


def class_weights(text: str) -> str | dict[str, float]:
    """Return ``balanced``, or weights by the names of classes."""
    if text == "balanced":
        return text
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.rpartition("=")
        value = _number(weight)
        if not name or not 0.0 <= value < math.inf:
            raise ArgumentTypeError(
                f"expected balanced, or numbers >= 0 such as cat=2,dog=0.5, got {text!r}"
            )
        weights[name.strip()] = value
    return weights


def _integer(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise ArgumentTypeError(f"expected an integer >= {least}, got {text!r}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
