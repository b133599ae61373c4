# SPDX-License-Identifier: Apache-2.0
"""Several exports side by side: in one folder, in one translation unit, in C and in C++."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from compiled_c import STRICT

import chainrule as cr
from chainrule.c_export.literals import array, check_name, number
from chainrule.c_export.program import Model, Program

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
COMPILERS = {
    "gcc": STRICT,
    "clang": STRICT,
    "g++": ["-std=c++11", *WARNINGS],
    "clang++": ["-std=c++20", *WARNINGS],
}


def network(seed, activations=("leaky_relu", "gelu"), units=3, width=4):
    layers = [cr.Input(width), cr.Rescaling(0.5)]
    for activation in activations:
        layers += [cr.Dense(5, activation=activation), cr.LayerNormalization()]
    net = cr.Sequential([*layers, cr.Dense(units)], seed=seed)
    net.compile(loss="cross_entropy")
    return net


def compiled(compiler, folder, text, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    unit = tmp_path / f"all.{'cpp' if '+' in compiler else 'c'}"
    unit.write_text(text)
    command = [compiler, *COMPILERS[compiler], "-O1", f"-I{folder}", unit, "-lm", "-o"]
    done = subprocess.run([*command, tmp_path / "all"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return subprocess.run([tmp_path / "all"], capture_output=True, text=True, check=True).stdout


# Names that differ in case, begin with one another, or mean something in C and C++.
NAMES = ["Net", "net", "NET", "net_leaky", "net_local", "net_predict", "int", "class", "new", "y"]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_all_in_one_translation_unit(compiler, tmp_path, rng):
    x = rng.normal(size=(1, 4)).astype(np.float32)
    every = [
        "leaky_relu",
        "elu",
        "gelu",
        "gelu_tanh",
        "silu",
        "sigmoid",
        "tanh",
        "softplus",
        "relu",
    ]
    nets, includes, calls = [], [], []
    for index, name in enumerate(NAMES):
        net = network(index, activations=every[index:] or ["relu"], units=2 + index)
        int8 = index % 3 == 2
        # A file system may not tell Net from net.
        folder = tmp_path / f"{index}_{name}"
        cr.export_c(net,
            folder, name=name, dtype="int8" if int8 else "float32",
            calibration=rng.normal(size=(50, 4)) if int8 else None,
        )  # fmt: skip
        nets.append((net, 0.2 if int8 else 1e-5))
        includes.append(f'#include "{folder.name}/{name}.c"')
        macro = Model(name, (), Program({}, [], []), None, False).macro
        calls.append(
            f"  {{ static {name}_scratch s; float y[{macro}_OUTPUTS];"
            f" {name}_predict(x, y, &s); show(y, {macro}_OUTPUTS); }}"
        )
    text = "\n".join(
        [
            *includes,
            "#include <stdio.h>",
            "static void show(const float* y, int n) {",
            '  for (int i = 0; i < n; ++i) printf("%.9g ", (double)y[i]);',
            '  printf("\\n");',
            "}",
            "int main(void) {",
            f"  const float x[4] = {{{', '.join(map(number, x[0]))}}};",
            *calls,
            "  return 0;",
            "}",
            "",
        ]
    )
    # Their headers and sources name each other without a folder.
    for index, name in enumerate(NAMES):
        text = text.replace(f'"{index}_{name}/', f'"{tmp_path}/{index}_{name}/')
    printed = compiled(compiler, tmp_path, text, tmp_path).splitlines()
    for (net, tolerance), line in zip(nets, printed, strict=True):
        expected = net.predict(x)[0]
        np.testing.assert_allclose(np.array(line.split(), float), expected, atol=tolerance)


def test_names_share_no_macro_and_no_function():
    macros = {name: Model(name, (), Program({}, [], []), None, False).macro for name in NAMES}
    assert macros["net"] == "NET"
    assert len(set(macros.values())) == len(NAMES)


def test_a_self_test_of_another_export_stays(tmp_path):
    cr.export_c(network(0), tmp_path, name="gear")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("gear_test", "GEAR_Test", "gear_test_test"):
        with pytest.raises(ValueError, match=r"self-test of '.*': it must not end in _test"):
            cr.export_c(network(1), tmp_path, name=name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("ending", [".h", ".c", "_test.c"])
@pytest.mark.parametrize("content", [b"int mine;\n", b"/* gear: my notes */\n", None])
def test_files_of_others_stay(ending, content, tmp_path):
    if content is None:
        # Another export's, renamed.
        cr.export_c(network(0), tmp_path, name="other")
        content = (tmp_path / f"other{ending}").read_bytes()
    mine = tmp_path / f"gear{ending}"
    mine.write_bytes(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileExistsError, match="no earlier export of this name"):
        cr.export_c(network(1), tmp_path, name="gear")
    assert mine.read_bytes() == content
    assert sorted(tmp_path.iterdir()) == before
    cr.export_c(network(1), tmp_path, name="gear", overwrite=True)
    assert mine.read_bytes() != content
    # Its own it may replace.
    first = mine.read_bytes()
    cr.export_c(network(2), tmp_path, name="gear")
    assert mine.read_bytes() != first or ending == ".h"


@pytest.mark.parametrize(
    "name", ["a__b", "net_", "CON", "nul", "com1", "threads", "uchar", "stdatomic", "float"]
)
def test_names_that_cannot_be(name, tmp_path):
    with pytest.raises(ValueError, match=f"name '{name}' "):
        cr.export_c(network(0), tmp_path, name=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["testing", "contest", "auto", "_Bool"[1:], "console", "i"])
def test_names_that_can_be(name):
    assert check_name(name) == name


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, np.float32("inf")])
def test_what_c_has_no_literal_for(value):
    with pytest.raises(ValueError, match="no finite number of float32"):
        number(value)
    with pytest.raises(ValueError, match="bias_0 leaves the range of float32"):
        array("bias_0", np.array([1.0, value], np.float32))


def test_constants_beyond_float32(tmp_path):
    big = cr.Sequential([cr.Input(2), cr.Dense(2)], seed=0, dtype="float64")
    big.set_weights({"0.weight": np.full((2, 2), 1e200)})
    with pytest.raises(ValueError, match=r"layer 0 \(dense\): weight beyond the range of float"):
        cr.export_c(big, tmp_path)
    slope = cr.Sequential([cr.Input(2), cr.Dense(2, cr.activations.Elu(1e60))], seed=0)
    with pytest.raises(ValueError, match=r"float32|finite"):
        cr.export_c(slope, tmp_path)
    assert not list(tmp_path.iterdir())


def test_test_rows_beyond_float32(tmp_path):
    net = cr.Sequential([cr.Input(2), cr.Dense(2)], seed=0, dtype="float64")
    with pytest.raises(ValueError, match="test_rows: the values of row 1 are not finite"):
        cr.export_c(net, tmp_path, test_rows=np.array([[1.0, 2.0], [1e200, 1.0]]))
    counts = cr.Sequential([cr.Input(1), cr.Dense(1)], seed=0)
    counts.set_weights({"0.weight": [[1.0]]})
    counts.compile(loss="poisson")
    with pytest.raises(ValueError, match="probabilities for row 0 are not finite"):
        cr.export_c(counts, tmp_path, test_rows=np.array([[200.0]]))
    assert not list(tmp_path.iterdir())
