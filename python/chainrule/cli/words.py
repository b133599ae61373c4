# SPDX-License-Identifier: Apache-2.0
"""Errors of the package in the command line's words: options instead of arguments."""

from __future__ import annotations

import re

_PHRASES = (
    (r"pass header=True or header=False", "pass --header yes or --header no"),
    (r"pass delimiter= to say which", "pass --delimiter to say which"),
    (r"; pass max_bytes= if that is right", "; unpack it first"),
    (r"; pass dtype='float64'", ""),
    (r", (decimal|thousands)=('.')", r" --\1 \2"),
    (r"\b(decimal|thousands|delimiter)=('.')", r"--\1 \2"),
    (r"\b(decimal|thousands|delimiter) must be one character", r"--\1 must be one character"),
    (r"^(drop|label|target) = ", r"--\1 "),
    (r"unknown (drop|label|target) column", r"unknown --\1 column"),
    (r"\bclass_weight\b", "--class-weight"),
    (r"\bvalidation_split ?= ?", "--validation-split "),
    (r"\bnum_threads\b", "--threads"),
)


def in_options(text: str) -> str:
    """Return an error's text with options instead of the arguments of Python functions."""
    for pattern, words in _PHRASES:
        text = re.sub(pattern, words, text)
    return text
