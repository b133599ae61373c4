# SPDX-License-Identifier: Apache-2.0
"""What a benchmark's report says: ratios, shares of the machine's peak, table, JSON, plot."""

from __future__ import annotations

import json

import pytest
from bench_cases import PREDICT, SPARSE, TABLE, report

import harness
from harness.workloads import Inference, Network

ONE_ROW = Inference(Network((6, 8, 2)), 1, calls=3)


def measurement(work, peer, threads, *rates):
    return harness.Measurement(rates, work, peer, threads)


def filled():
    found = report(
        measurement(SPARSE, "chainrule", 1, 90.0, 100.0, 110.0),
        measurement(SPARSE, "chainrule", 2, 170.0, 180.0, 190.0),
        measurement(SPARSE, "PyTorch", 1, 60.0),
        measurement(SPARSE, "PyTorch", 2, 20.0),
        measurement(ONE_ROW, "chainrule", 1, 250_000.0),
        measurement(ONE_ROW, "ONNX Runtime", 1, 100_000.0),
    )
    flops = SPARSE.flops_per_sample
    for threads, gflops in ((1, 125.0 * flops * 1e-9), (2, 240.0 * flops * 1e-9)):
        found.ceilings.append(harness.Ceiling((gflops,), SPARSE, "fma", threads))
    return found


def test_each_library_at_its_best():
    found = filled()
    assert found.best(SPARSE).threads == 2
    assert found.best(SPARSE, "PyTorch").threads == 1
    assert found.ratio(SPARSE, "PyTorch") == 3.0
    assert found.ratio(ONE_ROW, "ONNX Runtime") == 2.5
    assert found.ratio(ONE_ROW, "PyTorch") is None
    assert found.ratio(TABLE, "PyTorch") is None


def test_share_of_a_ceiling_with_as_many_threads():
    found = filled()
    assert found.share_of("fma", SPARSE) == pytest.approx(180 / 240)
    assert found.share_of("gemm", SPARSE) is None
    assert found.share_of("fma", ONE_ROW) is None


def test_scaling():
    found = filled()
    assert found.scaling(SPARSE) == 1.8
    assert found.scaling(ONE_ROW) is None


def test_markdown():
    found = filled()
    found.versions = {"chainrule": "1", "PyTorch": "2"}
    lines = harness.markdown(found).splitlines()
    assert lines[0] == "P, 2 cores, S, 1 or 2 threads each; Python 3, chainrule 1, PyTorch 2."
    columns = "work | chainrule | PyTorch | ONNX Runtime | of FMA peak | of gemm | scaling | spread"
    assert lines[2] == f"| {columns} |"
    assert lines[4] == f"| {SPARSE.name} | 180/s (2) | 3.00 x | - | 75% | - | 1.80 x | 11% |"
    assert lines[5] == f"| {ONE_ROW.name} | 4.00 µs (1) | - | 2.50 x | - | - | - | 0% |"
    assert lines[7] == "In GFLOP/s (threads): FMA peak float32 0 (1) and 0 (2)."
    assert len(lines) == 8


def test_rates_of_every_library():
    text = harness.rates(filled())
    lines = text.splitlines()
    assert "more than 1 means that chainrule is faster" in lines[0]
    assert lines[3] == "| work | chainrule | PyTorch | ONNX Runtime |"
    assert lines[5] == f"| {SPARSE.name} | 180/s (2) | 60/s (1) | - |"
    assert lines[6] == f"| {ONE_ROW.name} | 4.00 µs (1) | - | 10.00 µs (1) |"
    assert len(lines) == 7


def test_markdown_of_one_thread_and_an_instruction_set():
    found = report(measurement(SPARSE, "chainrule", 1, 1.0), threads=(1,))
    found.isa = "avx2"
    assert "1 thread each, held to avx2; Python" in harness.markdown(found)


def test_busy_machine_is_told():
    found = report(
        measurement(SPARSE, "chainrule", 1, 100.0), measurement(SPARSE, "JAX", 1, 80.0, 100.0, 130)
    )
    assert harness.markdown(found).splitlines()[-1].startswith("The machine was busy: ")


def test_left_out_is_told():
    found = report()
    found.skipped = ["JAX (1) does not start: why."]
    assert harness.markdown(found).endswith("\nLeft out: JAX (1) does not start: why.")


def test_json_holds_everything():
    content = json.loads(harness.as_json(filled()))
    assert content["threads"] == [1, 2]
    sparse, one_row = content["workloads"]
    assert sparse["name"] == SPARSE.name
    assert sparse["network"] == {"sizes": [20, 8, 3], "dtype": "float32"}
    assert sparse["flops_per_sample"] == SPARSE.flops_per_sample
    assert sparse["measurements"][1]["rates"] == [170.0, 180.0, 190.0]
    assert sparse["ratios"] == {"PyTorch": 3.0, "ONNX Runtime": None}
    assert sparse["ceilings"][1]["threads"] == 2
    assert one_row["kind"] == "Inference"


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "ratios.png"
    (axes,) = harness.plot_ratios(filled(), path).axes
    assert path.read_bytes().startswith(b"\x89PNG")
    drawn = {bars.get_label(): [bar.get_width() for bar in bars] for bars in axes.containers}
    assert drawn == {"PyTorch": [2.0], "ONNX Runtime": [1.5]}
    assert {text.get_text() for text in axes.texts} == {"3.00", "2.50"}
    with pytest.raises(ValueError, match="holds no library beside chainrule"):
        harness.plot_ratios(report(measurement(PREDICT, "chainrule", 1, 1.0)))
