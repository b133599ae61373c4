# SPDX-License-Identifier: Apache-2.0
"""Transposed convolutions against float64 NumPy written plainly, Conv2D and PyTorch."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

BIAS = cr.initializers.Uniform(-1, 1)


def pair(value) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def transposed(x, weight, bias, strides=1, padding="valid", dilation=1):
    """The definition: x (n, height, width, channels), weight (rows, columns, filters, channels)."""
    (sy, sx), (dy, dx) = pair(strides), pair(dilation)
    n, height, width, _ = x.shape
    rows, columns, filters, _ = weight.shape
    spans = dy * (rows - 1) + 1, dx * (columns - 1) + 1
    whole = np.zeros((n, height * sy + spans[0], width * sx + spans[1], filters))
    for i, j in itertools.product(range(height), range(width)):
        for k, m in itertools.product(range(rows), range(columns)):
            whole[:, i * sy + k * dy, j * sx + m * dx] += x[:, i, j] @ weight[k, m].T
    begin, size = [], []
    for extent, stride, span in zip((height, width), (sy, sx), spans, strict=True):
        more = max(span - stride, 0)
        begin.append(more // 2 if padding == "same" else 0)
        size.append(extent * stride + (more if padding == "valid" else 0))
    return whole[:, begin[0] : begin[0] + size[0], begin[1] : begin[1] + size[1]] + bias


OPTIONS = [
    {"filters": 3, "kernel_size": 3},
    {"filters": 5, "kernel_size": (1, 1)},
    {"filters": 17, "kernel_size": (3, 2), "padding": "same"},
    {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
    {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same"},
    {"filters": 4, "kernel_size": (2, 4), "strides": (3, 2)},
    {"filters": 4, "kernel_size": (2, 3), "dilation": (3, 2), "padding": "same"},
    {"filters": 4, "kernel_size": 2, "dilation": 2, "strides": 2},
    {"filters": 4, "kernel_size": 3, "dilation": 2, "strides": 3, "padding": "same"},
    {"filters": 4, "kernel_size": 1, "strides": 3},
    {"filters": 70, "kernel_size": 5, "padding": "same", "use_bias": False},
    {"filters": 2, "kernel_size": (7, 9), "padding": "same"},
]
MOVES = ("strides", "padding", "dilation")


def moves(options):
    return {name: value for name, value in options.items() if name in MOVES}


@pytest.mark.parametrize("channels", [1, 3, 16, 20])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_images(options, channels, rng) -> None:
    x = rng.normal(size=(5, 4, 5, channels))
    net = cr.Sequential(
        [cr.Input((4, 5, channels)), cr.Conv2DTranspose(**options, bias_initializer=BIAS)],
        seed=3,
        dtype="float64",
    )
    weight = net.parameters["0.weight"]
    assert weight.shape == (*pair(options["kernel_size"]), options["filters"], channels)
    bias = net.parameters.get("0.bias", np.zeros(options["filters"]))
    expected = transposed(x, weight, bias, **moves(options))
    for y in (net.predict(x), net.forward(x), net.predict(x[:1]), cr.Predictor(net).predict(x[:2])):
        y = y.reshape(len(y), *expected.shape[1:])
        assert np.allclose(y, expected[: len(y)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_the_gradient_of_a_convolution_and_the_other_way_round(options, rng) -> None:
    """To the last bit, with the same weights."""
    filters, channels, size = options["filters"], 3, (4, 5)
    options = {**options, "use_bias": False}
    up = cr.Sequential([cr.Input((*size, channels)), cr.Conv2DTranspose(**options)], seed=1)
    x = rng.normal(size=(3, *size, channels)).astype(np.float32)
    y = up.forward(x)
    down = cr.Sequential([cr.Input(y.shape[1:]), cr.Conv2D(**{**options, "filters": channels})])
    down.build(filters * y.shape[1] * y.shape[2])
    down.set_weights(up.get_weights())
    images = rng.normal(size=y.shape).astype(np.float32)
    assert down.forward(images).shape == x.shape
    assert np.array_equal(down.backward(x).reshape(y.shape), y)
    weight_gradient = down.gradients["0.weight"].copy()
    assert np.array_equal(up.backward(images).reshape(x.shape), down.forward(images))
    assert np.array_equal(up.gradients["0.weight"], weight_gradient)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients(options, training, rng) -> None:
    """Behind a layer with positions and an activation whose rows have numbers in their padding."""
    net = cr.Sequential(
        [
            cr.Input((3, 4, 2)),
            cr.Dense(3, "sigmoid"),
            cr.Conv2DTranspose(**options, activation="tanh", bias_initializer=BIAS, l2=0.1),
            cr.Flatten(),
            cr.Dense(2),
        ],
        seed=11,
        dtype="float64",
    )
    x, y = rng.normal(size=(4, 3, 4, 2)), rng.normal(size=(4, 2))
    report = cr.gradient_check(net, x, y, "mse", training=training)
    assert report.max_relative_error <= 1e-7, report


def test_gradients_of_a_first_layer(rng) -> None:
    """No gradient of x is wanted there."""
    net = cr.Sequential(
        [cr.Input((3, 4, 2)), cr.Conv2DTranspose(3, 3, 2, "same"), cr.Conv2D(1, 2)],
        seed=2,
        dtype="float64",
    )
    x, y = rng.normal(size=(4, 3, 4, 2)), rng.normal(size=(4, 5, 7, 1))
    start = {name: value.copy() for name, value in net.parameters.items()}
    net.fit(x, y, optimizer=cr.SGD(1.0), epochs=1, batch_size=4, loss="mse", verbose=0)
    fitted = {name: start[name] - value for name, value in net.parameters.items()}
    net.set_weights(start)
    net.backward(2 * (net.forward(x) - y) / y.size)
    for name, step in fitted.items():
        assert np.abs(step).max() > 1e-3
        assert np.allclose(step, net.gradients[name], rtol=1e-10, atol=1e-14), name


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_pytorch(options, rng) -> None:
    torch = pytest.importorskip("torch")
    net = cr.Sequential(
        [cr.Input((4, 5, 3)), cr.Conv2DTranspose(**options, bias_initializer=BIAS)],
        seed=3,
        dtype="float64",
    )
    x = rng.normal(size=(2, 4, 5, 3))
    kernel, strides = pair(options["kernel_size"]), pair(options.get("strides", 1))
    dilation = pair(options.get("dilation", 1))
    more = [d * (k - 1) + 1 - s for k, s, d in zip(kernel, strides, dilation, strict=True)]
    module = torch.nn.ConvTranspose2d(
        3,
        options["filters"],
        kernel,
        strides,
        dilation=dilation,
        output_padding=[max(-m, 0) for m in more],
        bias=options.get("use_bias", True),
        dtype=torch.float64,
    )
    weights = dict(net.parameters)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weights["0.weight"].transpose(3, 2, 0, 1).copy()))
        if "0.bias" in weights:
            module.bias.copy_(torch.from_numpy(weights["0.bias"]))
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    outputs = module(inputs)
    if options.get("padding") == "same":
        first = [max(m, 0) // 2 for m in more]
        height, width = (e * s for e, s in zip((4, 5), strides, strict=True))
        outputs = outputs[:, :, first[0] : first[0] + height, first[1] : first[1] + width]
    expected = outputs.detach().numpy().transpose(0, 2, 3, 1)
    assert np.allclose(net.forward(x), expected, rtol=0, atol=1e-12)
    dy = rng.normal(size=expected.shape)
    outputs.backward(torch.from_numpy(dy.transpose(0, 3, 1, 2).copy()))
    dx = net.backward(dy).reshape(x.shape)
    assert np.allclose(dx, inputs.grad.numpy().transpose(0, 2, 3, 1), rtol=0, atol=1e-11)
    dw = module.weight.grad.numpy().transpose(2, 3, 1, 0)
    assert np.allclose(net.gradients["0.weight"], dw, rtol=0, atol=1e-10)


def autoencoder(**options) -> cr.Sequential:
    return cr.Sequential(
        [
            cr.Input((12, 12, 1)),
            cr.Rescaling(1 / 255),
            cr.Conv2D(9, 3, strides=2, padding="same", activation="sigmoid"),
            cr.Conv2D(21, 3, strides=2, padding="same", activation="sigmoid"),
            cr.Dropout(0.1),
            cr.Conv2DTranspose(9, 3, strides=2, padding="same", activation="relu"),
            cr.Conv2DTranspose(1, 4, strides=2, padding="same"),
        ],
        seed=0,
        **options,
    )


def digest(net: cr.Network) -> str:
    return hashlib.sha256(b"".join(w.tobytes() for w in net.get_weights())).hexdigest()


def images(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(4).integers(0, 256, (rows, 12, 12, 1), dtype=np.uint8)
    return x, x / 255


def trained(threads: int) -> cr.Sequential:
    net = autoencoder()
    net.fit(*images(), epochs=2, batch_size=64, num_threads=threads, loss="mse", verbose=0)
    return net


HASHES = """
from test_convolution_transpose import digest, images, trained
import hashlib
for threads in (1, 2, 3, 7):
    net = trained(threads)
    print(digest(net), hashlib.sha256(net.predict(images()[0]).tobytes()).hexdigest())
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
    assert len(lines) == 4 * len(cr.instruction_sets())
    assert len(set(lines)) == 1


def test_files_copies_and_rows_alone_keep_the_bits(tmp_path) -> None:
    x, y = images(100)
    net = trained(2)
    whole = net.predict(x)
    assert np.array_equal(
        np.concatenate([net.predict(x[i : i + 1]) for i in range(20)]), whole[:20]
    )
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


def test_it_learns_to_enlarge(rng) -> None:
    small = rng.normal(size=(200, 4, 4, 1))
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    net = cr.Sequential([cr.Input((4, 4, 1)), cr.Conv2DTranspose(1, 2, strides=2)], seed=0)
    net.fit(small, large, optimizer=cr.Adam(0.05), epochs=40, loss="mse", verbose=0)
    assert np.allclose(net.parameters["0.weight"], 1, atol=0.01)


def test_a_layer_used_twice_sums_its_gradients(rng) -> None:
    layer = cr.Conv2DTranspose(2, 3, padding="same")
    image = cr.Input((3, 4, 2))
    net = cr.Network(
        inputs=image,
        outputs=cr.Flatten()(layer(cr.Activation("tanh")(layer(image)))),
        seed=1,
        dtype="float64",
    )
    report = cr.gradient_check(net, rng.normal(size=(3, 3, 4, 2)), rng.normal(size=(3, 24)), "mse")
    assert report.max_relative_error <= 1e-7, report


def test_first_values_are_those_of_keras_and_pytorch() -> None:
    net = cr.Sequential([cr.Input((2, 2, 30)), cr.Conv2DTranspose(20, 3, activation="relu")], 0)
    weight = np.abs(net.parameters["0.weight"])
    bound = np.sqrt(6 / (9 * 20))  # He's, with a fan_in of kernel positions * filters
    assert 0.99 * bound < weight.max() <= bound


def test_summary_and_plan(capsys) -> None:
    net = autoencoder()
    net.summary()
    text = capsys.readouterr().out
    assert "Conv2DTranspose" in text
    assert "(6, 6, 9)" in text
    plan = str(net.plan(batch_size=8, num_threads=1))
    assert "transposed convolution 3x3, 21 -> 9" in plan
    assert "transposed convolution 4x4, 9 -> 1" in plan


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: cr.Conv2DTranspose(0, 3), "conv2d_transpose: filters must be >= 1, got 0"),
        (lambda: cr.Conv2DTranspose(2, 3, strides=0), "strides must be >= 1, got 0"),
        (lambda: cr.Conv2DTranspose(2, (3, 0)), r"kernel_size\[1\] must be >= 1, got 0"),
        (lambda: cr.Conv2DTranspose(2, 3, dilation=0), "dilation must be >= 1, got 0"),
        (lambda: cr.Conv2DTranspose(2, 3, padding="full"), "unknown padding 'full'"),
        (lambda: cr.Conv2DTranspose(2, 3, padding="causal"), r"is for \(time, features\) alone"),
        (lambda: _on((4, 4, 1), cr.Conv2DTranspose(2, (1, 2, 3))), "one integer or 2, got 3"),
        (lambda: _on((16,), cr.Conv2DTranspose(2, 3)), r"reads \(height, width, channels\), got"),
        (lambda: _on((4, 4), cr.Conv2DTranspose(2, 3)), r"reads \(height, width, channels\), got"),
        (lambda: _on((4, 4, 1), cr.Conv2DTranspose(2, 3, 2**31)), r"at most 2\^30"),
    ],
)
def test_refusals(make, text) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def _on(shape: tuple[int, ...], layer: cr.layers.Layer) -> None:
    cr.Sequential([cr.Input(shape), layer])


def test_an_image_beyond_all_memory_is_refused() -> None:
    with pytest.raises((ValueError, MemoryError)):
        cr.Sequential([cr.Input((4, 4, 1)), cr.Conv2DTranspose(2, 3, 2**30)], seed=0).predict(
            np.zeros((1, 4, 4, 1))
        )


def test_what_does_not_know_it_says_so(tmp_path) -> None:
    net = cr.Sequential([cr.Input((4, 4, 1)), cr.Conv2DTranspose(2, 3), cr.Flatten(), cr.Dense(1)])
    with pytest.raises((ValueError, NotImplementedError), match="conv2d_transpose"):
        net.hessian(np.zeros((2, 4, 4, 1)), np.zeros((2, 1)), loss="mse")
