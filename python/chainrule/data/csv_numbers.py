# SPDX-License-Identifier: Apache-2.0
"""Numbers as the fields of a CSV file spell them."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})

# Groups of three digits; Indian usage has groups of two before the last.
_GROUPED = r"[+-]?\d{{1,3}}(?:{0}\d{{2,3}})*{0}\d{{3}}"
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_DIGIT = re.compile(r"\d")
# Spellings that are likely to be meant where a field is no number as things are.
_LIKELY = (
    (".", ","),
    (",", "."),
    (".", " "),
    (",", " "),
    (".", "'"),
)


class Spelling(NamedTuple):
    """How a file writes numbers."""

    decimal: str = "."  # the character before the fraction
    thousands: str | None = None  # the character between groups of digits

    @property
    def plain(self) -> bool:
        """Whether numbers are as Python writes them."""
        return self.decimal == "." and self.thousands is None

    def number(self, field: str) -> float | None:
        """Return the number that a field spells, or None if it spells none."""
        field = field.strip()
        # Python takes 1_000 for a number, which no table means.
        if "_" in field:
            return None
        if self.thousands is not None and self.thousands in field:
            whole, point, fraction = field.partition(self.decimal)
            if not re.fullmatch(_GROUPED.format(re.escape(self.thousands)), whole):
                return None
            field = whole.replace(self.thousands, "") + point + fraction
        if self.decimal != ".":
            if "." in field:
                return None
            field = field.replace(self.decimal, ".")
        # Python takes other scripts' digits too.
        if not field.isascii():
            return None
        try:
            return float(field)
        except ValueError:
            return None

    def parse(self, field: str) -> float:
        """Return the number that a field spells, or raise ValueError."""
        value = self.number(field)
        if value is None:
            raise ValueError(f"{field!r} is not a number")
        return value

    def fault(self, field: str) -> str | None:
        """Return what is wrong with a field that ought to be a number, or None."""
        if field.strip().lower() in MISSING:
            return "is missing"
        value = self.number(field)
        if value is None:
            meant = " or ".join(self._meant(field))
            return f"{field!r} is not a number{f'; pass {meant} if that is meant' if meant else ''}"
        if math.isinf(value) and _DIGIT.search(field):
            return f"{field!r} is too large for float64"
        return None

    def likely(self, field: str) -> bool:
        """Whether a field spells a number in this way or in another one that is customary."""
        return self.number(field) is not None or bool(self._meant(field))

    def _meant(self, field: str) -> list[str]:
        """Return the arguments by which a field would be a number."""
        found: list[str] = []
        text = field.strip()
        for decimal, thousands in _LIKELY:
            fraction = rf"(?:{re.escape(decimal)}\d*)?{_EXPONENT}"
            grouped = _GROUPED.format(re.escape(thousands)) + fraction
            simple = rf"[+-]?\d+{re.escape(decimal)}\d*{_EXPONENT}"
            here = "" if decimal == self.decimal else f"decimal={decimal!r}"
            if here and re.fullmatch(simple, text):
                found.append(here)
            elif thousands != self.thousands and re.fullmatch(grouped, text):
                found.append(", ".join(filter(None, (here, f"thousands={thousands!r}"))))
        return list(dict.fromkeys(found))
