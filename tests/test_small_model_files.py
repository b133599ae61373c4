# SPDX-License-Identifier: Apache-2.0
"""Model files of small weights: the very same predictions, and networks of rounded weights."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.network.model_file import from_bytes

GOLDEN = Path(__file__).parent / "golden" / "small"


def _network(seed=1, dtype="float32"):
    layers = [cr.Input(37), cr.Dense(20, activation="relu"), cr.LayerNormalization()]
    net = cr.Sequential(
        [*layers, cr.Dense(20, use_bias=False), cr.Dense(3)], seed=seed, dtype=dtype
    )
    weights = net.get_weights()
    weights[0][:, 3] = 0  # a column that has no scale
    net.set_weights(weights)
    return net


def _rows():
    return np.random.default_rng(3).normal(size=(40, 37)).astype(np.float32)


def _predictor(net, weights):
    return cr.Predictor(net, weights, calibration=_rows() if weights == "int8" else None)


def _split(content):
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _array(header, body, name):
    """Read a tensor as docs/model-format.md says, in float32."""
    begin, end = header[name]["data_offsets"]
    raw, shape = body[begin:end], header[name]["shape"]
    if header[name]["dtype"] == "BF16":
        halves = np.frombuffer(raw, "<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(shape)
    dtype = {"F32": "<f4", "I8": "i1"}[header[name]["dtype"]]
    return np.frombuffer(raw, dtype).astype(np.float32).reshape(shape)


def _sealed(header, body):
    """Return the content with the checksum that belongs to it."""
    metadata = header["__metadata__"]
    crc = zlib.crc32(metadata["chainrule"].encode())
    names = {"F32": "float32", "BF16": "bfloat16", "I8": "int8"}
    for name in sorted(header.keys() - {"__metadata__"}):
        tensor = header[name]
        text = f"{name} {names[tensor['dtype']]} {tuple(tensor['shape'])}"
        crc = zlib.crc32(body[slice(*tensor["data_offsets"])], zlib.crc32(text.encode(), crc))
    metadata["crc32"] = f"{crc:08x}"
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_a_file_gives_the_same_predictor(weights, tmp_path):
    net, x, path = _network(), _rows(), tmp_path / "small.safetensors"
    predictor = _predictor(net, weights)
    predictor.save(path)
    read = cr.load_predictor(path)
    assert read.weights == weights
    np.testing.assert_array_equal(read.predict(x), predictor.predict(x))
    again = tmp_path / "again.safetensors"
    read.save(again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_a_network_of_the_file_has_the_rounded_weights(weights, tmp_path):
    net, path = _network(), tmp_path / "small.safetensors"
    _predictor(net, weights).save(path)
    header, body = _split(path.read_bytes())
    assert _sealed(header, body)[-len(body) :] == body
    assert header["0.weight"]["dtype"] == {"bf16": "BF16", "int8": "I8"}[weights]
    read = cr.load(path)
    for name, values in read.parameters.items():
        expected = _array(header, body, name)
        if name + ".scale" in header:
            expected = expected * _array(header, body, name + ".scale")
        np.testing.assert_array_equal(values, expected)
        largest = np.abs(net.parameters[name]).max()
        # Half of the last of 8 binary digits, or of an integer's step and its scale's rounding.
        error = {"bf16": 2**-8, "int8": 0.51 / 127}[weights] * largest
        np.testing.assert_allclose(values, net.parameters[name], atol=error)
    if weights == "bf16":
        np.testing.assert_array_equal(
            read.predict(_rows()), _predictor(net, "bf16").predict(_rows())
        )
    history = read.fit(_rows(), np.arange(40) % 3, loss="cross_entropy", epochs=2, verbose=0)
    assert history["loss"][1] < history["loss"][0]


def test_what_was_trained_meanwhile_is_saved(tmp_path):
    net, path = _network(), tmp_path / "small.safetensors"
    predictor = _predictor(net, "int8")
    net.set_weights(_network(seed=2).get_weights())
    predictor.save(path)
    np.testing.assert_array_equal(
        cr.load_predictor(path).predict(_rows()), predictor.predict(_rows())
    )


def test_without_small_weights_it_is_the_networks_file(tmp_path):
    net = _network()
    cr.Predictor(net).save(tmp_path / "a.safetensors")
    net.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    read = cr.load_predictor(tmp_path / "b.safetensors")
    assert read.weights is None
    np.testing.assert_array_equal(read.predict(_rows()), net.predict(_rows()))


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_golden_files_give_the_same_bits(weights):
    predictor = cr.load_predictor(GOLDEN / f"{weights}.safetensors")
    x = (np.arange(5 * 6).reshape(5, 6) % 7 - 3).astype(np.float32) / 4
    expected = np.load(GOLDEN / f"{weights}_predictions.npy")
    np.testing.assert_array_equal(predictor.predict(x), expected)


def test_a_weight_beyond_bf16_is_refused(tmp_path):
    net = cr.Sequential([cr.Input(1), cr.Dense(1)], seed=0)
    net.set_weights([[[3.4e38]], [0.0]])
    with pytest.raises(ValueError, match="weights in bf16: a weight is too large"):
        cr.Predictor(net, weights="bf16").save(tmp_path / "small.safetensors")
    assert not list(tmp_path.iterdir())


def _change_scale(header, body, description):
    begin = header["0.weight.scale"]["data_offsets"][0]
    return body[:begin] + struct.pack("<f", 0.7) + body[begin + 4 :]


def _change(**changes):
    def change(header, body, description):
        description["network"]["quantization"].update(changes)
        return body

    return change


def _drop(header, body, description):
    del description["network"]["quantization"]
    return body


def _optimizer(header, body, description):
    description["training"]["optimizer_state"] = True
    return body


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_change_scale, "tensor '0.weight': its scales are not those of columns whose largest"),
        (_change(weights="int4"), "quantization: weights is 'int4', expected 'bf16' or 'int8'"),
        (_change(weights="bf16"), "tensors missing or not expected: 0.weight.scale"),
        (
            _change(ranges=[[0, 1]]),
            "the network has 3 dense layers, there must be a range for each",
        ),
        (_change(ranges=[[0, 1]] * 4), "the network has 3 dense layers"),
        (_change(ranges=[[0.5, 1]] * 3), "expected finite limits around 0"),
        (_change(ranges=[[0, 1e39]] * 3), "expected finite limits around 0"),
        (_change(ranges=[[0]] * 3), "expected finite limits around 0"),
        (_drop, "not expected: 0.weight.scale|more parameters than the file holds"),
        (_optimizer, "a file of small weights holds no memory of an optimizer"),
    ],
)
def test_files_that_do_not_fit_are_refused(change, message, tmp_path):
    path = tmp_path / "small.safetensors"
    _predictor(_network(), "int8").save(path)
    header, body = _split(path.read_bytes())
    assert _sealed(header, body)
    description = json.loads(header["__metadata__"]["chainrule"])
    body = change(header, body, description)
    header["__metadata__"]["chainrule"] = json.dumps(description)
    with pytest.raises(cr.ModelFileError, match=message):
        from_bytes(_sealed(header, body))
