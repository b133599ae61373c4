# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an svmlight file, and in which line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.data.encoding import LARGEST_WHOLE
from chainrule.data.source import Source
from chainrule.errors import DataFileError

_DIGIT = re.compile(rb"[0-9]")
# scikit-learn reads indices as C integers.
_LARGEST_INDEX = 2**31 - 1
_LARGEST_QUERY_ID = 2**63 - 1
_LONGEST_NUMBER = 40


class Format(NamedTuple):
    """What is read from a file, and as what; see `load_svmlight`."""

    dtype: np.dtype[Any]
    multilabel: bool
    query_id: bool
    lowest_index: int
    n_features: int | None = None
    one_based: bool = False


def are_classes(labels: NDArray[np.float64]) -> bool:
    """Tell whether all labels are whole numbers from 0 that float64 tells apart."""
    return bool(((labels >= 0) & (labels <= LARGEST_WHOLE) & (labels == np.floor(labels))).all())


def raise_first_fault(source: Source, form: Format) -> None:
    """Read a file for the first line that is no row of the format."""
    with source.open(text=True) as stream:
        for number, line in enumerate(stream, 1):
            try:
                if words := line.partition(b"#")[0].split():
                    _check_row(words, form)
            except ValueError as error:
                raise DataFileError(f"{source.path}, line {number}: {error}") from None


def query_id_of(words: Sequence[bytes]) -> int:
    """Return the query id of a row; ValueError if there is none."""
    for word in words[:2]:
        if word.startswith(b"qid:"):
            return _whole_number(word[len(b"qid:") :], "the query id", _LARGEST_QUERY_ID)
    raise ValueError("no query id, expected qid:number after the label")


def _check_row(words: list[bytes], form: Format) -> None:
    if form.query_id or any(word.startswith(b"qid:") for word in words[:2]):
        query_id_of(words)
    if not form.multilabel:
        _check_number(words.pop(0), "the label", form.dtype)
    elif b":" not in words[0]:
        labels = [float(_check_number(word, "a label")) for word in words.pop(0).split(b",")]
        if not are_classes(np.array(labels)):
            raise ValueError(f"the labels are {labels}, expected whole numbers, 0 or more")
    if words and words[0].startswith(b"qid:"):
        words.pop(0)
    for word in words:
        _check_feature(word, form)


def _check_feature(word: bytes, form: Format) -> None:
    name, colon, text = word.partition(b":")
    if not colon:
        raise ValueError(f"{_shown(word)} is no feature, expected index:value")
    index = _whole_number(name, "the index", _LARGEST_INDEX)
    if index < form.lowest_index:
        raise ValueError(f"the index is {index}, expected {form.lowest_index} or more")
    if form.n_features is not None and index > form.n_features - 1 + form.one_based:
        raise ValueError(
            f"the index is {index}, but n_features = {form.n_features} allows at most "
            f"{form.n_features - 1 + form.one_based}"
        )
    _check_number(text, f"the value of index {index}", form.dtype)


def _check_number(word: bytes, what: str, dtype: Any = np.float64) -> float:
    try:
        # Python takes 1_000 for a number, which no data file means.
        value = float(word) if b"_" not in word else None
    except ValueError:
        value = None
    if value is None:
        raise ValueError(f"{what} is {_shown(word)}, expected a number")
    if math.isinf(value) and _DIGIT.search(word):
        raise ValueError(f"{what} is {_shown(word)}, too large for float64")
    with np.errstate(over="ignore"):
        too_large = math.isfinite(value) and np.isinf(np.float64(value).astype(dtype))
    if too_large:
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
