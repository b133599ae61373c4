# SPDX-License-Identifier: Apache-2.0
"""Names, numbers and arrays as C text."""

from __future__ import annotations

import re
import textwrap
from importlib import resources
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "array", "check_name", "number", "template"]

COLUMNS = 100
_TYPES = {
    "float32": "float",
    "int8": "int8_t",
    "int32": "int32_t",
    "uint8": "uint8_t",
}
# A model's header of one of these names would be found in place of the C library's.
_HEADERS = (
    "assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign|"
    "stdarg|stdatomic|stdbit|stdbool|stdckdint|stddef|stdint|stdio|stdlib|stdnoreturn|string|tgmath|"
    "threads|time|uchar|wchar|wctype"
)
# Windows opens a device in place of a file of one of these names, whatever its ending.
_DEVICES = "aux|con|nul|prn|com[0-9]|lpt[0-9]"


def check_name(name: object) -> str:
    """Return `name` if it can begin the names of C functions and files; else TypeError, ValueError.

    It must be a C identifier, make no reserved ones, and be the name of no header of the C library,
    device or other export's self-test.

    Examples
    --------
    >>> check_name("digits_2")
    'digits_2'
    >>> check_name("2-digits")
    Traceback (most recent call last):
        ...
    ValueError: name must be letters, digits and underscores, beginning with a letter, got ...
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r:.80}")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            "name must be letters, digits and underscores, beginning with a letter, "
            f"got {name!r:.80}"
        )
    if re.fullmatch(_HEADERS, name, re.IGNORECASE):
        raise ValueError(f"name {name!r} is that of a header of the C library, {name.lower()}.h")
    if "__" in name or name.endswith("_"):
        raise ValueError(
            f"name {name!r} would make identifiers with two underscores, which C++ reserves"
        )
    if re.fullmatch(_DEVICES, name, re.IGNORECASE):
        raise ValueError(f"name {name!r} is that of a device on Windows")
    if name.lower().endswith("_test"):
        raise ValueError(
            f"name {name!r} is that of the self-test of {name[:-5]!r}: it must not end in _test"
        )
    return name


def number(value: Any) -> str:
    """Return a float32 or an integer; the compiler reads back the same bits.

    Examples
    --------
    >>> number(np.float32(0.1)), number(np.float32(1)), number(np.float32(-3e-20)), number(-7)
    ('0.1f', '1.0f', '-3e-20f', '-7')
    """
    if not isinstance(value, float | np.floating):
        return str(value)
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not np.isfinite(single):
        raise ValueError(f"{value} is no finite number of float32, in which the C code computes")
    return f"{single!s}f"


def array(name: str, values: NDArray[Any], *, flat: bool = False, missing: bool = False) -> str:
    """Return the definition of a constant of one or two axes; `flat` makes one of two.

    With `missing` NaN may be among them, the macro of math.h.

    Values are of float32, int8, int32 or uint8. Each row of two axes begins a line.

    Examples
    --------
    >>> print(array("bias_1", np.array([0.5, -1], np.float32)))
    static const float bias_1[2] = {
        0.5f, -1.0f,
    };
    >>> print(array("weight_1", np.array([[1, 2, 3], [4, 5, 6]], np.int8), flat=True))
    static const int8_t weight_1[2 * 3] = {
        1, 2, 3,
        4, 5, 6,
    };
    """
    finite = np.isfinite(values) | (np.isnan(values) & missing)
    if values.dtype.kind == "f" and not finite.all():
        raise ValueError(f"{name} leaves the range of float32, in which the C code computes")
    sizes = (" * " if flat else "][").join(map(str, values.shape))
    if values.ndim == 1:
        lines = _row(values)
    elif flat:
        lines = [line for row in values for line in _row(row)]
    else:
        lines = [line for row in values for line in ("    {", *_row(row, 8), "    },")]
    return "\n".join(
        [f"static const {_TYPES[values.dtype.name]} {name}[{sizes}] = {{", *lines, "};"]
    )


def template(name: str) -> Template:
    """Return a C text of the folder ``templates``, with places to fill in."""
    return Template(resources.files("chainrule.c_export").joinpath("templates", name).read_text())


def _row(values: NDArray[Any], indent: int = 4) -> list[str]:
    suffix = "f" if values.dtype.kind == "f" else ""
    text = " ".join(f"{number}{suffix}," for number in values.astype(str).tolist())
    text = text.replace("nanf,", "NAN,")
    margin = " " * indent
    return textwrap.wrap(text, COLUMNS, initial_indent=margin, subsequent_indent=margin)
