# SPDX-License-Identifier: Apache-2.0
"""The rows of a piece of svmlight text: many at once, or line by line.

`parse` reads what such files usually hold by whole arrays. Whatever it finds unusual goes through
`parse_lines`, which reads the same text to the same result and knows the line of each fault.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.data.decimals import SPACES, Positions, Text
from chainrule.data.encoding import LARGEST_WHOLE
from chainrule.errors import DataFileError

_COMMENT = re.compile(rb"#[^\n]*")
_DIGIT = re.compile(rb"[0-9]")
_IS_SPACE = np.isin(np.arange(256), np.frombuffer(SPACES, np.uint8))
_LARGEST_INDEX = 2**63 - 2
_LONGEST_NUMBER = 40
_LARGEST_QUERY_ID = 2**63 - 1


@dataclass(frozen=True)
class Format:
    """What is read from a text, and as what; see `load_svmlight`."""

    dtype: np.dtype[Any]
    multilabel: bool
    query_id: bool
    lowest_index: int


class Rows(NamedTuple):
    """Rows as a file has them.

    Attributes
    ----------
    lengths : ndarray of int64, shape (rows,)
        Features of each row.
    indices, values : ndarray, shape (features,)
        As written: in any order and perhaps more than once in a row.
    label_counts : ndarray of int64, shape (rows,)
        Labels of each row; all 1 unless there may be several.
    labels : ndarray of float64
        Of all rows in turn.
    query_ids : ndarray of int64
        One a row if asked for, otherwise none.
    lines : ndarray of int64, shape (rows,)
        Lines of the text, counted from 0.
    """

    lengths: NDArray[np.int64]
    indices: NDArray[np.int64]
    values: NDArray[Any]
    label_counts: NDArray[np.int64]
    labels: NDArray[np.float64]
    query_ids: NDArray[np.int64]
    lines: NDArray[np.int64]


def without_comments(text: bytes) -> bytes:
    """Return a text with the same lines and no comments."""
    return _COMMENT.sub(b"", text) if b"#" in text else text


def as_dtype(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Return values in a type; None if a finite one has become infinite."""
    with np.errstate(over="ignore"):
        cast = values.astype(dtype, copy=False)
    return None if (np.isinf(cast) & ~np.isinf(values)).any() else cast


def are_classes(labels: NDArray[np.float64]) -> bool:
    """Tell whether all labels are whole numbers from 0 that float64 tells apart."""
    return bool(((labels >= 0) & (labels <= LARGEST_WHOLE) & (labels == np.floor(labels))).all())


def parse(content: bytes, form: Format) -> Rows | None:
    """Return the rows of a text that ends in a newline and has no comments.

    Parameters
    ----------
    content : bytes
        The text.
    form : Format
        What to read.

    Returns
    -------
    Rows or None
        None if anything is unusual or wrong.
    """
    # Python takes 1_000 for a number, which no data file means.
    if b"_" in content:
        return None
    text = Text(content)
    spaces = _IS_SPACE[text.kinds]
    begins = np.zeros(len(spaces), bool)
    begins[:-1] = spaces[:-1] & ~(spaces[1:] & (np.diff(text.marks) == 1))
    tokens = np.flatnonzero(begins)
    first = np.searchsorted(tokens, np.flatnonzero(text.kinds == ord("\n")))
    counts = np.diff(first)
    lines = np.flatnonzero(counts)
    heads = tokens[first[lines]]
    colon = text.kinds == ord(":")

    labelled = ~colon[heads + 1] if form.multilabel else np.ones(len(lines), bool)
    lengths = counts[lines] - labelled
    queries = np.empty(0, np.intp)
    if b"qid:" in content:
        rows = np.flatnonzero(lengths)
        second = tokens[first[lines[rows]] + labelled[rows]]
        found = _begins_query_id(text, second)
        lengths[rows[found]] -= 1
        queries = second[found] + len(b"qid:")
        colon[queries] = False
    if form.query_id and len(queries) != len(lines):
        return None

    colons = np.flatnonzero(colon)
    if len(colons) != lengths.sum() or not begins[colons - 1].all():
        return None
    indices = text.whole_numbers(colons - 1)
    query_ids = text.whole_numbers(queries)
    if indices is None or query_ids is None or not spaces[queries + 1].all():
        return None
    if len(indices) and indices.min() < form.lowest_index:
        return None
    before, ends, label_counts = heads, spaces, labelled.astype(np.int64)
    if form.multilabel and b"," in content:
        # A comma that is not among labels makes one of the numbers invalid.
        comma = text.kinds == ord(",")
        commas = np.flatnonzero(comma)
        label_counts += np.bincount(np.searchsorted(heads, commas) - 1, minlength=len(heads))
        before, ends = np.union1d(heads[labelled], commas), spaces | comma
    elif form.multilabel:
        before = heads[labelled]
    try:
        labels = text.numbers(before, ends)
        numbers = text.numbers(colons, spaces)
    except ValueError:
        return None
    values = as_dtype(numbers, form.dtype)
    if values is None or as_dtype(labels, form.dtype) is None:
        return None
    if form.multilabel and not are_classes(labels):
        return None
    return Rows(lengths, indices, values, label_counts, labels, query_ids, lines)


def _begins_query_id(text: Text, tokens: Positions) -> NDArray[np.bool_]:
    found = np.ones(len(tokens), bool)
    for offset, character in enumerate(b"qid:", 1):
        at = np.minimum(tokens + offset, len(text.kinds) - 1)
        found &= text.kinds[at] == character
        found &= text.marks[at] == text.marks[tokens] + offset
    return found


def parse_lines(content: bytes, form: Format, file: object, first_line: int) -> Rows:
    """Do the same line by line.

    Parameters
    ----------
    content, form
        As for `parse`.
    file : path
        What error messages call it.
    first_line : int
        Line of the file that the text begins with.

    Returns
    -------
    Rows

    Raises
    ------
    DataFileError
        If a line is no row of the format.
    """
    rows: list[_Row] = []
    for number, line in enumerate(content.split(b"\n")):
        try:
            if words := line.split():
                rows.append(_row(words, form, number))
        except ValueError as error:
            raise DataFileError(f"{file}, line {first_line + number}: {error}") from None
    features = [feature for row in rows for feature in row.features]
    return Rows(
        np.array([len(row.features) for row in rows], np.int64),
        np.array([index for index, _ in features], np.int64),
        np.array([value for _, value in features], form.dtype),
        np.array([len(row.labels) for row in rows], np.int64),
        np.array([label for row in rows for label in row.labels], np.float64),
        np.array([row.query_id for row in rows if row.query_id is not None], np.int64),
        np.array([row.line for row in rows], np.int64),
    )


class _Row(NamedTuple):
    labels: list[float]
    query_id: int | None
    features: list[tuple[int, float]]
    line: int


def _row(words: list[bytes], form: Format, line: int) -> _Row:
    labels: list[float] = []
    if not form.multilabel:
        labels = [_number(words.pop(0), "the label", form.dtype)]
    elif b":" not in words[0]:
        labels = [
            _number(word, "a label", np.dtype(np.float64)) for word in words.pop(0).split(b",")
        ]
        if not are_classes(np.array(labels)):
            raise ValueError(f"the labels are {labels}, expected whole numbers, 0 or more")
    query_id = None
    if words and words[0].startswith(b"qid:"):
        query_id = _whole_number(words.pop(0)[len(b"qid:") :], "the query id", _LARGEST_QUERY_ID)
    if form.query_id and query_id is None:
        raise ValueError("no query id, expected qid:number after the label")
    return _Row(labels, query_id, [_feature(word, form) for word in words], line)


def _feature(word: bytes, form: Format) -> tuple[int, float]:
    name, colon, text = word.partition(b":")
    if not colon:
        raise ValueError(f"{_shown(word)} is no feature, expected index:value")
    index = _whole_number(name, "the index", _LARGEST_INDEX)
    if index < form.lowest_index:
        raise ValueError(f"the index is {index}, expected {form.lowest_index} or more")
    return index, _number(text, f"the value of index {index}", form.dtype)


def _number(word: bytes, what: str, dtype: np.dtype[Any]) -> float:
    try:
        # Python takes 1_000 for a number, which no data file means.
        value = float(word) if b"_" not in word else None
    except ValueError:
        value = None
    if value is None:
        raise ValueError(f"{what} is {_shown(word)}, expected a number")
    if math.isinf(value) and _DIGIT.search(word):
        raise ValueError(f"{what} is {_shown(word)}, too large for float64")
    if as_dtype(np.array([value]), dtype) is None:
        raise ValueError(f"{what} is {value:g}, too large for {dtype}")
    return value


def _whole_number(word: bytes, what: str, largest: int) -> int:
    if not word.isdigit():
        raise ValueError(f"{what} is {_shown(word)}, expected a whole number, 0 or more")
    # Python refuses to convert thousands of digits.
    number = int(word) if len(word) <= _LONGEST_NUMBER else largest + 1
    if number > largest:
        raise ValueError(f"{what} is {_shown(word)}, expected at most {largest}")
    return number


def _shown(word: bytes) -> str:
    return repr(word[:40].decode("ascii", "backslashreplace"))
