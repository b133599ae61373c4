# SPDX-License-Identifier: Apache-2.0
"""The program that checks the C code where it will run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.c_export.literals import array, number
from chainrule.c_export.operations import Affine, Array
from chainrule.c_export.program import Model, Program

__all__ = ["Vectors", "difference", "inputs_for", "self_test"]

_ROWS = 8

_TEMPLATE = """\
/* Compares {name} with what chainrule computed. Exit status: 0 if all rows agree, else 1. */
#include "{name}.h"

#include <stddef.h>
#include <stdio.h>

enum {{ ROWS = {rows} }};

static const float tolerance = {tolerance};

{arrays}

/* The largest difference, relative to the largest expected value where that exceeds 1. */
static float difference(const float* y, const float* expected, size_t n) {{
  float scale = 1.0f;
  float largest = 0.0f;
  for (size_t i = 0; i < n; ++i) {{
    const float size = expected[i] < 0.0f ? -expected[i] : expected[i];
    const float distance = y[i] < expected[i] ? expected[i] - y[i] : y[i] - expected[i];
    if (size > scale) scale = size;
    if (!(distance <= largest)) largest = distance;
    if (largest != largest) break; /* NaN */
  }}
  return largest / scale;
}}

static int check(const char* name,
                 void (*predict)(const float* x, float* y, {name}_scratch* scratch),
                 const float (*expected)[{upper}_OUTPUTS]) {{
  static {name}_scratch scratch;
  static float y[{upper}_OUTPUTS];
  float largest = 0.0f;
  for (size_t row = 0; row < ROWS; ++row) {{
    predict(inputs[row], y, &scratch);
    const float distance = difference(y, expected[row], {upper}_OUTPUTS);
    if (!(distance <= largest)) largest = distance;
    if (largest != largest) break; /* NaN */
  }}
  const int agrees = largest <= tolerance;
  printf("%s: largest difference %.2e, tolerance %.2e: %s\\n", name, (double)largest,
         (double)tolerance, agrees ? "ok" : "FAILED");
  return agrees;
}}

int main(void) {{
  int agree = 1;
{checks}
  return agree ? 0 : 1;
}}
"""


@dataclass(frozen=True)
class Vectors:
    """Rows and what the library makes of them.

    Attributes
    ----------
    x : ndarray of float32, shape (rows, inputs)
    outputs : ndarray of float32, shape (rows, outputs)
    probabilities : ndarray of float32, shape (rows, outputs), or None
        Outputs behind the link, where there is one.
    tolerance : float
        How far the C code may be from them.
    """

    x: Array
    outputs: Array
    probabilities: Array | None
    tolerance: float


def self_test(model: Model, vectors: Vectors) -> str:
    """Return the text of the program."""
    expected = {"predict": ("outputs", vectors.outputs)}
    if vectors.probabilities is not None:
        expected["predict_proba"] = "probabilities", vectors.probabilities
    arrays = [array("inputs", vectors.x)]
    checks = []
    for function, (values, rows) in expected.items():
        function = f"{model.name}_{function}"
        arrays.append(array(values, rows))
        checks.append(f'  agree &= check("{function}", {function}, {values});')
    return _TEMPLATE.format(
        name=model.name,
        upper=model.macro,
        rows=len(vectors.x),
        tolerance=number(np.float32(vectors.tolerance)),
        arrays="\n\n".join(arrays),
        checks="\n".join(checks),
    )


def difference(y: Array, expected: Array) -> float:
    """Return the largest difference of arrays of (rows, outputs), as the program computes it."""
    y, expected = y.astype(np.float64), expected.astype(np.float64)
    scale = np.maximum(1.0, np.abs(expected).max(axis=1))
    return float((np.abs(y - expected).max(axis=1) / scale).max())


def inputs_for(program: Program, given: Array | None) -> Array:
    """Return rows of float32 for the test vectors.

    They are the first of what is given; without, they are drawn so that the first layer behind the
    scaling of the features sees normal variates.
    """
    if given is not None:
        with np.errstate(over="ignore"):
            return given[:_ROWS].astype(np.float32)
    first = program.operations[0]
    x = np.random.default_rng(0).normal(size=(_ROWS, first.inputs))
    if isinstance(first, Affine):
        x = (x - first.shift) / np.where(first.scale == 0, 1.0, first.scale)
    return x.astype(np.float32)
