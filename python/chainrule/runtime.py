# SPDX-License-Identifier: Apache-2.0
"""What the compiled core found on this machine."""

from __future__ import annotations

from chainrule import _core

__all__ = ["default_num_threads", "instruction_set", "instruction_sets", "thread_backend"]


def default_num_threads() -> int:
    """Return how many threads a call takes that is not told how many.

    Raises
    ------
    ValueError
        If the environment variable ``CHAINRULE_NUM_THREADS`` is no number of threads.
    """
    return _core.default_num_threads()


def instruction_set() -> str:
    """Return the instruction set whose kernels are in use."""
    return _core.instruction_set()


def instruction_sets() -> list[str]:
    """Return the instruction sets that this machine could use."""
    return _core.instruction_sets()


def thread_backend() -> str:
    """Return what threads come from, as chosen when the core was built."""
    return _core.thread_backend()
