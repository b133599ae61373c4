# SPDX-License-Identifier: Apache-2.0
"""Run a command that builds chainrule from nothing and check what it costs.

Usage: check_build_time.py COMMAND [ARGUMENT...]

Prints the processor seconds of the command, and fails where they are more than a budget. On slow or
busy processors that is a number of times what one fixed program takes, which is compiled again and
again while the command runs: what slows down the one then slows down the other.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

YARDSTICK = """
#include <regex>
#include <string>
bool matches(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex(pattern));
}
"""
# In November 2026 the wheel took 168 s on two quiet processors.
MOST_SECONDS = 180.0
# In November 2026 it took 55 and 56 times the program.
MOST_TIMES = 60.0
# Between two compilations of the program, so that they are a small part of the work.
PAUSE_SECONDS = 8.0


def start(command: list[str], text: str = "") -> subprocess.Popen[str]:
    """Start a command that reads ``text``."""
    # A compiler cache stores what it compiles, but gives nothing out.
    environment = os.environ | {"CCACHE_RECACHE": "1"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment)
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.close()
    return process


def ended(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process has ended, and leave its processor seconds to seconds_of."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def seconds_of(process: subprocess.Popen[str]) -> float:
    """Wait for a process and give the processor seconds of it and its children."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage.ru_utime + usage.ru_stime


def yardstick() -> float:
    """Give the processor seconds of compiling the fixed program."""
    compiler = os.environ.get("CXX", "c++")
    command = [compiler, "-std=c++20", "-O2", "-x", "c++", "-c", "-o", os.devnull, "-"]
    return seconds_of(start(command, YARDSTICK))


def main() -> None:
    """Run the command; exit with status 1 if it costs too much."""
    build = start(sys.argv[1:])
    units: list[float] = []
    while not units or not ended(build):
        units.append(yardstick())
        time.sleep(PAUSE_SECONDS)
    seconds = seconds_of(build)
    unit = statistics.mean(units)
    print(
        f"build: {seconds:.0f} processor seconds, {seconds / unit:.0f} times one small program "
        f"({', '.join(f'{u:.1f}' for u in units)} s)"
    )
    budget = max(MOST_SECONDS, MOST_TIMES * unit)
    if seconds > budget:
        sys.exit(f"more than {budget:.0f} s: see 'The build' in docs/architecture.md")


if __name__ == "__main__":
    main()
