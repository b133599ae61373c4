# SPDX-License-Identifier: Apache-2.0
"""The command line, ``chainrule``, whose commands are in `chainrule.cli.parser`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from chainrule.cli.parser import parse
from chainrule.cli.signals import Terminated
from chainrule.cli.standard_input import files_for
from chainrule.cli.words import in_options
from chainrule.errors import DivergenceError, ExportError

__all__ = ["main"]

_FAILED = 1
_WRONG_INPUT = 2
# The shell's customs: 128 plus the number of the signal.
_SIGNALLED = 128
_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    with _everything_printable():
        return _run(sys.argv[1:] if argv is None else argv)


def _run(argv: Sequence[str]) -> int:
    shown: dict[str, str] = {}
    try:
        options = parse(argv)
        with files_for(options, shown):
            status: int = options.run(options)
        if sys.stdout is not None:  # as it is when closed, which print puts up with
            sys.stdout.flush()
    except SystemExit as stop:  # argparse, after --help and --version
        return int(stop.code or 0)
    except Terminated as signal:
        return _failed("terminated", _SIGNALLED + signal.number)
    except KeyboardInterrupt:
        return _failed("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # Python flushes standard output once more at its exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except (DivergenceError, ExportError) as error:
        return _failed(str(error), _FAILED)
    except (OSError, ValueError, TypeError, ImportError) as error:
        text = in_options(_text(error))
        for file, name in shown.items():
            text = text.replace(file, name)
        return _failed(text, _WRONG_INPUT)
    except MemoryError:
        return _failed("not enough memory", _WRONG_INPUT)
    return status


@contextmanager
def _everything_printable() -> Iterator[None]:
    """Let the standard streams escape what their encoding lacks, instead of failing."""
    # A class may be called 猫 where the console's encoding is cp1252.
    before = []
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            before.append((reconfigure, stream.errors))
            reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for reconfigure, errors in before:
            reconfigure(errors=errors)


def _failed(text: str, status: int) -> int:
    print(f"chainrule: error: {' '.join(text.split())}", file=sys.stderr)
    return status


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
