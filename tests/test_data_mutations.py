# SPDX-License-Identifier: Apache-2.0
"""Thousands of damaged data files: read, or refused with `DataFileError`, within bounded memory."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fuzz import fuzz_data

from chainrule.data import load_npy, load_npz
from chainrule.errors import DataFileError

EXECUTIONS = {"idx": 3000, "npy": 3000, "npz": 3000, "csv": 800, "svmlight": 1500}


@pytest.mark.parametrize("name", EXECUTIONS)
def test_mutated_files(name, tmp_path, capsys):
    if name == "svmlight":
        pytest.importorskip("sklearn")
    with warnings.catch_warnings():
        result = fuzz_data.run(name, EXECUTIONS[name], 0, tmp_path)
    assert result["failures"] == 0, capsys.readouterr().err
    assert result["bytes_over"] <= 0
    # Of mutations that leave nothing to read, or change nothing, little would be learnt.
    assert 0.02 < result["read"] / result["executions"] < 0.9


def refused(load, path: Path, text: str) -> None:
    """Assert that a file is refused with its name, and without much memory."""
    for mmap in ({"mmap": False}, {"mmap": True}) if load is load_npy else ({"y": None},):
        tracemalloc.start()
        try:
            with pytest.raises(DataFileError, match=re.escape(f"{path}: ") + ".*" + text):
                load(path, **mmap)
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
        finally:
            tracemalloc.stop()


def npy(header: str, payload: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return an NPY file with any text for its header."""
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    return b"\x93NUMPY" + version + size + header.encode() + payload


SHAPE = "{{'descr': '<f8', 'fortran_order': False, 'shape': {}}}\n"
HEADERS = {
    "overflowing shape": (SHAPE.format("(1152921504606846976,)"), "the header announces float64"),
    "huge product": (SHAPE.format("(4294967296, 4294967296, 4294967296)"), "the header announces"),
    "negative": (SHAPE.format("(-1,)"), "the header announces"),
    "two negatives": (SHAPE.format("(-1, -2)"), "the header announces"),
    "many gigabytes": (SHAPE.format("(99999999999,)"), "the header announces"),
    "unclosed": ("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)", "corrupt or truncated"),
    "brackets": ("(" * 5000, "corrupt or truncated"),
    "null": ("{'descr': \0}", "corrupt or truncated"),
    "indent": ("\n  {\n {", "corrupt or truncated"),
    "no keys": ("{}", "corrupt or truncated"),
    "wrong key": (SHAPE.format("(1,), 'other': 1"), "corrupt or truncated"),
    "shape of text": (SHAPE.format("('a',)"), "corrupt or truncated"),
    "unknown type": (SHAPE.format("(1,)").replace("<f8", "<q9"), "corrupt or truncated"),
    "objects": (SHAPE.format("(1,)").replace("<f8", "|O"), "holds Python objects"),
    "empty entries": (SHAPE.format(f"({2**60},)").replace("<f8", "|V0"), "the header announces"),
    "call": ("__import__('os').system('true')", "corrupt or truncated"),
    "long": (SHAPE.format("(1,)") + " " * 20_000, "the header has 20"),
}


@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00"])
@pytest.mark.parametrize("header", HEADERS)
def test_hostile_headers(tmp_path, header, version):
    contents, text = HEADERS[header]
    path = tmp_path / "x.npy"
    path.write_bytes(npy(contents, bytes(16), version))
    refused(load_npy, path, text)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "x.npz", "w", method) as archive:
            archive.write(path, "x.npy")
        refused(load_npz, tmp_path / "x.npz", text)


def test_versions_and_lengths_of_headers(tmp_path):
    path = tmp_path / "x.npy"
    path.write_bytes(npy(SHAPE.format("(2,)"), bytes(16), b"\x07\x00"))
    refused(load_npy, path, "expected an array of version 1 to 3")
    path.write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}")
    refused(load_npy, path, "the header has 4294967295 bytes, more than follow")


def archive_of(path: Path, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    """Write an archive of one array, and return its bytes."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1000))
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", buffer.getvalue())
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_that_lie_about_lengths(tmp_path, method):
    path = tmp_path / "x.npz"
    # Header, length and compressed length all say a gigabyte.
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", npy(SHAPE.format(f"({2**27},)"), bytes(8000)))
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 20 : directory + 28] = struct.pack("<II", 2**30 + 74, 2**30 + 74)
    path.write_bytes(content)
    refused(load_npz, path, "corrupt or truncated")


def test_archives_that_are_encrypted_or_compressed_otherwise(tmp_path):
    path = tmp_path / "x.npz"
    content = archive_of(path)
    for start in (content.index(b"PK\x01\x02") + 8, content.index(b"PK\x03\x04") + 6):
        content[start] |= 1
    path.write_bytes(content)
    refused(load_npz, path, "encrypted")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        archive_of(path, method)
        refused(load_npz, path, "compressed in a way that NumPy does not write")


def test_an_altered_byte_fails_the_checksum(tmp_path):
    path = tmp_path / "x.npz"
    content = archive_of(path, zipfile.ZIP_STORED)
    content[content.index(b"PK\x01\x02") - 1] ^= 1
    path.write_bytes(content)
    refused(load_npz, path, "Bad CRC-32")


def test_outdated_headers_are_read_without_warning(tmp_path):
    path = tmp_path / "x.npy"
    # As Python 2 wrote whole numbers.
    path.write_bytes(npy(SHAPE.format("(2L,)"), np.array([1.5, 2]).tobytes()))
    assert load_npy(path).tolist() == [1.5, 2]
    np.savez(tmp_path / "x.npz", x=np.zeros(2))
    assert load_npz(tmp_path / "x.npz", y=None)[0].tolist() == [0, 0]
