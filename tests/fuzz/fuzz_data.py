# SPDX-License-Identifier: Apache-2.0
"""Feed mutated data files to their readers: ``python tests/fuzz/fuzz_data.py csv``.

A file is either read or refused with `chainrule.DataFileError`, in memory that its size and the
result bound. Of CSV files the features and lines have to be those of Python's own module. Whatever
else happens is a failure, which is printed with the seed that repeats it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import random
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import load_csv, load_idx, load_npy, load_npz, load_svmlight
from chainrule.data.csv_layout import find_layout, open_text
from chainrule.data.csv_numbers import Spelling
from chainrule.data.source import open_source
from chainrule.errors import DataFileError

# Tracing memory makes an execution several times slower, so only every so many are traced.
TRACED = 64
# What a file may take: so many times its size and the result's, and a constant.
TIMES_SIZE = 64
TIMES_RESULT = 4
ALLOWANCE = 4 << 20
SECONDS = 10.0
BYTES = (b"\x00", b"\x7f", b"\x80", b"\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\n", b" ")
WORDS: dict[str, tuple[bytes, ...]] = {
    "idx": (b"\x00\x00\x08\x01", b"\x00\x00\x0d\x03", b"\x00\x00\x00\x01", b"\x1f\x8b"),
    "npy": (
        *(b"\x93NUMPY\x01\x00", b"\x93NUMPY\x03\x00", b"(1152921504606846976,)", b"(" * 300),
        *b"|O <f8 >i4 <U9999999 V0 (-1,) () (1,1,) True None [('a','f4')] { } L M8[s] e9".split(),
        *(b"9" * 30, b"'shape': ", b"'descr': "),
    ),
    "npz": (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"x.npy", b"\x08\x00", b"\x00\x01\x00"),
    "csv": (
        *b', ; | " "" \' # \\ nan NA inf -Infinity infinity 1e999 1e39 -0 1_0 0x1p3 1d3'.split(),
        *b"97,234.00 1,5 1.234,5 +.5 5. e null True NaN(1) 1e-400".split(),
        *(b"\t", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3\xa9", b"\xc2\xa01"),
        *(b"9" * 25, b"0." + b"3" * 30),
    ),
    "svmlight": (
        *b": , # qid: qid:3 _ nan inf -Infinity 1e999 1e39 1_0 e + -0 0:1 5e-324 1. . -".split(),
        *(b" 1:2", b"\n-1", b"\r", b"\t", b"\v", b"\x0c", b"9223372036854775807:1"),
        *(b"9" * 20, b"9" * 400, b"." + b"1" * 18),
    ),
}


@dataclass
class Reader:
    """A reader and files that it reads."""

    read: Callable[[Path, random.Random], Any]
    corpus: list[bytes]


def sizes(loaded: Any) -> int:
    """Return the bytes that a result takes."""
    if isinstance(loaded, np.ndarray):
        return int(loaded.nbytes)
    if hasattr(loaded, "indptr"):
        return int(loaded.data.nbytes + loaded.indices.nbytes + loaded.indptr.nbytes)
    return sum(map(sizes, loaded)) if isinstance(loaded, tuple) else 0


def outcome(read: Callable[[], Any]) -> Any:
    """Return what is read, or the text of the refusal."""
    try:
        return read()
    except DataFileError as error:
        return str(error)


def read_csv(path: Path, rng: random.Random) -> Any:
    """Read, and compare with what Python's own module makes of the fields."""
    options: dict[str, Any] = {"dtype": rng.choice(("float32", "float64", "uint8"))}
    options["label"] = rng.choice(("last", "last", "last", "first", 1, None))
    if rng.random() < 0.1:
        options["header"] = rng.choice((True, False))
    if rng.random() < 0.2:
        options["delimiter"] = rng.choice(",;\t| #")
    options["decimal"] = rng.choice("........,,,/")
    options["thousands"] = rng.choice((None, None, None, ",", ".", " ", "'", "\u202f"))
    if options["decimal"] == options["thousands"]:
        options["thousands"] = None
    if rng.random() < 0.1:
        options["drop"] = 0
    try:
        table = load_csv(path, **options)
    except DataFileError as error:
        # Every fault is named in words of our own, not in NumPy's.
        if "could not convert" in str(error) or "usecols" in str(error):
            raise AssertionError("a fault without its place") from error
        raise
    except ValueError as error:
        # Options that do not fit the file are the caller's fault.
        if not str(error).startswith(("label", "drop")):
            raise
        raise DataFileError(str(error)) from None
    compare_with_csv_module(path, table, options)
    return table.x, table.y, table.lines


def compare_with_csv_module(path: Path, table: Any, options: dict[str, Any]) -> None:
    """Assert that features and lines are those of Python's reader."""
    spelling = Spelling(options["decimal"], options["thousands"])
    layout = find_layout(
        open_source(path),
        options["label"],
        options.get("header", "auto"),
        options.get("delimiter"),
        spelling,
        [options["drop"]] if "drop" in options else [],
    )
    with open_text(layout.source) as text:
        reader = csv.reader(text, delimiter=layout.delimiter)
        rows, lines, end = [], [], 0
        for fields in reader:
            if fields and end >= layout.header_line:
                rows.append([spelling.number(fields[i]) for i in layout.features])
                lines.append(end + 1)
            end = reader.line_num
    np.testing.assert_array_equal(table.lines, lines)
    np.testing.assert_array_equal(table.x, np.array(rows, float).astype(options["dtype"]))


def read_svmlight(path: Path, rng: random.Random) -> Any:
    """Read with options drawn at random."""
    return load_svmlight(
        path,
        dtype=rng.choice(("float32", "float64")),
        multilabel=rng.random() < 0.3,
        zero_based=rng.choice(("auto", "auto", True, False)),
        query_id=rng.random() < 0.2,
    )


def idx_files() -> list[bytes]:
    """Return IDX files of every type."""
    files = []
    for code, dtype in ((8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")):
        for shape in ((5,), (2, 3), (1, 2, 2), (0, 3)):
            header = bytes((0, 0, code, len(shape))) + np.array(shape, ">u4").tobytes()
            files.append(header + np.arange(np.prod(shape)).astype(dtype).tobytes())
    return files + [gzip.compress(content, mtime=0) for content in files[::5]] + [b""]


def npy_files() -> list[bytes]:
    """Return NPY files of many types."""
    arrays = [
        *(np.arange(6, dtype=dtype).reshape(2, 3) for dtype in ("u1", ">i4", "f4", "f8", "c8")),
        np.asfortranarray(np.eye(3)),
        np.array(3.5),
        np.zeros((0, 4)),
        np.array(["cat", "dog"]),
        np.array([1, 2], "M8[s]"),
        np.zeros(2, [("a", "f4"), ("b", "i2", (2,))]),
    ]
    files = []
    for version in ((1, 0), (2, 0), (3, 0)):
        for array in arrays:
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, version=version)
            files.append(buffer.getvalue())
    buffer = io.BytesIO()
    np.save(buffer, np.array([None, 1], dtype=object), allow_pickle=True)
    return [*files, buffer.getvalue(), b"\x93NUMPY"]


def npz_files() -> list[bytes]:
    """Return NPZ archives, some of other programs."""
    files = []
    x, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
    for save in (np.savez, np.savez_compressed):
        for arrays in ({"x": x, "y": y}, {"x": x.astype("f4")}, {"x": x, "y": y.astype(str)}):
            buffer = io.BytesIO()
            save(buffer, **arrays)
            files.append(buffer.getvalue())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in zip(("x.npy", "y"), npy_files(), strict=False):
                archive.writestr(name, content)
        files.append(buffer.getvalue())
    return [*files, b"PK", b"PK\x05\x06" + bytes(18)]


def csv_files() -> list[bytes]:
    """Return CSV files of several dialects."""
    texts = [
        "length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n6.3,3.3,setosa\n",
        "a;b;y\n1,5;2;0\n,5;1e3;1\n",
        "1\t2\t3\n4\t5\t6\n",
        '"a, b","c ""d""",y\r\n1,"2",3\r\n\r\n4,5.5,6\r\n',
        '1,2,"cat\ndog"\n3,4,cow\n',
        "\ufeffx,y\n1,2",
        "1|2|0.5\n3|4|1.5\n5|6|nan\n",
        '"97,234.00",1\n600,0\n',
        "a;b;y\n1.234,5;2;0\n1.234.567,25;-1e3;1\n",
        "1'234.5\t2\n12 345\t1\n1/5\t0\n",
        "0,255,1\n1,2,0\n",
    ]
    files = [text.encode() for text in texts]
    return files + [gzip.compress(content, mtime=0) for content in files[:2]] + [b""]


def svmlight_files() -> list[bytes]:
    """Return svmlight files of several kinds."""
    files = [
        b"+1 1:0.5 3:2 # two\n-1 2:1e-3\n\n1\n",
        b"3 qid:1 1:1 2:2\n0.25 qid:2 7:-0.125\n",
        b"1,3 5:0.5\n2:1 9:1\n0\n",
        b"1 5:1 2:1 5:2\r\n2 0:1\r\n",
        b"1 1:nan 2:inf 3:-inf 4:12345678901234567890\n",
        b"1 1:1",
    ]
    return files + [gzip.compress(content, mtime=0) for content in files[:2]] + [b""]


READERS: dict[str, Callable[[], Reader]] = {
    "idx": lambda: Reader(lambda path, rng: load_idx(path, mmap=rng.random() < 0.5), idx_files()),
    "npy": lambda: Reader(lambda path, rng: load_npy(path, mmap=rng.random() < 0.5), npy_files()),
    "npz": lambda: Reader(
        lambda path, rng: load_npz(path, y="y" if rng.random() < 0.7 else None), npz_files()
    ),
    "csv": lambda: Reader(read_csv, csv_files()),
    "svmlight": lambda: Reader(read_svmlight, svmlight_files()),
}


def mutated(files: list[bytes], words: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Return one of the files after up to eight changes."""
    content = bytearray(rng.choice(files))
    # What lies within gzip is reached by changing it before it is compressed.
    packed = content[:2] == b"\x1f\x8b" and rng.random() < 0.5
    if packed:
        content = bytearray(gzip.decompress(content))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4, 8))):
        place = rng.randrange(len(content) + 1)
        end = min(len(content), place + rng.choice((1, 1, 2, 4, 16, 200)))
        change = rng.randrange(9)
        if change == 0 and place < len(content):
            content[place] ^= 1 << rng.randrange(8)
        elif change == 1 and place < len(content):
            content[place] = rng.randrange(256)
        elif change == 2:
            del content[place:end]
        elif change == 3:
            content[place:place] = content[place:end] * rng.choice((1, 1, 2, 50))
        elif change == 4:
            content[place:place] = rng.choice(BYTES)
        elif change == 5:
            word = rng.choice(words)
            content[place : place + rng.choice((0, len(word)))] = word
        elif change == 6:
            content[place : min(end, place + 4)] = rng.choice(words)
        elif change == 7:
            other = rng.choice(files)
            start = rng.randrange(len(other) + 1)
            content[place:end] = other[start : start + rng.choice((4, 32, 300))]
        elif rng.random() < 0.2:
            del content[place:]
    return gzip.compress(bytes(content), 1, mtime=0) if packed else bytes(content)


def run(name: str, executions: int, seed: int, folder: Path) -> dict[str, float]:
    """Return counts of executions, files read and failures, the longest time and largest memory."""
    warnings.simplefilter("error")
    reader, words = READERS[name](), WORDS[name]
    path = folder / f"mutated.{name}"
    result = dict.fromkeys(("executions", "read", "failures", "seconds"), 0.0)
    result["bytes_over"] = -float("inf")
    tracemalloc.start()
    for content in reader.corpus:  # What is imported at first use is no memory of a file.
        path.write_bytes(content)
        outcome(lambda: reader.read(path, random.Random(0)))
    tracemalloc.stop()
    for number in sorted(range(seed, seed + executions), key=lambda n: n % TRACED != 0):
        rng = random.Random(number)
        path.write_bytes(content := mutated(reader.corpus, words, rng))
        traced = number % TRACED == 0
        loaded = None
        if traced:
            tracemalloc.start()
        start = time.perf_counter()
        try:
            loaded = reader.read(path, rng)
            result["read"] += 1
        except DataFileError:
            pass
        except Exception:
            result["failures"] += 1
            print(f"seed {number}:", file=sys.stderr)
            traceback.print_exc()
        result["executions"] += 1
        if traced:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            allowed = TIMES_SIZE * len(content) + TIMES_RESULT * sizes(loaded) + ALLOWANCE
            result["bytes_over"] = max(result["bytes_over"], peak - allowed)
        else:
            result["seconds"] = max(result["seconds"], time.perf_counter() - start)
        del loaded
    return result


def main() -> int:
    """Run as the options say; the exit status is 1 if there was a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="Of the first execution.")
    parser.add_argument("--folder", help="Where the file lies that is read; best in memory.")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = run(options.reader, options.executions, options.seed, Path(folder))
    print(f"{options.reader}: {result['executions']:,.0f} executions, {result['read']:,.0f} read")
    print(f"failures         {result['failures']:,.0f}")
    print(f"longest          {result['seconds'] * 1e3:.0f} ms")
    over = result["bytes_over"]
    print(f"largest memory   {abs(over):,.0f} bytes {'over' if over > 0 else 'under'} the bound")
    print(f"in all           {time.perf_counter() - start:.0f} s")
    return int(result["failures"] > 0 or over > 0 or result["seconds"] > SECONDS)


if __name__ == "__main__":
    sys.exit(main())
