# SPDX-License-Identifier: Apache-2.0
"""The text of exported C: its layout, and the rows of its self-test."""

from __future__ import annotations

import re

import numpy as np

import chainrule as cr


def test_rows_of_the_self_test_are_like_the_features(tmp_path):
    """Where the first layer standardises them, rows are drawn that it makes standard normal."""
    net = cr.Sequential([cr.Input(2), cr.Normalization(), cr.Dense(1)], seed=0)
    net.set_weights({"0.mean": [1000.0, -2.0], "0.variance": [4.0, 2500.0]})
    cr.export_c(net, tmp_path)
    text = (tmp_path / "model_test.c").read_text()
    rows = re.search(r"inputs\[\d+\]\[2\] = \{(.*?)\};", text, re.DOTALL)[1]
    x = np.array([float(number) for number in re.findall(r"(-?[\d.e+-]+)f", rows)]).reshape(-1, 2)
    standard = (x - [1000.0, -2.0]) / [2.0, 50.0]
    assert len(x) >= 8
    assert np.abs(standard).max() < 5
    assert (standard.std(axis=0) > 0.3).all()


def test_declarations_are_on_one_line_where_it_is_short_enough(tmp_path):
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    on_one_line = set()
    for length in range(1, 24):
        name = "n" * length
        cr.export_c(net, tmp_path, name=name)
        lines = (tmp_path / f"{name}.c").read_text().splitlines()
        (begin,) = (i for i, line in enumerate(lines) if line.startswith(f"void {name}_predict("))
        end = next(i for i in range(begin, len(lines)) if lines[i].endswith(" {"))
        whole = " ".join(line.strip() for line in lines[begin : end + 1])
        assert (begin == end) == (len(whole) <= 100)
        on_one_line.add(begin == end)
    assert on_one_line == {True, False}
