# SPDX-License-Identifier: Apache-2.0
"""Measure how long ``import chainrule`` takes once NumPy is imported."""

from __future__ import annotations

import subprocess
import sys

LIMIT_MS = 60.0
CODE = """
import numpy, time
start = time.perf_counter()
import chainrule
print((time.perf_counter() - start) * 1e3)
"""


def main() -> None:
    """Print the best of seven fresh processes and exit with status 1 if it is over the limit."""
    runs = [float(subprocess.check_output([sys.executable, "-c", CODE])) for _ in range(7)]
    print(f"import chainrule over import numpy: {min(runs):.1f} ms (limit {LIMIT_MS:.0f} ms)")
    sys.exit(min(runs) > LIMIT_MS)


if __name__ == "__main__":
    main()
