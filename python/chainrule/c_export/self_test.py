# SPDX-License-Identifier: Apache-2.0
"""The program that checks the C code where it will run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.c_export.category_operations import OfCategories
from chainrule.c_export.literals import array, number, template
from chainrule.c_export.operations import Affine, Array
from chainrule.c_export.program import Model, Program
from chainrule.c_export.recurrent_operations import Recurrence

__all__ = ["Vectors", "difference", "inputs_for", "self_test"]

_ROWS = 8


@dataclass(frozen=True)
class Vectors:
    """Rows of the inputs and what the library makes of them, behind a link too, in float32.

    The C code may be as far from them as `tolerance`.
    """

    x: dict[str, Array]
    outputs: list[Array]
    probabilities: list[Array] | None
    tolerance: float


def self_test(model: Model, vectors: Vectors) -> str:
    """Return the text of the program."""
    inputs, outputs = model.inputs, model.outputs
    named = {"x": "inputs", "y": "outputs"}
    given = [named.get(value.name, f"inputs_{value.name}") for value in inputs]
    arrays = [
        array(name, each, missing=True)
        for name, each in zip(given, vectors.x.values(), strict=True)
    ]
    checks: list[str] = []
    for function, kind, expected in (
        ("step" if model.streaming else "predict", "outputs", vectors.outputs),
        ("predict_proba", "probabilities", vectors.probabilities),
    ):
        if expected is None:
            continue
        wanted = [kind if value.name == "y" else f"{kind}_{value.name}" for value in outputs]
        arrays += [array(name, each) for name, each in zip(wanted, expected, strict=True)]
        passed = [*(f"{name}[row]" for name in given), *(value.name for value in outputs)]
        compared = [
            f"largest = worse(largest, difference({y.name}, {name}[row], {y.size}));"
            for y, name in zip(outputs, wanted, strict=True)
        ]
        if model.streaming:
            lines = _steps(model, vectors, passed, compared)
        else:
            lines = [f"{model.name}_{function}({', '.join(passed)}, &scratch);", *compared]
        checks += [
            "  largest = 0.0f;",
            "  for (size_t row = 0; row < ROWS; ++row) {",
            *(f"    {line}" for line in lines),
            "  }",
            f'  agree &= report("{model.name}_{function}", largest);',
        ]
    return template("self_test.c").substitute(
        name=model.name,
        memory=model.memory,
        math="#include <math.h>\n" if any("NAN" in each for each in arrays) else "",
        rows=len(vectors.outputs[0]),
        tolerance=number(np.float32(vectors.tolerance)),
        arrays="\n\n".join(arrays),
        buffers="\n".join(f"  static float {value.name}[{value.size}];" for value in outputs)
        + "\n  float largest;",
        checks="\n".join(checks),
    )


def _steps(model: Model, vectors: Vectors, passed: list[str], compared: list[str]) -> list[str]:
    """Return the lines that go through a sequence, whose outputs may be those of its end alone."""
    inputs, outputs = model.inputs, model.outputs
    steps = next(iter(vectors.x.values())).shape[1] // inputs[0].columns
    read = [f"{each} + t * {x.size}" for each, x in zip(passed, inputs, strict=False)]
    at_each, at_end = [], []
    for y, expected, line in zip(outputs, vectors.outputs, compared, strict=True):
        if expected.shape[1] == steps * y.columns:
            at_each.append(f"  {line.replace('[row]', f'[row] + t * {y.size}')}")
        else:
            at_end.append(line)
    return [
        f"{model.name}_reset(&state);",
        f"for (size_t t = 0; t < {steps}; ++t) {{",
        f"  {model.name}_step(&state, {', '.join([*read, *passed[len(read) :]])});",
        *at_each,
        "}",
        *at_end,
    ]


def difference(y: Array, expected: Array) -> float:
    """Return the largest difference of arrays of (rows, outputs), as the program computes it."""
    y, expected = y.astype(np.float64), expected.astype(np.float64)
    scale = np.maximum(1.0, np.abs(expected).max(axis=1))
    return float((np.abs(y - expected).max(axis=1) / scale).max())


def inputs_for(program: Program, given: dict[str, Array] | None) -> dict[str, Array]:
    """Return rows of float32 for the test vectors.

    They are the first of what is given; without, they are drawn so that the first layer behind the
    scaling of the features sees normal variates.
    """
    if given is not None:
        with np.errstate(over="ignore"):
            return {name: x[:_ROWS].astype(np.float32) for name, x in given.items()}
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=(_ROWS, n)) for name, n in program.inputs.items()}
    for operation in program.operations:
        if isinstance(operation, Affine) and operation.read[0] in rows:
            scale = np.where(operation.scale == 0, 1.0, operation.scale)
            positions = rows[operation.read[0]].reshape(-1, operation.inputs)
            rows[operation.read[0]] = ((positions - operation.shift) / scale).reshape(_ROWS, -1)
        if isinstance(operation, OfCategories):
            counts = operation.codes[:, 0]
            drawn = rng.integers(0, np.maximum(counts, 1), size=(_ROWS, len(counts)))
            rows[operation.read[0]] = np.where(counts > 0, drawn, rows[operation.read[0]])
        if isinstance(operation, Recurrence):
            for lengths in {*operation.read[1 : 1 + operation.lengths]} & {*rows}:
                drawn = rng.integers(1, operation.positions + 1, size=(_ROWS, 1))
                rows[lengths] = drawn.astype(float)
    return {name: x.astype(np.float32) for name, x in rows.items()}
