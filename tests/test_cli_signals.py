# SPDX-License-Identifier: Apache-2.0
"""Signals that end ``chainrule train``: the model is kept, and the exit status tells."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.cli.signals import Terminated, terminable
from chainrule.network.progress import EpochLines

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, default_signals):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signal_in_training(name):
    number = getattr(signal, name)
    argv = [sys.executable, "-u", "-m", "chainrule", "train", "--epochs", "100000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith(b"epoch 2/"):
                break
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    how = "interrupted" if name == "SIGINT" else "terminated"
    assert err.decode().startswith(f"chainrule: {how} after ")
    assert err.decode().endswith(" of 100000 epochs; wrote digits.safetensors\n")
    assert len(cr.load("digits.safetensors").history.epochs) >= 2


def test_signal_between_epochs(capsys, monkeypatch):
    def epoch_end(self, epoch, logs, seconds):
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(EpochLines, "epoch_end", epoch_end)
    assert main(["train"]) == 143
    assert capsys.readouterr().err == (
        "chainrule: terminated after 3 of 20 epochs; wrote digits.safetensors\n"
    )
    assert len(cr.load("digits.safetensors").history.epochs) == 3
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_signal_before_training(capsys, monkeypatch):
    def fit(*args, **options):
        raise Terminated(signal.SIGTERM)

    monkeypatch.setattr("chainrule.Sequential.fit", fit)
    assert main(["train"]) == 143
    assert capsys.readouterr().err == "chainrule: error: terminated\n"


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminable() as came:
            os.kill(os.getpid(), signal.SIGHUP)
        assert came == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_other_threads_have_no_signals():
    found = []

    def enter():
        with terminable() as came:
            found.append(came)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [[]]


def started(**streams):
    argv = [sys.executable, "-m", "chainrule", "train", "--epochs", "400", "--layers", "8"]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, **streams)


def test_nobody_reads_the_lines_any_more():
    with started(stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith(b"epoch 2/"):
                break
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
    assert len(cr.load("digits.safetensors").history.epochs) >= 2


def test_lines_have_no_space_left(capsys, monkeypatch):
    def epoch_end(self, epoch, logs, seconds):
        if epoch == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(EpochLines, "epoch_end", epoch_end)
    assert main(["train"]) == 2
    assert capsys.readouterr().err == "chainrule: error: [Errno 28] No space left on device\n"
    assert cr.load("digits.safetensors").history.epochs == [1, 2]


@pytest.mark.parametrize(
    ("stream", "argv", "text"),
    [
        ("<", ["predict", "digits.safetensors", "-"], "there is no standard input"),
        (">", ["predict", "digits.safetensors", "x.npy"], "there is no standard output; --output"),
        (">", ["inspect", "digits.safetensors"], None),
    ],
)
def test_closed_streams(stream, argv, text):
    cr.Sequential([cr.Input(64), cr.Dense(1)], seed=0).save("digits.safetensors")
    command = f"{sys.executable} -m chainrule {' '.join(argv)} {stream}&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    expected = (0, "") if text is None else (2, f"chainrule: error: {text}")
    assert (done.returncode, done.stderr[: len(expected[1])]) == expected
    assert done.stderr.count("\n") == (text is not None)
