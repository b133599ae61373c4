# SPDX-License-Identifier: Apache-2.0
"""The benchmark's protocol: that peers compute the same, and that a wrong one is found out."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from chainrule import bench
from chainrule.bench import peers, protocol
from chainrule.bench.peers.numpy import NumpyPeer, loss_of
from chainrule.bench.worker import Worker, WorkerError
from chainrule.cli import main

TINY = (
    bench.Workload((20, 8, 3), 16, "sgd", 0.1, rows=64, quick_rows=32),
    bench.Workload((6, 8, 2), 16, "adam", 0.01, rows=64, quick_rows=32, loss="mse"),
)
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("workload", TINY, ids=lambda w: w.optimizer)
def test_gradients_of_the_truth(workload):
    truth = NumpyPeer(workload, "float64")
    # A bias of 0 puts rows without ink on relu's kink.
    for weight in truth.weights():
        weight += 0.1
    gradients = truth._gradients(truth._x, truth._y)
    for weight, gradient in zip(truth.weights(), gradients, strict=True):
        index = tuple(np.array(weight.shape) // 2)
        step = 1e-6
        weight[index] += step
        above = truth.loss()
        weight[index] -= 2 * step
        below = truth.loss()
        weight[index] += step
        assert gradient[index] == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-9)
        assert gradient[index] != 0.0


def test_adam_of_the_truth():
    # With constant gradients of any size, Adam's first steps are the learning rate.
    truth = NumpyPeer(TINY[1], "float64")
    before = [weight.copy() for weight in truth.weights()]
    gradients = [np.full(weight.shape, 0.5) for weight in before]
    for _ in range(3):
        truth._update(gradients)
    for old, new in zip(before, truth.weights(), strict=True):
        np.testing.assert_allclose(old - new, 0.03, rtol=1e-6)


class Here:
    """Does what a `Worker` does, in this process."""

    def __init__(self, name):
        self._module = peers.module(name)

    def trained_weights(self, workload):
        peer = self._module.make(workload, 1)
        peer.train(1, shuffle=False)
        return peer.weights()

    def close(self):
        pass


@pytest.fixture(scope="module", params=peers.installed())
def library(request):
    # JAX warns of every fork that comes after it, and other tests fork.
    library = Worker("JAX", 1) if request.param == "JAX" else Here(request.param)
    yield library
    library.close()


@pytest.mark.parametrize("workload", [*TINY, *bench.WORKLOADS], ids=lambda w: w.name)
def test_peers_agree(library, workload):
    check = workload.for_check()
    expected = protocol._expected_loss(check)
    weights = library.trained_weights(check)
    assert loss_of(check, weights) == pytest.approx(expected, rel=1e-3)


def test_rows_fill_batches():
    for workload in bench.WORKLOADS:
        assert workload.rows % workload.batch_size == 0
        assert workload.quick_rows % workload.batch_size == 0


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"weight has shape \(8, 20\), expected \(20, 8\)"):
        loss_of(TINY[0], [weight.T for weight in TINY[0].weights()])


def test_measure(monkeypatch):
    monkeypatch.setattr(protocol, "_PAUSE", 0.0)
    said = []
    names = ["chainrule", "NumPy by hand"]
    report = bench.measure(TINY, names=names, threads=1, rounds=2, seconds=0.001, say=said.append)
    assert report.left_out == []
    assert [(m.workload, m.peer) for m in report.measurements] == [
        (workload, name) for workload in TINY for name in names
    ]
    assert all(len(m.rates) == 2 and min(m.rates) > 0 for m in report.measurements)
    assert said[0] == "starting chainrule, NumPy by hand"

    lines = bench.markdown(report).splitlines()
    assert "1 thread each" in lines[0]
    assert lines[3] == "|---|---|--:|--:|--:|"
    ratio = report.measurements[0].median / report.measurements[1].median
    assert lines[5].endswith(f"| {ratio:.2f} x |")
    assert lines[4].endswith("|  |")
    assert json.loads(bench.as_json(report))["measurements"][0]["peer"] == "chainrule"


def test_wrong_result_is_left_out(monkeypatch):
    monkeypatch.setattr(protocol, "_expected_loss", lambda check: 0.5)
    report = bench.measure(TINY[:1], names=["NumPy by hand"], threads=1, rounds=1)
    assert report.measurements == []
    assert len(report.left_out) == 1
    assert "the loss after 8 steps is" in report.left_out[0]
    assert "expected 0.5." in report.left_out[0]
    assert bench.markdown(report).endswith(f"Left out: {report.left_out[0]}")


def test_failing_library():
    worker = Worker("NumPy by hand", 1)
    try:
        with pytest.raises(WorkerError, match="AssertionError"):
            worker.seconds(1)
        assert worker.version() == np.__version__
        worker._process.terminate()
        worker._process.join()
        with pytest.raises(WorkerError, match="its process has ended"):
            worker.version()
    finally:
        worker.close()


def test_command(capsys, monkeypatch, tmp_path):
    def measure(workloads, *, threads, rounds, seconds, say):
        assert workloads == [w.quick() for w in bench.WORKLOADS]
        assert (threads, rounds) == (2, 3)
        say("timing")
        rates = (90.0, 100.0, 110.0)
        report = bench.Report({"processor": "P", "cores": "2", "system": "S", "python": "3"}, 2)
        report.measurements = [
            bench.Measurement(workloads[0], "chainrule", rates),
            bench.Measurement(workloads[0], "PyTorch", (50.0,)),
        ]
        return report

    monkeypatch.setattr(bench, "measure", measure)
    path = tmp_path / "results.json"
    assert main(["bench", "--quick", "--threads", "2", "--json", str(path)]) == 0
    captured = capsys.readouterr()
    assert "| 784-128-10, batch 64, sgd | chainrule | 100 | 20% |  |" in captured.out
    assert "| 784-128-10, batch 64, sgd | PyTorch | 50 | 0% | 2.00 x |" in captured.out
    assert "busy" not in captured.out
    assert captured.err == "timing ...\n"
    assert json.loads(path.read_text())["threads"] == 2


def test_busy_machine_is_told():
    report = bench.Report({"processor": "", "cores": "", "system": "", "python": ""}, 1)
    report.measurements = [bench.Measurement(TINY[0], "chainrule", (80.0, 100.0, 130.0))]
    assert bench.markdown(report).splitlines()[-1].startswith("The machine was busy: ")


def test_command_reports_failure(monkeypatch):
    report = bench.Report({"processor": "", "cores": "", "system": "", "python": ""}, 1)
    report.left_out = ["JAX does not start."]
    monkeypatch.setattr(bench, "measure", lambda *_, **__: report)
    assert main(["bench"]) == 1


def test_table_in_readme(monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("benchmarks_run", BENCHMARKS / "run.py")
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    readme = (BENCHMARKS / "README.md").read_text()
    once = run.with_table(readme, "| first |")
    twice = run.with_table(once, "| second |")
    assert "| first |" in once
    assert "| first |" not in twice
    assert twice.count("| second |") == 1
    assert twice.partition(run.BEGIN)[0] == readme.partition(run.BEGIN)[0]
    with pytest.raises(ValueError, match="has no lines"):
        run.with_table("nothing marked", "")
    monkeypatch.setattr(
        bench, "WORKLOADS", (bench.Workload((5, 4, 2), 8, "sgd", 0.1, rows=64, quick_rows=64),)
    )
    argv = ["--peers", "chainrule", "--threads", "1", "--rounds", "1", "--seconds", "0.001"]
    assert run.main(argv) == 0
    assert "| 5-4-2, batch 8, sgd | chainrule |" in capsys.readouterr().out
