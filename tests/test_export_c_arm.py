# SPDX-License-Identifier: Apache-2.0
"""Exported C on an emulated Cortex-M3, built for it and for the Cortex-M0+: neither has an FPU."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from compiled_c import STRICT

import chainrule as cr

GCC, QEMU = "arm-none-eabi-gcc", "qemu-system-arm"
TOOLS_MISSING = [tool for tool in (GCC, QEMU) if not shutil.which(tool)]
pytestmark = pytest.mark.skipif(
    bool(TOOLS_MISSING), reason=f"not installed: {', '.join(TOOLS_MISSING)}"
)

# Where the processor finds its first stack pointer and instruction.
VECTORS = """\
extern void _start(void);
__attribute__((section(".vectors"), used)) static void* const vectors[2] = {
    (void*)0x00400000, (void*)_start};
"""
FLAGS = ["-mthumb", "-O2", "--specs=rdimon.specs"]
MACHINE = ["-machine", "mps2-an385", "-nographic", "-monitor", "none", "-serial", "none"]
SEMIHOSTING = ["-semihosting-config", "enable=on,target=native"]


def run_on_cortex_m(folder, processor="cortex-m3"):
    """Build the self-test with newlib and run it; its exit status is the emulator's."""
    gcc = [GCC, f"-mcpu={processor}", *FLAGS]
    (folder / "vectors.c").write_text(VECTORS)
    # ISO C knows no cast from functions to objects, so the table is compiled less strictly.
    subprocess.run([*gcc, "-c", "vectors.c"], cwd=folder, check=True)
    command = [*gcc, *STRICT, "model.c", "model_test.c", "vectors.o"]
    command += ["-Wl,--section-start=.vectors=0", "-o", "test.elf", "-lm"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return subprocess.run(
        [QEMU, *MACHINE, *SEMIHOSTING, "-kernel", "test.elf"],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


@pytest.mark.parametrize("processor", ["cortex-m0plus", "cortex-m3"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_digits(tmp_path, dtype, processor):
    x, y = cr.data.load_digits()
    layers = [cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)]
    net = cr.Sequential(layers, seed=0)
    net.fit(x, y, loss="cross_entropy", epochs=3, verbose=0)
    cr.export_c(net, tmp_path, dtype=dtype, calibration=x)
    done = run_on_cortex_m(tmp_path, processor)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ok\n") == 2


def test_all_activations(tmp_path, rng):
    layers = [cr.Input(6), cr.Normalization()]
    for kind in ("elu", "gelu", "gelu_tanh", "silu", "sigmoid", "softplus", "tanh", "leaky_relu"):
        layers += [cr.Dense(7, activation=kind)]
    net = cr.Sequential([*layers, cr.LayerNormalization(), cr.Activation("softmax")], seed=0)
    cr.export_c(net, tmp_path, test_rows=rng.normal(size=(8, 6)))
    done = run_on_cortex_m(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_weight_is_noticed(tmp_path):
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    net.set_weights([np.array([[2.0], [3.0]]), np.zeros(1)])
    cr.export_c(net, tmp_path)
    source = tmp_path / "model.c"
    source.write_text(source.read_text().replace("2.0f, 3.0f", "2.0f, 3.1f"))
    done = run_on_cortex_m(tmp_path)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
