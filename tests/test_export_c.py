# SPDX-License-Identifier: Apache-2.0
"""Networks as C: what compilers make of them agrees with the library and with plain NumPy."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import partial

import numpy as np
import pytest
import reference
from compiled_c import (
    build,
    difference,
    each_compiler,
    load,
    needs_compiler,
    outputs,
    self_test,
    undefined_symbols,
)
from compiled_together import Together
from shaken_weights import shaken

import chainrule as cr

ACTIVATIONS = [
    "linear",
    "relu",
    cr.activations.LeakyRelu(0.2),
    cr.activations.LeakyRelu(0.0),
    cr.activations.Elu(0.7),
    "gelu",
    "gelu_tanh",
    "silu",
    "sigmoid",
    "tanh",
    "softplus",
    "selu",
    "mish",
    cr.activations.HardSigmoid(0.3, 0.4),
    "hard_swish",
    "relu6",
    "softsign",
    "softmax",
]


def random_network(seed):
    rng = np.random.default_rng(seed)
    layers = [cr.Input(int(rng.integers(1, 20)))]
    if rng.random() < 0.5:
        layers.append(cr.Normalization() if rng.random() < 0.5 else cr.Rescaling(0.3, offset=-1.0))
    for _ in range(rng.integers(1, 5)):
        activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
        choices = [
            cr.Dense(int(rng.integers(1, 24)), activation=activation, use_bias=rng.random() < 0.8),
            cr.Activation(activation),
            cr.BatchNormalization(epsilon=0.1, scale=bool(rng.random() < 0.5)),
            cr.LayerNormalization(center=bool(rng.random() < 0.5)),
            cr.Dropout(0.3),
            cr.PReLU(),
            cr.Rescaling(1.5, offset=float(rng.integers(2))),
        ]
        layers += [choices[0], choices[rng.integers(len(choices))]]
    return shaken(cr.Sequential(layers, seed=seed), seed)


def random_rows(seed, rng):
    """Return a random network and rows for it."""
    net = random_network(seed)
    return net, rng.normal(size=(50, net.inputs)).astype(np.float32)


def of_all_activations(rng):
    layers = [cr.Dense(9, activation=activation) for activation in ACTIVATIONS]
    net = shaken(cr.Sequential([cr.Input(4), *layers, cr.Dense(3)], seed=0))
    return net, 5 * rng.normal(size=(200, 4)).astype(np.float32)


def of_one_activation(activation, _):
    net = cr.Sequential([cr.Input(4), cr.Activation(activation)], seed=0)
    return net, np.linspace(-100, 100, 40_000, dtype=np.float32).reshape(-1, 4)


def scaled(rng):
    layers = [cr.Input(3), cr.Rescaling(1 / 255), cr.Dense(4), cr.BatchNormalization(epsilon=0.1)]
    layers += [cr.Activation("relu"), cr.Dense(2), cr.Rescaling(3.0, offset=1.0)]
    net = shaken(cr.Sequential(layers, seed=0))
    return net, rng.integers(0, 256, size=(50, 3)).astype(np.float32)


def shifted(rng):
    layers = [cr.Input(3), cr.Rescaling(2.0, offset=3.0), cr.Normalization(), cr.Dropout(0.1)]
    net = shaken(cr.Sequential([*layers, cr.Dense(4)], seed=0))
    return net, rng.normal(size=(50, 3)).astype(np.float32)


def doing_nothing(rng):
    net = cr.Sequential([cr.Input(3), cr.Dropout(0.5), cr.Activation("linear")], seed=0)
    return net, rng.normal(size=(5, 3)).astype(np.float32)


LINKS = [
    ("cross_entropy", "linear", "labels"),
    ("cross_entropy", "softmax", "labels"),
    ("binary_cross_entropy", "linear", "zeros and ones"),
    ("binary_cross_entropy", "sigmoid", "zeros and ones"),
    ("poisson", "linear", "zeros and ones"),
]


def linked(loss, last, y, folder, name):
    """Export a network that has learned, whose loss has a link."""
    x = np.random.default_rng(20240607).normal(size=(60, 5)).astype(np.float32)
    targets = (x[:, :3] > 0).astype(np.float32) if y == "zeros and ones" else x[:, :3].argmax(1)
    net = cr.Sequential([cr.Dense(3, activation=last)], seed=0)
    net.fit(x, targets, loss=loss, epochs=3, verbose=0)
    return net, x, cr.export_c(net, folder, name=name, validation_data=(x, targets))


def exported(make, with_rows, folder, name):
    """Export a network; return it, its rows, and what is reported."""
    net, x = make(np.random.default_rng(20240607))
    given = {"test_rows": x} if with_rows else {}
    return net, x, cr.export_c(net, folder, name=name, **given)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return networks as C, made once and compiled together."""
    made = {f"random_{seed}": (partial(random_rows, seed), True) for seed in range(6)}
    made |= {make.__name__: (make, True) for make in (of_all_activations, scaled, shifted)}
    made["doing_nothing"] = doing_nothing, False
    for i, activation in enumerate(ACTIVATIONS[:-1]):
        made[f"activation_{i}"] = partial(of_one_activation, activation), False
    exports = {name: partial(exported, *each) for name, each in made.items()}
    exports |= {f"link_{i}": partial(linked, *link) for i, link in enumerate(LINKS)}
    return Together(tmp_path_factory.mktemp("together"), exports)


def check(together, compiler, name, tolerance=1e-5):
    net, x, _ = together[name]
    done = together.self_test(compiler, name)
    assert done.returncode == 0, done.stdout + done.stderr
    y = outputs(together.library(compiler), name, net, x)
    assert difference(y, net.predict(x)) <= tolerance
    if "Dropout" not in repr(net):
        assert difference(y, reference.Network(net).forward(x, training=False)) <= tolerance


@needs_compiler
@each_compiler
def test_all_activations(together, compiler):
    check(together, compiler, "of_all_activations")


@needs_compiler
@each_compiler
@pytest.mark.parametrize("index", range(len(ACTIVATIONS) - 1), ids=map(str, ACTIVATIONS[:-1]))
def test_each_activation(together, compiler, index):
    net, x, _ = together[f"activation_{index}"]
    y = outputs(together.library(compiler), f"activation_{index}", net, x)
    np.testing.assert_allclose(y, reference.Network(net).forward(x, training=False), 1e-6, 2e-7)


def test_every_activation_is_among_them():
    kinds = {cr.activations.get(activation).config["kind"] for activation in ACTIVATIONS}
    assert kinds == set(cr._core.Activation.kinds())


@needs_compiler
@each_compiler
@pytest.mark.parametrize("seed", range(6))
def test_random_architectures(together, compiler, seed):
    check(together, compiler, f"random_{seed}")


@needs_compiler
@each_compiler
def test_digits(tmp_path, compiler):
    x, y = cr.data.load_digits()
    net = cr.Sequential(
        [cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0
    )
    net.fit(x, y, loss="cross_entropy", epochs=3, verbose=0)
    result = cr.export_c(net, tmp_path, name="digits", validation_data=(x, y))
    assert self_test(compiler, tmp_path, "digits").returncode == 0
    library = load(compiler, tmp_path, "digits")
    assert difference(outputs(library, "digits", net, x), net.predict(x)) <= 1e-5
    probabilities = outputs(library, "digits", net, x, "predict_proba")
    assert difference(probabilities, net.predict_proba(x)) <= 1e-6
    assert undefined_symbols(compiler, tmp_path, "digits") == set()
    assert result.weight_bytes == 4 * (64 * 32 + 32 + 32 * 10 + 10)
    assert result.scratch_bytes == 4 * 32
    assert result.before == pytest.approx(net.evaluate(x, y))
    assert result.after == pytest.approx(result.before, rel=1e-5)
    assert "digits: a neural network, 64 -> 32 -> 10." in result.files[0].read_text()
    assert str(result).splitlines()[1] == "constants  9,640 bytes"


@needs_compiler
@each_compiler
@pytest.mark.parametrize(("activation", "symbol"), [("tanh", "tanhf"), ("sigmoid", None)])
def test_other_networks_need_only_the_mathematics(tmp_path, compiler, activation, symbol):
    layers = [cr.Input(3), cr.Dense(4, activation=activation), cr.LayerNormalization()]
    cr.export_c(cr.Sequential(layers, seed=0), tmp_path)
    assert undefined_symbols(compiler, tmp_path, "model") == {"sqrtf", symbol} - {None}


@needs_compiler
@each_compiler
@pytest.mark.parametrize("index", range(len(LINKS)), ids=map("-".join, LINKS))
def test_links(together, compiler, index):
    name = f"link_{index}"
    net, x, result = together[name]
    assert together.self_test(compiler, name).returncode == 0
    y = outputs(together.library(compiler), name, net, x, "predict_proba")
    assert difference(y, net.predict_proba(x)) <= 1e-6
    assert result.after == pytest.approx(result.before, rel=1e-5)
    assert len(result.before) == (1 if LINKS[index][0] == "poisson" else 2)


@pytest.mark.parametrize("loss", ["mse", None])
def test_no_link_no_probabilities(tmp_path, rng, loss):
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    if loss:
        net.compile(loss=loss)
    cr.export_c(net, tmp_path)
    assert not any("proba" in path.read_text() for path in tmp_path.iterdir())


@needs_compiler
@each_compiler
def test_a_network_that_does_nothing(together, compiler):
    net, x, _ = together["doing_nothing"]
    assert together.self_test(compiler, "doing_nothing").returncode == 0
    y = outputs(together.library(compiler), "doing_nothing", net, x)
    np.testing.assert_array_equal(y, x)


def calls(result, name):
    """Return the functions that NAME_predict calls."""
    text = result.files[1].read_text()
    body = re.search(rf"void {name}_predict\(.*?\{{\n(.*?)^}}", text, re.DOTALL | re.MULTILINE)[1]
    return re.findall(rf"^  {name}_local_(\w+)\(", body, re.MULTILINE)


@needs_compiler
@each_compiler
def test_scalings_vanish_in_the_weights(together, compiler):
    check(together, compiler, "scaled")
    assert calls(together["scaled"][2], "scaled") == ["dense", "relu", "dense"]


@needs_compiler
@each_compiler
def test_shifts_before_a_layer_do_not(together, compiler):
    check(together, compiler, "shifted")
    assert calls(together["shifted"][2], "shifted") == ["affine", "dense"]


@needs_compiler
@each_compiler
def test_the_self_test_fails_where_it_should(tmp_path, compiler):
    net = shaken(cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0))
    net.compile(loss="cross_entropy")
    cr.export_c(net, tmp_path)
    text = (tmp_path / "model.c").read_text()
    assert self_test(compiler, tmp_path, "model").returncode == 0
    for wrong in ("y[j] = sum + 0.001f;", "y[j] = sum * (0.0f / 0.0f);"):
        (tmp_path / "model.c").write_text(text.replace("y[j] = sum;", wrong))
        done = self_test(compiler, tmp_path, "model")
        assert done.returncode == 1
        assert "FAILED" in done.stdout


@needs_compiler
@each_compiler
@pytest.mark.parametrize("units", [(), (7, 5, 6)])
def test_scratch_has_the_size_that_the_header_names(tmp_path, compiler, units):
    layers = [cr.Input(3), *(cr.Dense(n, activation="relu") for n in units), cr.Dense(2)]
    result = cr.export_c(cr.Sequential(layers, seed=0), tmp_path)
    assert result.scratch_bytes == (4 * (7 + 5) if units else 1)
    (tmp_path / "size.c").write_text(
        '#include "model.h"\n'
        "typedef char equal[sizeof(model_scratch) == MODEL_SCRATCH_BYTES ? 1 : -1];\n"
        f"typedef char reported[MODEL_SCRATCH_BYTES == {result.scratch_bytes} ? 1 : -1];\n"
    )
    build(compiler, tmp_path / "size.o", "-c", tmp_path / "size.c")


def test_the_header_from_cpp(tmp_path):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if not compiler or not shutil.which("gcc"):
        pytest.skip("needs gcc and a C++ compiler")
    cr.export_c(cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0), tmp_path)
    build("gcc", tmp_path / "model.o", "-c", tmp_path / "model.c")
    (tmp_path / "main.cpp").write_text(
        '#include "model.h"\n#include "model.h"\n'
        "int main() {\n  const float x[MODEL_INPUTS] = {1, 2, 3};\n  float y[MODEL_OUTPUTS];\n"
        "  model_scratch scratch;\n  model_predict(x, y, &scratch);\n  return 0;\n}\n"
    )
    flags = ["-std=c++98", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    command = [compiler, *flags, "main.cpp", "model.o", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run(["./main"], cwd=tmp_path, check=True)


def test_float64_networks_are_rounded(tmp_path):
    net = shaken(cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0, dtype="float64"))
    assert cr.export_c(net, tmp_path).largest_difference < 1e-6


def test_existing_files_are_replaced(tmp_path):
    for units in (2, 5):
        net = cr.Sequential([cr.Input(3), cr.Dense(units)], seed=0)
        result = cr.export_c(net, tmp_path / "deep" / "er", name="net")
        assert f"NET_OUTPUTS {units}\n" in result.files[0].read_text()
    names = sorted(path.name for path in (tmp_path / "deep" / "er").iterdir())
    assert names == ["net.c", "net.h", "net_test.c"]


@pytest.mark.parametrize("name", ["", "2d", "a-b", "a b", "_x", "ä", "x.c", "../x"])
def test_bad_names(tmp_path, name):
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    with pytest.raises(ValueError, match="name must be letters, digits and underscores"):
        cr.export_c(net, tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"name": 3}, TypeError, "name must be a string, got 3"),
        ({"name": "Math"}, ValueError, "'Math' is that of a header of the C library, math.h"),
        ({"dtype": "int4"}, ValueError, "unknown dtype 'int4'; did you mean 'int8'?"),
        ({"dtype": "int8"}, ValueError, "calibration: int8 needs rows of data"),
        ({"test_rows": np.zeros((4, 2))}, ValueError, "2 columns; the network expects 3"),
        ({"test_rows": np.full((4, 3), np.nan)}, ValueError, "row 0, column 0"),
        ({"validation_data": np.zeros((4, 3))}, TypeError, r"must be \(x, y\)"),
    ],
)
def test_bad_arguments(tmp_path, arguments, error, text):
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    net.compile(loss="mse")
    with pytest.raises(error, match=text):
        cr.export_c(net, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_all_reasons_are_listed(tmp_path):
    net = cr.Sequential([cr.Input(3), cr.Dense(2), cr.Dense(2)], seed=0, dtype="float64")
    net.set_weights({"0.weight": np.full((3, 2), 1e300), "1.bias": np.full(2, 1e39)})
    text = (
        r"cannot be exported to C: layer 0 \(dense\): weight beyond the range of float; "
        r"layer 1 \(dense\): bias beyond the range of float$"
    )
    with pytest.raises(ValueError, match=text):
        cr.export_c(net, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_scaling_can_exceed_the_range(tmp_path):
    net = cr.Sequential([cr.Input(1), cr.Dense(1), cr.Rescaling(1e30)], seed=0)
    net.set_weights([np.full((1, 1), 1e30), np.zeros(1)])
    with pytest.raises(ValueError, match=r"layer 0 \(dense\) together with its neighbouring"):
        cr.export_c(net, tmp_path / "out")


def test_outputs_have_to_be_finite(tmp_path):
    net = cr.Sequential([cr.Input(1), cr.Dense(1)], seed=0)
    net.set_weights([np.full((1, 1), 1e30), np.zeros(1)])
    with pytest.raises(ValueError, match="test_rows: the network's outputs for row 1 are not f"):
        cr.export_c(net, tmp_path / "out", test_rows=[[0.0], [1e30]])


def test_columns_have_to_be_known(tmp_path):
    with pytest.raises(RuntimeError, match="number of inputs is not known"):
        cr.export_c(cr.Sequential([cr.Dense(1)]), tmp_path / "out")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(NotADirectoryError, match="out"):
        cr.export_c(cr.Sequential([cr.Input(3), cr.Dense(2)]), tmp_path / "out")
