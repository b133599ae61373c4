# SPDX-License-Identifier: Apache-2.0
"""What objects show of themselves, in a terminal, in pytest and in a notebook."""

from __future__ import annotations

import io
import sys
import types
import warnings
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.html import html_table
from chainrule.network.history import History


def network() -> cr.Sequential:
    return cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)


def test_plans_and_reports_print_whole() -> None:
    net = network()
    for shown in (net.plan(), cr.gradient_check(net, np.eye(4), np.zeros((4, 3)), "mse")):
        assert repr(shown) == str(shown)
        assert len(str(shown).splitlines()) > 4
        assert f"{shown}" == str(shown)


def test_html_is_escaped() -> None:
    history = History()
    history.append(1, {"<b>": 0.5, "matrix": [[1.0, 2.0]]})
    html = history._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "0.5" in html
    assert "<script>" not in html_table(["<script>"], [["<script>"]], caption="<script>")


def test_long_histories_are_cut_in_the_middle() -> None:
    history = History()
    for epoch in range(1, 101):
        history.append(epoch, {"loss": 1.0 / epoch})
    html = history._repr_html_()
    assert html.count("<tr>") == 1 + 20 + 1
    assert ">1<" in html
    assert ">100<" in html
    assert ">50<" not in html


def test_an_empty_history() -> None:
    assert History()._repr_html_().startswith("<table>")


def test_figures_are_pictures() -> None:
    pytest.importorskip("matplotlib")
    history = network().fit(np.eye(4), [0, 1, 2, 0], loss="cross_entropy", epochs=2, verbose=0)
    figure: Any = cr.plots.plot_history(history)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_summary_before_the_number_of_inputs_is_known() -> None:
    net = cr.Sequential([cr.Rescaling(2.0), cr.Dense(8), cr.BatchNormalization(), cr.Dense(3)])
    stream = io.StringIO()
    net.summary(stream)
    lines = [line.split() for line in stream.getvalue().splitlines()]
    cells = {line[0]: line[-2:] for line in lines}
    assert cells["Rescaling(2.0)"] == ["?", "0"]
    assert cells["Dense(8)"] == ["8", "?"]
    assert cells["BatchNormalization()"] == ["8", "32"]
    assert cells["Dense(3)"] == ["3", "27"]
    assert "the number of inputs is not known yet" in stream.getvalue()
    assert not net.built


def test_the_warning_of_tqdm_about_widgets_is_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from chainrule.network import progress

    class Tqdm:
        asyncio = types.SimpleNamespace(tqdm="bar of text")

        @property
        def auto(self) -> Any:
            warnings.warn("IProgress not found. Please update ipywidgets.", stacklevel=2)
            return types.SimpleNamespace(tqdm="bar")

    monkeypatch.setitem(sys.modules, "tqdm", Tqdm())
    assert progress._tqdm_class(None) == "bar"
