# SPDX-License-Identifier: Apache-2.0
"""8-bit exports: C and NumPy agree to the bit, and what quantization may cost."""

from __future__ import annotations

import ctypes
import subprocess
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from compiled_c import (
    SANITIZED,
    compiled_once,
    difference,
    each_compiler,
    load,
    needs_compiler,
    outputs,
    self_test,
    undefined_symbols,
)
from compiled_together import Together

import chainrule as cr
from chainrule.c_export.functions import definitions
from chainrule.c_export.lowering import lower
from chainrule.c_export.quantization import Dense8, Dense8Float, Quantize, quantized

NETWORKS = {
    "relu": [cr.Dense(16, activation="relu"), cr.Dense(3)],
    "linear": [cr.Dense(16), cr.Dense(4, use_bias=False), cr.Dense(3)],
    "deep": [cr.Normalization(), *[cr.Dense(12, activation="relu")] * 4, cr.Dense(2)],
    "scaled": [cr.Rescaling(0.1, offset=2.0), cr.Dense(5), cr.BatchNormalization(), cr.Dense(3)],
    "tanh": [cr.Dense(16, activation="tanh"), cr.Dense(8, activation="gelu"), cr.Dense(3)],
    "normalized": [
        cr.LayerNormalization(),
        cr.Dense(9, activation="relu"),
        cr.BatchNormalization(),
        cr.Dropout(0.2),
        cr.Dense(4, activation="softmax"),
    ],
    "shallow": [cr.Dense(2, activation="relu")],
}


def network(name, rng):
    net = cr.Sequential([cr.Input(8), *NETWORKS[name]], seed=3)
    values = {n: a + 0.3 * rng.random(a.shape) for n, a in net.parameters.items()}
    net.set_weights(values)
    return net


def object_bytes(compiler, folder, name):
    """Return the bytes of constants in NAME.o."""
    target = compiled_once(compiler, folder, name, "-O2")
    listed = subprocess.run(
        ["size", "-A", target], capture_output=True, text=True, check=True
    ).stdout
    sections = (line.split() for line in listed.splitlines() if line.startswith("."))
    return sum(int(row[1]) for row in sections if row[0].startswith((".rodata", ".data")))


def exported(kind, folder, name):
    """Export a network; return it and the rows that it was calibrated with."""
    rng = np.random.default_rng(20240607)
    net = network(kind, rng)
    x = rng.normal(size=(300, 8)).astype(np.float32)
    cr.export_c(net, folder, name=name, dtype="int8", calibration=x)
    return net, x


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return the networks as C, made once and compiled together."""
    exports = {f"model_{kind}": partial(exported, kind) for kind in NETWORKS}
    return Together(tmp_path_factory.mktemp("together"), exports)


@needs_compiler
@each_compiler
@pytest.mark.parametrize("name", NETWORKS)
def test_c_agrees_to_the_bit_with_numpy(together, compiler, name):
    name = f"model_{name}"
    net, x = together[name]
    done = together.self_test(compiler, name, *SANITIZED)
    assert done.returncode == 0, done.stdout + done.stderr
    program, in_float = quantized(lower(net, into_weights=False), {"x": x})
    # Values beyond those of the calibration saturate.
    wide = np.concatenate([x, 5 * x])
    y = outputs(together.library(compiler), name, net, wide)
    if any("layer normalization" in text or "gelu" in text for text in in_float):
        # Here the C library rounds differently, and int8 magnifies it.
        assert difference(y, program.run({"x": wide})[0]) < 0.05
    else:
        assert difference(y, program.run({"x": wide})[0]) <= (2e-7 if in_float else 0.0)
    assert difference(y[:300], net.predict(x)) < 0.1


@pytest.mark.parametrize(
    ("name", "in_float"),
    [
        ("relu", []),
        ("deep", []),
        ("linear", []),
        ("scaled", []),
        ("tanh", ["layer 0 (tanh)", "layer 1 (gelu)"]),
        (
            "normalized",
            [
                "layer 0 (layer normalization)",
                "layer 1 (relu)",
                "layer 4 (softmax)",
            ],
        ),
        ("shallow", ["layer 0 (relu)"]),
    ],
)
def test_what_stays_in_float_is_listed(tmp_path, name, in_float, rng):
    x = rng.normal(size=(50, 8)).astype(np.float32)
    result = cr.export_c(network(name, rng), tmp_path, dtype="int8", calibration=x)
    assert list(result.in_float) == in_float
    assert all(text in str(result) for text in in_float)


def test_scales_by_hand():
    net = cr.Sequential([cr.Input(2), cr.Dense(2)], seed=0)
    net.set_weights([np.array([[1.27, 0.0], [-0.5, 0.0]]), np.array([0.1, 2.0])])
    x = np.array([[0.0, 10.0], [-2.8, 22.7]], np.float32)
    # Given twice, the extremes are no outliers.
    program, _ = quantized(lower(net, into_weights=False), {"x": np.repeat(x, 2, axis=0)})
    entry, dense = program.operations
    # -2.8..22.7 in steps of 0.1.
    assert isinstance(entry, Quantize)
    np.testing.assert_allclose(entry.scale, 10, rtol=1e-6)
    np.testing.assert_array_equal(entry.shift, -100)
    np.testing.assert_array_equal(entry.run(x), [[-100, 0], [-128, 127]])
    assert isinstance(dense, Dense8Float)
    np.testing.assert_array_equal(dense.weight, [[127, 0], [-50, 0]])
    # 0.1 is 100 steps of 0.1 * 0.01, and the zero point adds 100 * (127 - 50).
    assert dense.bias[0] == 100 + 100 * (127 - 50)
    np.testing.assert_allclose(dense.run(entry.run(x))[0], [0.1 - 5.0, 2.0], rtol=1e-6)


@needs_compiler
@each_compiler
def test_fixed_point_is_exact(tmp_path, compiler, rng):
    text = "\n".join(["#include <stdint.h>", *definitions(["scaled"])])
    text += "\nint64_t call(int32_t s, int32_t m, uint8_t n);\n"
    text += "int64_t call(int32_t s, int32_t m, uint8_t n) { return scaled(s, m, n); }\n"
    (tmp_path / "s.c").write_text(text)
    call = load(compiler, tmp_path, "s").call
    call.restype = ctypes.c_int64
    call.argtypes = [ctypes.c_int32, ctypes.c_int32, ctypes.c_uint8]
    extreme = [0, 1, -1, 3, -3, 2**31 - 1, -(2**31)]
    sums = [*extreme, *map(int, rng.integers(-(2**31), 2**31, 200))]
    for multiplier in (2**30, 2**31 - 1, 1234567891):
        for shift in (30, 31, 40, 62):
            for value in sums:
                exact = abs(Fraction(value) * multiplier / 2**shift)
                nearest = int(exact + Fraction(1, 2))
                assert call(value, multiplier, shift) == (nearest if value >= 0 else -nearest)


def test_multipliers_are_as_exact_as_31_bits(rng):
    net = network("relu", rng)
    x = np.repeat(rng.normal(size=(50, 8)), 2, axis=0).astype(np.float32)
    hidden = quantized(lower(net, into_weights=False), {"x": x})[0].operations[1]
    assert isinstance(hidden, Dense8)
    assert ((hidden.multiplier >= 2**30) & (hidden.multiplier < 2**31)).all()
    w = net.parameters["0.weight"].astype(np.float64)
    enters = max(x.max(), 0) - min(x.min(), 0)
    leaves = np.maximum(0, x @ w + net.parameters["0.bias"]).max()
    expected = float(enters) / 255 * abs(w).max(axis=0) / 127 / (leaves / 255)
    np.testing.assert_allclose(hidden.multiplier / 2.0**hidden.shift, expected, rtol=1e-5)
    assert hidden.zero_point == -128


def test_outliers_are_left_out(rng):
    x = rng.uniform(-1, 1, size=(10_000, 4))
    x[5000, 2] = 1e6
    net = cr.Sequential([cr.Input(4), cr.Dense(2)], seed=0)
    entry, _ = quantized(lower(net, into_weights=False), {"x": x})[0].operations
    assert isinstance(entry, Quantize)
    np.testing.assert_allclose(entry.scale, 255 / 2, rtol=1e-3)
    assert entry.run(x.astype(np.float32))[5000, 2] == 127


def test_calibration_sees_all_parts_of_many_rows():
    x = np.zeros((2**20, 8), np.float32)
    x[-(2**17) :] = 3.0
    net = cr.Sequential([cr.Input(8), cr.Dense(2)], seed=0)
    entry, _ = quantized(lower(net, into_weights=False), {"x": x})[0].operations
    assert isinstance(entry, Quantize)
    np.testing.assert_allclose(entry.scale, 255 / 3)


def test_multipliers_of_extreme_outputs():
    net = cr.Sequential([cr.Input(2), cr.Dense(2, activation="relu"), cr.Dense(1)], seed=0)
    # The first output is all but cancelled, the second has tiny weights beside the first's.
    net.set_weights({"0.weight": [[1.0, 1e-14], [-1.0, 1e-14]], "0.bias": [1e-9, 0.0]})
    _, hidden, _ = quantized(lower(net, into_weights=False), {"x": np.ones((1, 2))})[0].operations
    assert isinstance(hidden, Dense8)
    factors = hidden.multiplier / 2.0**hidden.shift
    np.testing.assert_allclose(factors, [1.0, 1e-14], atol=1e-9)
    assert hidden.multiplier[1] == 0


@needs_compiler
@each_compiler
def test_sums_do_not_overflow(tmp_path, compiler):
    columns = 32768
    layers = [cr.Input(columns), cr.Dense(4, activation="relu"), cr.Dense(2)]
    net = cr.Sequential(layers, seed=0)
    weight = np.full((columns, 4), 1e-3)
    weight[:, 1] *= -1
    weight[:, 2] = 0
    weight[:, 3] = 1e-30
    bias = np.array([1e3, -1e3, 0.0, 1.0])
    net.set_weights([weight, bias, np.array([[1.0, -1], [1, 1], [1, 1], [1, 1]]), np.zeros(2)])
    x = np.stack([np.full(columns, v, np.float32) for v in (1.0, -1.0, 0.0)])
    cr.export_c(net, tmp_path, dtype="int8", calibration=x)
    done = self_test(compiler, tmp_path, "model", *SANITIZED)
    assert done.returncode == 0, done.stdout + done.stderr
    y = outputs(load(compiler, tmp_path, "model"), "model", net, x)
    assert difference(y, net.predict(x)) < 0.01


def test_too_many_inputs_stay_in_float(tmp_path):
    net = cr.Sequential([cr.Input(32769), cr.Dense(4, activation="relu"), cr.Dense(2)], seed=0)
    result = cr.export_c(net, tmp_path, dtype="int8", calibration=np.ones((2, 32769)))
    assert result.in_float == ("layer 0 (dense): more than 32,768 inputs", "layer 0 (relu)")


@pytest.mark.parametrize(
    ("layers", "x", "text"),
    [
        ([cr.Activation("relu")], np.ones((2, 3)), "it has no dense layer to quantize"),
        ([cr.Dense(2)], np.ones((2, 4)), "4 columns; the network expects 3"),
        (
            [cr.Rescaling(1e30), cr.Dense(2)],
            np.full((2, 3), 1e30),
            "calibration: what enters layer 1 is not finite",
        ),
    ],
)
def test_bad_calibration(tmp_path, layers, x, text):
    net = cr.Sequential([cr.Input(3), *layers], seed=0)
    with pytest.raises(ValueError, match=text):
        cr.export_c(net, tmp_path / "out", dtype="int8", calibration=x)
    assert not (tmp_path / "out").exists()


def accuracy(outputs, y):
    return 100 * float((outputs.argmax(axis=1) == y).mean())


@needs_compiler
@each_compiler
def test_digits(tmp_path, compiler):
    x, y = cr.data.load_digits()
    x, x_test, y, y_test = cr.data.train_test_split(x, y, test_size=0.3, stratify=True)
    layers = [cr.Rescaling(1 / 16), cr.Dense(48, activation="relu"), cr.Dense(10)]
    net = cr.Sequential(layers, seed=0)
    net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(3e-3), epochs=20, verbose=0)
    result = cr.export_c(
        net, tmp_path, dtype="int8", calibration=x, validation_data=(x_test, y_test)
    )
    compiled = outputs(load(compiler, tmp_path, "model"), "model", net, x_test)
    assert accuracy(compiled, y_test) == pytest.approx(100 * result.after["accuracy"])
    assert accuracy(net.predict(x_test), y_test) == pytest.approx(100 * result.before["accuracy"])
    assert accuracy(net.predict(x_test), y_test) > 95
    assert accuracy(compiled, y_test) >= accuracy(net.predict(x_test), y_test) - 0.4
    assert undefined_symbols(compiler, tmp_path, "model") == set()
    assert result.weight_bytes <= object_bytes(compiler, tmp_path, "model") < 5000


@pytest.fixture(scope="module")
def of_mnist(tmp_path_factory, mnist):
    """Return a network that learned handwritten digits, and the folder of its exports."""
    (x, y), (x_test, _) = mnist
    layers = [cr.Rescaling(1 / 255), cr.Dense(128, activation="relu"), cr.Dense(10)]
    net = cr.Sequential(layers, seed=0)
    net.fit(x, y, loss="cross_entropy", epochs=2, batch_size=128, verbose=0)
    folder = tmp_path_factory.mktemp("mnist")
    cr.export_c(net, folder / "floats", name="floats", test_rows=x_test)
    cr.export_c(net, folder / "bytes", name="bytes", dtype="int8", calibration=x)
    return net, folder


@pytest.mark.mnist
@needs_compiler
@each_compiler
def test_mnist(of_mnist, compiler, mnist):
    _, (x_test, y_test) = mnist
    net, folder = of_mnist
    expected = net.predict(x_test)
    assert accuracy(expected, y_test) > 95

    floats = folder / "floats"
    assert self_test(compiler, floats, "floats").returncode == 0
    compiled = outputs(load(compiler, floats, "floats"), "floats", net, x_test)
    assert difference(compiled, expected) <= 1e-5

    whole = folder / "bytes"
    assert self_test(compiler, whole, "bytes").returncode == 0
    compiled = outputs(load(compiler, whole, "bytes"), "bytes", net, x_test)
    assert accuracy(compiled, y_test) >= accuracy(expected, y_test) - 0.3
    assert object_bytes(compiler, whole, "bytes") <= 110_000
    assert undefined_symbols(compiler, whole, "bytes") == set()


def test_embeddings_and_parametric_activations_stay_in_float(tmp_path, rng):
    layers = [cr.Input(4), cr.PeriodicEmbedding(), cr.Dense(20), cr.ParametricActivation("relu")]
    net = cr.Sequential([*layers, cr.Dense(3)], seed=0)
    net.set_weights({"2.alpha": rng.normal(size=20)})
    x = rng.normal(size=(300, 4)).astype(np.float32)
    report = cr.export_c(net, tmp_path, dtype="int8", calibration=x)
    assert any("periodic" in line for line in report.in_float)
    assert any("mix" in line for line in report.in_float)


def test_rows_of_several_inputs_are_a_list_or_a_mapping(tmp_path, rng):
    a, b = cr.Input(4, name="a"), cr.Input(3, name="b")
    net = cr.Network([a, b], cr.Dense(2)(cr.Concatenate()([a, b])), seed=0)
    x = [rng.normal(size=(30, n)).astype(np.float32) for n in (4, 3)]
    written = []
    for name, rows in {"list": x, "mapping": {"b": x[1], "a": x[0]}}.items():
        cr.export_c(net, tmp_path / name, dtype="int8", calibration=rows, test_rows=rows)
        written.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert written[0] == written[1]


@pytest.mark.parametrize("argument", ["calibration", "test_rows"])
def test_an_error_names_the_argument_of_rows(tmp_path, argument):
    one = cr.Sequential([cr.Input(2), cr.Dense(1)])
    with pytest.raises(ValueError, match=f"^{argument}: x has 5 columns"):
        cr.export_c(one, tmp_path, **{argument: np.zeros((3, 5))})
    a, b = cr.Input(4, name="a"), cr.Input(3, name="b")
    two = cr.Network([a, b], cr.Dense(2)(cr.Concatenate()([a, b])), seed=0)
    with pytest.raises(TypeError, match=f"^{argument}: .*list or a mapping of a, b, got n"):
        cr.export_c(two, tmp_path, **{argument: np.zeros((3, 7))})
    with pytest.raises(TypeError, match=rf"^{argument}: .*got the keys \['a'\]"):
        cr.export_c(two, tmp_path, **{argument: {"a": np.zeros((3, 4))}})
    assert not [*tmp_path.iterdir()]
