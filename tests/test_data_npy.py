# SPDX-License-Identifier: Apache-2.0
"""NPY and NPZ files, and the refusal of pickles and damaged files."""

from __future__ import annotations

import re

import numpy as np
import pytest

from chainrule.data import load_npy, load_npz
from chainrule.errors import DataFileError

X = np.arange(600, dtype=np.float32).reshape(200, 3)
Y = np.arange(200) % 3
PICKLED = np.array([None, "text"], dtype=object)


def raises(text: str):
    return pytest.raises(DataFileError, match=re.escape(text))


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("x", [X, X[:0]])
def test_npy(tmp_path, mmap, x):
    np.save(tmp_path / "x.npy", x)
    loaded = load_npy(tmp_path / "x.npy", mmap=mmap)
    assert isinstance(loaded, np.memmap) == mmap
    assert loaded.dtype == x.dtype
    np.testing.assert_array_equal(loaded, x)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    save(tmp_path / "data.npz", x=X, y=Y, images=X[:, :2])
    x, y = load_npz(tmp_path / "data.npz")
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    images, nothing = load_npz(tmp_path / "data.npz", x="images", y=None)
    np.testing.assert_array_equal(images, X[:, :2])
    assert nothing is None


def test_npz_without_the_array_lists_what_there_is(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=X, labels=Y)
    with raises(f"{path}: unknown array 'label'; did you mean 'labels'? valid: x, labels"):
        load_npz(path, y="label")


@pytest.mark.parametrize("load", [load_npy, load_npz])
def test_missing_file(tmp_path, load):
    with pytest.raises(FileNotFoundError, match=r"no such data file: '.*absent'"):
        load(tmp_path / "absent")


@pytest.mark.parametrize("load", [load_npy, load_npz])
@pytest.mark.parametrize(
    ("contents", "text"),
    [(b"", "an empty file"), (b"\x80\x04\x95pickle", "something that begins with 80 04")],
)
def test_other_files(tmp_path, load, contents, text):
    path = tmp_path / "other"
    path.write_bytes(contents)
    kind = ".npy file" if load is load_npy else ".npz archive"
    with raises(f"{path}: not an {kind} but {text}"):
        load(path)


def test_files_of_the_other_kind(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", x=X)
    with raises("not an .npy file but an .npz archive (see load_npz)"):
        load_npy(tmp_path / "x.npz")
    with raises("not an .npz archive but an .npy file (see load_npy)"):
        load_npz(tmp_path / "x.npy")


@pytest.mark.parametrize("mmap", [True, False])
def test_npy_of_objects(tmp_path, mmap):
    np.save(tmp_path / "x.npy", PICKLED, allow_pickle=True)
    with raises("x.npy: holds Python objects"):
        load_npy(tmp_path / "x.npy", mmap=mmap)


def test_npz_of_objects(tmp_path):
    np.savez(tmp_path / "x.npz", x=PICKLED, y=Y)
    with raises("x.npz: holds Python objects"):
        load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("size", [8, 20, 200, 2000])
def test_truncated_npy(tmp_path, mmap, size):
    path = tmp_path / "x.npy"
    np.save(path, X)
    path.write_bytes(path.read_bytes()[:size])
    with raises(f"{path}: corrupt or truncated"):
        load_npy(path, mmap=mmap)


@pytest.mark.parametrize("size", [8, 200, 1500])
def test_truncated_npz(tmp_path, size):
    path = tmp_path / "x.npz"
    np.savez(path, x=X, y=Y)
    path.write_bytes(path.read_bytes()[:size])
    with raises(f"{path}: corrupt or truncated"):
        load_npz(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_altered_npz(tmp_path, save):
    path = tmp_path / "x.npz"
    save(path, x=X, y=Y)
    contents = bytearray(path.read_bytes())
    contents[600] ^= 0xFF
    path.write_bytes(contents)
    with raises(f"{path}: corrupt or truncated"):
        load_npz(path)
