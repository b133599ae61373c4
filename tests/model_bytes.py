# SPDX-License-Identifier: Apache-2.0
"""Model files taken apart and put together again by other means than the library's."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.network.model_file import to_bytes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
Y = RNG.integers(3, size=40)
FIT: dict[str, Any] = {"loss": "cross_entropy", "batch_size": 16, "verbose": 0}


def layers() -> list[Any]:
    return [
        cr.Normalization(),
        cr.Dense(4, activation="relu", l2=1e-4),
        cr.BatchNormalization(),
        cr.Dropout(0.2),
        cr.Dense(3, weight_initializer=cr.initializers.Normal(0.0, 0.1)),
    ]


def trained(optimizer: Any = "adam", dtype: str = "float32") -> cr.Sequential:
    net = cr.Sequential(layers(), seed=2**64 - 1, dtype=dtype)
    net.fit(X, Y, optimizer=optimizer, epochs=2, validation_split=0.25, **FIT)
    return net


def state(net: cr.Sequential) -> dict[str, Any]:
    core = net._core
    assert core is not None
    found: dict[str, Any] = {
        "repr": repr(net),
        "loss": net.loss,
        "optimizer": net.optimizer,
        "metrics": net.metrics,
        "history": net.history.to_dict(),
        "counters": (core.optimizer_kind, core.steps, core.total_steps, core.epochs),
        "adapted": net._adapted,
    }
    for p in core.parameters:
        found[p.name] = core.get_parameter(p.name).tobytes()
        for slot in core.optimizer_slots:
            found[f"{slot} {p.name}"] = core.get_slot(slot, p.name).tobytes()
    return found


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def join(header: object, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def sealed(header: dict[str, Any], body: bytes) -> bytes:
    """Return a file with the checksum of its content, worked out from the format's description."""
    metadata = header["__metadata__"]
    crc = zlib.crc32(metadata["chainrule"].encode())
    for name in sorted(set(header) - {"__metadata__"}):
        entry = header[name]
        begin, end = entry["data_offsets"]
        dtype = {"F32": "float32", "F64": "float64"}.get(entry["dtype"], entry["dtype"])
        crc = zlib.crc32(f"{name} {dtype} {tuple(entry['shape'])}".encode(), crc)
        crc = zlib.crc32(body[begin:end], crc)
    metadata["crc32"] = f"{crc:08x}"
    return join(header, body)


CONTENT = to_bytes(trained())


def altered(change: Callable[[dict[str, Any]], object], content: bytes = CONTENT) -> bytes:
    """Return a file whose description was changed by a program that knows the checksum."""
    header, body = split(content)
    description = json.loads(header["__metadata__"]["chainrule"])
    change(description)
    header["__metadata__"]["chainrule"] = json.dumps(description)
    return sealed(header, body)
