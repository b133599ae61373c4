# SPDX-License-Identifier: Apache-2.0
"""The text of exported C: its layout, its numbers and functions, the rows of its self-test."""

from __future__ import annotations

import ctypes
import re

import numpy as np
from compiled_c import each_compiler, load, needs_compiler
from shaken_weights import shaken

import chainrule as cr
from chainrule.c_export.functions import definitions


def test_rows_of_the_self_test_are_like_the_features(tmp_path):
    """Where the first layer standardises them, rows are drawn that it makes standard normal."""
    net = cr.Sequential([cr.Input(2), cr.Normalization(), cr.Dense(1)], seed=0)
    net.set_weights({"0.mean": [1000.0, -2.0], "0.variance": [4.0, 2500.0]})
    cr.export_c(net, tmp_path)
    text = (tmp_path / "model_test.c").read_text()
    rows = re.search(r"inputs\[\d+\]\[2\] = \{(.*?)\};", text, re.DOTALL)[1]
    x = np.array([float(number) for number in re.findall(r"(-?[\d.e+-]+)f", rows)]).reshape(-1, 2)
    standard = (x - [1000.0, -2.0]) / [2.0, 50.0]
    assert len(x) >= 8
    assert np.abs(standard).max() < 5
    assert (standard.std(axis=0) > 0.3).all()


def test_declarations_are_on_one_line_where_it_is_short_enough(tmp_path):
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    on_one_line = set()
    for length in range(1, 24):
        name = "n" * length
        cr.export_c(net, tmp_path, name=name)
        lines = (tmp_path / f"{name}.c").read_text().splitlines()
        (begin,) = (i for i, line in enumerate(lines) if line.startswith(f"void {name}_predict("))
        end = next(i for i in range(begin, len(lines)) if lines[i].endswith(" {"))
        whole = " ".join(line.strip() for line in lines[begin : end + 1])
        assert (begin == end) == (len(whole) <= 100)
        on_one_line.add(begin == end)
    assert on_one_line == {True, False}


def test_constants_read_back_to_the_same_bits(tmp_path):
    net = shaken(cr.Sequential([cr.Input(31), cr.Dense(17)], seed=0))
    net.set_weights({"0.bias": np.geomspace(1e-37, 3e38, 17)})
    cr.export_c(net, tmp_path)
    text = (tmp_path / "model.c").read_text()
    arrays = dict(
        re.findall(r"static const float model_local_(\w+)\[[\d *]+\] = \{(.*?)\};", text, re.DOTALL)
    )
    for name, expected in (("weight_0", net.parameters["0.weight"].T), ("bias_0", None)):
        words = [word.strip() for word in arrays[name].split(",")][:-1]
        assert all(word.endswith("f") for word in words)
        values = np.array([word[:-1] for word in words]).astype(np.float32)
        expected = net.parameters["0.bias"] if expected is None else expected.ravel()
        np.testing.assert_array_equal(values, expected)


@needs_compiler
@each_compiler
def test_exponential(tmp_path, compiler):
    text = "\n".join(["#include <stdint.h>", *definitions(["exponential"])])
    text += "\nfloat call(float x);\nfloat call(float x) { return exponential(x); }\n"
    (tmp_path / "e.c").write_text(text)
    call = load(compiler, tmp_path, "e").call
    call.restype, call.argtypes = ctypes.c_float, [ctypes.c_float]
    x = np.linspace(-87, 88.7, 20001, dtype=np.float32)
    y = np.array([call(value) for value in x])
    exact = np.exp(x.astype(np.float64))
    assert (abs(y - exact) / exact).max() < 2.5e-7
    assert call(0.0) == 1.0
    assert call(100.0) == call(np.inf) == np.inf
    assert call(-np.inf) == call(-200.0) == 0.0
    assert abs(call(-95.0) - np.exp(-95.0)) < 1e-44
    assert np.isnan(call(np.nan))
