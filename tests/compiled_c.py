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


def link(target, *arguments):
    """Link by the first compiler, whose linker the other would take as well."""
    return build(COMPILERS[0], target, *arguments, "-lm")


# Optimisation finds GCC more to warn of. Checked code, and the tests themselves, run for a moment.
LEVELS = {"gcc": "-O2"}

# {(compiler, flags, name, folder): (texts, object)}
_compiled = {}


def compiled(compiler, folder, name, *flags):
    """Return the object of NAME.c for a library, or checked, or for a self-test that runs once."""
    level = "-O0" if flags or name.endswith("_test") else LEVELS.get(compiler, "-O1")
    return compiled_once(compiler, folder, name, level, "-fPIC", *flags)


def compiled_once(compiler, folder, name, *flags):
    """Return the object of NAME.c, which is compiled once for flags and the texts in its folder."""
    texts = [path.read_text() for path in sorted(folder.glob("*.[ch]"))]
    known, target = _compiled.get((compiler, flags, name, folder), (None, None))
    if known != texts:
        target = folder / f"{'_'.join([name, compiler, *(flag.strip('-') for flag in flags)])}.o"
        build(compiler, target, *flags, "-c", folder / f"{name}.c")
        _compiled[compiler, flags, name, folder] = texts, target
    return target


def self_test(compiler, folder, name, *flags):
    """Compile and run NAME_test.c; return the finished process."""
    objects = [compiled(compiler, folder, each, *flags) for each in (name, f"{name}_test")]
    program = link(folder / f"{name}_test_{compiler}", *objects)
    return subprocess.run([str(program)], capture_output=True, text=True)


def load(compiler, folder, name):
    """Compile NAME.c to a shared library and return it."""
    target = link(folder / f"{name}_{compiler}.so", "-shared", compiled(compiler, folder, name))
    return ctypes.CDLL(str(target))


def outputs(library, name, net, x, function="predict"):
    """Call the compiled function for each row of `x`."""
    x = np.ascontiguousarray(x.reshape(len(x), -1), dtype=np.float32)
    y = np.full((len(x), net.outputs), np.nan, np.float32)
    scratch = ctypes.create_string_buffer(1 << 20)
    call = library[f"{name}_{function}"]
    call.argtypes = [ctypes.c_void_p] * 3  # of rows by their address, as there are many
    first = x.ctypes.data, y.ctypes.data
    for row in range(len(x)):
        call(first[0] + row * x.strides[0], first[1] + row * y.strides[0], scratch)
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
    target = compiled_once(compiler, folder, name, "-O2")
    listed = subprocess.run(
        ["nm", "--undefined-only", "--format=posix", target],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # The compiler may call these by itself, whatever the source says.
    of_compilers = {"memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"}
    return {line.split()[0] for line in listed.splitlines()} - of_compilers
