# SPDX-License-Identifier: Apache-2.0
"""Environment variables that hold nonsense are errors that name them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

UNSET = {name: text for name, text in os.environ.items() if not name.startswith("CHAINRULE_")}
PROGRAM = """
import numpy as np
import chainrule as cr
try:
    net = cr.Sequential([cr.Input(2), cr.Dense(1)])
    net.predict(np.zeros((1, 2)))
    print("threads", cr.default_num_threads())
except ValueError as error:
    print("error", error)
"""


def run(**variables: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**UNSET, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return result.stdout.strip()


@pytest.mark.parametrize(
    "text", ["abc", "0", "-1", "1.5", "2x", "4,2", " ", "99999999999999999999", "2147483648"]
)
def test_a_number_of_threads_that_is_none(text: str) -> None:
    assert run(CHAINRULE_NUM_THREADS=text) == (
        f"error CHAINRULE_NUM_THREADS is '{text}', expected a whole number from 1 on, or nothing "
        "for as many as there may be"
    )


@pytest.mark.parametrize(("text", "threads"), [("3", 3), (" 2 ", 2), ("1", 1)])
def test_a_number_of_threads(text: str, threads: int) -> None:
    assert run(CHAINRULE_NUM_THREADS=text) == f"threads {threads}"


def test_an_empty_variable_is_none() -> None:
    assert run(CHAINRULE_NUM_THREADS="") == run()


def test_an_unknown_instruction_set() -> None:
    assert "unknown instruction set in CHAINRULE_ISA 'sse9'" in run(CHAINRULE_ISA="sse9")


def test_the_limit_of_openmp_is_its_own_business() -> None:
    assert run(OMP_NUM_THREADS="1").startswith("threads ")
