# SPDX-License-Identifier: Apache-2.0
"""Environment variables that hold nonsense are errors that name them."""

from __future__ import annotations

import functools
import os

import pytest
from subprocesses import run_each

UNSET = {name: text for name, text in os.environ.items() if not name.startswith("CHAINRULE_")}
PROGRAM = """
import os
import numpy as np
os.environ.update(VARIABLES)
import chainrule as cr
try:
    net = cr.Sequential([cr.Input(2), cr.Dense(1)])
    net.predict(np.zeros((1, 2)))
    print("threads", cr.default_num_threads())
except ValueError as error:
    print("error", error)
"""


# They are read when the first network is built.
NUMBERS = {"3": 3, " 2 ": 2, "1": 1}
NO_NUMBERS = ["abc", "0", "-1", "1.5", "2x", "4,2", " ", "99999999999999999999", "2147483648"]
VARIABLES = [
    *({"CHAINRULE_NUM_THREADS": text} for text in ("", *NUMBERS, *NO_NUMBERS)),
    *({"CHAINRULE_ISA": "sse9"}, {}),
]


@functools.cache
def outputs() -> dict[str, str]:
    programs = [PROGRAM.replace("VARIABLES", repr(variables)) for variables in VARIABLES]
    results = run_each(programs, env=UNSET)
    assert all((result.returncode, result.stderr) == (0, "") for result in results)
    printed = [result.stdout.strip() for result in results]
    return dict(zip(map(repr, VARIABLES), printed, strict=True))


def run(**variables: str) -> str:
    return outputs()[repr(variables)]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_number_of_threads_that_is_none(text: str) -> None:
    assert run(CHAINRULE_NUM_THREADS=text) == (
        f"error CHAINRULE_NUM_THREADS is '{text}', expected a whole number from 1 on, or nothing "
        "for as many as there may be"
    )


@pytest.mark.parametrize(("text", "threads"), NUMBERS.items())
def test_a_number_of_threads(text: str, threads: int) -> None:
    assert run(CHAINRULE_NUM_THREADS=text) == f"threads {threads}"


def test_an_empty_variable_is_none() -> None:
    assert run(CHAINRULE_NUM_THREADS="") == run()


def test_an_unknown_instruction_set() -> None:
    assert "unknown instruction set in CHAINRULE_ISA 'sse9'" in run(CHAINRULE_ISA="sse9")


def test_the_limit_of_openmp_is_its_own_business() -> None:
    env = {**UNSET, "OMP_NUM_THREADS": "1"}
    (result,) = run_each([PROGRAM.replace("VARIABLES", "{}")], env=env)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("threads ")
