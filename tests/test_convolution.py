# SPDX-License-Identifier: Apache-2.0
"""Convolutions against float64 NumPy written plainly, and what callers do with them."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

import chainrule as cr

BIAS = cr.initializers.Uniform(-1, 1)


def pair(value) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def zeros_around(extent: int, size: int, stride: int, dilation: int, padding: str):
    """Zeros before and behind an axis."""
    span = dilation * (size - 1) + 1
    if padding == "causal":
        return span - 1, 0
    if padding == "valid":
        return 0, 0
    total = max(0, (-(-extent // stride) - 1) * stride + span - extent)
    return total // 2, total - total // 2


def convolution(x, weight, bias, strides=1, padding="valid", dilation=1):
    """The definition: x (n, height, width, channels), weight (rows, columns, channels, filters)."""
    (sy, sx), (dy, dx) = pair(strides), pair(dilation)
    rows, columns, _, filters = weight.shape
    around = [
        zeros_around(x.shape[1], rows, sy, dy, padding),
        zeros_around(x.shape[2], columns, sx, dx, padding),
    ]
    x = np.pad(x, [(0, 0), *around, (0, 0)])
    height = (x.shape[1] - dy * (rows - 1) - 1) // sy + 1
    width = (x.shape[2] - dx * (columns - 1) - 1) // sx + 1
    y = np.zeros((len(x), height, width, filters)) + bias
    for i, j in itertools.product(range(height), range(width)):
        for k, m in itertools.product(range(rows), range(columns)):
            y[:, i, j] += x[:, i * sy + k * dy, j * sx + m * dx] @ weight[k, m]
    return y


OPTIONS = [
    {"filters": 3, "kernel_size": 3},
    {"filters": 5, "kernel_size": (1, 1)},
    {"filters": 17, "kernel_size": (3, 2), "padding": "same"},
    {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
    {"filters": 4, "kernel_size": (2, 4), "strides": (3, 2)},
    {"filters": 4, "kernel_size": (2, 3), "dilation": (3, 2), "padding": "same"},
    {"filters": 4, "kernel_size": 2, "dilation": 2, "strides": 2},
    {"filters": 4, "kernel_size": 3, "dilation": 2, "strides": 3, "padding": "same"},
    {"filters": 4, "kernel_size": 1, "strides": 3},
    {"filters": 70, "kernel_size": 5, "padding": "same", "use_bias": False},
    {"filters": 2, "kernel_size": (7, 9), "padding": "same"},
    {"filters": 2, "kernel_size": (7, 8)},
]
SEQUENCES = [
    {"filters": 3, "kernel_size": 3},
    {"filters": 3, "kernel_size": 3, "padding": "causal"},
    {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation": 4},
    {"filters": 3, "kernel_size": 4, "padding": "same", "strides": 3},
    {"filters": 3, "kernel_size": 2, "padding": "causal", "strides": 2},
    {"filters": 3, "kernel_size": 30, "padding": "causal"},
]


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_images(options, channels, rng) -> None:
    x = rng.normal(size=(5, 7, 8, channels))
    net = cr.Sequential(
        [cr.Input((7, 8, channels)), cr.Conv2D(**options, bias_initializer=BIAS)],
        seed=3,
        dtype="float64",
    )
    weight = net.parameters["0.weight"]
    assert weight.shape == (*pair(options["kernel_size"]), channels, options["filters"])
    bias = net.parameters.get("0.bias", np.zeros(options["filters"]))
    expected = convolution(
        x,
        weight,
        bias,
        **{k: v for k, v in options.items() if k in ("strides", "padding", "dilation")},
    )
    for y in (net.predict(x), net.forward(x), net.predict(x[:1])):
        assert y.shape == (len(y), *expected.shape[1:])
        assert np.allclose(y, expected[: len(y)], rtol=0, atol=1e-12)


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
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradients_of_images(options, training, rng) -> None:
    net = cr.Sequential(
        [
            cr.Input((7, 8, 2)),
            cr.Conv2D(**options, activation="tanh", bias_initializer=BIAS, l2=0.1),
            cr.Flatten(),
            cr.Dense(2),
        ],
        seed=11,
        dtype="float64",
    )
    x, y = rng.normal(size=(4, 7, 8, 2)), rng.normal(size=(4, 2))
    report = cr.gradient_check(net, x, y, "mse", training=training)
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


def network(seed: int = 0, **options) -> cr.Sequential:
    return cr.Sequential(
        [
            cr.Input((12, 12, 1)),
            cr.Rescaling(1 / 255),
            cr.Conv2D(6, 5, activation="relu"),
            cr.Conv2D(17, 3, strides=2, padding="same", activation="relu"),
            cr.Dropout(0.2),
            cr.Flatten(),
            cr.Dense(10),
        ],
        seed=seed,
        **options,
    )


def digest(net: cr.Network) -> str:
    return hashlib.sha256(b"".join(w.tobytes() for w in net.get_weights())).hexdigest()


def digits(rng, rows: int = 300):
    return rng.integers(0, 256, (rows, 12, 12, 1), dtype=np.uint8), rng.integers(0, 10, rows)


def test_threads_files_and_rows_alone_keep_the_bits(rng, tmp_path) -> None:
    x, y = digits(rng)
    hashes, nets = set(), []
    for threads in (1, 2, 3, 7):
        net = network()
        net.fit(x, y, epochs=2, batch_size=64, num_threads=threads, loss="cross_entropy", verbose=0)
        hashes.add(digest(net))
        nets.append(net)
    assert len(hashes) == 1
    net = nets[0]
    whole = net.predict(x)
    assert np.array_equal(
        np.concatenate([net.predict(x[i : i + 1]) for i in range(20)]), whole[:20]
    )
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert [layer.config for layer in again.layers] == [layer.config for layer in net.layers]
    assert np.array_equal(again.predict(x), whole)
    predictor = cr.Predictor(net)
    for row in (0, 7):
        one = np.ascontiguousarray(x[row], dtype=np.float32)
        assert np.array_equal(predictor.predict(one.reshape(1, -1)), whole[row : row + 1])


def test_a_resumed_run_has_the_bits_of_an_unbroken_one(rng, tmp_path) -> None:
    x, y = digits(rng)
    unbroken, broken = network(), network()
    unbroken.fit(x, y, epochs=3, loss="cross_entropy", verbose=0)
    broken.fit(x, y, epochs=1, loss="cross_entropy", verbose=0)
    broken.save(tmp_path / "half.safetensors")
    broken = cr.load(tmp_path / "half.safetensors")
    broken.fit(x, y, epochs=2, loss="cross_entropy", verbose=0)
    assert digest(broken) == digest(unbroken)


def test_layouts_and_types_of_images(rng) -> None:
    x, y = digits(rng, 100)
    hashes = set()
    for rows in (x, x[..., 0], x.astype(np.float32), x.astype(float), x.reshape(100, 144)):
        net = network()
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


def test_a_layer_used_twice_sums_its_gradients(rng) -> None:
    layer = cr.Conv2D(2, 3, padding="same")
    image = cr.Input((5, 4, 2))
    net = cr.Network(
        inputs=image,
        outputs=cr.Flatten()(layer(cr.Activation("tanh")(layer(image)))),
        seed=1,
        dtype="float64",
    )
    report = cr.gradient_check(net, rng.normal(size=(3, 5, 4, 2)), rng.normal(size=(3, 40)), "mse")
    assert report.max_relative_error <= 1e-7, report


def test_first_values_are_those_of_keras() -> None:
    """Glorot's bound counts kernel positions on both sides."""
    net = cr.Sequential([cr.Input((9, 9, 20)), cr.Conv2D(30, 3)], seed=0, dtype="float64")
    bound = np.sqrt(6 / (9 * 20 + 9 * 30))
    weight = np.abs(net.parameters["0.weight"])
    assert 0.99 * bound < weight.max() <= bound


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: cr.Conv2D(0, 3), "conv2d: filters must be >= 1, got 0"),
        (lambda: cr.Conv2D(2, 3, strides=0), "conv2d: strides must be >= 1, got 0"),
        (lambda: cr.Conv2D(2, (3, 0)), r"conv2d: kernel_size\[1\] must be >= 1, got 0"),
        (lambda: cr.Conv2D(2, 3, padding="full"), "conv2d: padding: unknown padding 'full'"),
        (lambda: cr.Conv2D(2, 3, padding="causal"), r"'causal' is for \(time, features\) alone"),
        (lambda: _on((4, 4, 1), cr.Conv2D(2, 5)), r"windows that span 5 of 4 along axis 0"),
        (lambda: _on((4, 4, 1), cr.Conv2D(2, (1, 2, 3))), "one integer or 2, got 3"),
        (lambda: _on((16,), cr.Conv2D(2, 3)), r"reads \(height, width, channels\), got rows of"),
        (lambda: _on((4, 4, 1), cr.Conv1D(2, 3)), r"reads \(time, features\), got rows of shape"),
        (lambda: _on((5, 1), cr.Conv1D(2, 3, dilation=3)), "windows that span 7 of 5"),
    ],
)
def test_refusals(make, text) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def _on(shape: tuple[int, ...], layer: cr.layers.Layer) -> None:
    cr.Sequential([cr.Input(shape), layer])


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


def test_a_batch_of_no_whole_size_and_a_frozen_layer(rng) -> None:
    x, y = digits(rng, 77)
    net = network(dtype="float64")
    net.freeze("2")
    weight = net.parameters["2.weight"].copy()
    net.fit(x, y, epochs=1, batch_size=32, loss="cross_entropy", verbose=0)
    assert np.array_equal(net.parameters["2.weight"], weight)


def test_what_does_not_know_it_says_so(tmp_path) -> None:
    for layer in (cr.Conv2DTranspose(2, 3), cr.DepthwiseConv2D(3)):
        other = cr.Sequential([cr.Input((4, 4, 1)), layer, cr.Flatten(), cr.Dense(1)], seed=0)
        with pytest.raises((ValueError, NotImplementedError), match=layer.kind):
            cr.export_c(other, tmp_path)
        pytest.importorskip("onnx")
        with pytest.raises((ValueError, NotImplementedError), match=layer.kind):
            cr.to_onnx(other, tmp_path / "net.onnx")
    net = cr.Sequential([cr.Input((4, 4, 1)), cr.Conv2D(2, 3), cr.Flatten(), cr.Dense(1)], seed=0)
    with pytest.raises((ValueError, NotImplementedError), match="conv2d"):
        net.hessian(np.zeros((2, 4, 4, 1)), np.zeros((2, 1)), loss="mse")


def test_a_single_step_that_would_overflow_changes_nothing(rng) -> None:
    """Its bound of the gradient counts all positions of x, of which there are more than outputs."""
    net = cr.Sequential([cr.Input((8, 8, 1)), cr.Scale(), cr.Conv2D(1, 7), cr.Flatten()], seed=0)
    x = np.zeros((16, 8, 8, 1), np.float32)
    x[15] = 1e15
    before = digest(net)
    with pytest.raises(cr.DivergenceError):
        net.train_on_batch(x, np.zeros((16, 4)), loss="mse", optimizer=cr.SGD(1e10))
    assert digest(net) == before
