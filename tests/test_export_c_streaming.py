# SPDX-License-Identifier: Apache-2.0
"""Sequences frame by frame as C: what a step gives is what `predict` gives at its position."""

from __future__ import annotations

import ctypes
import itertools
from functools import partial

import numpy as np
import pytest
from compiled_c import (
    SANITIZED,
    build,
    difference,
    each_compiler,
    needs_compiler,
    outputs,
    self_test,
)
from compiled_together import Together
from recurrent_networks import KINDS, chain, shaken

import chainrule as cr

TIME, FEATURES = 23, 3
FLOATS = ctypes.POINTER(ctypes.c_float)


class Steps:
    """A state of the compiled code and what goes through it."""

    def __init__(self, library, name, outputs):
        self._reset, self._step = library[f"{name}_reset"], library[f"{name}_step"]
        self.outputs = outputs
        # Nothing but `reset` gives it a first value.
        self.state = ctypes.create_string_buffer(b"\xff" * 65536)
        self.reset()

    def reset(self):
        """Begin a sequence."""
        self._reset(self.state)

    def __call__(self, *frames):
        """Return what is given for a frame of each input."""
        frames = [np.ascontiguousarray(frame, dtype=np.float32) for frame in frames]
        y = np.full(self.outputs, np.nan, np.float32)
        places = (a.ctypes.data_as(FLOATS) for a in (*frames, y))
        self._step(self.state, *places)
        return y


SEQUENCES = {"return_sequences": True}
LAYERS = [
    *(KINDS[kind](5, use_bias=bias, **SEQUENCES) for kind in KINDS for bias in (False, True)),
    *(KINDS[kind](5) for kind in KINDS),
    *(cr.SimpleRNN(4, f, **SEQUENCES) for f in ("relu", "linear", "softmax")),
    *(
        cr.Conv1D(4, kernel, padding="causal", dilation=dilation, activation="tanh")
        for kernel, dilation in itertools.product((1, 2, 3, 30), (1, 4))
    ),
    cr.Conv1D(4, 1, padding="same", use_bias=False),
    cr.DepthwiseConv1D(3, padding="causal", dilation=2, activation="tanh"),
    cr.DepthwiseConv1D(2, padding="causal", use_bias=False, depth_multiplier=3),
    cr.DepthwiseConv1D(1, depth_multiplier=2),
    cr.Normalization(),
    cr.Dense(4, "softmax"),
]


TABLES = [cr.Embedding(9, 4, unknown="code"), cr.CategoryEncoding(9)]


def with_layer(layer, rng):
    """Return a network with a layer, and rows for it."""
    layers = [cr.Dense(4, "tanh"), layer, cr.LayerNormalization(), cr.Dense(2)]
    net = shaken(chain(*layers, shape=(TIME, FEATURES), dtype="float32"), rng)
    return net, rng.normal(size=(4, TIME, FEATURES)).astype(np.float32)


def of_tokens(table, rng):
    layers = [cr.Reshape((TIME, table.outputs(1))), cr.GRU(5, return_sequences=True), cr.Dense(3)]
    net = cr.Sequential([cr.Input(TIME), table, *layers], seed=1)
    return net, rng.integers(0, 9, (4, TIME))


def of_branches(seed, rng):
    return random_network(seed), rng.normal(size=(3, TIME, FEATURES)).astype(np.float32)


def random_network(seed):
    """Return a network of branches that go forward."""
    rng = np.random.default_rng(seed)
    x = h = cr.Input((TIME, FEATURES))
    h = cr.Dense(6)(cr.Rescaling(0.5, offset=float(rng.integers(2)))(h))
    for _ in range(rng.integers(2, 5)):
        kernel, dilation = (int(n) for n in rng.integers(1, 5, size=2))
        kind = KINDS[[*KINDS][rng.integers(3)]]
        branches = [
            cr.Conv1D(6, kernel, padding="causal", dilation=dilation, activation="relu"),
            kind(6, return_sequences=True),
            cr.BatchNormalization(epsilon=0.1),
            cr.PReLU(),
            cr.Dropout(0.5),
        ]
        a, b = (branches[i](h) for i in rng.permutation(5)[:2])
        h = [cr.Add, cr.Average, cr.Multiply, cr.Maximum][rng.integers(4)]()([a, b])
        h = cr.Dense(6, "tanh")(cr.Concatenate()([h, x]))
    shared = cr.GRU(6, return_sequences=True)
    ends = cr.Dense(2)(shared(shared(h))) if rng.random() < 0.5 else cr.Dense(3)(cr.LSTM(4)(h))
    return shaken(cr.Network(x, ends, seed=seed), rng)


LONGER = [cr.Conv1D(4, 3, padding="causal", dilation=2), cr.LSTM(5, **SEQUENCES), cr.Dense(2)]


def longer(rng):
    net = shaken(chain(*LONGER, shape=(TIME, FEATURES), dtype="float32"), rng)
    return net, rng.normal(size=(1, TIME, FEATURES)).astype(np.float32)


def exported(make, streaming, folder, name):
    """Export a network; return it, its rows and what the export reports."""
    net, x = make(np.random.default_rng(20240607))
    return net, x, cr.export_c(net, folder, name=name, streaming=streaming)


def compiled(folders, exports):
    """Return networks as C, which are compiled together, of {name: (function, streaming)}."""
    given = {name: partial(exported, *each) for name, each in exports.items()}
    return Together(folders.mktemp("together"), given)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return what each compiler takes."""
    exports = {f"layer_{i}": (partial(with_layer, layer), True) for i, layer in enumerate(LAYERS)}
    exports |= {f"table_{i}": (partial(of_tokens, table), True) for i, table in enumerate(TABLES)}
    return compiled(tmp_path_factory, exports)


@pytest.fixture(scope="module")
def random_ones(tmp_path_factory):
    """Return random networks frame by frame, and for whole sequences."""
    networks = {f"random_{seed}": partial(of_branches, seed) for seed in range(12)}
    return [
        compiled(tmp_path_factory, {name: (make, streaming) for name, make in networks.items()})
        for streaming in (True, False)
    ]


def check(together, compiler, name):
    """Hold steps against `predict` at each position; return what makes them, and the rows."""
    net, x, result = together[name]
    assert result.largest_difference <= 1e-5
    done = together.self_test(compiler, name, *SANITIZED)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = net.predict(x)
    steps = Steps(together.library(compiler), name, expected.shape[-1])
    for row, y in zip(x, expected, strict=True):
        steps.reset()
        found = np.array([steps(frame) for frame in row])
        if y.ndim == 1:
            found, y = found[-1:], y[np.newaxis]
        assert difference(found, y) <= 1e-5
    return steps, x


@needs_compiler
@each_compiler
@pytest.mark.parametrize("index", range(len(LAYERS)), ids=map(str, LAYERS))
def test_each_layer(together, compiler, index) -> None:
    check(together, compiler, f"layer_{index}")


@needs_compiler
@each_compiler
@pytest.mark.parametrize("index", range(len(TABLES)), ids=map(str, TABLES))
def test_tokens(together, compiler, index) -> None:
    check(together, compiler, f"table_{index}")


@needs_compiler
@pytest.mark.parametrize("seed", range(12))
def test_random_networks(random_ones, seed) -> None:
    by_frames, of_sequences = random_ones
    name = f"random_{seed}"
    steps, x = check(by_frames, "gcc", name)
    # The sums are those of the code for whole sequences, term by term.
    net, _, _ = of_sequences[name]
    whole = outputs(of_sequences.library("gcc"), name, net, x)
    for row, y in zip(x, whole, strict=True):
        steps.reset()
        found = np.concatenate([steps(frame) for frame in row])
        np.testing.assert_array_equal(found[-len(y) :], y)


@needs_compiler
def test_sequences_may_be_longer_and_states_copied(tmp_path_factory, rng) -> None:
    together = compiled(tmp_path_factory, {"model": (longer, True)})
    steps, _ = check(together, "gcc", "model")
    net, _, _ = together["model"]
    long = chain(*LONGER, shape=(10 * TIME, FEATURES), dtype="float32")
    long.set_weights(net.get_weights())
    x = rng.normal(size=(10 * TIME, FEATURES)).astype(np.float32)
    steps.reset()
    first = [steps(frame) for frame in x[:100]]
    other = Steps(together.library("gcc"), "model", 2)
    ctypes.memmove(other.state, steps.state, len(steps.state))
    rest = [steps(frame) for frame in x[100:]]
    np.testing.assert_array_equal(rest, [other(frame) for frame in x[100:]])
    assert difference(np.array(first + rest), long.predict(x[np.newaxis])[0]) <= 1e-5


@needs_compiler
def test_inputs_and_outputs_are_parameters(tmp_path, rng) -> None:
    a, b = cr.Input((TIME, 2), name="a"), cr.Input((TIME, 3), name="b")
    h = cr.GRU(4, **SEQUENCES)(cr.Concatenate()([a, b]))
    ends = {"each": cr.Dense(2)(h), "last": cr.Dense(5)(cr.SimpleRNN(3)(h))}
    net = shaken(cr.Network([a, b], ends, seed=0), rng)
    cr.export_c(net, tmp_path, streaming=True)
    assert "void model_step(model_state* state, const float x0[MODEL_INPUTS_0]," in (
        tmp_path / "model.h"
    ).read_text().replace("\n                ", " ")
    done = self_test("gcc", tmp_path, "model", *SANITIZED)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_compiler
@each_compiler
def test_the_self_test_fails_where_it_should(tmp_path, compiler, rng) -> None:
    layers = [cr.Conv1D(4, 3, padding="causal"), cr.GRU(5, **SEQUENCES)]
    net = shaken(chain(*layers, shape=(TIME, FEATURES), dtype="float32"), rng)
    cr.export_c(net, tmp_path, streaming=True)
    text = (tmp_path / "model.c").read_text()
    for right, wrong in (
        ("frame += dilation;", "frame += 0;"),
        ("y[j] = state[j];", "y[j] = n[j];"),
        ("model_local_zeros(state->kept_gru, 5);", ""),
    ):
        assert text.count(right) == 1
        (tmp_path / "model.c").write_text(text.replace(right, wrong))
        assert self_test(compiler, tmp_path, "model").returncode == 1


@needs_compiler
def test_the_state_has_the_size_that_the_header_names(tmp_path) -> None:
    layers = [cr.Conv1D(4, 3, padding="causal", dilation=2), cr.LSTM(6, **SEQUENCES), cr.Dense(2)]
    net = chain(*layers, shape=(TIME, FEATURES), dtype="float32")
    result = cr.export_c(net, tmp_path, streaming=True)
    # A ring and its place, both states, the sums of a step, and what lies between the layers.
    assert result.scratch_bytes == 4 * (5 * FEATURES + 1 + 12 + 24 + 4 + 6)
    assert result.weight_bytes == cr.export_c(net, tmp_path / "whole").weight_bytes
    (tmp_path / "size.cpp").write_text(
        '#include "model.h"\n'
        "typedef char equal[sizeof(model_state) == MODEL_STATE_BYTES ? 1 : -1];\n"
    )
    build("gcc", tmp_path / "size.o", "-x", "c", "-c", tmp_path / "size.cpp")


def test_a_network_without_memory(tmp_path) -> None:
    net = chain(cr.Dense(2), shape=(TIME, FEATURES), dtype="float32")
    assert cr.export_c(net, tmp_path, streaming=True).scratch_bytes == 1


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([cr.Conv1D(2, 3)], r"layer conv1d \(conv1d\) reads later frames with padding 'valid'"),
        ([cr.DepthwiseConv1D(3)], "reads later frames with padding 'valid'"),
        ([cr.Conv1D(2, 3, padding="same")], "reads later frames with padding 'same'"),
        ([cr.Conv1D(2, 3, 2, "causal")], "skips frames with strides of 2"),
        ([cr.GRU(2, go_backwards=True)], r"layer gru \(gru\) goes backwards, from later frames"),
        ([cr.Bidirectional(cr.LSTM(2))], "goes backwards"),
        ([cr.Position()], "uses several frames at once"),
        ([cr.MaxPooling(2)], r"layer max_pooling \(max_pooling\) uses several frames at once"),
        ([cr.GlobalAveragePooling()], "uses several frames at once"),
        ([cr.Flatten()], "uses several frames at once"),
        ([cr.Permute((2, 1))], "uses several frames at once"),
    ],
)
def test_layers_that_need_other_frames_are_named(tmp_path, layers, text) -> None:
    net = chain(cr.Dense(2), *layers, shape=(TIME, FEATURES), dtype="float32")
    with pytest.raises(ValueError, match=text):
        cr.export_c(net, tmp_path / "out", streaming=True)
    assert not (tmp_path / "out").exists()
    cr.export_c(net, tmp_path / "out")


def test_other_rows_are_refused(tmp_path) -> None:
    def refused(net, text, **options):
        with pytest.raises(ValueError, match=text):
            cr.export_c(net, tmp_path / "out", streaming=True, **options)
        assert not (tmp_path / "out").exists()

    flat = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    refused(flat, r"rows of shape \(3,\), not \(time, features\)")
    final = [cr.Input((TIME, FEATURES)), cr.GRU(2, return_state=True)]
    refused(cr.Sequential(final, seed=0), "gives the final state of whole sequences")
    image = chain(cr.Conv2D(2, 3), shape=(6, 6, 1), dtype="float32")
    refused(image, r"rows of shape \(6, 6, 1\), not")
    net = chain(cr.GRU(2), dtype="float32")
    refused(net, "streaming: needs dtype 'float32'", dtype="int8", calibration=np.zeros((2, 6, 3)))
    a, b = cr.Input((5, 2)), cr.Input((6, 2))
    both = cr.Network([a, b], cr.Add()([cr.GRU(2)(a), cr.GRU(2)(b)]), seed=0)
    refused(both, "time axes of different length")
    steps, length = cr.Input((5, 2)), cr.Input((5, 1))
    short = cr.Network([steps, length], cr.GRU(2)([steps, cr.GRU(1)(length)]), seed=0)
    refused(short, "takes the lengths of rows")
