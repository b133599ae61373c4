# SPDX-License-Identifier: Apache-2.0
"""Decimal numbers in a text, many at once.

Eight digits are one 64-bit word, which three multiplications turn into their number. Whole numbers
up to 2^53 and powers of ten up to 10^22 are exact in float64, so the division of one by the other
is the float64 nearest to the decimal number, the same as `float` gives.

References
----------
Clinger, "How to read floating point numbers accurately", PLDI 1990.
"""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPACES", "Text"]

SPACES = b" \t\n\r\v\f"

# Loads of 16 bytes up to a number's end stay within the text.
_MARGIN = b"\n" * 16
_DIGIT = re.compile(rb"[0-9]")
_ZEROS = np.uint64(0x3030303030303030)
_WORD = 8
_LONGEST = 2 * _WORD
_LARGEST_EXACT = np.uint64(2**53)
_LARGEST_POWER = 19
_POWERS = np.array([10**k for k in range(_LARGEST_POWER + 1)], np.uint64)
_FLOAT_POWERS = _POWERS.astype(np.float64)

Positions = NDArray[np.intp]


class Text:
    """A text and the places of all its bytes that are no digits.

    Parameters
    ----------
    text : bytes
        Ends in a newline.

    Attributes
    ----------
    marks : ndarray of intp
        Positions of the bytes that are no digits, in order; the first of them is a newline before
        the text. Places in the text are given by their index in this array.
    kinds : ndarray of uint8
        The bytes there.
    """

    def __init__(self, text: bytes) -> None:
        self._text = _MARGIN + text
        characters = np.frombuffer(self._text, np.uint8)
        self.marks: Positions = np.flatnonzero(characters - np.uint8(ord("0")) > 9)[15:]
        self.kinds = characters[self.marks]
        # One word from every byte on; unaligned, which fancy indexing takes in its stride.
        self._words = np.ndarray((len(characters) - _WORD + 1,), "<u8", self._text, strides=(1,))

    def whole_numbers(self, before: Positions) -> NDArray[np.int64] | None:
        """Return the numbers that fill the space between marks and the next ones.

        Parameters
        ----------
        before : ndarray of intp
            The marks.

        Returns
        -------
        ndarray of int64, or None
            None if one has no digit or more than 16.
        """
        start = self.marks[before] + 1
        length = self.marks[before + 1] - start
        if len(length) and not 0 < length.min() <= length.max() <= _LONGEST:
            return None
        return self._digits(start, length).astype(np.int64)

    def numbers(self, before: Positions, ends: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the numbers that reach from marks to where they end.

        Parameters
        ----------
        before : ndarray of intp
            The marks that precede them.
        ends : ndarray of bool, shape (marks,)
            Marks that end a number.

        Returns
        -------
        ndarray of float64

        Raises
        ------
        ValueError
            If one is no number as `float` reads it, or too large for float64.
        """
        sign = self.kinds[before + 1]
        signed = (sign == ord("-")) | (sign == ord("+"))
        signed &= self.marks[before + 1] == self.marks[before] + 1
        first = before + signed
        start = self.marks[first] + 1
        point = self.marks[first + 1]
        pointed = self.kinds[first + 1] == ord(".")
        after = first + 1 + pointed
        whole_length = point - start
        fraction_length = self.marks[after] - point - pointed
        digits = whole_length + fraction_length
        plain = ends[after] & (digits > 0) & (digits <= _LARGEST_POWER)
        plain &= (whole_length <= _LONGEST) & (fraction_length <= _LONGEST)
        fraction_length = np.where(plain, fraction_length, 0)
        mantissa = self._digits(start, np.where(plain, whole_length, 0))
        mantissa *= _POWERS[fraction_length]
        mantissa += self._digits(point + 1, fraction_length)
        plain &= mantissa <= _LARGEST_EXACT
        values = mantissa / _FLOAT_POWERS[fraction_length]
        np.negative(values, out=values, where=sign == ord("-"))
        if not plain.all():
            rest = np.flatnonzero(~plain)
            values[rest] = self._by_float(before[rest], ends)
        return values

    def _digits(self, start: Positions, length: Positions) -> NDArray[np.uint64]:
        """Return the numbers of up to 16 digits at positions; 0 for those of none."""
        end = start + length
        value = self._eight_digits(end - _WORD, np.minimum(length, _WORD))
        if len(length) and length.max() > _WORD:
            long = np.flatnonzero(length > _WORD)
            upper = self._eight_digits(end[long] - _LONGEST, length[long] - _WORD)
            value[long] += upper * np.uint64(10**_WORD)
        return value

    def _eight_digits(self, start: Positions, length: Positions) -> NDArray[np.uint64]:
        """Return the numbers that the last `length` bytes of words are."""
        word = self._words[start].astype(np.uint64, copy=False) ^ _ZEROS
        shift = (8 * (_WORD - length)).astype(np.uint64)
        # A shift by all 64 bits leaves nothing, as NumPy defines it.
        word >>= shift
        word <<= shift
        word = (word * np.uint64(10) + (word >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
        word = (word * np.uint64(100) + (word >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
        return (word * np.uint64(10_000) + (word >> np.uint64(32))) & np.uint64(0xFFFFFFFF)

    def _by_float(self, before: Positions, ends: NDArray[np.bool_]) -> list[float]:
        stops = np.flatnonzero(ends)
        after = stops[np.searchsorted(stops, before, side="right")]
        start, end = self.marks[before] + 1, self.marks[after]
        text = self._text
        words = [text[a:b] for a, b in zip(start.tolist(), end.tolist(), strict=True)]
        values = list(map(float, words))
        if math.inf in values or -math.inf in values:
            for word, value in zip(words, values, strict=True):
                # What spells infinity has no digits.
                if math.isinf(value) and _DIGIT.search(word):
                    raise ValueError("a number is too large for float64")
        return values
