# SPDX-License-Identifier: Apache-2.0
r"""
A network in C for a microcontroller
====================================

A microcontroller has some kilobytes of memory, no operating system and often no floating-point unit.
``export_c`` writes a trained network as plain C99 for it: constants for the weights, loops for the
layers, no heap, no library.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x, y = cr.data.load_digits()
x_train, x_test, y_train, y_test = cr.data.train_test_split(x, y, test_size=0.2, stratify=True)
net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0)
net.fit(x_train, y_train, loss="cross_entropy", optimizer=cr.Adam(3e-3), epochs=30, verbose=0)
print(f"test accuracy in Python: {net.evaluate(x_test, y_test)['accuracy']:.1%}")

# %%
# Two exports
# -----------
# In 32-bit floats, and in 8-bit integers. For the latter each number :math:`v` becomes
#
# .. math:: q = \text{round}(v / s), \quad v \approx s \, q
#
# with a scale :math:`s` for each output of a layer, so that weights take a quarter of the memory and the
# processor adds integers only. What the values of a layer range over is measured on ``calibration`` rows.

folder = Path(tempfile.mkdtemp())
exports = {
    "float32": cr.export_c(net, folder / "float32", name="digits"),
    "int8": cr.export_c(
        net,
        folder / "int8",
        name="digits",
        dtype="int8",
        calibration=x_train,
        validation_data=(x_test, y_test),
    ),
}
for name, result in exports.items():
    print(
        f"{name:8} {result.weight_bytes} bytes of weights, {result.scratch_bytes} bytes of memory in a call"
    )
quantised = exports["int8"]
print(
    f"accuracy {quantised.before['accuracy']:.1%} before, {quantised.after['accuracy']:.1%} in int8"
)

# %%
# What was written, in part:

source = (folder / "int8" / "digits.h").read_text().splitlines()
print("\n".join(line for line in source if line)[:1400])

# %%
# Compile it
# ----------
# By the compiler of the machine that built this page, for size. The self-test that comes with it compares
# the compiled code with rows that Python predicted.

compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
if compiler is None:
    sys.exit("this lesson needs a C compiler")
sizes = {}
for name in exports:
    where = folder / name
    flags = [compiler, "-std=c99", "-Os"]
    subprocess.run([*flags, "-c", "digits.c", "-o", "digits.o"], cwd=where, check=True)
    subprocess.run(
        [*flags, "digits.c", "digits_test.c", "-o", "test", "-lm"], cwd=where, check=True
    )
    test = subprocess.run(["./test"], cwd=where, check=True, capture_output=True, text=True)
    print(f"{name}: {test.stdout.strip()}")
    listed = subprocess.run(
        ["size", "-A", "digits.o"], cwd=where, check=True, capture_output=True, text=True
    )
    sections = {
        line.split()[0]: int(line.split()[1]) for line in listed.stdout.splitlines()[2:-2] if line
    }
    sizes[name] = {
        "code": sum(size for s, size in sections.items() if s.startswith(".text")),
        "constants": sum(size for s, size in sections.items() if s.startswith(".rodata")),
        "memory of a call": exports[name].scratch_bytes,
    }
    print("  ", sizes[name])

# %%
# All of it beside what common microcontrollers have. Code and constants lie in flash; memory is needed
# during a call only.

fig, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
names = list(sizes)
left = np.zeros(len(names))
for part, color in [("code", "#1f6fb2"), ("constants", "#8fbfe0"), ("memory of a call", "#c8501e")]:
    widths = np.array([sizes[name][part] for name in names]) / 1024
    ax.barh(names, widths, left=left, color=color, label=part)
    left += widths
for place, total in enumerate(left):
    ax.text(total + 0.2, place, f"{total:.1f} KiB", va="center")
ax.axvline(32, color="0.4", linestyle="--")
ax.text(31.7, 1.45, "flash of an ATmega328 (Arduino Uno)", ha="right", va="center", color="0.3")
ax.set(xlabel="KiB", xlim=(0, 34), ylim=(-0.6, 1.7))
ax.legend(loc="lower right")
plt.show()

# %%
# From here it is a line of a build: copy ``digits.c`` and ``digits.h``, and call
# ``digits_predict(pixels, scores, &scratch)``. The guide has a program around it.
