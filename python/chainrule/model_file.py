# SPDX-License-Identifier: Apache-2.0
"""Model files: safetensors with the architecture and the training state in the metadata.

A file is eight bytes of header length, a JSON header, and the tensors. The header's
``__metadata__`` holds ``chainrule``, a JSON text of the format version, the network and the state
of its training, and ``crc32``, over that text and the tensor bytes. Nothing in a file is executed.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core, metrics
from chainrule.atomic_file import write_atomically
from chainrule.errors import ModelFileError

if TYPE_CHECKING:
    from chainrule.metrics import Metric
    from chainrule.sequential import Sequential

__all__ = ["FORMAT_VERSION", "from_bytes", "load", "save", "to_bytes"]

FORMAT_VERSION = 1
_DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_LARGEST_HEADER = 100_000_000


def save(net: Sequential, path: str | os.PathLike[str]) -> None:
    """Write a network to `path`, the old file or the new one at any instant."""
    write_atomically(path, to_bytes(net))


def load(path: str | os.PathLike[str]) -> Sequential:
    """Read a network; see `chainrule.load`."""
    content = Path(path).read_bytes()
    try:
        return from_bytes(content)
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error


def to_bytes(net: Sequential) -> bytes:
    """Return the content of a model file."""
    core = net._need_core()
    tensors = {p.name: core.get_parameter(p.name) for p in core.parameters}
    for slot in core.optimizer_slots:
        for p in core.parameters:
            if p.trainable:
                tensors[f"optimizer.{slot}.{p.name}"] = core.get_slot(slot, p.name)
    description = json.dumps(_finite(_describe(net)), allow_nan=False)
    header: dict[str, Any] = {}
    chunks: list[bytes] = []
    offset = 0
    for name, array in tensors.items():
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        header[name] = {
            "dtype": "F32" if array.itemsize == 4 else "F64",
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        chunks.append(data)
        offset += len(data)
    body = b"".join(chunks)
    crc = zlib.crc32(body, zlib.crc32(description.encode()))
    header = {"__metadata__": {"chainrule": description, "crc32": f"{crc:08x}"}, **header}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def from_bytes(content: bytes) -> Sequential:
    """Return the network that `to_bytes` has written; ModelFileError for anything else."""
    description, tensors = _parse(content)
    version = description.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(f"the format version is {version!r}, expected {FORMAT_VERSION}")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"written by a newer chainrule ({description.get('chainrule_version')}) in format "
            f"{version}; this one reads formats up to {FORMAT_VERSION}: upgrade chainrule"
        )
    try:
        return _restore(description, tensors)
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ModelFileError(f"the description does not fit: {error}") from error


def _describe(net: Sequential) -> dict[str, Any]:
    core = net._need_core()
    optimizer = net.optimizer
    schedule = None if optimizer is None else optimizer.schedule
    return {
        "format_version": FORMAT_VERSION,
        "chainrule_version": _core.__version__,
        "network": {
            "layers": [layer.config for layer in net.layers],
            "inputs": core.inputs,
            "seed": str(net.seed),
            "dtype": net.dtype,
        },
        "training": {
            "loss": None if net.loss is None else net.loss.config,
            "optimizer": None if optimizer is None else optimizer.config,
            "optimizer_state": core.optimizer_kind,
            "schedule_state": getattr(schedule, "state", None),
            "schedule_origin": net._schedule_origin,
            "steps": core.steps,
            "total_steps": core.total_steps,
            "epochs": core.epochs,
            "adapted": net._adapted,
            "metrics": None if net.metrics is None else [m.name for m in net.metrics],
            "history": net.history.to_dict(),
        },
    }


def _finite(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _parse(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    if len(content) < 8:
        raise ModelFileError("truncated: shorter than its length field")
    (length,) = struct.unpack("<Q", content[:8])
    if length > _LARGEST_HEADER or length < 2:
        raise ModelFileError("not a model file: it does not begin with a safetensors header")
    if len(content) < 8 + length:
        raise ModelFileError(f"truncated: the header has {length} bytes, {len(content) - 8} are left")
    try:
        header = json.loads(content[8 : 8 + length])
        metadata = header.pop("__metadata__")
        text = metadata["chainrule"]
        description = json.loads(text)
        crc = metadata["crc32"]
        body = memoryview(content)[8 + length :]
        tensors = {name: _tensor(name, entry, body) for name, entry in header.items()}
    except ModelFileError:
        raise
    except (
        AttributeError,
        KeyError,
        RecursionError,
        TypeError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        raise ModelFileError(f"not a chainrule model file: {error!r}") from error
    expected = sum(array.nbytes for array in tensors.values())
    if len(body) != expected:
        kind = "truncated" if len(body) < expected else "altered"
        raise ModelFileError(f"{kind}: the tensors have {expected} bytes, {len(body)} are there")
    if f"{zlib.crc32(body, zlib.crc32(text.encode())):08x}" != crc:
        raise ModelFileError("altered: the checksum does not match the content")
    if not isinstance(description, dict):
        raise ModelFileError("not a chainrule model file: no description")
    return description, tensors


def _tensor(name: str, entry: dict[str, Any], body: memoryview) -> NDArray[Any]:
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise ModelFileError(f"tensor {name!r} has type {entry['dtype']!r}, expected F32 or F64")
    shape = tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if not all(isinstance(n, int) and n >= 0 for n in (*shape, begin, end)):
        raise ModelFileError(f"tensor {name!r} has a negative or fractional size")
    size = dtype.itemsize
    for n in shape:
        size *= n
    if end - begin != size:
        raise ModelFileError(f"tensor {name!r} of shape {shape} has {end - begin} bytes")
    if end > len(body):
        raise ModelFileError(f"truncated: tensor {name!r} ends at {end} of {len(body)} bytes")
    return np.frombuffer(body[begin:end], dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _restore(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Sequential:
    from chainrule import losses, optimizers
    from chainrule.history import History
    from chainrule.layers import Layer
    from chainrule.sequential import Sequential

    network = description["network"]
    state = description["training"]
    layers = [Layer.from_config(config) for config in network["layers"]]
    net = Sequential(layers, seed=int(network["seed"]), dtype=network["dtype"])
    needed = _described_bytes(net, network["inputs"])
    if needed > sum(array.nbytes for array in tensors.values()):
        raise ModelFileError("the layers need more parameters than the file holds")
    net.build(network["inputs"])
    core = net._need_core()
    parameters = {p.name: p for p in core.parameters}
    expected = dict.fromkeys(parameters)
    if state["optimizer"] is not None:
        net.optimizer = optimizers.Optimizer.from_config(state["optimizer"])
        if state["schedule_state"] is not None and net.optimizer.schedule is not None:
            net.optimizer.schedule.state = state["schedule_state"]
    if state["optimizer_state"]:
        memory = net.optimizer
        if memory is None or memory.kind != state["optimizer_state"]:
            memory = optimizers.get(state["optimizer_state"])
        core.restore_training(
            memory._core, state["steps"], state["total_steps"], state["epochs"]
        )
        for slot in core.optimizer_slots:
            expected.update(
                {f"optimizer.{slot}.{p.name}": None for p in core.parameters if p.trainable}
            )
    if expected.keys() != tensors.keys():
        odd = sorted(expected.keys() ^ tensors.keys())
        raise ModelFileError(f"tensors missing or not expected: {', '.join(odd[:5])}")
    for name, array in tensors.items():
        if array.dtype != np.dtype(net.dtype):
            raise ModelFileError(f"tensor {name!r} is {array.dtype}, the network {net.dtype}")
        if name in parameters:
            core.set_parameter(name, array)
        else:
            _, slot, parameter = name.split(".", 2)
            core.set_slot(slot, parameter, array)
    net.loss = None if state["loss"] is None else losses.get(state["loss"])
    if state["metrics"] is not None:
        # A metric that is a caller's own function cannot be told by its name.
        net.metrics = [found for found in map(_metric, state["metrics"]) if found is not None]
    net.history = History.from_dict(state["history"])
    net._schedule_origin = int(state["schedule_origin"])
    net._adapted = bool(state["adapted"])
    return net


def _metric(name: str) -> Metric | None:
    try:
        return metrics.get(name)
    except ValueError:
        return None


def _described_bytes(net: Sequential, inputs: int) -> int:
    """Return the size of the layers' weights, so that a lying file cannot make us allocate them."""
    size = 0
    for layer in net.layers:
        outputs = layer._core.outputs(inputs)
        if layer.kind == "dense":
            size += inputs * outputs
        inputs = outputs
    return size * np.dtype(net.dtype).itemsize

