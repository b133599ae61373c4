# SPDX-License-Identifier: Apache-2.0
"""Programs in processes of their own."""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chainrule as cr

# What has been learned in one training, such as how many cores are free, is not known to the next
# program: each runs in a fork of a process that has trained nothing.
_RUN_PROGRAMS = """
import contextlib, io, json, os, sys, traceback, warnings
import pytest
import chainrule as cr

cr.Sequential, cr.Adam  # imported, as pytest is, before the forks

isa, answers, sys.stdout = cr.instruction_set(), sys.stdout, sys.stderr
for line in sys.stdin:
    if (program := json.loads(line)) is None:
        break
    child = 0
    if hasattr(os, "fork"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # there are threads of BLAS
            child = os.fork()
    error, printed = None, io.StringIO()
    if child == 0:
        try:
            with contextlib.redirect_stdout(printed):
                exec(program, {"__name__": "__main__", "VECTORS": isa != "portable"})
        except BaseException:
            error = traceback.format_exc()
    else:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            continue
        error = f"ended with {status}"
    print(json.dumps([isa, printed.getvalue(), error]), file=answers, flush=True)
    if child == 0 and hasattr(os, "fork"):
        os._exit(0)
"""


_SECONDS = 300  # that a program has


class _Worker:
    """A process held to one instruction set, which runs programs in forks, one after the other."""

    def __init__(self, isa: str) -> None:
        self.isa = isa
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _RUN_PROGRAMS],
            env={
                **os.environ,
                "CHAINRULE_ISA": isa,
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,  # so that what hangs can be ended with its fork
        )
        atexit.register(self.end, os.getpid())

    def send(self, message: str | None) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def printed(self, program: str) -> str:
        assert self.process.stdout is not None
        end = threading.Timer(_SECONDS, self.kill)
        end.start()
        self.send(program)
        answer = self.process.stdout.readline()
        end.cancel()
        if not answer:
            self.errors.seek(0)
            text = self.errors.read().decode(errors="replace")
            raise AssertionError(f"{self.isa}: ended with {self.process.wait()}: {text}")
        isa, printed, error = json.loads(answer)
        assert isa == self.isa
        assert error is None, f"{isa}: {error}"
        return printed

    def kill(self) -> None:
        """Kill the process and its fork."""
        if hasattr(os, "killpg"):
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()

    def end(self, owner: int) -> None:
        """Let the process exit as programs do; a fork of the tests leaves it alone."""
        if os.getpid() != owner:
            return
        if self.process.poll() is None:
            self.send(None)
        self.process.communicate()
        self.errors.close()


_worker = functools.cache(_Worker)


def outputs_of_instruction_sets(program: str) -> dict[str, str]:
    """Return what a Python program prints, held to each instruction set.

    All such programs run in forks of the same few processes, since to import takes longer than most
    of them. They find the modules of this folder, and `VECTORS`: False for the portable instruction
    set, with which training takes 50 times as long.
    """
    return {isa: _worker(isa).printed(program) for isa in cr.instruction_sets()}


def printed_by_each_instruction_set(program: str) -> set[str]:
    """Return the words that a Python program prints, held to each instruction set in turn."""
    outputs = outputs_of_instruction_sets(program)
    assert all(outputs.values()), outputs
    return {word for printed in outputs.values() for word in printed.split()}


_FORK_AND_RUN = """
import json, os, pathlib, signal, sys, warnings

folder = pathlib.Path(sys.argv.pop())
imports, programs, seconds = json.loads((folder / "given").read_text())
exec(imports, {})
statuses = []
for number, program in enumerate(programs[:-1]):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads of BLAS
        child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        for fd, name in (1, "out"), (2, "err"):
            os.dup2(os.open(folder / f"{number}.{name}", os.O_WRONLY | os.O_CREAT), fd)
        break
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    (folder / "statuses").write_text(json.dumps(statuses))
    program = programs[-1]
exec(program, {"__name__": "__main__"})
"""


def run_each(
    programs: Sequence[str],
    *arguments: str,
    imports: str = "import numpy, chainrule; chainrule.Sequential",
    env: dict[str, str] | None = None,
    timeout: int = 60,
) -> list[subprocess.CompletedProcess[str]]:
    """Run Python programs that start and end an interpreter each; return what became of them.

    Where there is fork, all but the last are forks of the last one's process, made when it has done
    the imports, which take longer than most programs: whatever is built is built after the fork.
    """
    options: dict[str, Any] = {"capture_output": True, "text": True, "env": env}
    python = [sys.executable, "-X", "faulthandler", "-c"]
    if not hasattr(os, "fork"):
        return [
            subprocess.run([*python, program, *arguments], timeout=timeout, check=False, **options)
            for program in programs
        ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "given").write_text(json.dumps([imports, programs, timeout]))
        command = [*python, _FORK_AND_RUN, *arguments, name]
        timeout *= len(programs) + 1
        last = subprocess.run(command, timeout=timeout, check=False, **options)
        statuses = json.loads((folder / "statuses").read_text())
        forks = [
            subprocess.CompletedProcess(
                programs[number],
                status,
                *((folder / f"{number}.{end}").read_text() for end in ("out", "err")),
            )
            for number, status in enumerate(statuses)
        ]
    return [*forks, last]
