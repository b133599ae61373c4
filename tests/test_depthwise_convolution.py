# SPDX-License-Identifier: Apache-2.0
"""Convolutions of each channel by itself against float64 NumPy written plainly and PyTorch."""

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


def zeros_around(extent: int, size: int, stride: int, dilation: int, padding: str):
    """Zeros before and behind an axis."""
    span = dilation * (size - 1) + 1
    total = max(0, (-(-extent // stride) - 1) * stride + span - extent)
    return (0, 0) if padding == "valid" else (total // 2, total - total // 2)


def depthwise(x, weight, bias, strides=1, padding="valid", dilation=1):
    """The definition: x (n, height, width, channels), weight (rows, columns, channels)."""
    (sy, sx), (dy, dx) = pair(strides), pair(dilation)
    rows, columns, channels = weight.shape
    around = [
        zeros_around(x.shape[1], rows, sy, dy, padding),
        zeros_around(x.shape[2], columns, sx, dx, padding),
    ]
    x = np.pad(x, [(0, 0), *around, (0, 0)])
    height = (x.shape[1] - dy * (rows - 1) - 1) // sy + 1
    width = (x.shape[2] - dx * (columns - 1) - 1) // sx + 1
    y = np.zeros((len(x), height, width, channels)) + bias
    for i, j in itertools.product(range(height), range(width)):
        for k, m in itertools.product(range(rows), range(columns)):
            y[:, i, j] += x[:, i * sy + k * dy, j * sx + m * dx] * weight[k, m]
    return y


OPTIONS = [
    {"kernel_size": 3},
    {"kernel_size": (1, 1)},
    {"kernel_size": (3, 2), "padding": "same"},
    {"kernel_size": 3, "strides": 2, "padding": "same"},
    {"kernel_size": (2, 4), "strides": (3, 2)},
    {"kernel_size": (2, 3), "dilation": (3, 2), "padding": "same"},
    {"kernel_size": 2, "dilation": 2, "strides": 2},
    {"kernel_size": 3, "dilation": 2, "strides": 3, "padding": "same"},
    {"kernel_size": 1, "strides": 3},
    {"kernel_size": 5, "padding": "same", "use_bias": False},
    {"kernel_size": (7, 9), "padding": "same"},
    {"kernel_size": (7, 8)},
    {"kernel_size": (3, 30), "padding": "same"},
]


@pytest.mark.parametrize("channels", [1, 3, 16, 20, 70])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_images(options, channels, rng) -> None:
    x = rng.normal(size=(5, 7, 8, channels))
    net = cr.Sequential(
        [cr.Input((7, 8, channels)), cr.DepthwiseConv2D(**options, bias_initializer=BIAS)],
        seed=3,
        dtype="float64",
    )
    weight = net.parameters["0.weight"]
    assert weight.shape == (*pair(options["kernel_size"]), channels)
    bias = net.parameters.get("0.bias", np.zeros(channels))
    moves = {k: v for k, v in options.items() if k in ("strides", "padding", "dilation")}
    expected = depthwise(x, weight, bias, **moves)
    for y in (net.predict(x), net.forward(x), net.predict(x[:1]), cr.Predictor(net).predict(x[:2])):
        y = y.reshape(len(y), *expected.shape[1:])
        assert np.allclose(y, expected[: len(y)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients(options, training, rng) -> None:
    """Behind an activation whose rows have numbers in their padding."""
    net = cr.Sequential(
        [
            cr.Input((7, 8, 2)),
            cr.Dense(3, "sigmoid"),
            cr.DepthwiseConv2D(**options, activation="tanh", bias_initializer=BIAS, l2=0.1),
            cr.Flatten(),
            cr.Dense(2),
        ],
        seed=11,
        dtype="float64",
    )
    x, y = rng.normal(size=(4, 7, 8, 2)), rng.normal(size=(4, 2))
    report = cr.gradient_check(net, x, y, "mse", training=training)
    assert report.max_relative_error <= 1e-7, report


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_pytorch(options, rng) -> None:
    torch = pytest.importorskip("torch")
    net = cr.Sequential(
        [cr.Input((7, 8, 5)), cr.DepthwiseConv2D(**options, bias_initializer=BIAS)],
        seed=3,
        dtype="float64",
    )
    x = rng.normal(size=(2, 7, 8, 5))
    kernel, strides = pair(options["kernel_size"]), pair(options.get("strides", 1))
    dilation = pair(options.get("dilation", 1))
    module = torch.nn.Conv2d(
        5,
        5,
        kernel,
        strides,
        dilation=dilation,
        groups=5,
        bias=options.get("use_bias", True),
        dtype=torch.float64,
    )
    weights = dict(net.parameters)
    with torch.no_grad():
        kernels = weights["0.weight"].transpose(2, 0, 1)[:, None]
        module.weight.copy_(torch.from_numpy(kernels.copy()))
        if "0.bias" in weights:
            module.bias.copy_(torch.from_numpy(weights["0.bias"]))
    top, left = (
        zeros_around(*of, options.get("padding", "valid"))
        for of in zip((7, 8), kernel, strides, dilation, strict=True)
    )
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    outputs = module(torch.nn.functional.pad(inputs, (*left, *top)))
    expected = outputs.detach().numpy().transpose(0, 2, 3, 1)
    assert np.allclose(net.forward(x), expected, rtol=0, atol=1e-12)
    dy = rng.normal(size=expected.shape)
    outputs.backward(torch.from_numpy(dy.transpose(0, 3, 1, 2).copy()))
    dx = net.backward(dy).reshape(x.shape)
    assert np.allclose(dx, inputs.grad.numpy().transpose(0, 2, 3, 1), rtol=0, atol=1e-11)
    dw = module.weight.grad.numpy()[:, 0].transpose(1, 2, 0)
    assert np.allclose(net.gradients["0.weight"], dw, rtol=0, atol=1e-10)


def separable(**options) -> cr.Sequential:
    return cr.Sequential(
        [
            cr.Input((12, 12, 1)),
            cr.Rescaling(1 / 255),
            cr.Conv2D(19, 3, activation="sigmoid"),
            cr.DepthwiseConv2D(3, 2, "same", use_bias=False),
            cr.Conv2D(24, 1, activation="relu"),
            cr.DepthwiseConv2D(3, dilation=2, padding="same", activation="relu"),
            cr.Dropout(0.1),
            cr.GlobalAveragePooling(),
            cr.Dense(10),
        ],
        seed=0,
        **options,
    )


def digest(net: cr.Network) -> str:
    return hashlib.sha256(b"".join(w.tobytes() for w in net.get_weights())).hexdigest()


def images(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.integers(0, 256, (rows, 12, 12, 1), dtype=np.uint8), rng.integers(0, 10, rows)


def trained(threads: int) -> cr.Sequential:
    net = separable()
    net.fit(
        *images(), epochs=2, batch_size=64, num_threads=threads, loss="cross_entropy", verbose=0
    )
    return net


HASHES = """
from test_depthwise_convolution import digest, images, trained
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


def test_files_and_rows_alone_keep_the_bits(tmp_path) -> None:
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
    net.fit(x, y, epochs=1, verbose=0)
    again.fit(x, y, epochs=1, verbose=0)
    assert digest(again) == digest(net)


def test_a_layer_used_twice_sums_its_gradients(rng) -> None:
    layer = cr.DepthwiseConv2D(3, padding="same")
    image = cr.Input((3, 4, 2))
    net = cr.Network(
        inputs=image,
        outputs=cr.Flatten()(layer(cr.Activation("tanh")(layer(image)))),
        seed=1,
        dtype="float64",
    )
    report = cr.gradient_check(net, rng.normal(size=(3, 3, 4, 2)), rng.normal(size=(3, 24)), "mse")
    assert report.max_relative_error <= 1e-7, report


def test_first_values_count_the_terms_of_a_sum() -> None:
    net = cr.Sequential([cr.Input((9, 9, 300)), cr.DepthwiseConv2D(3, activation="relu")], seed=0)
    weight = np.abs(net.parameters["0.weight"])
    bound = np.sqrt(6 / 9)  # He's, with a fan_in of kernel positions
    assert 0.99 * bound < weight.max() <= bound


def test_summary_and_plan(capsys) -> None:
    net = separable()
    net.summary()
    assert "DepthwiseConv2D(3, strides=2, padding='same'" in capsys.readouterr().out
    assert "depthwise convolution 3x3, 24" in str(net.plan(batch_size=8, num_threads=1))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: cr.DepthwiseConv2D(3, strides=0), "strides must be >= 1, got 0"),
        (lambda: cr.DepthwiseConv2D((3, 0)), r"kernel_size\[1\] must be >= 1, got 0"),
        (lambda: cr.DepthwiseConv2D(3, padding="full"), "unknown padding 'full'"),
        (lambda: cr.DepthwiseConv2D(3, padding="causal"), r"is for \(time, features\) alone"),
        (lambda: _on((4, 4, 1), cr.DepthwiseConv2D(5)), r"windows that span 5 of 4 along axis 0"),
        (lambda: _on((4, 4, 1), cr.DepthwiseConv2D(2, dilation=4)), "windows that span 5 of 4"),
        (lambda: _on((4, 4, 1), cr.DepthwiseConv2D((1, 2, 3))), "one integer or 2, got 3"),
        (lambda: _on((16,), cr.DepthwiseConv2D(3)), r"reads \(height, width, channels\), got"),
        (lambda: _on((4, 4, 1), cr.DepthwiseConv2D(2**28, padding="same")), r"at most 2\^48"),
    ],
)
def test_refusals(make, text) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def _on(shape: tuple[int, ...], layer: cr.layers.Layer) -> None:
    cr.Sequential([cr.Input(shape), layer])


def test_what_does_not_know_it_says_so() -> None:
    net = cr.Sequential([cr.Input((4, 4, 1)), cr.DepthwiseConv2D(2), cr.Flatten(), cr.Dense(1)])
    with pytest.raises((ValueError, NotImplementedError), match="depthwise_conv2d"):
        net.hessian(np.zeros((2, 4, 4, 1)), np.zeros((2, 1)), loss="mse")
