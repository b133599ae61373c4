# SPDX-License-Identifier: Apache-2.0
"""What the compiled core found on this machine."""

from __future__ import annotations

from chainrule import _core

__all__ = [
    "default_num_threads",
    "instruction_set",
    "instruction_sets",
    "threading_layer",
    "threading_layers",
]


def default_num_threads() -> int:
    """Return how many threads a call takes by default.

    Raises
    ------
    ValueError
        If the environment variable ``CHAINRULE_NUM_THREADS`` is no number of threads.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.default_num_threads() >= 1
    True
    """
    return _core.default_num_threads()


def instruction_set() -> str:
    """Return the instruction set whose kernels are in use.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.instruction_set() in cr.instruction_sets()
    True
    """
    return _core.instruction_set()


def instruction_sets() -> list[str]:
    """Return the instruction sets that this machine could use.

    Examples
    --------
    >>> import chainrule as cr
    >>> "portable" in cr.instruction_sets()
    True
    """
    return _core.instruction_sets()


def threading_layer() -> str:
    """Return where threads come from: "pool", "openmp" or "serial".

    The environment variable ``CHAINRULE_THREADING_LAYER`` chooses it, when it is first needed.
    "pool", the default, is chainrule's own threads, which sleep between calls. "openmp" runs each
    call in one parallel region of the OpenMP runtime that the process has loaded, for programs that
    live on OpenMP; a forked child takes the pool instead, since OpenMP's threads do not survive a
    fork. "serial" runs everything on the calling thread. No result depends on it.

    Raises
    ------
    ValueError
        If the variable names no layer of this build.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.threading_layer() in cr.threading_layers()
    True
    """
    return _core.threading_layer()


def threading_layers() -> list[str]:
    """Return the threading layers of this build, the default first.

    Examples
    --------
    >>> import chainrule as cr
    >>> "serial" in cr.threading_layers()
    True
    """
    return _core.threading_layers()
