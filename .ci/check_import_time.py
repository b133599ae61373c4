# SPDX-License-Identifier: Apache-2.0
"""Compare the cost of ``import chainrule`` with that of NumPy, and look at what it brings along.

Every name is imported at its first use, so a second figure is that of a program that has made a
network. All are measured in the same process, so the machine's speed cancels out. Only the time of
the main thread counts: the threads of NumPy's BLAS spin for 20 ms before they go to sleep, which
the time of the whole process would include. The first process compiles both to bytecode, as pip
does where it installs them: compiling at each start takes three times as long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

LIMIT = 0.15
# Much of it are ninety modules.
LIMIT_WITH_NETWORK = 0.5
RUNS = 9

# What most programs never use, and what takes long.
LAZY = (
    *(f"chainrule.{room}" for room in ("c_export", "cli", "data", "diagnosis", "explanation")),
    *(f"chainrule.{room}" for room in ("graph", "html", "interop", "plots", "metrics.metric")),
    *(f"chainrule.layers.{name}" for name in ("convolution", "pooling", "resizing")),
    *(f"chainrule.network.{name}" for name in ("drawing", "gradient_check", "plan", "trial")),
    *("dataclasses", "importlib.metadata", "json", "matplotlib", "onnx", "pandas", "pathlib"),
    *("scipy", "sklearn", "subprocess", "tempfile", "torch", "tqdm"),
)
CODE = """
import sys, time
start = time.thread_time()
import numpy
middle = time.thread_time()
before = set(sys.modules)
import chainrule
imported = time.thread_time()
chainrule.Sequential([chainrule.Dense(8, activation="relu"), chainrule.Dense(1)])
end = time.thread_time()
print(middle - start, imported - middle, end - middle, *sorted(set(sys.modules) - before))
"""


def main() -> None:
    """Print the best of some fresh processes; exit with status 1 above the limit or at a module."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", CODE]
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTHONPYCACHEPREFIX"] = folder
        runs = [subprocess.check_output(command, env=environment, text=True) for _ in range(RUNS)]
    numpy, own, with_network = (min(float(run.split()[i]) for run in runs) for i in (0, 1, 2))
    print(
        f"import numpy: {numpy * 1e3:.1f} ms, import chainrule: {own * 1e3:.1f} ms, "
        f"ratio {own / numpy:.3f} (limit {LIMIT}), with a first network: "
        f"{with_network * 1e3:.1f} ms, {with_network / numpy:.3f} ({LIMIT_WITH_NETWORK})"
    )
    heavy = sorted(set(runs[0].split()[3:]) & set(LAZY))
    if heavy:
        print(f"imported without need: {', '.join(heavy)}")
    sys.exit(own > LIMIT * numpy or with_network > LIMIT_WITH_NETWORK * numpy or bool(heavy))


if __name__ == "__main__":
    main()
