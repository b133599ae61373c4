# SPDX-License-Identifier: Apache-2.0
"""Mutated ONNX files either become networks that predict, or are refused by `ModelFileError`."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.interop.onnx_export import onnx_bytes

onnx = pytest.importorskip("onnx", reason="it reads the files")

GOLDEN = Path(__file__).parent / "golden" / "onnx"
# What a file may take beyond eight times its size: samples of rows that run through it.
ALLOWANCE = 1 << 23
NUMBERS = (0, 1, -1, 2, 3, 7, 11, 65536, 2**31 - 1, 2**62, -(2**63))
BYTES = (b"\x00", b"\x7f", b"\x80", b"\xff", b"\xff\xff\xff\xff\x0f", b"\x80" * 9 + b"\x01")
TEXTS = ("", "x", "y", "axis", "Constant", "Gather", "If", "Softmax", "com.example")


@pytest.fixture(scope="module")
def corpus():
    """Return valid files with every operator that is written, and some of other programs."""
    files = [path.read_bytes() for path in sorted(GOLDEN.glob("*.onnx"))]
    for dtype in ("float32", "float64"):
        for kind in cr._core.Activation.kinds():
            layers = [
                cr.Input(3),
                cr.Rescaling(0.5, 1.0),
                cr.Dense(4, activation=kind),
                cr.LayerNormalization(),
                cr.BatchNormalization(),
                cr.Dense(2, use_bias=False),
            ]
            net = cr.Sequential(layers, seed=0, dtype=dtype)
            files.append(onnx_bytes(net, opset=13 if dtype == "float32" else 20))
    return files


def changed_bytes(content, rng):
    """Return bytes of which a few are others, missing or there twice."""
    place = rng.randrange(len(content))
    end = place + rng.choice((1, 1, 2, 4, 16, 200))
    new = rng.choice((b"", content[place:end] * 2, rng.randbytes(end - place), *BYTES))
    return content[:place] + new + content[end:]


def change_field(message, rng):
    """Change a field of a message, or one of a message in it."""
    fields = message.ListFields()
    if not fields:
        return
    field, value = rng.choice(fields)
    repeated = not isinstance(value, str | bytes | int | float) and not hasattr(value, "ListFields")
    if repeated and rng.random() < 0.4:
        if rng.random() < 0.5:
            del value[rng.randrange(len(value))]
        else:
            value.extend([rng.choice(value)])
    elif field.message_type is not None:
        change_field(rng.choice(value) if repeated else value, rng)
    else:
        given = rng.choice(value) if repeated else value
        if isinstance(given, bytes):
            new = changed_bytes(given, rng) if given else b"\x00"
        elif isinstance(given, str):
            new = rng.choice(TEXTS)
        elif isinstance(given, float):
            new = rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf")))
        else:
            new = rng.choice(NUMBERS)
        try:
            if repeated:
                value[rng.randrange(len(value))] = new
            else:
                setattr(message, field.name, new)
        except ValueError:  # a number that the field does not take
            return


def mutated(files, rng):
    content = rng.choice(files)
    changes = rng.choice((1, 1, 1, 2, 2, 4, 8))
    if rng.random() < 0.3:
        for _ in range(changes):
            content = changed_bytes(content, rng)
        return content
    proto = onnx.load_from_string(content)
    for _ in range(changes):
        # The fields of the model itself are few.
        change_field(proto.graph if rng.random() < 0.9 else proto, rng)
    return proto.SerializeToString()


def becomes_a_network(content):
    try:
        net = cr.from_onnx(content)
    except cr.ModelFileError:
        return False
    if net.inputs < 10_000:
        net.predict(np.zeros((1, net.inputs)), num_threads=1)
    return True


def test_mutated_files(corpus):
    assert all(becomes_a_network(content) for content in corpus)
    results = [becomes_a_network(mutated(corpus, random.Random(seed))) for seed in range(600)]
    assert 60 < sum(results) < 540


def test_memory_for_mutated_files(corpus):
    over = []
    for seed in range(600, 660):
        content = mutated(corpus, random.Random(seed))
        tracemalloc.start()
        becomes_a_network(content)
        over.append(tracemalloc.get_traced_memory()[1] - 8 * len(content) - ALLOWANCE)
        tracemalloc.stop()
    assert max(over) <= 0
