# SPDX-License-Identifier: Apache-2.0
"""IDX files: round trips, the bytes of the format, and damaged files."""

from __future__ import annotations

import gzip
import re
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.data import load_idx, save_idx
from chainrule.errors import DataFileError

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]
# The bytes that the format's description gives for a 2 x 3 matrix of int16.
MATRIX = b"\x00\x00\x0b\x02" + struct.pack(">2I", 2, 3) + struct.pack(">6h", 1, -2, 3, 4, 5, 600)


def raises(text: str):
    return pytest.raises(DataFileError, match=re.escape(text))


@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_side=0, max_dims=4, max_side=5))
    ),
    suffix=st.sampled_from(["", ".gz"]),
    mmap=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_round_trip(tmp_path, array, suffix, mmap):
    path = tmp_path / f"array.idx{suffix}"
    save_idx(path, array)
    loaded = load_idx(path, mmap=mmap)
    assert loaded.dtype.newbyteorder("=") == array.dtype
    assert loaded.dtype.isnative or mmap
    np.testing.assert_array_equal(loaded, array)
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")] == []


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_reads_the_documented_bytes(tmp_path, compress):
    path = tmp_path / "matrix"
    path.write_bytes(compress(MATRIX))
    loaded = load_idx(path)
    assert loaded.dtype == np.int16
    assert loaded.tolist() == [[1, -2, 3], [4, 5, 600]]


def test_writes_the_documented_bytes(tmp_path):
    path = tmp_path / "matrix.idx"
    save_idx(path, np.array([[1, -2, 3], [4, 5, 600]], dtype=np.int16))
    assert path.read_bytes() == MATRIX


def test_memory_map_reads_the_file_itself(tmp_path):
    path = tmp_path / "bytes.idx"
    save_idx(path, np.arange(6, dtype=np.uint8))
    mapped = load_idx(path, mmap=True)
    assert isinstance(mapped, np.memmap)
    with path.open("r+b") as file:
        file.seek(8)
        file.write(b"\x2a")
    assert mapped[0] == 42


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such data file: '.*absent\.idx'"):
        load_idx(tmp_path / "absent.idx")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (b"\x00\x00", "truncated: 2 bytes are no IDX header"),
        (b"PNG and so on", "not an IDX file: it begins with 50 4e 47 20"),
        (b"\x00\x00\x07\x01" + bytes(8), "not an IDX file: it begins with 00 00 07 01"),
        (b"\x00\x00\x08\x00" + bytes(8), "not an IDX file: it begins with 00 00 08 00"),
        (MATRIX[:10], "truncated within the header of 12 bytes"),
        (
            MATRIX[:-1],
            "truncated: the header promises 2 x 3 int16, 12 bytes, but 11 follow it",
        ),
        (
            MATRIX + b"xy",
            "trailing bytes: the header promises 2 x 3 int16, 12 bytes, but 14 follow it",
        ),
        (
            b"\x00\x00\x0e\x03" + b"\xff" * 12,
            "truncated: the header promises 4294967295 x 4294967295 x 4294967295 float64",
        ),
    ],
)
def test_damaged_files(tmp_path, contents, text, compress):
    path = tmp_path / "damaged.idx"
    path.write_bytes(compress(contents))
    with raises(f"{path}: {text}"):
        load_idx(path)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.idx"
    path.touch()
    with raises("empty.idx: truncated: 0 bytes are no IDX header"):
        load_idx(path)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def alter(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def alter_checksum(data: bytes) -> bytes:
    return data[:-8] + bytes([data[-8] ^ 0xFF]) + data[-7:]


@pytest.mark.parametrize("damage", [cut, alter, alter_checksum])
def test_corrupt_gzip(tmp_path, damage):
    path = tmp_path / "corrupt.idx.gz"
    save_idx(path, np.random.default_rng(0).integers(0, 255, 1000, dtype=np.uint8))
    path.write_bytes(damage(path.read_bytes()))
    with raises(f"{path}: corrupt gzip file"):
        load_idx(path)


def test_unsupported_arrays(tmp_path):
    with pytest.raises(TypeError, match="array has dtype int64, but IDX has only uint8, int8"):
        save_idx(tmp_path / "a.idx", np.zeros(3, dtype=np.int64))
    with pytest.raises(ValueError, match="IDX needs 1 to 255 dimensions"):
        save_idx(tmp_path / "a.idx", np.uint8(3))
    assert list(tmp_path.iterdir()) == []
