# SPDX-License-Identifier: Apache-2.0
"""Exported C, compiled by the C compilers at hand and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-Wconversion", "-Wshadow"]
STRICT += ["-Wdouble-promotion", "-Wmissing-prototypes", "-Wstrict-prototypes"]
# Undefined behaviour stops the program, without a library.
SANITIZED = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="neither gcc nor clang is installed")
# Without one, the tests that take this parameter still run once, to be skipped.
each_compiler = pytest.mark.parametrize("compiler", COMPILERS or ["cc"])


def build(compiler, target, *arguments):
    """Compile with all warnings as errors."""
    command = [compiler, *STRICT, *map(str, arguments), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def self_test(compiler, folder, name, *flags):
    """Compile and run NAME_test.c; return the finished process."""
    program = folder / f"{name}_test_{compiler}"
    build(compiler, program, "-O1", *flags, folder / f"{name}.c", folder / f"{name}_test.c", "-lm")
    return subprocess.run([str(program)], capture_output=True, text=True)


def load(compiler, folder, name):
    """Compile NAME.c to a shared library and return it."""
    library = folder / f"{name}_{compiler}.so"
    build(compiler, library, "-O2", "-shared", "-fPIC", folder / f"{name}.c", "-lm")
    return ctypes.CDLL(str(library))


def outputs(library, name, net, x, function="predict"):
    """Call the compiled function for each row of `x`."""
    x = np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.float32)
    y = np.full((len(x), net.outputs), np.nan, np.float32)
    scratch = ctypes.create_string_buffer(1 << 20)
    call = getattr(library, f"{name}_{function}")
    pointer = ctypes.POINTER(ctypes.c_float)
    for row, out in zip(x, y, strict=True):
        call(row.ctypes.data_as(pointer), out.ctypes.data_as(pointer), scratch)
    return y


def difference(y, expected):
    """Return the largest difference, relative to a row's largest output where that exceeds 1."""
    expected = expected.astype(np.float64)
    scale = np.maximum(1.0, abs(expected).max(axis=1, keepdims=True))
    return (abs(y - expected) / scale).max()


def undefined_symbols(compiler, folder, name):
    """Return what NAME.o needs from elsewhere."""
    if not shutil.which("nm"):
        pytest.skip("nm is not installed")
    target = build(compiler, folder / f"{name}.o", "-O2", "-c", folder / f"{name}.c")
    listed = subprocess.run(
        ["nm", "--undefined-only", "--format=posix", target],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # The compiler may call these by itself, whatever the source says.
    of_compilers = {"memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"}
    return {line.split()[0] for line in listed.splitlines()} - of_compilers
