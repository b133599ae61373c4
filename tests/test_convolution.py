# SPDX-License-Identifier: Apache-2.0
"""Convolutions against float64 NumPy written plainly, and what callers do with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from convolutions import (
    BIAS,
    EXTENTS,
    KINDS,
    OPTIONS,
    convolution,
    digest,
    images,
    layer_of,
    moves,
    network,
    pair,
    single,
    trained,
    transposed,
)

import chainrule as cr

SEQUENCES = [
    {"filters": 3, "kernel_size": 3},
    {"filters": 3, "kernel_size": 3, "padding": "causal"},
    {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation": 4},
    {"filters": 3, "kernel_size": 4, "padding": "same", "strides": 3},
    {"filters": 3, "kernel_size": 2, "padding": "causal", "strides": 2},
    {"filters": 3, "kernel_size": 30, "padding": "causal"},
]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


@pytest.mark.parametrize("channels", [1, 3, 16, 20, 70])
@each_option
@each_kind
def test_images(kind, options, channels, rng) -> None:
    x = rng.normal(size=(5, *EXTENTS[kind], channels))
    net, filters = single(kind, options, channels), options["filters"]
    weight = net.parameters["0.weight"]
    columns = {"conv2d": (channels, filters), "conv2d_transpose": (filters, channels)}
    assert weight.shape == (*pair(options["kernel_size"]), *columns.get(kind, (channels,)))
    bias = net.parameters.get("0.bias", 0.0)
    formula = transposed if kind == "conv2d_transpose" else convolution
    expected = formula(x, weight, bias, **moves(options))
    for y in (net.predict(x), net.forward(x), net.predict(x[:1])):
        assert y.shape == (len(y), *expected.shape[1:])
        assert np.allclose(y, expected[: len(y)], rtol=0, atol=1e-12)
    two = cr.Predictor(net).predict(x[:2]).reshape(2, *expected.shape[1:])
    assert np.allclose(two, expected[:2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", SEQUENCES, ids=str)
def test_sequences(options, rng) -> None:
    x = rng.normal(size=(5, 19, 4))
    net = cr.Sequential(
        [cr.Input((19, 4)), cr.Conv1D(**options, bias_initializer=BIAS)], seed=3, dtype="float64"
    )
    weight, bias = net.parameters["0.weight"], net.parameters["0.bias"]
    assert weight.shape == (options["kernel_size"], 4, 3)
    strides, dilation = (1, options.get("strides", 1)), (1, options.get("dilation", 1))
    padding = options.get("padding", "valid")
    expected = convolution(x[:, None], weight[None], bias, strides, padding, dilation)[:, 0]
    assert np.allclose(net.predict(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "behind"])
@each_option
@each_kind
def test_gradients_of_images(kind, options, first, training, rng) -> None:
    """Of a first layer, and behind an activation whose rows have numbers in their padding."""
    x = rng.normal(size=(4, *EXTENTS[kind], 2))
    net = cr.Sequential(
        [
            cr.Input(x.shape[1:]),
            *([] if first else [cr.Dense(3, "sigmoid")]),
            layer_of(kind, options, activation="tanh", bias_initializer=BIAS, l2=0.1),
            cr.Flatten(),
            cr.Dense(1),
        ],
        seed=11,
        dtype="float64",
    )
    # In training all entries of images and of kernels, but of the one of 70 filters.
    many = options["filters"] == 70 and kind != "depthwise_conv2d"
    entries = 100 if not training else 200 if many else 600
    y = rng.normal(size=(4, 1))
    report = cr.gradient_check(net, x, y, "mse", training=training, max_entries=entries)
    assert report.max_relative_error <= 1e-7, report


@pytest.mark.parametrize("options", SEQUENCES, ids=str)
def test_gradients_of_sequences(options, rng) -> None:
    # Behind a layer with positions, whose rows are padded, and in front of another convolution.
    net = cr.Sequential(
        [
            cr.Input((19, 4)),
            cr.Dense(3, "tanh"),
            cr.Conv1D(**options, bias_initializer=BIAS),
            cr.Conv1D(2, 2),
        ],
        seed=11,
        dtype="float64",
    )
    shape = net.predict(np.zeros((1, 19, 4))).shape[1:]
    x, y = rng.normal(size=(4, 19, 4)), rng.normal(size=(4, *shape))
    report = cr.gradient_check(net, x, y, "mse")
    assert report.max_relative_error <= 1e-7, report


HASHES = """
from convolutions import KINDS, digest, images, trained
import hashlib
for kind in KINDS:
    for threads in (1, 2, 3, 7):
        net = trained(kind, threads)
        made = net.predict(images(kind)[0])
        print(kind, digest(net), hashlib.sha256(made.tobytes()).hexdigest())
"""


def test_threads_and_instruction_sets_keep_the_bits() -> None:
    lines = []
    for isa in cr.instruction_sets():
        run = subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "CHAINRULE_ISA": isa, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        lines += run.stdout.splitlines()
    assert len(lines) == 4 * len(KINDS) * len(cr.instruction_sets())
    assert len(set(lines)) == len(KINDS)


@each_kind
def test_files_rows_alone_and_predictors_keep_the_bits(kind, tmp_path) -> None:
    x, y = images(kind, 100)
    net = trained(kind, 2)
    whole = net.predict(x)
    alone = np.concatenate([net.predict(x[i : i + 1]) for i in range(20)])
    assert np.array_equal(alone, whole[:20])
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert [layer.config for layer in again.layers] == [layer.config for layer in net.layers]
    assert np.array_equal(again.predict(x), whole)
    predictor = cr.Predictor(net)
    row = np.ascontiguousarray(x[7], dtype=np.float32).reshape(1, -1)
    assert np.array_equal(predictor.predict(row).ravel(), whole[7].ravel())
    net.fit(x, y, epochs=1, verbose=0)
    again.fit(x, y, epochs=1, verbose=0)
    assert digest(again) == digest(net)
    predictor.update()
    assert np.array_equal(predictor.predict(row).ravel(), net.predict(x[7:8]).ravel())


def test_a_resumed_run_has_the_bits_of_an_unbroken_one(tmp_path) -> None:
    x, y = images("conv2d")
    unbroken, broken = network("conv2d"), network("conv2d")
    unbroken.fit(x, y, epochs=3, loss="cross_entropy", verbose=0)
    broken.fit(x, y, epochs=1, loss="cross_entropy", verbose=0)
    broken.save(tmp_path / "half.safetensors")
    broken = cr.load(tmp_path / "half.safetensors")
    broken.fit(x, y, epochs=2, loss="cross_entropy", verbose=0)
    assert digest(broken) == digest(unbroken)


def test_layouts_and_types_of_images() -> None:
    x, y = images("conv2d", 100)
    hashes = set()
    for rows in (x, x[..., 0], x.astype(np.float32), x.astype(float), x.reshape(100, 144)):
        net = network("conv2d")
        net.fit(rows, y, epochs=1, loss="cross_entropy", verbose=0)
        hashes.add((digest(net), net.evaluate(rows, y)["loss"]))
    assert len(hashes) == 1


def test_rescaling_and_reshape_in_front_change_no_number(rng) -> None:
    """The images are read as the caller has them; the layers behind a copy with positions."""
    x = rng.integers(0, 256, (5, 12 * 12 * 3), dtype=np.uint8)
    conv = cr.Conv2D(4, 3, bias_initializer=BIAS)
    nets = [
        cr.Sequential([cr.Input((12, 12, 3)), cr.Rescaling(1 / 255), conv], seed=1),
        cr.Sequential([cr.Rescaling(1 / 255), cr.Reshape((12, 12, 3)), conv], seed=1),
        cr.Sequential([cr.Input((12, 12, 3)), cr.Rescaling(1 / 255), cr.Clip(0, 1), conv], seed=1),
    ]
    for net in nets:
        net.build(432)
        net.set_weights(dict(zip(net.parameters, nets[0].parameters.values(), strict=True)))
    first, *others = [net.predict(x) for net in nets]
    assert all(np.array_equal(first, other) for other in others)
    first, *others = [net.forward(x) for net in nets]
    assert all(np.array_equal(first, other) for other in others)


def test_it_learns(rng) -> None:
    across = rng.integers(0, 2, 400).astype(bool)
    x = rng.normal(0, 0.3, size=(400, 8, 8, 1))
    for image, place, is_across in zip(x, rng.integers(0, 8, 400), across, strict=True):
        (image if is_across else image.transpose(1, 0, 2))[place] += 1
    net = cr.Sequential(
        [
            cr.Input((8, 8, 1)),
            cr.Conv2D(8, 3, padding="same", activation="relu"),
            cr.GlobalAveragePooling(),
            cr.Dense(2),
        ],
        seed=0,
    )
    net.fit(
        x, across.astype(int), optimizer=cr.Adam(0.03), epochs=15, loss="cross_entropy", verbose=0
    )
    assert net.evaluate(x, across.astype(int))["accuracy"] > 0.97


@each_kind
def test_a_layer_used_twice_sums_its_gradients(kind, rng) -> None:
    layer = layer_of(kind, {"filters": 2, "kernel_size": 3, "padding": "same"})
    image = cr.Input((5, 4, 2))
    net = cr.Network(
        inputs=image,
        outputs=cr.Flatten()(layer(cr.Activation("tanh")(layer(image)))),
        seed=1,
        dtype="float64",
    )
    report = cr.gradient_check(net, rng.normal(size=(3, 5, 4, 2)), rng.normal(size=(3, 40)), "mse")
    assert report.max_relative_error <= 1e-7, report


@pytest.mark.parametrize(
    ("channels", "layer", "bound"),
    [
        # Glorot's bound counts kernel positions on both sides.
        (20, cr.Conv2D(30, 3), np.sqrt(6 / (9 * 20 + 9 * 30))),
        # He's, with a fan_in of kernel positions * filters, and of kernel positions.
        (30, cr.Conv2DTranspose(20, 3, activation="relu"), np.sqrt(6 / (9 * 20))),
        (300, cr.DepthwiseConv2D(3, activation="relu"), np.sqrt(6 / 9)),
    ],
    ids=str,
)
def test_first_values_are_those_of_keras_and_pytorch(channels, layer, bound) -> None:
    net = cr.Sequential([cr.Input((9, 9, channels)), layer], seed=0, dtype="float64")
    assert 0.99 * bound < np.abs(net.parameters["0.weight"]).max() <= bound


@pytest.mark.parametrize(
    ("options", "shape", "text"),
    [
        ({"strides": 0}, None, "strides must be >= 1, got 0"),
        ({"kernel_size": (3, 0)}, None, r"kernel_size\[1\] must be >= 1, got 0"),
        ({"dilation": 0}, None, "dilation must be >= 1, got 0"),
        ({"padding": "full"}, None, "padding: unknown padding 'full'"),
        ({"padding": "causal"}, None, r"'causal' is for \(time, features\) alone"),
        ({"kernel_size": (1, 2, 3)}, (4, 4, 1), "one integer or 2, got 3"),
        ({}, (16,), r"reads \(height, width, channels\), got rows of"),
        ({}, (4, 4), r"reads \(height, width, channels\), got rows of"),
    ],
)
@each_kind
def test_refusals(kind, options, shape, text) -> None:
    with pytest.raises(ValueError, match=f"{kind}: .*{text}"):
        _on(shape, layer_of(kind, {"filters": 2, "kernel_size": 3, **options}))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: cr.Conv2D(0, 3), "conv2d: filters must be >= 1, got 0"),
        (lambda: cr.Conv2DTranspose(0, 3), "conv2d_transpose: filters must be >= 1, got 0"),
        (lambda: _on((4, 4, 1), cr.Conv2D(2, 5)), "windows that span 5 of 4 along axis 0"),
        (lambda: _on((4, 4, 1), cr.DepthwiseConv2D(5)), "windows that span 5 of 4 along axis 0"),
        (lambda: _on((4, 4, 1), cr.DepthwiseConv2D(2, dilation=4)), "windows that span 5 of 4"),
        (lambda: _on((4, 4, 1), cr.DepthwiseConv2D(2**28, padding="same")), r"at most 2\^48"),
        (lambda: _on((4, 4, 1), cr.Conv2DTranspose(2, 3, 2**31)), r"at most 2\^30"),
        (lambda: _on((4, 4, 1), cr.Conv1D(2, 3)), r"reads \(time, features\), got rows of shape"),
        (lambda: _on((5, 1), cr.Conv1D(2, 3, dilation=3)), "windows that span 7 of 5"),
    ],
)
def test_refusals_of_one_kind(make, text) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def _on(shape: tuple[int, ...] | None, layer: cr.layers.Layer) -> None:
    cr.Sequential([layer] if shape is None else [cr.Input(shape), layer])


def test_channels_first_is_said(rng) -> None:
    net = cr.Sequential([cr.Input((6, 5, 3)), cr.Conv2D(2, 3), cr.Flatten(), cr.Dense(2)], seed=0)
    x, y = rng.normal(size=(8, 3, 6, 5)), np.zeros(8, int)
    before = digest(net)
    for call in (
        lambda: net.fit(x, y, loss="cross_entropy", verbose=0),
        lambda: net.predict(x),
        lambda: net.forward(x),
    ):
        with pytest.raises(ValueError, match=r"channels first; .*np.moveaxis\(x, 1, -1\)"):
            call()
    assert digest(net) == before
    net.fit(np.moveaxis(x, 1, -1).copy(), y, loss="cross_entropy", verbose=0)
    sequences = cr.Sequential([cr.Input((6, 3)), cr.Conv1D(2, 3)], seed=0)
    with pytest.raises(ValueError, match=r"channels first; .*\(time, features\)"):
        sequences.predict(rng.normal(size=(8, 3, 6)))


def test_a_batch_of_no_whole_size_and_a_frozen_layer() -> None:
    x, y = images("conv2d", 77)
    net = network("conv2d", dtype="float64")
    net.freeze("2")
    weight = net.parameters["2.weight"].copy()
    net.fit(x, y, epochs=1, batch_size=32, loss="cross_entropy", verbose=0)
    assert np.array_equal(net.parameters["2.weight"], weight)


@each_kind
def test_summary_plan_and_drawings(kind, capsys) -> None:
    net = network(kind)
    net.summary()
    assert KINDS[kind].__name__ in capsys.readouterr().out
    plan = str(net.plan(batch_size=8, num_threads=1))
    expected = {
        "conv2d": "convolution 3x3, 6 -> 17",
        "conv2d_transpose": "transposed convolution 4x4, 9 -> 1",
        "depthwise_conv2d": "depthwise convolution 3x3, 24",
    }
    assert expected[kind] in plan
    assert KINDS[kind].__name__ in net.plot()
    x, y = images(kind, 1)
    page = net.explain(x[0], y[0], loss="mse" if kind == "conv2d_transpose" else "cross_entropy")
    assert kind in {step["kind"] for step in page.data["steps"]}
    assert page.to_html().count(KINDS[kind].__name__)


def test_a_single_step_that_would_overflow_changes_nothing(rng) -> None:
    """Its bound of the gradient counts all positions of x, of which there are more than outputs."""
    net = cr.Sequential([cr.Input((8, 8, 1)), cr.Scale(), cr.Conv2D(1, 7), cr.Flatten()], seed=0)
    x = np.zeros((16, 8, 8, 1), np.float32)
    x[15] = 1e15
    before = digest(net)
    with pytest.raises(cr.DivergenceError):
        net.train_on_batch(x, np.zeros((16, 4)), loss="mse", optimizer=cr.SGD(1e10))
    assert digest(net) == before
