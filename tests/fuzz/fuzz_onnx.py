# SPDX-License-Identifier: Apache-2.0
"""Feed mutated ONNX files to the reader: ``python tests/fuzz/fuzz_onnx.py --executions 100000``.

A file either becomes a network that predicts, or is refused with `chainrule.ModelFileError`;
whatever else happens is a failure, which is printed with the seed that repeats it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
import tracemalloc
import warnings
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.interop.onnx_export import onnx_bytes

GOLDEN = Path(__file__).parents[1] / "golden" / "onnx"
# Tracing memory makes an execution several times slower, so only every so many are traced.
TRACED = 64
# What a file may take beyond twice its size.
ALLOWANCE = 1 << 20
INTERESTING = (b"\x00", b"\x7f", b"\x80", b"\xff", b"\xff\xff\xff\xff\x0f", b"\x80" * 9 + b"\x01")


def corpus() -> list[bytes]:
    """Return valid files with every operator that is written, and some of other programs."""
    files = []
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
    net = cr.Sequential([cr.Input(3), cr.Normalization(), cr.Dense(2)], seed=0)
    files += [onnx_bytes(net, input_dtype="uint8"), b"", b"\x08\x08"]
    return files + [path.read_bytes() for path in sorted(GOLDEN.glob("*.onnx"))]


def mutated(files: list[bytes], rng: random.Random) -> bytes:
    """Return one of the files after one to eight changes, of bytes or of whole fields."""
    content = rng.choice(files)
    changes = rng.choice((1, 1, 1, 2, 2, 4, 8))
    if rng.random() < 0.4:
        return changed_bytes(content, files, rng, changes)
    for _ in range(changes):
        content = changed_fields(content, rng)
    return content


def changed_fields(content: bytes, rng: random.Random) -> bytes:
    """Return a message in which a field, or a field of a field, is changed, all lengths fitting."""
    fields = split(content)
    if not fields:
        return rng.choice((content, *INTERESTING))
    place = rng.randrange(len(fields))
    key, payload = fields[place]
    other = fields[rng.randrange(len(fields))]
    change = rng.randrange(12)
    if change == 0:
        del fields[place]
    elif change == 1:
        fields.insert(rng.randrange(len(fields) + 1), fields[place])
    elif change == 2:
        fields[place] = (key, other[1]) if key & 7 == other[0] & 7 else other
    elif change == 3:
        fields[place], fields[fields.index(other)] = other, fields[place]
    elif change == 4:
        fields[place] = (
            key,
            varint(rng.choice((0, 1, 2, 3, 7, 11, 2**31, 2**63 - 1, 2**64 - 1)))
            if key & 7 == 0
            else payload[: rng.randrange(len(payload) + 1)],
        )
    elif key & 7 == 2 and payload:
        # Most bytes of a file are weights, of which one is like another.
        deeper = len(payload) > 3 and rng.random() < 0.85
        fields[place] = (
            key,
            changed_fields(payload, rng) if deeper else changed_bytes(payload, [payload], rng, 1),
        )
    return b"".join(
        varint(key) + (varint(len(payload)) if key & 7 == 2 else b"") + payload
        for key, payload in fields
    )


def split(content: bytes) -> list[tuple[int, bytes]]:
    """Return the keys and payloads of a message, or nothing where the bytes are none."""
    fields, place = [], 0
    while place < len(content):
        key, place = read_varint(content, place)
        start = place
        size = {1: 8, 5: 4}.get(key & 7, 0)
        if key & 7 == 0:
            _, place = read_varint(content, place)
        elif key & 7 == 2:
            size, start = read_varint(content, place)
            place = start
        elif not size:
            return []
        place += size
        if place > len(content) or key < 8:
            return []
        fields.append((key, content[start:place]))
    return fields


def read_varint(content: bytes, place: int) -> tuple[int, int]:
    """Return an integer and the place after it."""
    value = shift = 0
    while place < len(content):
        value |= (content[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if content[place - 1] < 0x80:
            break
    return value, place


def varint(value: int) -> bytes:
    """Return an integer as the wire has it."""
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def changed_bytes(original: bytes, files: list[bytes], rng: random.Random, changes: int) -> bytes:
    """Return bytes of which some are changed, whatever they stand for."""
    content = bytearray(original)
    for _ in range(changes):
        place = rng.randrange(len(content) + 1)
        end = min(len(content), place + rng.choice((1, 1, 2, 4, 16, 200)))
        change = rng.randrange(8)
        if change == 0 and place < len(content):
            content[place] ^= 1 << rng.randrange(8)
        elif change == 1 and place < len(content):
            content[place] = rng.randrange(256)
        elif change == 2:
            content[place:end] = b""
        elif change == 3:
            content[place:place] = content[place:end]
        elif change == 4:
            content[place:place] = rng.choice(INTERESTING)
        elif change == 5:
            content[place:end] = rng.randbytes(end - place)
        elif change == 6:
            other = rng.choice(files)
            start = rng.randrange(len(other) + 1)
            content[place:end] = other[start : start + rng.choice((4, 32, 300))]
        elif rng.random() < 0.2:
            del content[place:]
    return bytes(content)


def execute(content: bytes) -> bool:
    """Read a file; return whether it became a network."""
    try:
        net = cr.from_onnx(content)
    except cr.ModelFileError:
        return False
    if net.inputs < 10_000:
        net.predict(np.zeros((1, net.inputs)), num_threads=1)
    return True


def run(executions: int, seed: int) -> dict[str, float]:
    """Return counts of executions, networks and failures, the longest time and largest memory."""
    warnings.simplefilter("error")
    files = corpus()
    for content in files:
        execute(content)
    result = dict.fromkeys(("executions", "networks", "failures", "seconds", "bytes_over"), 0.0)
    result["bytes_over"] = -float(ALLOWANCE)
    for index in range(seed, seed + executions):
        content = mutated(files, random.Random(index))
        traced = index % TRACED == 0
        if traced:
            tracemalloc.start()
        start = time.perf_counter()
        try:
            result["networks"] += execute(content)
        except Exception:
            result["failures"] += 1
            print(f"seed {index}:", file=sys.stderr)
            traceback.print_exc()
        result["executions"] += 1
        if traced:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            over = peak - 2 * len(content) - ALLOWANCE
            result["bytes_over"] = max(result["bytes_over"], over)
        else:
            result["seconds"] = max(result["seconds"], time.perf_counter() - start)
    return result


def main() -> int:
    """Run as the options say; the exit status is 1 if there was a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="Of the first execution.")
    options = parser.parse_args()
    start = time.perf_counter()
    result = run(options.executions, options.seed)
    print(
        f"executions       {result['executions']:,.0f}, of which "
        f"{result['networks']:,.0f} became networks"
    )
    print(f"failures         {result['failures']:,.0f}")
    print(f"longest          {result['seconds'] * 1e3:.0f} ms")
    over = int(result["bytes_over"])
    print(
        f"largest memory   {abs(over):,} bytes {'over' if over > 0 else 'under'} "
        "2 x the file + 1 MiB"
    )
    print(f"in all           {time.perf_counter() - start:.0f} s")
    return int(result["failures"] > 0 or over > 0)


if __name__ == "__main__":
    sys.exit(main())
