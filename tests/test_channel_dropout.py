# SPDX-License-Identifier: Apache-2.0
"""Dropout per channel: one decision for all positions of a channel of a row."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from augmented import LOW, philox_block
from numpy.testing import assert_array_equal
from subprocesses import outputs_of_instruction_sets

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference

RATE, USE = 0.3, 3
SHAPES = [(5,), (4, 3), (3, 2, 5), (2, 3, 4, 6), (7, 1), (1, 9)]
RNG = np.random.default_rng(0)


def factors(
    rows: int, channels: int, *, seed: int, layer: int, step: int, rate: float = RATE
) -> Any:
    """Return 0 or 1 / (1 - rate) by the library's random words, each row from a new block."""
    made = np.empty((rows, channels))
    stream = layer << 48 | step
    blocks = -(-channels // 4)
    for row in range(rows):
        words: list[int] = []
        for block in range(row * blocks, (row + 1) * blocks):
            counter = [block & LOW, (block >> 32) << 8 | USE, stream & LOW, stream >> 32]
            words += philox_block(counter, [seed & LOW, seed >> 32])
        dropped = np.array(words[:channels]) < math.floor(rate * 2**32)
        made[row] = np.where(dropped, 0.0, 1.0 / (1.0 - rate))
    return made


def network(shape: tuple[int, ...], *, seed: int = 5, dtype: str = "float64") -> cr.Network:
    x = cr.Input(shape)
    y = cr.Dropout(RATE, per_channel=True)(cr.Activation("linear")(x))
    return cr.Network(x, y, seed=seed, dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_and_backward_are_numpys(shape: tuple[int, ...], dtype: str) -> None:
    net = network(shape, seed=2**40 + 7, dtype=dtype)
    x = RNG.normal(size=(11, *shape)).astype(dtype)
    dy = RNG.normal(size=(11, *shape)).astype(dtype)
    expected = factors(11, shape[-1], seed=2**40 + 7, layer=1, step=0).astype(dtype)
    expected = expected.reshape(11, *[1] * (len(shape) - 1), shape[-1])
    assert 0 < (expected == 0).mean() < 1
    assert_array_equal(net.forward(x, training=True), x * expected)
    assert_array_equal(net.backward(dy), dy * expected)
    assert_array_equal(net.forward(x, training=False), x)
    assert_array_equal(net.predict(x), x)


def test_rows_of_one_axis_are_those_without() -> None:
    x = RNG.normal(size=(9, 13))
    outputs = []
    for per_channel in (False, True):
        layers = [cr.Input(13), cr.Dropout(0.4, per_channel=per_channel)]
        net = cr.Sequential(layers, seed=3, dtype="float64")
        outputs.append(net.forward(x, training=True))
    assert_array_equal(*outputs)


def test_each_step_draws_others_and_keeps_its_share() -> None:
    x = cr.Input((2, 200))
    y = cr.GlobalAveragePooling()(cr.Dropout(RATE, per_channel=True)(cr.Dense(200)(x)))
    net = cr.Network(x, y, seed=1)
    rows = np.ones((50, 2, 200))
    masks = []
    for _ in range(2):
        masks.append(net.forward(rows, training=True) == 0)
        net.train_on_batch(rows, np.zeros((50, 200)), loss="mse", optimizer="sgd")
    assert (masks[0] != masks[1]).any()
    for mask in masks:
        assert abs(mask.mean() - RATE) < 5 * math.sqrt(RATE * (1 - RATE) / mask.size)


def test_its_rate_follows_a_schedule() -> None:
    falling = cr.schedules.Piecewise([1, 2], [1.0, 0.5, 1e-9])
    x = cr.Input((3, 400))
    layer = cr.Dropout(0.5, rate_schedule=falling, per_channel=True)
    net = cr.Network(x, layer(cr.Dense(400, weight_initializer="he_normal")(x)), seed=0)
    rows = RNG.normal(size=(20, 3, 400))
    shares = []
    for _ in range(3):
        shares.append(float((net.forward(rows, training=True) == 0).mean()))
        net.train_on_batch(rows, np.zeros((20, 1200)), loss="mse", optimizer=cr.SGD(1e-6))
    assert abs(shares[0] - 0.5) < 0.03
    assert abs(shares[1] - 0.25) < 0.03
    assert shares[2] < 1e-3


@pytest.mark.parametrize("shape", [(4, 3), (3, 4, 5)])
def test_gradients_of_convolutions_around_it(shape: tuple[int, ...]) -> None:
    convolution = cr.Conv1D if len(shape) == 2 else cr.Conv2D
    x = cr.Input(shape)
    h = cr.Dropout(RATE, per_channel=True)(convolution(6, 2, activation="tanh")(x))
    h = cr.Dropout(RATE, per_channel=True)(cr.BatchNormalization()(convolution(3, 2)(h)))
    net = cr.Network(x, cr.Dense(2)(cr.Flatten()(h)), seed=4, dtype="float64")
    report = cr.gradient_check(net, RNG.normal(size=(5, *shape)), RNG.normal(size=(5, 2)), "mse")
    assert report.max_relative_error <= 1e-7, report


def convolutional(dtype: str = "float32") -> cr.Network:
    image = cr.Input((9, 8, 2))
    h = cr.Dropout(0.1, per_channel=True)(image)
    h = cr.Conv2D(5, 3, activation="relu")(h)
    h = cr.Conv2D(21, 2)(cr.Dropout(0.2, per_channel=True)(h))
    h = cr.Dropout(0.3, per_channel=True)(cr.MaxPooling()(h))
    return cr.Network(image, cr.Dense(3)(cr.Flatten()(h)), seed=6, dtype=dtype)


def hashes() -> dict[str, str]:
    """Return the weights after two epochs, for each number of threads."""
    x, y = np.random.default_rng(1).normal(size=(70, 9, 8, 2)), np.arange(70) % 3
    found = {}
    for dtype in ("float32", "float64"):
        for threads in (1, 2, 3, 7):
            net = convolutional(dtype)
            net.fit(
                x, y, loss="cross_entropy", epochs=2, batch_size=16, verbose=0, num_threads=threads
            )
            found[f"{dtype} {threads}"] = b"".join(w.tobytes() for w in net.get_weights()).hex()
    return found


def test_the_same_bits_on_all_threads_and_instruction_sets() -> None:
    seen: dict[str, set[str]] = {"float32": set(), "float64": set()}
    program = "import json, test_channel_dropout as t; print(json.dumps(t.hashes()))"
    for printed in outputs_of_instruction_sets(program).values():
        for name, bits in json.loads(printed).items():
            seen[name.split()[0]].add(bits)
    assert {name: len(each) for name, each in seen.items()} == {"float32": 1, "float64": 1}


def test_model_files_and_copies_keep_it(tmp_path: Path) -> None:
    net = convolutional()
    x, y = RNG.normal(size=(40, 9, 8, 2)), np.arange(40) % 3
    options: dict[str, Any] = {"loss": "cross_entropy", "batch_size": 16, "verbose": 0}
    net.fit(x, y, epochs=1, **options)
    net.save(tmp_path / "net.safetensors")
    other = cr.load(tmp_path / "net.safetensors")
    assert [layer.per_channel for layer in other.layers if layer.kind == "dropout"] == [True] * 3
    for each in (net, other):
        each.fit(x, y, epochs=1, **options)
    for name, values in net.parameters.items():
        assert_array_equal(values, other.parameters[name])
    assert cr.Dropout(0.5).config == {"kind": "dropout", "rate": 0.5}
    assert cr.Dropout(0.5, per_channel=True).config["per_channel"] is True


def test_bad_options() -> None:
    with pytest.raises(ValueError, match="dropout: per_channel must be true or false, got 1"):
        cr.Dropout(0.5, per_channel=1)  # type: ignore[arg-type]
    for name in ("SpatialDropout2D", "Dropout2d"):
        with pytest.raises(AttributeError, match=r"it is Dropout\(rate, per_channel=True\)"):
            getattr(cr, name)


def test_exports_leave_it_out(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from chainrule.interop.onnx_export import onnx_bytes

    net = convolutional()
    x = RNG.normal(size=(6, 9, 8, 2)).astype(np.float32)
    again = cr.from_onnx(onnx_bytes(net))
    assert "dropout" not in {layer.kind for layer in again.layers}
    assert largest_relative_difference(again.predict(x), net.predict(x)) <= 1e-5
    files = []
    for each in (cr.Dropout(0.3, per_channel=True), cr.Dropout(0.3)):
        steps = cr.Input((4, 3))
        chosen = cr.Network(steps, cr.Dense(2)(each(cr.Dense(5)(steps))), seed=0)
        cr.export_c(chosen, tmp_path, name="net")
        files.append((tmp_path / "net.c").read_text().split("*/", 1)[1])
    assert files[0] == files[1]


@pytest.mark.parametrize("shape", SHAPES[:4])
def test_to_torch_and_back(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    x = cr.Input(shape)
    net = cr.Network(x, cr.Dropout(0.4, per_channel=True)(cr.Dense(6)(x)), seed=0)
    module = cr.to_torch(net)
    rows = RNG.normal(size=(200, *shape)).astype(np.float32)
    with torch.no_grad():
        assert (
            largest_relative_difference(module.eval()(torch.from_numpy(rows)), net.predict(rows))
            <= 1e-6
        )
        dropped = module.train()(torch.from_numpy(rows)).numpy() == 0
    if len(shape) > 1:
        axes = tuple(range(1, len(shape)))
        assert_array_equal(dropped.all(axis=axes), dropped.any(axis=axes))
    assert 0.3 < dropped.mean() < 0.5
    again = cr.from_torch(module, input_shape=shape)
    kinds = [layer.per_channel for layer in again.layers if layer.kind == "dropout"]
    assert kinds == [len(shape) > 1]
    assert largest_relative_difference(again.predict(rows), net.predict(rows)) <= 1e-6


def test_from_torch() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Dropout2d(0.25), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 6, 3)
    )
    net = cr.from_torch(module, input_shape=(2, 9, 8))
    assert [layer for layer in net.layers if layer.kind == "dropout"] == [
        cr.Dropout(0.25, per_channel=True)
    ]
    rows = RNG.normal(size=(8, 2, 9, 8)).astype(np.float32)
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(rows)).numpy()
    assert largest_relative_difference(net.predict(rows), expected) <= 1e-5

    class Function(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(2, 4, 3)

        def forward(self, x: Any) -> Any:
            return nn.functional.dropout1d(self.first(x), 0.5, self.training)

    net = cr.from_torch(Function(), input_shape=(2, 9))
    assert [layer.per_channel for layer in net.layers if layer.kind == "dropout"] == [True]
    with pytest.raises(ValueError, match="drops no channels of rows of shape"):
        cr.from_torch(nn.Sequential(nn.Linear(4, 3), nn.Dropout1d(0.5)))
