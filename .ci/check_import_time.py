# SPDX-License-Identifier: Apache-2.0
"""Compare the cost of ``import chainrule`` with that of NumPy, and look at what it brings along.

Both imports are measured in the same process, so the machine's speed cancels out. Only the time of
the main thread counts: the threads of NumPy's BLAS spin for 20 ms before they go to sleep, which
the time of the whole process would include. The first process compiles both to bytecode, as pip
does where it installs them: compiling at each start takes three times as long.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

# 0.31 on one processor and 0.41 on another before there were convolutional and recurrent layers,
# 0.45 to 0.49 on the second with them; much of it are a hundred modules.
LIMIT = 0.52
RUNS = 9

# What most programs never use, and what takes long.
LAZY = (
    *(f"chainrule.{room}" for room in ("c_export", "cli", "data", "diagnosis", "explanation")),
    *(f"chainrule.{room}" for room in ("graph", "html", "interop", "plots", "metrics.metric")),
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
end = time.thread_time()
print(middle - start, end - middle, *sorted(set(sys.modules) - before))
"""


def main() -> None:
    """Print the best of some fresh processes; exit with status 1 above the limit or at a module."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", CODE]
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTHONPYCACHEPREFIX"] = folder
        runs = [subprocess.check_output(command, env=environment, text=True) for _ in range(RUNS)]
    numpy, own = (min(float(run.split()[i]) for run in runs) for i in (0, 1))
    ratio = own / numpy
    print(
        f"import chainrule: {own * 1e3:.1f} ms, import numpy: {numpy * 1e3:.1f} ms, "
        f"ratio {ratio:.3f} (limit {LIMIT})"
    )
    heavy = sorted(set(runs[0].split()[2:]) & set(LAZY))
    if heavy:
        print(f"imported without need: {', '.join(heavy)}")
    sys.exit(ratio > LIMIT or bool(heavy))


if __name__ == "__main__":
    main()
