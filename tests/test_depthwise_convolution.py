# SPDX-License-Identifier: Apache-2.0
"""Convolutions of each channel by itself with several outputs each, and those over time."""

from __future__ import annotations

import numpy as np
import pytest
from convolutions import BIAS, convolution, digest, moves, pair
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

IMAGES = [
    {"kernel_size": 3},
    {"kernel_size": (3, 2), "padding": "same", "strides": 2},
    {"kernel_size": (2, 3), "padding": "same", "dilation": (3, 2), "use_bias": False},
    {"kernel_size": 1, "strides": (3, 1)},
]
SEQUENCES = [
    {"kernel_size": 3},
    {"kernel_size": 4, "padding": "same", "strides": 3},
    {"kernel_size": 3, "padding": "causal", "dilation": 4},
    {"kernel_size": 30, "padding": "causal", "use_bias": False},
]
CASES = [((7, 8), cr.DepthwiseConv2D, options) for options in IMAGES]
CASES += [((19,), cr.DepthwiseConv1D, options) for options in SEQUENCES]
each_case = pytest.mark.parametrize(("extents", "kind", "options"), CASES, ids=str)
each_multiplier = pytest.mark.parametrize("multiplier", [1, 2, 3])


def by_definition(kind, options, multiplier, x, weight, bias):
    """Return what the layer makes of x, as the images of 2-D convolutions without filters."""
    x = x.repeat(multiplier, axis=-1)
    if kind is cr.DepthwiseConv2D:
        return convolution(x, weight, bias, **moves(options))
    along = {name: (1, options.get(name, 1)) for name in ("strides", "dilation")}
    padding = options.get("padding", "valid")
    return convolution(x[:, None], weight[None], bias, padding=padding, **along)[:, 0]


@pytest.mark.parametrize("channels", [1, 3, 20])
@each_multiplier
@each_case
def test_outputs(extents, kind, options, multiplier, channels, rng) -> None:
    layer = kind(**options, depth_multiplier=multiplier, bias_initializer=BIAS)
    net = cr.Sequential([cr.Input((*extents, channels)), layer], seed=3, dtype="float64")
    weight, bias = net.parameters["0.weight"], net.parameters.get("0.bias", 0.0)
    sizes = pair(options["kernel_size"])[: len(extents)]
    assert weight.shape == (*sizes, channels * multiplier)
    x = rng.normal(size=(5, *extents, channels))
    expected = by_definition(kind, options, multiplier, x, weight, bias)
    for y in (net.predict(x), net.forward(x), net.predict(x[:1])):
        assert y.shape == (len(y), *expected.shape[1:])
        assert np.allclose(y, expected[: len(y)], rtol=0, atol=1e-12)
    row = cr.Predictor(net).predict(x[1:2]).reshape(expected[1:2].shape)
    assert np.allclose(row, expected[1:2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("first", [True, False], ids=["first", "behind"])
@each_multiplier
@each_case
def test_gradients(extents, kind, options, multiplier, first, rng) -> None:
    x = rng.normal(size=(4, *extents, 2))
    layer = kind(**options, activation="tanh", depth_multiplier=multiplier, l2=0.1)
    before = [] if first else [cr.Dense(3, "sigmoid")]
    net = cr.Sequential(
        [cr.Input(x.shape[1:]), *before, layer, cr.Flatten(), cr.Dense(2)], seed=11, dtype="float64"
    )
    report = cr.gradient_check(net, x, rng.normal(size=(4, 2)), "mse")
    assert report.max_relative_error <= 1e-7, report


def test_input_gradients_are_sums_over_the_outputs_of_a_channel(rng) -> None:
    """As those of a layer of one output each that reads channels repeated by hand."""
    x = rng.normal(size=(3, 9, 8, 5)).astype(np.float32)
    options = {"kernel_size": 3, "strides": 2, "padding": "same"}
    layer = cr.DepthwiseConv2D(**options, depth_multiplier=4)
    net = cr.Sequential([cr.Input(x.shape[1:]), layer], seed=1)
    twin = cr.Sequential([cr.Input((9, 8, 20)), cr.DepthwiseConv2D(**options)])
    twin.build(9 * 8 * 20)
    twin.set_weights(net.get_weights())
    y = net.forward(x)
    assert np.array_equal(y, twin.forward(x.repeat(4, axis=-1)))
    dy = rng.normal(size=y.shape).astype(np.float32)
    dx = net.backward(dy).reshape(x.shape)
    single = twin.backward(dy).reshape(3, 9, 8, 5, 4)
    assert np.allclose(dx, single.sum(axis=-1), rtol=1e-5, atol=1e-6)
    for name, gradient in net.gradients.items():
        assert np.array_equal(gradient, twin.gradients[name])


@each_case
def test_pytorch(extents, kind, options, rng) -> None:
    torch = pytest.importorskip("torch")
    if options.get("padding") not in (None, "valid"):
        return
    layer = kind(**options, depth_multiplier=3, bias_initializer=BIAS)
    net = cr.Sequential([cr.Input((*extents, 4)), layer], seed=3, dtype="float64")
    module = cr.to_torch(net)
    x = rng.normal(size=(3, *extents, 4))
    given = torch.from_numpy(x).requires_grad_()
    y = module(given)
    assert np.allclose(net.forward(x), y.detach().numpy(), rtol=0, atol=1e-12)
    dy = rng.normal(size=y.shape)
    y.backward(torch.from_numpy(dy))
    assert np.allclose(net.backward(dy).reshape(x.shape), given.grad.numpy(), rtol=0, atol=1e-12)


def sequences(rows: int = 200):
    rng = np.random.default_rng(4)
    return rng.normal(size=(rows, 24, 3)), rng.integers(0, 5, rows)


def network(seed: int = 0) -> cr.Sequential:
    return cr.Sequential(
        [
            cr.Input((24, 3)),
            cr.DepthwiseConv1D(3, padding="causal", activation="relu", depth_multiplier=3),
            cr.Conv1D(17, 3, 2, "same", activation="relu"),
            cr.Conv1DTranspose(9, 4, 2, "same", activation="relu"),
            cr.Dropout(0.1),
            cr.DepthwiseConv1D(5, 3, "same", use_bias=False, depth_multiplier=2),
            cr.GlobalMaxPooling(),
            cr.Dense(5),
        ],
        seed=seed,
    )


def trained(threads: int, epochs: int = 2) -> cr.Sequential:
    net = network()
    x, y = sequences()
    net.fit(x, y, epochs=epochs, num_threads=threads, loss="cross_entropy", verbose=0)
    return net


HASHES = """
import hashlib
from convolutions import digest
from test_depthwise_convolution import sequences, trained
for threads in (1, 2, 3, 7):
    net = trained(threads)
    print(digest(net) + hashlib.sha256(net.predict(sequences()[0]).tobytes()).hexdigest())
"""


def test_threads_and_instruction_sets_keep_the_bits() -> None:
    assert len(printed_by_each_instruction_set(HASHES)) == 1


def test_a_plan_names_its_stages() -> None:
    lines = [line.split("  ")[0] for line in str(network().plan(batch_size=8)).splitlines()]
    assert "depthwise convolution 3, 9" in lines
    assert "transposed convolution 4, 17 -> 9" in lines
    assert "depthwise convolution 5, 18" in lines


def test_files_and_resumed_runs_keep_the_bits(tmp_path) -> None:
    x, y = sequences()
    unbroken, net = trained(2), trained(2, epochs=1)
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert [layer.config for layer in again.layers] == [layer.config for layer in net.layers]
    assert np.array_equal(again.predict(x), net.predict(x))
    again.fit(x, y, epochs=1, loss="cross_entropy", verbose=0)
    assert digest(again) == digest(unbroken)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(("size", "dilation"), [(1, 1), (3, 1), (4, 3)])
def test_frames_one_after_the_other(size, dilation, multiplier, rng) -> None:
    """To the last bit what the whole sequence gives, and anew after a reset."""
    options = {"padding": "causal", "dilation": dilation, "depth_multiplier": multiplier}
    layer = cr.DepthwiseConv1D(size, **options, bias_initializer=BIAS, activation="tanh")
    net = cr.Sequential([cr.Input((30, 5)), layer, cr.Dense(2)], seed=2)
    x = rng.normal(size=(1, 30, 5)).astype(np.float32)
    expected = net.predict(x)[0]
    stream = cr.StreamingPredictor(net)
    for _ in range(2):
        assert np.array_equal([stream.step(frame) for frame in x[0]], expected)
        stream.reset()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier must be >= 1, got 0"),
        (lambda: cr.DepthwiseConv1D(0), "depthwise_conv1d: kernel_size must be >= 1, got 0"),
        (lambda: cr.DepthwiseConv1D((2, 2)), None),
        (lambda: cr.DepthwiseConv1D(20), "windows that span 20 of 19"),
        (lambda: cr.DepthwiseConv1D(2, depth_multiplier=2**47), r"at most 2\^48"),
        (lambda: cr.DepthwiseConv2D(2, padding="causal"), "'causal' is for .time, features. alone"),
        (lambda: cr.DepthwiseConv2D(2), r"it reads \(height, width, channels\)"),
        (lambda: cr.Conv1DTranspose(2, 3, padding="causal"), "'valid' or 'same', got 'causal'"),
        (lambda: cr.Conv1DTranspose(2, 3, 2**31), r"strides must be at most 2\^30"),
        (lambda: cr.Conv1DTranspose(0, 3), "conv1d_transpose: filters must be >= 1, got 0"),
    ],
)
def test_errors(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        cr.Sequential([cr.Input((19, 4)), make()], seed=0)


@pytest.mark.parametrize(
    ("options", "text"),
    [({"strides": 2}, "strides are 2, expected 1"), ({}, "padding must be 'causal'")],
)
def test_frames_are_refused_where_a_layer_skips_some_or_reads_later_ones(options, text) -> None:
    net = cr.Sequential([cr.Input((9, 2)), cr.DepthwiseConv1D(2, **options)], seed=0)
    with pytest.raises(ValueError, match=text):
        cr.StreamingPredictor(net)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 4, "strides": 2, "padding": "same"},
        {"kernel_size": 2, "strides": 3, "dilation": 2},
        {"kernel_size": 5, "dilation": 2, "padding": "same", "use_bias": False},
    ],
    ids=str,
)
def test_a_transposed_convolution_over_time_is_that_of_an_image_of_one_row(options, rng) -> None:
    """To the last bit; test_convolution.py holds the image's to the definition."""
    row = {k: (1, v) if isinstance(v, int) and k != "use_bias" else v for k, v in options.items()}
    x = rng.normal(size=(6, 9, 5)).astype(np.float32)
    layer = cr.Conv1DTranspose(7, **options, bias_initializer=BIAS)
    net = cr.Sequential([cr.Input((9, 5)), layer], seed=1)
    image = cr.Sequential([cr.Input((1, 9, 5)), cr.Conv2DTranspose(7, **row)])
    image.build(45)
    image.set_weights([w if w.ndim == 1 else w[None] for w in net.get_weights()])
    y = net.forward(x)
    assert np.array_equal(y, image.forward(x[:, None])[:, 0])
    assert np.array_equal(y, net.predict(x))
    dy = rng.normal(size=y.shape).astype(np.float32)
    assert np.array_equal(net.backward(dy), image.backward(dy[:, None])[:, 0])
    for name, gradient in net.gradients.items():
        assert np.array_equal(gradient, image.gradients[name].reshape(gradient.shape))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_gradients_of_a_transposed_convolution_over_time(padding, rng) -> None:
    layers = [cr.Conv1DTranspose(3, 4, 3, padding, 2, "tanh"), cr.Flatten(), cr.Dense(2)]
    net = cr.Sequential([cr.Input((7, 2)), *layers], seed=3, dtype="float64")
    x, y = rng.normal(size=(4, 7, 2)), rng.normal(size=(4, 2))
    report = cr.gradient_check(net, x, y, "mse")
    assert report.max_relative_error <= 1e-7, report
