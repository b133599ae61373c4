# SPDX-License-Identifier: Apache-2.0
"""Saving leaves the old file or the new one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from model_bytes import FIT, X, Y, state, trained

import chainrule as cr
from chainrule.network.model_file import to_bytes


# Failures of single system calls are in cpp/tests/test_atomic_file.cpp.
def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "net.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        trained().save(path)
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_kill_at_any_instant_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    kills = 200
    result = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed_saves.py")), str(tmp_path)],
        input=str(kills),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen = json.loads(result.stdout)
    # Each network was found, nothing else was, and many kills came in the middle of a save.
    assert seen["first"] + seen["second"] == kills
    assert min(seen["first"], seen["second"]) > 0
    assert seen["unfinished"] > kills // 20


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
