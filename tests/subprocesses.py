# SPDX-License-Identifier: Apache-2.0
"""Programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import chainrule as cr


def printed_by_each_instruction_set(code: str) -> set[str]:
    """Return the words that a Python program prints, held to each instruction set in turn."""
    found: set[str] = set()
    for isa in cr.instruction_sets():
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "CHAINRULE_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        )
        found.update(run.stdout.split())
    return found
