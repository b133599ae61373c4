# SPDX-License-Identifier: Apache-2.0
"""The gradient check finds what is wrong, names it, and leaves the network alone."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from refusals import CLASSES, COLUMNS, X, Y, assert_refused, snapshot, trained, with_value

import chainrule as cr


def entries() -> int:
    """Return the derivatives of `trained`'s network."""
    return COLUMNS * 4 + 4 + 2 * 4 + 4 * CLASSES + CLASSES + X.size


def test_a_right_gradient_and_the_report() -> None:
    net = trained()
    before = snapshot(net)
    report = cr.gradient_check(net, X, Y)
    assert snapshot(net) == before
    assert report.max_relative_error < 1e-7
    assert report.checked == entries()
    assert list(report.relative_errors) == [
        "0.weight", "0.bias", "1.gamma", "1.beta", "2.weight", "2.bias", "x",
    ]  # fmt: skip
    assert report.max_relative_error == max(report.relative_errors.values())
    lines = str(report).splitlines()
    assert lines[0].startswith(f"{entries()} derivatives, largest relative error ")
    assert len(lines) == 1 + 7 + 1 + 5
    assert lines[9].startswith(f"  {report.worst[0].name}[")


@pytest.mark.parametrize("error", [1e-3, math.nan, math.inf])
def test_a_wrong_gradient_is_found(error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    right = cr.Network.gradients.fget  # type: ignore[attr-defined]

    def wrong(net: cr.Sequential) -> dict[str, Any]:
        gradients: dict[str, Any] = right(net)
        gradients["2.weight"][3, 1] += error
        return gradients

    monkeypatch.setattr(cr.Network, "gradients", property(wrong))
    report = cr.gradient_check(trained(), X, Y)
    assert not report.max_relative_error < 1e-5
    assert (report.worst[0].name, report.worst[0].index) == ("2.weight", (3, 1))
    assert report.relative_errors["2.bias"] < 1e-7
    assert "2.weight[3, 1]" in str(report)


def test_a_sample_of_the_entries() -> None:
    net = trained()
    sizes = [20, 4, 4, 4, 12, 3, X.size]
    report = cr.gradient_check(net, X, Y, max_entries=5, seed=1)
    assert report.checked == sum(min(size, 5) for size in sizes)
    again = cr.gradient_check(net, X, Y, max_entries=5, seed=1)
    assert again == report
    assert cr.gradient_check(net, X, Y, max_entries=5, seed=2) != report


def test_an_unbuilt_network_stays_so() -> None:
    net = cr.Sequential([cr.Dense(CLASSES)], seed=0)
    twin = copy.deepcopy(net)
    assert cr.gradient_check(net, X, Y, "cross_entropy").max_relative_error < 1e-7
    assert snapshot(net) == snapshot(twin)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"step": 0.0}, ValueError, "step must be finite and > 0, got 0.0"),
        ({"step": math.nan}, ValueError, "step must be finite and > 0, got nan"),
        ({"max_entries": 0}, ValueError, "max_entries must be >= 1, got 0"),
        ({"x": with_value(X, (1, 2), np.nan)}, ValueError, "x must be finite; row 1, column 2 is"),
        ({"x": X[:, :3]}, ValueError, "x has 3 columns; the network expects 5"),
        ({"y": Y[:-1]}, ValueError, "x has 24 rows but y has 23"),
        ({"loss": "mes"}, ValueError, "unknown loss 'mes'; did you mean 'mse'?"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    net = trained()
    given = {"x": X, "y": Y, **arguments}
    assert_refused(net, lambda: cr.gradient_check(net, **given), error, text)


def test_a_loss_is_needed() -> None:
    net = cr.Sequential([cr.Dense(CLASSES)], seed=0)
    assert_refused(
        net, lambda: cr.gradient_check(net, X, Y), ValueError, "give the loss to differentiate"
    )
