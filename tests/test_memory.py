# SPDX-License-Identifier: Apache-2.0
"""Training reads the data where they lie: no copy of them is made."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import re
from pathlib import Path

import numpy as np
import chainrule as cr


def memory(name):
    # Not getrusage, whose peak includes that of the process which started this one.
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024


rng = np.random.default_rng(0)
x = rng.integers(0, 256, size=(60_000, 784), dtype=np.uint8)
y = rng.integers(0, 10, size=60_000)
layers = [cr.Rescaling(1 / 255), cr.Dense(32, activation="relu"), cr.Dense(10)]
options = {"loss": "cross_entropy", "batch_size": 64, "verbose": 0, "num_threads": 2}
cr.Sequential(layers, seed=0).fit(x[:64], y[:64], **options)
before = memory("VmRSS")
# A peak that lies behind us already would hide the growth.
assert memory("VmHWM") - before < 4, (memory("VmHWM"), before)
cr.Sequential(layers, seed=0).fit(x, y, validation_data=(x, y), **options)
fit = memory("VmHWM") - before
copy = x.astype(np.float32)
copied = memory("VmHWM") - before
print(x.nbytes / 2**20, fit, copied)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/status")
def test_fit_copies_no_data():
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    data, fit, copied = map(float, run.stdout.split())
    assert data > 44
    assert fit < 40, f"{fit:.1f} MB on top of {data:.1f} MB of data"
    # The measure sees a copy where there is one.
    assert copied > 150
