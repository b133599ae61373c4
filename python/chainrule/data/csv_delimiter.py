# SPDX-License-Identifier: Apache-2.0
"""Which character divides the fields of a CSV file, where the caller does not say so."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress

from chainrule.data.csv_numbers import MISSING, Spelling
from chainrule.errors import DataFileError

_CANDIDATES = (",", ";", "\t", "|")
_TAB_NAMES = (".tsv", ".tab", ".tsv.gz", ".tab.gz")


def find_delimiter(file: str, lines: Sequence[str], spelling: Spelling) -> str:
    """Return the delimiter that the first lines of a file speak for."""
    if file.lower().endswith(_TAB_NAMES):
        return "\t"
    if not lines:
        raise DataFileError(f"{file} is empty")
    records = {mark: _two_records(lines, mark) for mark in _CANDIDATES if mark != spelling.decimal}
    dividing = [mark for mark, (first, _) in records.items() if len(first) > 1]
    if not dividing:
        return next(iter(records))
    if len(dividing) > 1:
        alike = [mark for mark in dividing if len(records[mark][0]) == len(records[mark][1])]
        dividing = alike or dividing
    if len(dividing) > 1:
        between = [mark for mark in dividing if _are_numbers(records[mark][1], spelling)]
        dividing = between or dividing
    if len(dividing) > 1:
        shown = " or ".join(map(repr, dividing))
        raise DataFileError(f"{file}: the delimiter may be {shown}; pass delimiter= to say which")
    return dividing[0]


def _two_records(lines: Sequence[str], delimiter: str) -> tuple[list[str], list[str]]:
    records: list[list[str]] = []
    # The reader of the whole file names the line of an error.
    with suppress(csv.Error):
        records.extend(filter(None, csv.reader(lines, delimiter=delimiter)))
    return (records[0], records[min(1, len(records) - 1)]) if records else ([], [])


def _are_numbers(fields: Sequence[str], spelling: Spelling) -> bool:
    """Whether all fields but one at most, the label, are numbers or missing."""
    numbers = [spelling.number(field) is not None for field in fields]
    missing = [field.strip().lower() in MISSING for field in fields]
    others = sum(not (a or b) for a, b in zip(numbers, missing, strict=True))
    return any(numbers) and others <= 1
