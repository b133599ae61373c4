# SPDX-License-Identifier: Apache-2.0
"""Files and names that are out of the ordinary."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr


def network() -> cr.Sequential:
    return cr.Sequential([cr.Input(2), cr.Dense(3)], seed=0)


def logged(path: str) -> None:
    network().fit(X, X[:, :1] * np.ones(3), loss="mse", callbacks=[cr.callbacks.CSVLogger(path)])


X = np.zeros((4, 2), "f4")

WRITERS: dict[str, Callable[[str], object]] = {
    "save": lambda path: network().save(path),
    "to_onnx": lambda path: cr.to_onnx(network(), path),
    "save_svmlight": lambda path: cr.data.save_svmlight(path, X, np.zeros(4)),
    "export_c": lambda path: cr.export_c(network(), path),
    "CSVLogger": logged,
    "ModelCheckpoint": lambda path: network().fit(
        X,
        X[:, :1] * np.ones(3),
        loss="mse",
        callbacks=[cr.callbacks.ModelCheckpoint(path, monitor="loss")],
    ),
    "save_idx": lambda path: cr.data.save_idx(path, X.astype("u1")),
}
READERS: dict[str, Callable[[str], object]] = {
    "load": cr.load,
    "load_csv": cr.data.load_csv,
    "load_idx": cr.data.load_idx,
    "load_svmlight": cr.data.load_svmlight,
}


@pytest.mark.parametrize("name", [*WRITERS, *READERS])
def test_a_null_character_ends_no_path(name: str, tmp_path: Path) -> None:
    call = WRITERS.get(name) or READERS[name]
    (tmp_path / "m").write_text("1,2\n")
    with pytest.raises(ValueError, match="null"):
        call(str(tmp_path / "m") + "\0x")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").read_text() == "1,2\n"


@pytest.mark.skipif(sys.platform == "win32", reason="names of 255 bytes")
@pytest.mark.parametrize("length", [237, 238, 245, 255])
def test_names_as_long_as_names_can_be(length: int, tmp_path: Path) -> None:
    path = tmp_path / ("m" * length)
    network().save(path)
    assert cr.load(path).seed == 0
    with pytest.raises(OSError, match="too long") as caught:
        network().save(tmp_path / ("m" * 256))
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    for call in (network().save, cr.load):
        with pytest.raises(OSError, match="link") as caught:
            call(link)
        assert caught.value.errno == errno.ELOOP
        assert caught.value.filename == str(link)
    folder = tmp_path / "folder"
    folder.symlink_to(tmp_path)
    with pytest.raises(IsADirectoryError):
        network().save(folder)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "missing" / "m")
    with pytest.raises(FileNotFoundError):
        network().save(dangling)
    dangling.unlink()
    dangling.symlink_to("target")
    network().save(dangling)
    assert dangling.is_symlink()
    assert cr.load(tmp_path / "target").seed == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_nobody_else_sees_a_private_file_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m"
    net = cr.Sequential([cr.Input(500), cr.Dense(500)], seed=0)
    net.save(path)
    path.chmod(0o600)
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for entry in os.scandir(tmp_path):
                try:
                    seen.add(stat.S_IMODE(entry.stat().st_mode))
                except FileNotFoundError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(20):
            net.save(path)
    finally:
        done.set()
        watcher.join()
    assert seen == {0o600}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_model_is_read_from_a_regular_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    begin = time.monotonic()
    for path in (pipe, "/dev/zero", "/dev/null"):
        with pytest.raises(cr.ModelFileError, match="not a regular file"):
            cr.load(path)
    with pytest.raises(IsADirectoryError):
        cr.load(tmp_path)
    assert time.monotonic() - begin < 60
