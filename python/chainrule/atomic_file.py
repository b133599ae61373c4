# SPDX-License-Identifier: Apache-2.0
"""Writing a file so that an interruption leaves the old one or the new one, never half of it."""

from __future__ import annotations

import os

from chainrule import _core


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to a temporary name beside `path`, then rename it."""
    _core.write_atomically(os.fsencode(path), content)
