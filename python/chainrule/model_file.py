# SPDX-License-Identifier: Apache-2.0
"""Model files: safetensors with the architecture and the training state in the metadata.

A file is eight bytes of header length, a JSON header, and the tensors. The header's
``__metadata__`` holds ``chainrule``, a JSON text of the format version, the network and the state
of its training, and ``crc32``, over that text and the tensors in the order of their names, so that
another program may write them in another order. Nothing in a file is executed.
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
from chainrule.layers import Layer, LayerNormalization

if TYPE_CHECKING:
    from chainrule.metrics import Metric
    from chainrule.sequential import Sequential

__all__ = ["FORMAT_VERSION", "from_bytes", "load", "parse", "save", "to_bytes"]

FORMAT_VERSION = 1
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_LARGEST_HEADER = 100_000_000
# What reading a description that is valid JSON, but not ours, may raise.
_UNFIT = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def save(net: Sequential, path: str | os.PathLike[str]) -> None:
    """Write a network to `path`, the old file or the new one at any instant."""
    write_atomically(path, to_bytes(net))


def load(path: str | os.PathLike[str]) -> Sequential:
    """Read a network that `Sequential.save` has written.

    Parameters
    ----------
    path : path-like
        The model file.

    Returns
    -------
    Sequential
        With parameters, optimizer state and history; training goes on where it stopped, to the
        same bits.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is truncated, altered, of a newer version or not a model file.
    """
    content = Path(path).read_bytes()
    try:
        return from_bytes(content)
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error


def to_bytes(net: Sequential) -> bytes:
    """Return the content of a model file."""
    core = net._need_core()
    tensors = {p.name: core.get_parameter(p.name) for p in core.parameters}
    if net._goes_on_from_state():
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
    crc = _checksum(description, tensors)
    header = {"__metadata__": {"chainrule": description, "crc32": crc}, **header}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *chunks])


def from_bytes(content: bytes) -> Sequential:
    """Return the network that `to_bytes` has written; ModelFileError for anything else."""
    description, tensors = parse(content)
    try:
        return _restore(description, tensors)
    except ModelFileError:
        raise
    except _UNFIT as error:
        raise ModelFileError(f"the description does not fit: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


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
            "optimizer_state": net._goes_on_from_state(),
            "schedule_state": getattr(schedule, "state", None),
            "schedule_origin": net._schedule_origin,
            "steps": core.steps,
            "total_steps": core.total_steps,
            "epochs": core.epochs,
            "adapted": net._adapted,
            "metrics": None if net.metrics is None else _named(net.metrics),
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


def _named(chosen: list[Metric]) -> list[str]:
    """Return the names of the metrics that their names stand for: a file cannot hold functions."""
    return [metric.name for metric in chosen if _metric(metric.name) == metric]


def _metric(name: str) -> Metric | None:
    try:
        return metrics.get(name)
    except ValueError:
        return None


def _checksum(description: str, tensors: dict[str, NDArray[Any]]) -> str:
    crc = zlib.crc32(description.encode())
    for name, array in sorted(tensors.items()):
        crc = zlib.crc32(f"{name} {array.dtype.name} {array.shape}".encode(), crc)
        crc = zlib.crc32(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(), crc)
    return f"{crc:08x}"


def parse(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a file's description and tensors, without making a network of them.

    Parameters
    ----------
    content : bytes
        A whole model file.

    Returns
    -------
    description : dict
        Format version, network and state of the training, as in the file.
    tensors : dict of str to ndarray
        The arrays by name.

    Raises
    ------
    ModelFileError
        If the content is truncated, altered, of a newer version or not a model file.
    """
    if len(content) < 8:
        raise ModelFileError("truncated: shorter than its length field")
    (length,) = struct.unpack("<Q", content[:8])
    if not 2 <= length <= _LARGEST_HEADER or content[8:9] not in (b"{", b""):
        raise ModelFileError("not a model file: it does not begin with a safetensors header")
    if len(content) < 8 + length:
        raise ModelFileError(
            f"truncated: the header has {length} bytes, {len(content) - 8} are left"
        )
    body = memoryview(content)[8 + length :]
    try:
        header = json.loads(content[8 : 8 + length].decode())
        metadata = header.pop("__metadata__")
        text = metadata["chainrule"]
        description = json.loads(text)
        _check_version(description)
        _check_layout(header, len(body))
        tensors = {name: _tensor(name, entry, body) for name, entry in header.items()}
        if _checksum(text, tensors) != metadata["crc32"]:
            raise ModelFileError("altered: the checksum does not match the content")
    except ModelFileError:
        raise
    except _UNFIT as error:
        raise ModelFileError(f"not a chainrule model file: {_reason(error)}") from error
    return description, tensors


def _check_version(description: dict[str, Any]) -> None:
    version = description.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(f"the format version is {version!r:.40}, expected {FORMAT_VERSION}")
    if version > FORMAT_VERSION:
        writer = description.get("chainrule_version")
        raise ModelFileError(
            f"written by a newer chainrule ({writer!s:.40}) in format {version}; "
            f"this one reads formats up to {FORMAT_VERSION}: upgrade chainrule"
        )


def _check_layout(header: dict[str, Any], size: int) -> None:
    """Raise unless the tensors follow one another from the first byte to the last."""
    place = 0
    for name, (begin, end) in sorted(
        ((name, entry["data_offsets"]) for name, entry in header.items()), key=lambda item: item[1]
    ):
        if begin != place:
            raise ModelFileError(f"tensor {name!r} begins at byte {begin}, expected {place}")
        place = end
    if place != size:
        kind = "truncated" if place > size else "altered"
        raise ModelFileError(f"{kind}: the tensors have {place} bytes, {size} are there")


def _tensor(name: str, entry: dict[str, Any], body: memoryview) -> NDArray[Any]:
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise ModelFileError(f"tensor {name!r} has type {entry['dtype']!r}, expected F32 or F64")
    shape = tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
        raise ModelFileError(f"tensor {name!r} has a negative or fractional size")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise ModelFileError(f"tensor {name!r} of shape {shape} has {end - begin} bytes")
    return np.frombuffer(body[begin:end], dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _restore(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Sequential:
    from chainrule import losses, optimizers
    from chainrule.history import History
    from chainrule.schedules import ReduceOnPlateau
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
    if state["optimizer"] is not None:
        net.optimizer = optimizers.Optimizer.from_config(state["optimizer"])
        schedule = net.optimizer.schedule
        if state["schedule_state"] is not None and isinstance(schedule, ReduceOnPlateau):
            known = {k: v for k, v in state["schedule_state"].items() if v is not None}
            schedule.state = {**schedule.state, **known}
    owner = net.optimizer or optimizers.get("adam")
    core.restore_training(owner._core, state["steps"], state["total_steps"], state["epochs"])
    if net.optimizer is None or not state["optimizer_state"]:
        core.reset_optimizer()
    parameters = {p.name for p in core.parameters}
    trained = [p.name for p in core.parameters if p.trainable]
    slots = {f"optimizer.{slot}.{name}" for slot in core.optimizer_slots for name in trained}
    expected = parameters | slots
    if expected != tensors.keys():
        odd = sorted(expected ^ tensors.keys())
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
        net.metrics = [metrics.get(name) for name in state["metrics"]]
    net.history = History.from_dict(state["history"])
    net._schedule_origin = int(state["schedule_origin"])
    net._adapted = bool(state["adapted"])
    return net


def _described_bytes(net: Sequential, inputs: int) -> int:
    """Return the size of the layers' arrays, so that a lying file cannot make us allocate them."""
    size = 0
    for layer in net.layers:
        outputs = layer.outputs(inputs)
        if layer.kind == "dense":
            size += inputs * outputs
        elif layer.kind in ("normalization", "batch_normalization"):
            size += 2 * inputs
        elif isinstance(layer, LayerNormalization):
            size += (layer.scale + layer.center) * inputs
        inputs = outputs
    return size * np.dtype(net.dtype).itemsize
