# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments that many entries share."""

from __future__ import annotations

import os

import numpy as np

from chainrule import _core

AUTO = "auto"
"""The default of ``input_sparsity``, which is no other object where it has not been given."""

_LARGEST_INTEGER = 2**31 - 1


def boolean(name: str, value: bool) -> bool:
    """Return `value`; TypeError unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r:.80}")
    return bool(value)


def positive_integer(name: str, value: int, *, least: int = 1) -> int:
    """Return `value` as an int; TypeError or ValueError unless it is an integer >= `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r:.80}")
    if value < least:
        raise ValueError(f"{name} must be >= {least}, got {value}")
    if value > _LARGEST_INTEGER:
        raise ValueError(f"{name} must be <= {_LARGEST_INTEGER}, got {value}")
    return int(value)


def thread_count(num_threads: int | None) -> int:
    """Return the number of threads for the core, where 0 means its default."""
    return 0 if num_threads is None else positive_integer("num_threads", num_threads)


def sparsity_name(input_sparsity: object) -> str:
    """Return `input_sparsity`; TypeError or ValueError unless it names a path of the core."""
    if not isinstance(input_sparsity, str):
        raise TypeError(f"input_sparsity must be a string, got {input_sparsity!r:.80}")
    _core.check_input_sparsity(input_sparsity)
    return input_sparsity


def seed_number(seed: int | None) -> int:
    """Return the seed, of None one that the system draws; TypeError, ValueError for no seed."""
    if seed is None:
        return int.from_bytes(os.urandom(8), "little") >> 1
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer or None, got {seed!r}")
    if not 0 <= int(seed) < 2**64:
        raise ValueError(f"seed must lie in 0..2^64-1, got {seed}")
    return int(seed)
