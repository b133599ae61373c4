# SPDX-License-Identifier: Apache-2.0
"""Saving leaves the old file or the new one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from model_bytes import FIT, X, Y, state, trained

import chainrule as cr
from chainrule.model_file import to_bytes


def fail(*args: Any, **kwargs: Any) -> Any:
    raise OSError(28, "No space left on device")


def interrupt(*args: Any, **kwargs: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("function", ["os.fsync", "os.replace", "os.fdopen", "os.open"])
@pytest.mark.parametrize(("action", "error"), [(fail, OSError), (interrupt, KeyboardInterrupt)])
def test_an_interrupted_save_keeps_the_old_file(
    existing: bool,
    function: str,
    action: Any,
    error: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = trained()
    path = tmp_path / "net.safetensors"
    if existing:
        net.save(path)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    net.fit(X, Y, **FIT)
    with monkeypatch.context() as patch:
        patch.setattr(function, action)
        with pytest.raises(error):
            net.save(path)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
    net.save(path)
    assert list(tmp_path.iterdir()) == [path]
    assert state(cr.load(path)) == state(net)


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    net = trained()
    net.save(path)
    before = path.read_bytes()
    code = """
import resource, signal, sys
import chainrule as cr
net = cr.Sequential([cr.Input(100), cr.Dense(100)], seed=0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
try:
    net.save(sys.argv[1])
except OSError as error:
    print(type(error).__name__, error.errno)
# What measures coverage writes files as the program ends.
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.split() == ["OSError", "27"]
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_are_the_usual_ones_or_those_of_the_old_file(tmp_path: Path) -> None:
    net, path = trained(), tmp_path / "net.safetensors"
    umask = os.umask(0o027)
    try:
        net.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        net.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(umask)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    net = trained()
    net.save(real)
    link.symlink_to(real)
    net.fit(X, Y, **FIT)
    net.save(link)
    assert link.is_symlink()
    assert state(cr.load(real)) == state(net)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.set_blocking(reader, True)
        net = cr.Sequential([cr.Input(1), cr.Dense(1)], seed=0)
        net.save(pipe)
        assert os.read(reader, 65536) == to_bytes(net)
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_saving_over_a_directory(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=tmp_path.name):
        trained().save(tmp_path)
    assert list(tmp_path.parent.glob(".*.tmp")) == []
