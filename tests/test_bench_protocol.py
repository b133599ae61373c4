# SPDX-License-Identifier: Apache-2.0
"""The benchmark's protocol: processes of their own, checks before timing, and failures named."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
from bench_cases import MANY, PREDICT, SPARSE

import harness
from harness import protocol
from harness.reference import TrainedLoss
from harness.runner import Runner
from harness.worker import Worker, WorkerError


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(protocol, "_PAUSE", 0.0)


def test_measure():
    said = []
    names = ["chainrule", "NumPy by hand"]
    works = [SPARSE, MANY, PREDICT]
    report = harness.measure(
        works, names=names, threads=[1, 2], rounds=2, seconds=0.001, log=said.append
    )
    assert report.skipped == []
    found = {(m.workload, m.peer, m.threads) for m in report.measurements}
    assert found == {(w, name, t) for w in works for name in names for t in (1, 2)}
    assert all(len(m.rates) == 2 and min(m.rates) > 0 for m in report.measurements)
    found = {(c.workload, c.name, c.threads) for c in report.ceilings}
    assert found == {(w, name, t) for w in works for name in ("fma", "gemm") for t in (1, 2)}
    assert all(min(c.rates) > 0 for c in report.ceilings)
    assert said[:2] == ["starting chainrule, NumPy by hand", f"checking {SPARSE.name}"]
    timing = [text for text in said if text.startswith("timing")]
    for number, (work, text) in enumerate(zip(works, timing, strict=True), start=1):
        pattern = rf"timing {re.escape(work.name)}, work {number} of 3, about \d+ (s|min) left"
        assert re.fullmatch(pattern, text)


def test_remaining_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(protocol.time, "perf_counter", lambda: now[0])
    clock = protocol._Remaining(4)
    now[0] = 102.0  # two seconds of checks, eight of timing to come: ten for each of four works
    assert clock.text(8.0) == "about 38 s left"
    now[0] = 130.0  # it took thirty
    clock.done()
    now[0] = 132.0
    assert clock.text(8.0) == "about 48 s left"  # 8 and twice the mean of 30 and 10
    now[0] = 330.0
    clock.done()
    assert clock.text(20.0) == "about 2 min left"  # 20 and the mean of 30, 200 and 20


def test_wrong_result_is_left_out(monkeypatch):
    monkeypatch.setattr(TrainedLoss, "error", lambda *_: "the loss is wrong")
    report = harness.measure(
        [SPARSE], names=["NumPy by hand"], threads=[1], rounds=1, seconds=0.001
    )
    assert report.measurements == []
    assert report.skipped == [f"NumPy by hand (1) at {SPARSE.name}: the loss is wrong."]


def test_dying_process_is_named(monkeypatch):
    started = []

    class Watched(Runner):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    def log(text):
        if text.startswith("timing"):
            started[0]._process.kill()

    monkeypatch.setattr(protocol, "Runner", Watched)
    report = harness.measure(
        [SPARSE, PREDICT],
        names=["NumPy by hand", "chainrule"],
        threads=[1],
        rounds=2,
        seconds=0.001,
        log=log,
    )
    killed = "" if os.name == "nt" else " by SIGKILL"
    assert report.skipped == [f"NumPy by hand (1) at {SPARSE.name}: its process has ended{killed}."]
    assert [(m.workload, m.peer) for m in report.measurements] == [
        (SPARSE, "chainrule"),
        (PREDICT, "chainrule"),
    ]


def test_failing_library():
    runner = Runner("NumPy by hand", 1)
    try:
        with pytest.raises(WorkerError, match="AssertionError"):
            runner.seconds(1)
        assert runner.alive
        assert runner.version() == np.__version__
    finally:
        runner.close()


def test_environment_of_a_worker():
    before = dict(os.environ)
    worker = Worker(dict, threads=1, environment={"CHAINRULE_ISA": "avx2"})
    try:
        assert worker.ask("update", {}) is None
        assert os.environ == before
    finally:
        worker.close()


def test_held_to_an_instruction_set():
    runner = Runner("chainrule", 1, {"CHAINRULE_ISA": "portable"})
    try:
        assert runner.version().endswith("(portable)")
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("names", "isa", "text"),
    [
        (["PyTorhc"], None, "unknown library 'PyTorhc'; did you mean 'PyTorch'"),
        (["ONNX Runtime"], "avx2", "ONNX Runtime cannot be held to avx2"),
    ],
)
def test_bad_names(names, isa, text):
    with pytest.raises(ValueError, match=text):
        harness.measure([SPARSE], names=names, threads=[1], isa=isa)
