# SPDX-License-Identifier: Apache-2.0
"""Convolutions and recurrent layers as C agree with the library, for each of their options."""

from __future__ import annotations

import ctypes
import itertools
import re
from functools import partial

import numpy as np
import pytest
from compiled_c import (
    SANITIZED,
    build,
    difference,
    each_compiler,
    load,
    needs_compiler,
    outputs,
    self_test,
)
from compiled_together import Together
from recurrent_networks import KINDS, TIME, chain, shaken, states

import chainrule as cr

IMAGE, SEQUENCE = (7, 8, 3), (TIME, 3)
CONVOLUTIONS = [
    *((IMAGE, cr.Conv2D(4, (3, 2), padding=padding)) for padding in ("valid", "same")),
    *((IMAGE, cr.Conv2D(5, 3, (2, 3), padding)) for padding in ("valid", "same")),
    *((IMAGE, cr.Conv2D(4, (2, 3), (1, 2), padding, (3, 2))) for padding in ("valid", "same")),
    (IMAGE, cr.Conv2D(4, 3, 3, "same", 2, "softmax")),
    (IMAGE, cr.Conv2D(2, (7, 9), padding="same", use_bias=False)),
    (IMAGE, cr.Conv2D(1, 1, 3, activation="tanh")),
    ((5, 6, 1), cr.Conv2D(9, (5, 6))),
    *((IMAGE, cr.Conv2DTranspose(4, (3, 2), padding=p)) for p in ("valid", "same")),
    *((IMAGE, cr.Conv2DTranspose(5, 3, (2, 1), p)) for p in ("valid", "same")),
    *((IMAGE, cr.Conv2DTranspose(4, (2, 3), (1, 3), p, (3, 2))) for p in ("valid", "same")),
    (IMAGE, cr.Conv2DTranspose(4, 2, 3, "same", 1, "softmax")),
    (IMAGE, cr.Conv2DTranspose(2, (7, 9), padding="same", use_bias=False)),
    (IMAGE, cr.Conv2DTranspose(1, 1, 3, activation="tanh")),
    *((IMAGE, cr.DepthwiseConv2D((3, 2), padding=p)) for p in ("valid", "same")),
    *((IMAGE, cr.DepthwiseConv2D(3, (2, 3), p)) for p in ("valid", "same")),
    *((IMAGE, cr.DepthwiseConv2D((2, 3), (1, 2), p, (3, 2))) for p in ("valid", "same")),
    (IMAGE, cr.DepthwiseConv2D(3, 3, "same", 2, "softmax")),
    (IMAGE, cr.DepthwiseConv2D((7, 9), padding="same", use_bias=False)),
    *((SEQUENCE, cr.Conv1D(4, 3, padding=p)) for p in ("valid", "same", "causal")),
    *((SEQUENCE, cr.Conv1D(4, 2, 2, p, 3, "relu")) for p in ("valid", "same", "causal")),
    (SEQUENCE, cr.Conv1D(4, 20, padding="causal", use_bias=False)),
    *((IMAGE, cr.DepthwiseConv2D((3, 2), 2, p, depth_multiplier=3)) for p in ("valid", "same")),
    *((SEQUENCE, cr.DepthwiseConv1D(3, padding=p)) for p in ("valid", "same", "causal")),
    (SEQUENCE, cr.DepthwiseConv1D(2, 2, "same", 3, "relu", depth_multiplier=2)),
    (SEQUENCE, cr.DepthwiseConv1D(20, padding="causal", use_bias=False, depth_multiplier=3)),
    *((SEQUENCE, cr.Conv1DTranspose(4, 3, 2, p, 1, "tanh")) for p in ("valid", "same")),
    (SEQUENCE, cr.Conv1DTranspose(5, 2, 3, dilation=2, use_bias=False)),
]
BITS = list(itertools.product((False, True), repeat=3))
RECURRENT = [
    KINDS[kind](5, return_sequences=sequences, go_backwards=backwards, use_bias=bias)
    for kind in KINDS
    for sequences, backwards, bias in BITS
]
RECURRENT += [
    cr.SimpleRNN(4, activation, return_sequences=True)
    for activation in ("linear", "relu", "softmax", cr.activations.Elu(0.3))
]


def option(shape, layer, rng):
    """Return a network with a layer, and rows for it."""
    net = shaken(chain(cr.Dense(3, "tanh"), layer, cr.Dense(2), shape=shape, dtype="float32"), rng)
    return net, [rng.normal(size=(9, *shape))]


def random_layers(rng):
    """Return the shape of rows and layers for them."""
    filters = int(rng.integers(1, 9))
    activation = ("relu", "tanh", "linear", "gelu")[rng.integers(4)]
    padding = ("valid", "same", "causal")[rng.integers(3)]
    kernel, dilation = (int(n) for n in rng.integers(1, 4, size=2))
    if rng.random() < 0.4:
        strides, given = int(rng.integers(1, 3)), {"dilation": dilation, "padding": "same"}
        firsts = [
            cr.Conv2D(filters, (kernel, 2), **given),
            cr.Conv2DTranspose(filters, (kernel, 2), **given),
            cr.DepthwiseConv2D((kernel, 2), **given),
        ]
        # A Dense layer that sums over the many positions of the second would round by more.
        seconds = [
            [cr.Conv2D(6, 3, strides, activation=activation), cr.Flatten()],
            [cr.Conv2DTranspose(6, 3, strides, activation=activation), cr.GlobalMaxPooling()],
            [cr.DepthwiseConv2D(3, strides, activation=activation), cr.Flatten()],
        ]
        return (*rng.integers(8, 12, size=2).tolist(), int(rng.integers(1, 4))), [
            cr.Rescaling(0.5),
            firsts[rng.integers(3)],
            cr.BatchNormalization(epsilon=0.1),
            cr.Activation(activation),
            cr.MaxPooling(2),
            *seconds[rng.integers(3)],
            cr.Dense(4),
        ]
    kinds = [KINDS[name] for name in rng.permutation([*KINDS])]
    return (int(rng.integers(9, 20)), int(rng.integers(1, 4))), [
        cr.Conv1D(filters, kernel, int(rng.integers(1, 3)), padding, dilation, activation),
        cr.Bidirectional(kinds[0](int(rng.integers(1, 9)), return_sequences=True)),
        cr.LayerNormalization(),
        kinds[1](int(rng.integers(1, 9)), return_sequences=True),
        cr.Dense(3, activation=activation),
        cr.Bidirectional(kinds[2](4)),
        cr.Dense(2),
    ]


def random_network(seed, _):
    rng = np.random.default_rng(seed)
    shape, layers = random_layers(rng)
    net = shaken(chain(*layers, shape=shape, seed=seed, dtype="float32"), rng)
    return net, [rng.normal(size=(20, *shape))]


def of_different_length(kind, sequences, backwards, rng):
    steps, length = cr.Input(SEQUENCE, name="steps"), cr.Input(1, name="length")
    layer = KINDS[kind](4, return_sequences=sequences, go_backwards=bool(backwards))
    net = shaken(cr.Network([steps, length], layer([steps, length]), seed=1), rng)
    return net, [rng.normal(size=(TIME, *SEQUENCE)), np.arange(1, TIME + 1)[:, None]]


def from_states(kind, lengths, backwards, rng):
    inputs = [cr.Input(SEQUENCE, name="steps"), *[cr.Input(1, name="length")] * lengths]
    first = [cr.Input(4, name=name) for name in ("h", "c")[: 1 + (kind == "lstm")]]
    layer = KINDS[kind](4, return_sequences=True, go_backwards=bool(backwards))
    made = cr.Dense(2)(layer(inputs, initial_state=first))
    net = shaken(cr.Network([*inputs, *first], made, seed=1), rng)
    x = [rng.normal(size=(TIME, *SEQUENCE)), *[np.arange(1, TIME + 1)[:, None]] * lengths]
    return net, [*x, *rng.normal(size=(len(first), TIME, 4))]


def decoder(kind, lengths, sequences, rng):
    inputs = [cr.Input(SEQUENCE, name="steps"), *[cr.Input(1, name="length")] * lengths]
    target = cr.Input((5, 2), name="target")
    options = {"return_sequences": bool(sequences), "go_backwards": lengths}
    steps, *state = KINDS[kind](4, return_state=True, **options)(inputs)
    decoded = KINDS[kind](4, return_sequences=True)(target, initial_state=state)
    both = [cr.Flatten()(decoded), cr.Position(2)(steps) if sequences else steps]
    net = shaken(cr.Network([*inputs, target], cr.Concatenate()(both), seed=1), rng)
    x = [rng.normal(size=(TIME, *SEQUENCE)), *[np.arange(1, TIME + 1)[:, None]] * lengths]
    return net, [*x, rng.normal(size=(TIME, 5, 2))]


def scaled(layers, shape, rng):
    net = shaken(chain(cr.Rescaling(1 / 255), *layers, shape=shape, dtype="float32"), rng)
    return net, [rng.integers(0, 256, size=(9, *shape))]


TWO = [*itertools.product(KINDS, (False, True), (0, 1))]
NORMALIZED = [cr.BatchNormalization(), cr.Activation("relu")]
CASES = {
    option: [*CONVOLUTIONS, *((SEQUENCE, layer) for layer in RECURRENT)],
    random_network: [(seed,) for seed in range(12)],
    of_different_length: TWO,
    from_states: TWO,
    decoder: TWO,
    scaled: [
        ([cr.Scale(), cr.Conv2D(4, 3, padding="same"), *NORMALIZED], IMAGE),
        ([cr.Scale(), cr.Conv2DTranspose(4, 3, 2, "same"), *NORMALIZED], IMAGE),
        ([cr.Scale(), cr.DepthwiseConv2D(3, padding="same"), *NORMALIZED], IMAGE),
        ([cr.LSTM(4), cr.BatchNormalization()], SEQUENCE),
    ],
}


def each_of(make):
    """Parametrize a test by the names of a function's networks."""
    names = [f"{make.__name__}_{i}" for i in range(len(CASES[make]))]
    ids = ["-".join(map(str, case)) for case in CASES[make]]
    return pytest.mark.parametrize("name", names, ids=ids)


def exported(make, folder, name):
    """Export a network; return it, its rows and what the export reports."""
    net, x = make(np.random.default_rng(20240607))
    x = [each.astype(np.float32) for each in x]
    given = {"test_rows": x[0]} if len(x) == 1 else {}
    return net, x, cr.export_c(net, folder, name=name, **given)


def compiled(folder, *makes):
    """Return the networks of functions as C, made once and compiled together."""
    cases = [(make, i, case) for make in makes for i, case in enumerate(CASES[make])]
    exports = {
        f"{make.__name__}_{i}": partial(exported, partial(make, *case)) for make, i, case in cases
    }
    return Together(folder, exports)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return what each compiler takes."""
    folder = tmp_path_factory.mktemp("together")
    return compiled(folder, option, of_different_length, from_states, decoder)


@pytest.fixture(scope="module")
def by_gcc(tmp_path_factory):
    """Return what GCC alone takes."""
    return compiled(tmp_path_factory.mktemp("by_gcc"), random_network, scaled)


def check(together, compiler, name):
    """Hold the C code against `predict` on rows, in a self-test with checks and as a library."""
    net, x, result = together[name]
    done = together.self_test(compiler, name, *SANITIZED)
    assert done.returncode == 0, done.stdout + done.stderr
    y = np.full((len(x[0]), net.outputs), np.nan, np.float32)
    call = together.library(compiler)[f"{name}_predict"]
    scratch = ctypes.create_string_buffer(1 << 20)
    for arrays in zip(*x, y, strict=True):
        call(*(a.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for a in arrays), scratch)
    if len(x) == 1:
        assert result.largest_difference <= 1e-6
    assert difference(y, net.predict(x if len(x) > 1 else x[0]).reshape(len(y), -1)) <= 1e-5
    return net, x, y


@needs_compiler
@each_compiler
@each_of(option)
def test_each_option(together, compiler, name) -> None:
    check(together, compiler, name)


@needs_compiler
@each_of(random_network)
def test_random_networks(by_gcc, name) -> None:
    check(by_gcc, "gcc", name)


@needs_compiler
@each_compiler
@each_of(of_different_length)
def test_rows_of_different_length(together, compiler, name) -> None:
    net, (x, lengths), y = check(together, compiler, name)
    layer = net.layers[-1]
    parameters = {name.split(".")[1]: p.astype(float) for name, p in net.parameters.items()}
    for row, n, found in zip(x.astype(float), lengths[:, 0], y, strict=True):
        every, last = states(layer.kind, parameters, row, layer.go_backwards, int(n))
        expected = every if layer.return_sequences else last
        np.testing.assert_allclose(found, expected.ravel(), atol=1e-6)


@needs_compiler
@each_compiler
@each_of(from_states)
def test_states_to_begin_with(together, compiler, name) -> None:
    check(together, compiler, name)


@needs_compiler
@each_compiler
@each_of(decoder)
def test_a_decoder_begins_with_final_states(together, compiler, name) -> None:
    check(together, compiler, name)


@needs_compiler
@pytest.mark.parametrize(
    ("index", "calls"),
    [
        (0, ["convolution", "relu"]),
        (1, ["transposed_convolution", "relu"]),
        (2, ["depthwise_convolution", "relu"]),
        (3, ["zeros", "lstm", "affine"]),
    ],
)
def test_scalings_vanish_in_the_weights(by_gcc, index, calls) -> None:
    name = f"scaled_{index}"
    _, _, result = by_gcc[name]
    _, body = result.files[1].read_text().split(f"void {name}_predict(")
    assert re.findall(rf"^ +{name}_local_(\w+)\(", body, re.MULTILINE) == calls
    check(by_gcc, "gcc", name)


@needs_compiler
def test_work_is_part_of_the_scratch(tmp_path) -> None:
    layers = [cr.GRU(5, return_sequences=True), cr.LSTM(6), cr.Dense(2)]
    result = cr.export_c(chain(*layers, dtype="float32"), tmp_path)
    assert result.scratch_bytes == 4 * (5 * TIME + 6 + max((1 + 6) * 5, (2 + 4) * 6))
    (tmp_path / "size.c").write_text(
        '#include "model.h"\n'
        "typedef char equal[sizeof(model_scratch) == MODEL_SCRATCH_BYTES ? 1 : -1];\n"
    )
    build("gcc", tmp_path / "size.o", "-c", tmp_path / "size.c")


@needs_compiler
def test_dense_layers_beside_them_are_int8(tmp_path, rng) -> None:
    layers = [cr.Conv1D(4, 3, activation="relu"), cr.GRU(6, return_sequences=True)]
    net = shaken(chain(*layers, cr.Dense(8, "relu"), cr.Dense(2), dtype="float32"), rng)
    x = rng.normal(size=(300, *SEQUENCE)).astype(np.float32)
    result = cr.export_c(net, tmp_path, dtype="int8", calibration=x)
    assert result.in_float == (
        "layer conv1d (convolution)",
        "layer conv1d (relu)",
        "layer gru (gru)",
    )
    assert self_test("gcc", tmp_path, "model", *SANITIZED).returncode == 0
    y = outputs(load("gcc", tmp_path, "model"), "model", net, x)
    assert difference(y, net.predict(x).reshape(len(x), -1)) <= 0.05
