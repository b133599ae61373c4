# SPDX-License-Identifier: Apache-2.0
"""Model files that are not what they should be: no byte is trusted."""

from __future__ import annotations

import json
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from model_bytes import CONTENT, altered, join, sealed, split, trained

import chainrule as cr
from chainrule import schedules
from chainrule.network.model_file import from_bytes, to_bytes


def refused(content: bytes, text: str) -> None:
    with pytest.raises(cr.ModelFileError) as caught:
        from_bytes(content)
    assert text in str(caught.value)


def test_the_path_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"")
    with pytest.raises(cr.ModelFileError) as caught:
        cr.load(path)
    assert str(caught.value) == f"{path}: truncated: shorter than its length field"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        cr.load(tmp_path / "nowhere.safetensors")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=tmp_path.name):
        cr.load(tmp_path)


def test_truncated_anywhere() -> None:
    assert len(CONTENT) > 20 * 97
    for size in [*range(0, len(CONTENT), 97), len(CONTENT) - 1]:
        refused(CONTENT[:size], "truncated")


def test_extra_bytes() -> None:
    refused(to_bytes(trained()) + b"\0", "altered: the tensors have ")


def test_any_flipped_bit() -> None:
    content = to_bytes(cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0))
    from_bytes(content)
    (length,) = struct.unpack("<Q", content[:8])
    read = split(content)
    for place in range(len(content)):
        for bit in (0, 2, 7):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            try:
                from_bytes(bytes(changed))
            except cr.ModelFileError:
                continue
            # White space means nothing; all else must have been noticed.
            assert split(bytes(changed)) == read
            assert 8 <= place < 8 + length


def test_other_files() -> None:
    refused(pickle.dumps({"weights": [1.0] * 100}), "not a model file: it does not begin with")
    refused(b"PK\x03\x04" + bytes(100), "not a model file")
    refused(b"{" * 100, "not a model file")
    refused(
        safetensors.numpy.save({"a": np.zeros(3)}), "not a chainrule model file: it lacks '__met"
    )
    refused(
        safetensors.numpy.save({"a": np.zeros(3)}, {"format": "pt"}),
        "not a chainrule model file: it lacks 'chainrule'",
    )


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32 + 8, 2**63 - 1, 2**63, 2**64 - 1])
def test_lengths_that_overflow(length: int) -> None:
    content = to_bytes(trained())
    refused(struct.pack("<Q", length) + content[8:], "not a model file")


@pytest.mark.parametrize(
    "header",
    [
        b"not json at all ",
        b"[]",
        b"null",
        b"3",
        b'"text"',
        b'{"__metadata__": 3}',
        b'{"__metadata__": {"chainrule": 3, "crc32": "0"}}',
        b'{"__metadata__": {"chainrule": "[]", "crc32": "0"}}',
        b'{"__metadata__": {"chainrule": "{}", "crc32": "0"}}',
        b'{"__metadata__": {"chainrule": "nonsense", "crc32": "0"}}',
        b'{"\xff": 1}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"__metadata__": {"chainrule": "' + b"[" * 100_000 + b'", "crc32": "0"}}',
        b"9" * 10_000,
        "{}".encode("utf-16"),
    ],
    ids=lambda header: repr(header[:40]),
)
def test_headers_that_are_none(header: bytes) -> None:
    with pytest.raises(cr.ModelFileError):
        from_bytes(struct.pack("<Q", len(header)) + header)


def test_a_newer_format() -> None:
    def newer(description: dict[str, Any]) -> None:
        description["format_version"] = 6
        description["chainrule_version"] = "9.8.7"
        description.pop("network")

    text = (
        "written by a newer chainrule (9.8.7) in format 6; this one reads formats up to 5: "
        "upgrade chainrule"
    )
    content = altered(newer)
    refused(content, text)
    # Its tensors may be of types that are not known yet.
    header, body = split(content)
    header["4.weight"]["dtype"] = "F16"
    refused(join(header, body), text)


@pytest.mark.parametrize("version", [0, -1, "1", 1.5, None, [1]])
def test_versions_that_are_none(version: Any) -> None:
    refused(altered(lambda d: d.update(format_version=version)), "the format version is ")


def set_in(*path: Any) -> Callable[[dict[str, Any]], None]:
    *steps, last, value = path

    def change(description: Any) -> None:
        for step in steps:
            description = description[step]
        description[last] = value

    return change


def nested(innermost: Any, key: str | None) -> Any:
    """Return what JSON can still read, but a careless reader has no stack for."""
    for _ in range(800):
        innermost = {"kind": "relu", key: innermost} if key else [innermost]
    return innermost


FIRST_DENSE = ("network", "layers", 1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (set_in(*FIRST_DENSE, "kind", "dens"), "unknown layer 'dens'; did you mean 'dense'?"),
        (set_in(*FIRST_DENSE, "units", 0), "dense: units must be >= 1, got 0"),
        (set_in(*FIRST_DENSE, "units", 5), "1.weight has shape (5, 5), got (5, 4)"),
        (set_in(*FIRST_DENSE, "units", 2**40), "more parameters than the file holds"),
        (set_in(*FIRST_DENSE, "units", 2**47), "inputs * units must be at most 2^48"),
        (set_in(*FIRST_DENSE, "units", 2**70), ""),
        (set_in(*FIRST_DENSE, "units", "4"), "dense: units must be an integer"),
        (set_in(*FIRST_DENSE, "use_bias", False), "tensors missing or not expected: 1.bias"),
        (set_in(*FIRST_DENSE, "use_bais", False), "unknown dense option 'use_bais'"),
        (set_in("network", "layers", []), "a network needs at least one layer"),
        (set_in("network", "layers", None), ""),
        (set_in("network", "layers", 0, "relu"), "unknown layer 'relu'"),
        (set_in("network", "layers", 0, 5), "expected a layer by its name or config, got 5"),
        (set_in("network", "inputs", 2**62), ""),
        (set_in("network", "inputs", 6), "0.mean has shape (6,), got (5,)"),
        (set_in("network", "inputs", 0), ""),
        (set_in("network", "inputs", "5"), ""),
        (set_in("network", "seed", "x"), ""),
        (set_in("network", "seed", "-1"), 'seed must lie in 0..2^64-1, got "-1"'),
        (set_in("network", "dtype", "float64"), "is float32, the network float64"),
        (set_in("network", "dtype", "int8"), "unknown dtype 'int8'; valid: float32, float64"),
        (lambda d: d.pop("network"), "the description does not fit: it lacks 'network'"),
        (lambda d: d["network"].pop("layers"), "the description does not fit: it lacks 'layers'"),
        (lambda d: d.pop("training"), "the description does not fit: it lacks 'training'"),
        (set_in("training", None), ""),
        (
            set_in("training", "optimizer", "kind", "adm"),
            "unknown optimizer 'adm'; did you mean 'adam'",
        ),
        (set_in("training", "optimizer", "kind", "sgd"), "unknown sgd option"),
        (set_in("training", "optimizer", None), "not expected: optimizer.exp_avg.1.bias"),
        (
            set_in("training", "optimizer_state", False),
            "tensors missing or not expected: optimizer.exp",
        ),
        (set_in("training", "optimizer", "amsgrad", True), "optimizer.max_exp_avg_sq"),
        (set_in("training", "steps", -1), "training counters must not be negative"),
        (set_in("training", "steps", 10**6), "training counters must not be negative"),
        (set_in("training", "epochs", 1.5), ""),
        (set_in("training", "epochs", 10**30), ""),
        (set_in("training", "loss", "kind", "mean"), "unknown loss 'mean'"),
        (set_in("training", "metrics", ["acuracy"]), "unknown metric 'acuracy'"),
        (set_in("training", "history", []), ""),
        (set_in("training", "history", "epochs", [1]), "values for 1 epochs"),
        (set_in("training", "history", "history", "loss", ["a", "b"]), ""),
        (set_in("training", "schedule_origin", None), ""),
        (set_in(*FIRST_DENSE, "activation", nested({}, "activation")), ""),
        (set_in("training", "history", "history", "loss", nested([], None)), ""),
    ],
)
def test_descriptions_that_do_not_fit(change: Callable[[dict[str, Any]], None], text: str) -> None:
    refused(altered(change), text)


@pytest.mark.parametrize(
    ("stack", "inputs"),
    [
        ([{"kind": "normalization"}], 2**40),
        ([{"kind": "batch_normalization"}], 2**40),
        ([{"kind": "batch_normalization", "center": False, "scale": False}], 2**40),
        ([{"kind": "layer_normalization"}], 2**40),
        ([{"kind": "rescaling", "scale": 1.0}, {"kind": "dense", "units": 1}], 2**40),
        ([{"kind": "dense", "units": 2**40}], 1),
    ],
)
def test_sizes_that_the_file_does_not_hold(stack: list[dict[str, Any]], inputs: int) -> None:
    def change(description: dict[str, Any]) -> None:
        description["network"].update(layers=stack, inputs=inputs)

    refused(altered(change), "the layers need more parameters than the file holds")


def test_plateau_state_that_is_none() -> None:
    content = to_bytes(trained(cr.SGD(schedules.ReduceOnPlateau(0.1))))
    for value in ({"rate": "high"}, {"speed": 3.0}, [1], 3):
        refused(
            altered(set_in("training", "schedule_state", value), content), "the description does"
        )


Tensors = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda h: h.update({"9.weight": h.pop("4.weight")}),
            "missing or not expected: 4.weight, 9.w",
        ),
        (lambda h: h["4.weight"].update(shape=[3, 4]), "4.weight has shape (4, 3), got (3, 4)"),
        (lambda h: h["4.weight"].update(shape=[12]), "4.weight has shape (4, 3), got (12,)"),
        (
            lambda h: h["4.weight"].update(shape=[4, 4]),
            "tensor '4.weight' of shape (4, 4) has 48 bytes",
        ),
        (lambda h: h["4.weight"].update(shape=[-4, -3]), "has the size or offset -4, expected"),
        (lambda h: h["4.weight"].update(shape=[4.0, 3]), "has the size or offset 4.0, expected"),
        (lambda h: h["4.weight"].update(shape=["4", 3]), 'has the size or offset "4", expected'),
        (
            lambda h: h["4.weight"].update(shape=[2**63, 2]),
            "has the size or offset 92233720368547758",
        ),
        (
            lambda h: h["4.weight"].update(shape=[2**62, 2]),
            "of shape (4611686018427387904, 2) has 48",
        ),
        (lambda h: h["4.weight"].update(shape=[10**40, 0]), "expected a whole number below 2^63"),
        (lambda h: h["4.weight"].update(shape=[1] * 100 + [12]), "has 101 axes or offsets"),
        (lambda h: h["4.weight"].update(shape=[]), "has 0 axes or offsets"),
        (lambda h: h["4.weight"].update(shape=None), ""),
        (
            lambda h: h["4.weight"].update(dtype="F64"),
            "tensor '4.weight' of shape (4, 3) has 48 bytes",
        ),
        (lambda h: h["4.weight"].update(dtype="F16"), 'has type "F16", expected "F32", "F64"'),
        (lambda h: h["4.weight"].update(dtype=["F32"]), ""),
        (lambda h: h["4.weight"].update(dtype="F64", shape=[2, 3]), "tensor '4.weight' is float64"),
        (
            lambda h: h["4.weight"].update(data_offsets=h["1.weight"]["data_offsets"]),
            "tensor '4.weight' of shape (4, 3) has 80 bytes",
        ),
        (lambda h: h["4.weight"].update(data_offsets=[2**62, 2**62 + 48]), "begins at byte"),
        (
            lambda h: h["4.weight"].update(data_offsets=[2**63, 2**63 + 48]),
            "has the size or offset",
        ),
        (lambda h: h["4.weight"].update(data_offsets=[-48, 0]), "has the size or offset -48"),
        (lambda h: h["4.weight"].update(data_offsets=[96, 48]), "of shape (4, 3) has -48 bytes"),
        (lambda h: h["4.weight"].update(data_offsets=["0", "48"]), ""),
        (lambda h: h["4.weight"].update(data_offsets=[0, 48, 96]), ""),
        (lambda h: h["4.weight"].pop("data_offsets"), "it lacks 'data_offsets'"),
        (lambda h: h.update({"4.weight": []}), ""),
        (
            lambda h: h.update({"empty": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}),
            "empty",
        ),
    ],
)
def test_tensors_that_do_not_fit(change: Callable[[Tensors], object], text: str) -> None:
    header, body = split(CONTENT)
    change(header)
    try:
        content = sealed(header, body)
    except (AttributeError, KeyError, TypeError, ValueError):
        content = join(header, body)  # so broken that it has no checksum
    refused(content, text)


def test_overlapping_tensors_with_a_hole_of_the_same_size() -> None:
    header, body = split(CONTENT)
    a, b = header["4.bias"], header["optimizer.exp_avg.4.bias"]
    b["data_offsets"] = a["data_offsets"]
    refused(sealed(header, body), "begins at byte")


def test_weights_that_are_not_finite() -> None:
    header, body = split(CONTENT)
    begin, _ = header["4.bias"]["data_offsets"]
    body = body[:begin] + struct.pack("<f", math.nan) + body[begin + 4 :]
    refused(join(header, body), "altered: the checksum does not match the content")
    refused(sealed(header, body), "the values for 4.bias contain NaN or infinity")


@pytest.mark.parametrize(
    "means", [[1.0], [1.0, 2.0], ["x"], 3, [1.5e300], [None], [1_700_000_200.0]], ids=str
)
def test_exact_means_that_are_not_those_of_the_network(means):
    net = cr.Sequential([cr.Input(1), cr.Normalization(), cr.Dense(1)], seed=0)
    net.adapt(1_700_000_000 + np.arange(40).reshape(-1, 1))
    header, body = split(to_bytes(net))
    description = json.loads(header["__metadata__"]["chainrule"])
    assert description["network"]["exact_mean"] == [1_700_000_019.5]
    description["network"]["exact_mean"] = means
    header["__metadata__"]["chainrule"] = json.dumps(description)
    with pytest.raises(cr.ModelFileError, match=r"exact.mean"):
        from_bytes(sealed(header, body))
