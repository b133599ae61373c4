# SPDX-License-Identifier: Apache-2.0
"""Options that are one or more integers, which configs hold as numbers."""

from __future__ import annotations

__all__ = ["as_tuple", "whole_numbers"]


def whole_numbers(value: int | list[float]) -> int | tuple[int, ...]:
    """Return what a config holds of one or more integers; its lists are of floats."""
    return tuple(int(number) for number in value) if isinstance(value, list) else value


def as_tuple(value: int | list[float]) -> tuple[int, ...]:
    """Return a config's list of integers, which is an integer where there is only one."""
    numbers = whole_numbers(value)
    return numbers if isinstance(numbers, tuple) else (int(numbers),)
