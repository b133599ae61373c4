# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST: the search for their files, checksums, and downloads.

Small files with checksums of their own stand for the real ones except where those are at hand.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import chainrule.data.mnist as mnist_module
from chainrule.data import load_fashion_mnist, load_mnist, save_idx
from chainrule.errors import DataFileError

NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
RNG = np.random.default_rng(0)
ARRAYS = [
    RNG.integers(0, 256, (6, 28, 28), dtype=np.uint8),
    RNG.integers(0, 10, 6, dtype=np.uint8),
    RNG.integers(0, 256, (4, 28, 28), dtype=np.uint8),
    RNG.integers(0, 10, 4, dtype=np.uint8),
]


def raises(kind: type[Exception], text: str):
    return pytest.raises(kind, match=re.escape(text))


def write_files(folder: Path, suffix: str = ".gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(NAMES, ARRAYS, strict=True):
        save_idx(folder / f"{name}{suffix}", array)
    return folder


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Publish the small files as MNIST, with a cache of their own and no other data."""
    source = write_files(tmp_path / "source")

    def md5(name: str, unpack: bool) -> str:
        contents = (source / f"{name}.gz").read_bytes()
        return hashlib.md5(gzip.decompress(contents) if unpack else contents).hexdigest()

    published = replace(
        mnist_module._MNIST,
        mirrors=(),
        gzip_md5={name: md5(name, False) for name in NAMES},
        contents_md5={name: md5(name, True) for name in NAMES},
    )
    monkeypatch.setattr(mnist_module, "_MNIST", published)
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return published


@pytest.fixture
def server(tmp_path):
    """Serve ``tmp_path`` on this machine and yield the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def mirrored(monkeypatch, published, *mirrors: str) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(mnist_module, "_MNIST", replace(published, mirrors=mirrors))


def assert_small(parts) -> None:
    (x_train, y_train), (x_test, y_test) = parts
    for x, images in ((x_train, ARRAYS[0]), (x_test, ARRAYS[2])):
        assert x.dtype == np.uint8
        np.testing.assert_array_equal(x, images.reshape(-1, 784))
    for y, labels in ((y_train, ARRAYS[1]), (y_test, ARRAYS[3])):
        assert y.dtype == np.int64
        np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize("suffix", [".gz", ""])
@pytest.mark.parametrize("subfolder", ["mnist", "."])
def test_found_in_the_data_folder(small, monkeypatch, tmp_path, suffix, subfolder):
    write_files(tmp_path / "data" / subfolder, suffix)
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "data"))
    assert_small(load_mnist())


def test_fashion_mnist_has_a_folder_of_its_own(small, monkeypatch, tmp_path):
    published = replace(small, folder=mnist_module._FASHION_MNIST.folder)
    monkeypatch.setattr(mnist_module, "_FASHION_MNIST", published)
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "data"))
    write_files(tmp_path / "data" / "fashion-mnist")
    assert_small(load_fashion_mnist())


@pytest.mark.usefixtures("small")
def test_found_in_the_cache(tmp_path):
    write_files(tmp_path / "cache" / "chainrule" / "mnist")
    assert_small(load_mnist())


@pytest.mark.usefixtures("small")
def test_one_split(tmp_path):
    folder = write_files(tmp_path / "data")
    train, test = load_mnist("train", folder), load_mnist("test", folder)
    assert_small((train, test))
    with raises(ValueError, "unknown split 'tests'; did you mean 'test'? valid: train, test"):
        load_mnist("tests", folder)


@pytest.mark.usefixtures("small")
def test_recompressed_files_pass_the_check(tmp_path):
    folder = write_files(tmp_path / "data")
    for file in folder.iterdir():
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), 1))
    assert_small(load_mnist(directory=folder))


def test_altered_file_is_refused(small, tmp_path):
    folder = write_files(tmp_path / "data")
    file = folder / f"{NAMES[0]}.gz"
    save_idx(file, ARRAYS[0] ^ 1)
    got = hashlib.md5(gzip.decompress(file.read_bytes())).hexdigest()
    expected = small.contents_md5[NAMES[0]]
    with raises(
        DataFileError,
        f"{file}: not the MNIST file {NAMES[0]}: the MD5 checksum of its contents is {got}, "
        f"expected {expected}",
    ):
        load_mnist(directory=folder)


@pytest.mark.usefixtures("small")
def test_given_directory_is_the_only_one(tmp_path):
    write_files(tmp_path / "cache" / "chainrule" / "mnist")
    (tmp_path / "other").mkdir()
    with raises(FileNotFoundError, f"MNIST file {NAMES[0]}.gz is not in {tmp_path / 'other'}"):
        load_mnist(directory=tmp_path / "other")


@pytest.mark.usefixtures("small")
def test_without_pooch_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with raises(FileNotFoundError, "set CHAINRULE_DATA") as info:
        load_mnist()
    assert 'pip install "chainrule[data]"' in str(info.value)


def test_download_from_the_first_mirror_that_answers(small, monkeypatch, tmp_path, server):
    pytest.importorskip("pooch")
    mirrored(monkeypatch, small, f"{server}absent/", f"{server}source/")
    assert_small(load_mnist())
    cached = tmp_path / "cache" / "chainrule" / "mnist"
    assert sorted(file.name for file in cached.iterdir()) == sorted(f"{n}.gz" for n in NAMES)
    mirrored(monkeypatch, small)
    assert_small(load_mnist())


def test_altered_download_is_refused(small, monkeypatch, tmp_path, server):
    pytest.importorskip("pooch")
    save_idx(tmp_path / "source" / f"{NAMES[0]}.gz", ARRAYS[0] ^ 1)
    mirrored(monkeypatch, small, f"{server}source/")
    with raises(DataFileError, f"{server}source/{NAMES[0]}.gz: MD5 hash") as info:
        load_mnist()
    assert f"expected md5:{small.gzip_md5[NAMES[0]]} but got" in str(info.value)
    assert not (tmp_path / "cache" / "chainrule" / "mnist" / f"{NAMES[0]}.gz").exists()


def test_no_mirror_answers(small, monkeypatch, server):
    pytest.importorskip("pooch")
    mirrored(monkeypatch, small, f"{server}absent/")
    with raises(FileNotFoundError, f"no mirror has it ({server}absent/{NAMES[0]}.gz: 404"):
        load_mnist()


@pytest.mark.parametrize("load", [load_mnist, load_fashion_mnist])
def test_published_files(load):
    if "CHAINRULE_DATA" not in os.environ:
        pytest.skip("CHAINRULE_DATA does not name a folder with the real files")
    folder = Path(os.environ["CHAINRULE_DATA"])
    if load is load_fashion_mnist and not (folder / "fashion-mnist").is_dir():
        pytest.skip("CHAINRULE_DATA has no fashion-mnist folder")
    (x_train, y_train), (x_test, y_test) = load(directory=folder)
    assert x_train.shape == (60_000, 784)
    assert x_test.shape == (10_000, 784)
    if load is load_mnist:
        # Labels of the first ten images, and the mean pixel that everybody normalises by.
        assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
        assert y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
        assert x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    else:
        assert np.bincount(y_train).tolist() == [6_000] * 10
        assert np.bincount(y_test).tolist() == [1_000] * 10
