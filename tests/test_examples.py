# SPDX-License-Identifier: Apache-2.0
"""The examples in Python run and do what they say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_cart_pole_is_balanced(capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(EXAMPLES / "cart_pole.py"))
    steps, shortest = example["train"](seed=3)
    assert shortest == 500
    assert steps < 60_000
    assert capsys.readouterr().out.splitlines()[-1].endswith("one pole of 20 falls after 500")
