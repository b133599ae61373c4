# SPDX-License-Identifier: Apache-2.0
"""What is shown while training."""

from __future__ import annotations

import io
import sys
import types
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.network import observer, progress
from chainrule.network.progress import Progress, epoch_line, format_value, make_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(shown: Progress, epochs: int = 2, batches: int = 5) -> None:
    with shown:
        for epoch in range(1, epochs + 1):
            shown.epoch_begin(epoch)
            for batch in range(1, batches + 1):
                shown.batch(batch, 1 / batch)
            shown.epoch_end(epoch, {"loss": 0.25, "val_loss": 0.5}, seconds=1.25)


LINES = (
    "epoch 1/2  1.2 s  loss 0.2500  val_loss 0.5000\n"
    "epoch 2/2  1.2 s  loss 0.2500  val_loss 0.5000\n"
)


def test_verbose_0_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    stream = Terminal()
    run(make_progress(0, 2, 5, stream))
    run(make_progress(0, 2, 5))
    assert stream.getvalue() == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, 2])
def test_lines_where_nobody_looks(verbose: int) -> None:
    stream = io.StringIO()
    run(make_progress(verbose, 2, 5, stream))
    assert stream.getvalue() == LINES


def test_verbose_2_shows_lines_on_a_terminal_too() -> None:
    stream = Terminal()
    run(make_progress(2, 2, 5, stream))
    assert stream.getvalue() == LINES


def test_lines_go_to_stdout_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    run(make_progress(1, 2, 5))
    assert capfd.readouterr() == (LINES, "")


def test_lines_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    stream = Terminal()
    run(make_progress(1, 2, 5, stream))
    assert stream.getvalue() == LINES


def test_nothing_without_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    run(make_progress(1, 2, 5))


def test_a_bar_on_a_terminal_gives_way_to_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    stream = Terminal()
    run(make_progress(1, 2, 5, stream))
    # What a terminal leaves visible of each line: the text after its last carriage return.
    visible = [line.rsplit("\r", 1)[-1] for line in stream.getvalue().splitlines(keepends=True)]
    assert "".join(visible) == LINES
    for batch in range(1, 6):
        assert f"| {batch}/5 " in stream.getvalue()
    assert "epoch 2/2:" in stream.getvalue()
    assert "loss 0.3333" in stream.getvalue()


def test_the_bar_is_refreshed_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 3600.0)
    stream = Terminal()
    run(make_progress(1, 2, 5, stream))
    assert stream.getvalue() == LINES


def test_bar_to_stderr_and_lines_to_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    out, err = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    run(make_progress(1, 2, 5))
    assert out.getvalue() == LINES
    assert "epoch 1/2:" in err.getvalue()


def test_close_removes_an_unfinished_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    stream = Terminal()
    shown = make_progress(1, 2, 5, stream)
    with shown:
        shown.epoch_begin(1)
        shown.batch(1, 0.5)
    assert "epoch 1/2:" in stream.getvalue()
    assert stream.getvalue().endswith("\r")
    shown.batch(2, 0.5)
    shown.close()


def test_a_notebook_gets_the_bar_of_tqdm_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            self.options, self.n, self.open = options, 0, True
            bars.append(self)

        def update(self, count: int) -> None:
            self.n += count

        def set_postfix_str(self, text: str, refresh: bool) -> None:
            self.postfix = text

        def close(self) -> None:
            self.open = False

    # In a kernel of Jupyter tqdm.auto has the bar of widgets.
    monkeypatch.setattr(pytest.importorskip("tqdm.auto"), "tqdm", Bar)
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    run(make_progress(1, 2, 5))
    assert out.getvalue() == LINES
    assert [(bar.n, bar.open, bar.options["total"]) for bar in bars] == [(5, False, 5)] * 2
    assert bars[0].postfix == "loss 0.2000"


@pytest.mark.parametrize("verbose", [3, -1, "auto", None, 1.5])
def test_bad_verbose(verbose: Any) -> None:
    with pytest.raises(ValueError, match=f"verbose must be 0, 1 or 2, got {verbose!r}"):
        make_progress(verbose, 2, 5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (-0.5, "-0.5000"),
        (0.001, "0.0010"),
        (0.00099, "9.900e-04"),
        (9999.0, "9999.0000"),
        (12345.6, "1.235e+04"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_values(value: float, text: str) -> None:
    assert format_value(value) == text


def test_line_leaves_out_what_is_no_number() -> None:
    logs = {"loss": np.float32(0.5), "cm": np.eye(2), "cm_list": [[1]], "accuracy": 1}
    assert epoch_line(3, 10, logs, 0.04) == "epoch 3/10  0.0 s  loss 0.5000  accuracy 1.0000"


def test_an_epoch_shows_its_own_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([1.0, 4.5, 10.0, 10.25])
    monkeypatch.setattr(observer, "time", types.SimpleNamespace(perf_counter=clock.__next__))
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(np.ones((4, 2)), np.ones(4), loss="mse", epochs=2, verbose=2)
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.startswith("epoch 1/2  3.5 s")
    assert second.startswith("epoch 2/2  0.2 s")
