# SPDX-License-Identifier: Apache-2.0
"""Reading with bounds: pipes, devices, gzip files that grow beyond measure, endless lines."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import load_csv, load_idx, load_npy, load_npz, load_svmlight, save_idx
from chainrule.data import source as source_module
from chainrule.errors import DataFileError

MIB = 1 << 20
CONTENTS = {
    load_csv: b"a,y\n1.5,2\n3,4\n",
    load_svmlight: b"1 1:0.5\n2 1:2\n",
    load_idx: b"\0\0\x08\x01\0\0\0\x03\x01\x02\x03",
}
READERS = [load_csv, load_svmlight, load_idx, load_npy, load_npz]
posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")


def raises(text: str):
    return pytest.raises(DataFileError, match=re.escape(text))


def first(loaded):
    """Return the first array, as a table."""
    x = loaded if isinstance(loaded, np.ndarray) else next(iter(loaded))
    return np.asarray(x.toarray() if hasattr(x, "toarray") else x)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(source_module, "_PATIENCE", 0.05)


@posix
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("load", CONTENTS)
def test_named_pipe_is_read_once(tmp_path, load, compress):
    plain, pipe = tmp_path / "plain", tmp_path / "pipe"
    plain.write_bytes(CONTENTS[load])
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(compress(CONTENTS[load]),))
    writer.start()
    found = load(pipe)
    writer.join()
    np.testing.assert_array_equal(first(found), first(load(plain)))


@posix
@pytest.mark.parametrize("load", CONTENTS)
def test_pipe_that_is_open_already(load, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(CONTENTS[load])
    reading, writing = os.pipe()
    try:
        os.write(writing, CONTENTS[load])
        os.close(writing)
        found = load(f"/dev/fd/{reading}")
    finally:
        os.close(reading)
    np.testing.assert_array_equal(first(found), first(load(plain)))


@posix
def test_a_slow_writer_is_waited_for(tmp_path, impatient):
    os.mkfifo(tmp_path / "pipe")
    opened = threading.Event()

    def write():
        with (tmp_path / "pipe").open("w") as stream:
            opened.set()
            for line in ("a,y\n", "1,2\n"):
                threading.Event().wait(0.2)
                stream.write(line)
                stream.flush()

    # Without a reader the writer could find none yet; a second descriptor stands in for it.
    keep = os.open(tmp_path / "pipe", os.O_RDWR)
    writer = threading.Thread(target=write)
    writer.start()
    opened.wait()
    os.close(keep)
    assert load_csv(tmp_path / "pipe").x.tolist() == [[1]]
    writer.join()


@posix
@pytest.mark.parametrize("load", CONTENTS)
def test_pipe_without_a_writer_is_refused(tmp_path, load, impatient):
    os.mkfifo(tmp_path / "pipe")
    with raises("pipe is a pipe that nothing has been written to"):
        load(tmp_path / "pipe")


@posix
@pytest.mark.parametrize("load", [load_npy, load_npz])
def test_pipes_are_no_archives(tmp_path, load):
    os.mkfifo(tmp_path / "pipe")
    with raises("pipe is a pipe, expected a regular file"):
        load(tmp_path / "pipe")


@posix
def test_standard_input():
    script = "import chainrule as cr; print(cr.data.load_csv('/dev/stdin').x.tolist())"
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"1,2\n3,4\n", stdout=subprocess.PIPE, check=True
    )
    assert done.stdout.strip() == b"[[1.0], [3.0]]"


@posix
@pytest.mark.parametrize("load", [load_csv, load_svmlight, load_idx])
def test_endless_pipe(tmp_path, load, monkeypatch):
    os.mkfifo(tmp_path / "pipe")

    def write():
        with contextlib.suppress(BrokenPipeError), (tmp_path / "pipe").open("wb") as stream:
            while True:
                stream.write(b"1,2\n" * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    monkeypatch.setattr(source_module, "_PIPE_LIMIT", 3 * MIB)
    with raises(f"pipe: its contents are longer than {3 * MIB} bytes"):
        load(tmp_path / "pipe")
    writer.join()


@pytest.mark.parametrize("load", READERS)
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom", "/dev/full"])
def test_devices_are_refused(load, device):
    if not Path(device).exists():
        pytest.skip(f"no {device}")
    with raises(f"{device} is a device, expected a regular file"):
        load(device)


@pytest.mark.parametrize("load", READERS)
def test_folders_are_refused(load, tmp_path):
    with raises(f"{tmp_path} is a directory, expected a regular file"):
        load(tmp_path)


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize(
    ("load", "line"),
    [
        (load_csv, b"1,2\n"),
        (load_csv, b"\n"),
        (load_csv, b"1,"),
        (load_svmlight, b"1 1:1\n"),
        (load_svmlight, b"# \n"),
        (load_svmlight, b"1 "),
        (load_svmlight, b"\0"),
    ],
)
def test_gzip_bombs(tmp_path, monkeypatch, load, line, honest):
    monkeypatch.setattr(source_module, "_ALWAYS_ALLOWED", MIB // 4)
    content = bytearray(gzip.compress(line * (5 * MIB // len(line))))
    if not honest:
        # As the length that it will have, the bomb announces a small one.
        content[-4:] = struct.pack("<I", 1000)
    path = tmp_path / "bomb.gz"
    path.write_bytes(content)
    limit = max(MIB // 4, 100 * len(content))
    tracemalloc.start()
    try:
        with raises(f"bomb.gz: its contents are longer than {limit} bytes; pass max_bytes="):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < (MIB // 4 if honest else 40 * limit)
    finally:
        tracemalloc.stop()


def test_limit_can_be_raised_and_lowered(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "_ALWAYS_ALLOWED", 1000)
    path = tmp_path / "zeros.csv.gz"
    path.write_bytes(gzip.compress(b"0,1\n" * 50_000))
    with raises("pass max_bytes="):
        load_csv(path)
    assert len(load_csv(path, max_bytes=200_000).x) == 50_000
    with raises("its contents are longer than 199999 bytes"):
        load_csv(path, max_bytes=199_999)
    path = tmp_path / "plain.svm"
    path.write_bytes(b"1 1:1\n" * 100)
    for enough in (600, 601):
        assert load_svmlight(path, max_bytes=enough)[0].shape == (100, 1)
    with raises("plain.svm: its contents are longer than 599 bytes"):
        load_svmlight(path, max_bytes=599)


def test_idx_reads_no_more_than_it_announces(tmp_path):
    path = tmp_path / "bomb.idx.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x03" + bytes(50 * MIB)))
    tracemalloc.start()
    try:
        with raises("trailing bytes: the header promises 3 uint8, 3 bytes, but 65539 or more"):
            load_idx(path)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_idx_of_more_dimensions_than_numpy_has(tmp_path):
    path = tmp_path / "deep.idx"
    path.write_bytes(b"\0\0\x08\xc8" + b"\0\0\0\x01" * 200 + b"x")
    for mmap in (False, True):
        with raises("deep.idx: no array has 1 x 1 x "):
            load_idx(path, mmap=mmap)
    path.write_bytes(b"\0\0\x08\x05" + b"\0\0\0\0" + b"\xff" * 16)
    with raises("deep.idx: no array has 0 x 4294967295"):
        load_idx(path)


@pytest.mark.parametrize(
    ("array", "kind", "text"),
    [
        (
            np.ma.masked_equal(np.arange(3, dtype=np.uint8), 1),
            ValueError,
            "array is a masked array",
        ),
        (np.empty((2**32, 0), np.uint8), ValueError, "IDX has dimensions below 2^32"),
        (np.array([True]), TypeError, "array has dtype bool, but IDX has only"),
        (np.array(["a"]), TypeError, "array has dtype <U1, but IDX has only"),
        (np.array([1j]), TypeError, "array has dtype complex128, but IDX has only"),
        (np.array([1], np.int64), TypeError, "array has dtype int64, but IDX has only"),
        (np.array([1], object), TypeError, "array has dtype object, but IDX has only"),
        (7, TypeError, "array has dtype int64, but IDX has only"),
    ],
)
def test_what_idx_cannot_hold_is_not_written(tmp_path, array, kind, text):
    path = tmp_path / "x.idx"
    path.write_text("what there was")
    with pytest.raises(kind, match=re.escape(text)):
        save_idx(path, array)
    assert path.read_text() == "what there was"


@pytest.mark.parametrize("load", [load_csv, load_svmlight])
def test_endless_lines(tmp_path, monkeypatch, load):
    monkeypatch.setattr(source_module, "_LONGEST_LINE", MIB)
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.write(b"1,2\n" if load is load_csv else b"1 1:2\n")
        stream.truncate(1 << 40)  # A terabyte of zeros that takes no place on the disk.
    with raises(f"{path}, line 2: no end within {MIB} bytes"):
        load(path)
