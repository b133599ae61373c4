# SPDX-License-Identifier: Apache-2.0
"""Model files: everything comes back, and other programs can read and write them."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from model_bytes import CONTENT, FIT, X, Y, altered, sealed, split, state, trained
from numpy.typing import NDArray

import chainrule as cr
from chainrule import schedules
from chainrule.metrics import Metric
from chainrule.network.model_file import FORMAT_VERSION, from_bytes, to_bytes

GOLDEN = Path(__file__).parent / "golden"


OPTIMIZERS = [
    cr.SGD(0.05),
    cr.SGD(0.05, momentum=0.9, nesterov=True),
    cr.AdaGrad(0.05, weight_decay=1e-3),
    cr.RMSprop(0.01),
    cr.RMSprop(0.01, momentum=0.5, centered=True),
    cr.Adam(0.01),
    cr.Adam(0.01, amsgrad=True, clip_norm=1.0),
    cr.AdamW(0.01, epsilon_hat=True),
    cr.AdamW(0.01),
    cr.Adadelta(),
    cr.NAdam(0.01),
    cr.RAdam(0.01),
    cr.LAMB(0.01, weight_decay=0.1),
    cr.Lion(1e-3),
    cr.Adam(schedules.Cosine(0.01, epochs=5, warmup=0.5)),
    cr.SGD(schedules.ReduceOnPlateau(0.1, gamma=0.5, patience=0, threshold=0.9)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_training_goes_on_after_loading(optimizer: Any, dtype: str, tmp_path: Path) -> None:
    net = trained(optimizer, dtype)
    path = tmp_path / "net.safetensors"
    net.save(path)
    loaded = cr.load(path)
    assert state(loaded) == state(net)
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))
    for n in (net, loaded):
        n.fit(X, Y, epochs=2, validation_split=0.25, batch_size=16, verbose=0)
    assert state(loaded) == state(net)
    assert net.history.epochs == [1, 2, 3, 4]


def test_paths_may_be_strings(tmp_path: Path) -> None:
    net = trained()
    net.save(str(tmp_path / "net"))
    assert state(cr.load(str(tmp_path / "net"))) == state(net)


def test_every_layer_activation_initializer_and_loss_comes_back() -> None:
    stack = [
        cr.Input(5),
        cr.Rescaling(0.5, offset=1.0),
        cr.Dense(3, activation=cr.activations.LeakyRelu(0.3), use_bias=False),
        cr.LayerNormalization(center=False),
        cr.LayerNormalization(scale=False, center=False),
        cr.Activation(cr.activations.Elu(alpha=0.7)),
        cr.Dense(
            4, weight_initializer="orthogonal", bias_initializer=cr.initializers.Constant(0.25)
        ),
        cr.BatchNormalization(momentum=0.8, center=False, scale=False),
        cr.Dense(2, l1=0.5),
    ]
    net = cr.Sequential(stack, seed=3)
    for loss in (
        cr.losses.Huber(0.5),
        cr.losses.Quantile((0.1, 0.9)),
        cr.losses.CrossEntropy(label_smoothing=0.1),
    ):
        net.compile(loss=loss)
        loaded = from_bytes(to_bytes(net))
        assert state(loaded) == state(net)
        assert loaded.loss == loss
        assert [layer.config for layer in loaded.layers] == [layer.config for layer in net.layers]


def test_an_untrained_network_comes_back() -> None:
    net = cr.Sequential([cr.Input(5), cr.Dense(3)], seed=0)
    loaded = from_bytes(to_bytes(net))
    assert state(loaded) == state(net)
    for n in (net, loaded):
        n.fit(X, Y, **FIT)
    assert state(loaded) == state(net)


def test_a_schedule_that_has_seen_nothing_comes_back() -> None:
    net = cr.Sequential([cr.Input(5), cr.Dense(3)], seed=0)
    net.compile(optimizer=cr.SGD(schedules.ReduceOnPlateau(0.1, mode="max", monitor="accuracy")))
    schedule = from_bytes(to_bytes(net)).optimizer.schedule  # type: ignore[union-attr]
    assert isinstance(schedule, schedules.ReduceOnPlateau)
    assert schedule.state["best"] == -math.inf


def test_state_of_steps_by_hand_comes_back() -> None:
    net = cr.Sequential([cr.Input(5), cr.Dense(3)], seed=0)
    optimizer = cr.SGD(0.1, momentum=0.9)

    def step(n: cr.Sequential) -> None:
        n.forward(X)
        n.backward(np.ones((40, 3)))
        optimizer.step(n)

    step(net)
    loaded = from_bytes(to_bytes(net))
    step(net)
    step(loaded)
    assert state(loaded) == state(net)


def test_state_that_the_optimizer_cannot_use_is_left_out() -> None:
    net = trained(cr.SGD(0.1, momentum=0.9))
    assert any("momentum_buffer" in name for name in split(to_bytes(net))[0])
    for other in (cr.Adam(), cr.SGD(0.1)):
        net.compile(optimizer=other)
        assert not any("momentum_buffer" in name for name in split(to_bytes(net))[0])
        loaded = from_bytes(to_bytes(net))
        for n in (net, loaded):
            n.fit(X, Y, **FIT)
        assert state(loaded) == state(net)
        net = trained(cr.SGD(0.1, momentum=0.9))


def test_nan_in_the_history_comes_back() -> None:
    net = trained()
    net.history.append(3, {"loss": math.nan, "confusion_matrix": [[1.0, math.nan], [0.0, 2.0]]})
    assert from_bytes(to_bytes(net)).history == net.history


def test_metrics_come_back_by_name_and_functions_do_not() -> None:
    def accuracy(y_true: NDArray[Any], y_pred: NDArray[Any]) -> float:
        return 0.0

    net = trained()
    net.compile(metrics=["top_2", "f1", accuracy, Metric("mine", accuracy)])
    loaded = from_bytes(to_bytes(net))
    assert loaded.metrics is not None
    assert [metric.name for metric in loaded.metrics] == ["top_2", "f1"]


def test_a_function_in_place_of_a_rate_becomes_its_first_rate() -> None:
    net = cr.Sequential([cr.Input(5), cr.Dense(3)], seed=0)
    net.fit(X, Y, optimizer=cr.SGD(lambda epoch: 0.1 / (1 + epoch)), epochs=2, **FIT)
    assert from_bytes(to_bytes(net)).optimizer == cr.SGD(0.1)


def test_the_safetensors_package_reads_it(tmp_path: Path) -> None:
    net = trained(cr.SGD(0.1, momentum=0.9))
    path = tmp_path / "net.safetensors"
    net.save(path)
    tensors = safetensors.numpy.load_file(path)
    parameters = net.parameters
    for name, array in parameters.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], array, err_msg=name)
    momentum = {name for name in tensors if name.startswith("optimizer.momentum_buffer.")}
    assert tensors.keys() == parameters.keys() | momentum
    assert tensors["1.weight"].shape == (5, 4)
    assert tensors["optimizer.momentum_buffer.1.weight"].shape == (5, 4)
    assert "optimizer.momentum_buffer.2.running_mean" not in tensors
    with safetensors.safe_open(path, "np") as file:
        description = json.loads(file.metadata()["chainrule"])
    assert description["format_version"] == 1 < FORMAT_VERSION
    assert description["network"]["inputs"] == 5
    assert description["network"]["layers"][1]["kind"] == "dense"


def test_a_file_of_the_safetensors_package_is_read(tmp_path: Path) -> None:
    net = trained()
    path = tmp_path / "net.safetensors"
    net.save(path)
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    content = safetensors.numpy.save(safetensors.numpy.load_file(path), metadata)
    ours = path.read_bytes()
    assert content != ours  # another order of tensors
    assert list(split(content)[0]) != list(split(ours)[0])
    assert state(from_bytes(content)) == state(net)


def test_the_checksum_is_what_the_format_says() -> None:
    content = to_bytes(trained())
    assert sealed(*split(content)) == content


def test_the_header_is_aligned() -> None:
    content = to_bytes(trained())
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0


# Made by Sequential([Normalization(), Dense(4, activation="gelu"), BatchNormalization(),
# Dropout(0.1), LayerNormalization(), Dense(2)], seed=7) and one epoch of two steps of Adam(0.01).
def test_a_golden_file_of_format_1_gives_the_same_bits() -> None:
    net = cr.load(GOLDEN / "format_1.safetensors")
    x = np.load(GOLDEN / "format_1_x.npy")
    np.testing.assert_array_equal(net.predict(x), np.load(GOLDEN / "format_1_predictions.npy"))
    assert net.history.epochs == [1]
    assert net.optimizer == cr.Adam(0.01)
    assert net._core is not None
    assert (net._core.optimizer_kind, net._core.steps, net._core.epochs) == ("adam", 2, 1)


# Two inputs, a residual block of one layer used twice, a frozen layer, two outputs, and two epochs
# of Adam(0.01).
def test_a_golden_file_of_format_3_goes_on() -> None:
    net = cr.load(GOLDEN / "format_3.safetensors")
    assert isinstance(net, cr.Network)
    a, b = np.indices((30, 5)), np.indices((30, 3))
    x = {"a": ((7 * a[0] + 3 * a[1]) % 11 - 5) / 8, "b": ((5 * b[0] + 2 * b[1]) % 7 - 3) / 4}
    y = {"digit": np.arange(30) % 3, "ink": x["b"].sum(axis=1)}
    p = net.parameters
    h = np.tanh(x["a"] @ p["h.weight"] + p["h.bias"])
    inner = h @ p["k.weight"] + p["k.bias"]
    both = np.concatenate([h + inner @ p["k.weight"] + p["k.bias"], x["b"]], axis=1)
    predicted = net.predict(x)
    for name in y:
        expected = both @ p[name + ".weight"] + p[name + ".bias"]
        np.testing.assert_allclose(predicted[name], expected, rtol=1e-4, atol=1e-6)
    frozen = p["h.weight"]
    net.fit(x, y, epochs=1, batch_size=8, verbose=0)
    assert net.history.epochs == [1, 2, 3]
    np.testing.assert_array_equal(net.parameters["h.weight"], frozen)


# Sequential([Input(3), CategoryEncoding((2, 3), columns=(0, 2), unknown="zero", missing="code",
# binary_as_sign=True), Normalization("robust", clip=3.0, missing="indicator", columns=2,
# indicator_columns=2), Dense(2)], seed=3), with names of the categories and adapted to rows.
def test_a_golden_file_of_format_4_takes_raw_rows() -> None:
    net = cr.load(GOLDEN / "format_4.safetensors")
    assert net.category_names == {0: ("no", "yes"), 2: ("red", "green", "blue")}
    center, scale, weight, bias = net.get_weights()
    nan = np.nan
    x = np.array([[1, 0.5, 2], [0, -4.0, nan], [nan, nan, 0], [5, 2.0, 9]])
    z = (x[:, 1] - center[2]) / scale[2]
    z = np.where(np.isnan(z), 0, z / np.sqrt(1 + (z / 3) ** 2))
    signs = [[1, 0], [-1, 0], [0, 1], [0, 0]]
    codes = [[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    h = np.hstack([signs, z[:, np.newaxis], codes, np.isnan(x[:, 1:2])])
    np.testing.assert_allclose(net.predict(x), h @ weight + bias, rtol=1e-5, atol=1e-6)


# All but the version of the library that wrote it.
def content(file: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    header, body = split(file)
    metadata = header.pop("__metadata__")
    assert metadata.keys() == {"chainrule", "crc32"}
    description = json.loads(metadata["chainrule"])
    assert description.pop("chainrule_version").count(".") == 2
    return header, description, body


# format_2_lazy is by Python, after an epoch of AdamW(0.01, lazy=True).
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.safetensors")), ids=lambda path: path.stem)
def test_every_golden_file_is_written_as_it_was(path: Path) -> None:
    assert content(to_bytes(cr.load(path))) == content(path.read_bytes())


# paused is by Python after two of four epochs, cpp by C++ (cpp/tests/test_model_file.cpp), which
# went on from it for one, and resumed by Python without a pause.
@pytest.mark.parametrize(("name", "epochs"), [("paused", 2), ("cpp", 1)])
def test_a_training_goes_on_in_either_language(name: str, epochs: int) -> None:
    net = cr.load(GOLDEN / f"format_1_{name}.safetensors")
    whole = cr.load(GOLDEN / "format_1_resumed.safetensors")
    rows, columns = np.indices((30, 6))
    x = ((7 * rows + 3 * columns) % 11 - 5) / 8
    assert state(net) != state(whole)
    net.fit(x, np.arange(30) % 3, epochs=epochs, batch_size=8, verbose=0)
    assert net.history["loss"][-epochs:] == whole.history["loss"][-epochs:]
    whole.history = net.history  # C++ keeps none of its epochs
    assert state(net) == state(whole)


def test_keys_that_are_not_known_are_ignored() -> None:
    def add(description: dict[str, Any]) -> None:
        description["comment"] = ["by hand"]
        description["network"]["comment"] = {}
        description["training"]["comment"] = None

    assert state(from_bytes(altered(add))) == state(from_bytes(CONTENT))


def test_a_record_without_metrics_and_history_is_that_of_a_cpp_program() -> None:
    def remove(description: dict[str, Any]) -> None:
        del description["training"]["metrics"], description["training"]["history"]

    net = from_bytes(altered(remove))
    assert net.metrics is None
    assert len(net.history) == 0
    net.fit(X, Y, **FIT)
    assert net.history.epochs == [3]
