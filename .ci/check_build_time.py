# SPDX-License-Identifier: Apache-2.0
"""Run a command that builds chainrule from nothing and check what it costs.

Usage: check_build_time.py COMMAND [ARGUMENT...]

Prints the processor seconds of the command, and fails where they are more than a budget. On slow or
busy processors that is a number of times what one fixed program takes that is compiled before and
after it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys

YARDSTICK = """
#include <regex>
#include <string>
bool matches(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex(pattern));
}
"""
# In November 2026 the wheel took 157 s, 52 times the program.
MOST_SECONDS = 180.0
# The same budget where the program takes three seconds, as it did then.
MOST_TIMES = 60.0


def seconds_of(command: list[str], text: str | None = None) -> float:
    """Give the processor seconds that a command and its children take."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # A compiler cache stores what it compiles, but gives nothing out.
    environment = os.environ | {"CCACHE_RECACHE": "1"}
    subprocess.run(command, input=text, text=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def yardstick() -> float:
    """Give the processor seconds of compiling the fixed program."""
    compiler = os.environ.get("CXX", "c++")
    command = [compiler, "-std=c++20", "-O2", "-x", "c++", "-c", "-o", os.devnull, "-"]
    return seconds_of(command, YARDSTICK)


def main() -> None:
    """Run the command; exit with status 1 if it costs too much."""
    before = yardstick()
    seconds = seconds_of(sys.argv[1:])
    unit = (before + yardstick()) / 2
    print(f"build: {seconds:.0f} processor seconds, {seconds / unit:.0f} times one small program")
    budget = max(MOST_SECONDS, MOST_TIMES * unit)
    if seconds > budget:
        sys.exit(f"more than {budget:.0f} s: see 'The build' in docs/architecture.md")


if __name__ == "__main__":
    main()
