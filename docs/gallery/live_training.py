# SPDX-License-Identifier: Apache-2.0
r"""
Live training in C++
====================

A network need not be trained before it is used. In ``cpp/examples/cart_pole`` a C++ program drives a cart
with a pole on it, and learns while it drives: one step of training for each step of control. At first
the pole falls at once. This page compiles the program, runs it, and draws what it said.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

# %%
# What it learns
# --------------
# The network gives a value :math:`Q(s, a)` for pushing left or right in the state :math:`s`: for how long
# the pole will stay up from here. After a push, one step of waiting is over, and what follows is the value
# of the next state:
#
# .. math:: Q(s, a) \approx 1 + 0.99 \max_{a'} Q(s', a')
#
# where nothing is added once the pole has fallen. The right side is the target of a training step, the
# Huber loss its measure. An older copy of the network gives the :math:`Q` on the right, so that the target
# does not move with each step.
#
# The heart of the program: predict, make targets, one step, and hand the new weights to the predictor,
# which the control loop calls meanwhile without locks or allocations.

source = Path("../../cpp/examples/cart_pole/main.cpp").resolve()
text = source.read_text()
begin = text.index("  /// One step of training on what is remembered.")
print(text[begin : text.index(" private:", begin)].rstrip())

# %%
# Compile and run
# ---------------
# The Python package has the library and its headers inside; CMake finds it by
# ``python -m chainrule --cmakedir``. The compiler alone needs their places, the C++20 standard, and to write into
# the program where the library is found when it runs:

import chainrule

folder = Path(tempfile.mkdtemp())
compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
if compiler is None:
    sys.exit("this lesson needs a C++ compiler")
package = next(path for path in map(Path, chainrule.__path__) if (path / "include").is_dir())
library = next((package / "lib").glob("libchainrule-*"))
program = folder / "cart_pole"
flags = ["-std=c++20", "-O1", "-DCHAINRULE_SHARED", "-I", str(package / "include")]
runtime = f"-Wl,-rpath,{library.parent}"
command = [compiler, *flags, str(source), str(library), runtime, "-o", str(program)]
subprocess.run(command, check=True)
run = subprocess.run([program], capture_output=True, text=True, check=True)
lines = run.stdout.splitlines()
print("\n".join([*lines[:3], "...", *lines[-3:]]))

# %%
# The curve is the worst of ten trials without chance. It is ragged, as reinforcement learning is: a
# policy that is nearly right can be suddenly wrong. The program ends when no pole falls within 500 steps.

found = np.array(
    [
        [int(number) for number in re.findall(r"\d+", line)]
        for line in lines
        if line.startswith("episode")
    ]
)
steps, shortest = found[:, 1], found[:, 2]
fig, ax = plt.subplots(figsize=(9, 4), layout="constrained")
ax.plot(steps, shortest, "o-", color="#1f6fb2")
ax.axhline(500, color="0.5", linestyle="--")
ax.annotate("balanced", (steps[0], 485), va="top", color="0.3")
ax.set(xlabel="steps driven, each with a step of training", ylabel="steps until the pole falls")
ax.grid(alpha=0.3)
plt.show()

# %%
# The same folder has a block processor for sound, whose network is trained by another thread while
# samples go through it, and ``examples/cart_pole.py`` is this lesson's program in Python.
