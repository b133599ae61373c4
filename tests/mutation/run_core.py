# SPDX-License-Identifier: Apache-2.0
"""Breaks the compiled core in one place after the other, and expects the tests to notice.

Usage: python tests/mutation/run_core.py [--part I/N] [--check]

Run it in a working tree of its own, in an environment in which chainrule is installed with
`pip install --no-build-isolation -e .`. The C++ tests come first; what they let pass meets those of
Python. It prints a line for each break, and exits with 1 if fewer than `--least` percent are
noticed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from core_breaks import BREAKS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "cpp" / "src"
BUILD = ROOT / "build" / "mutation"
# A break may make a loop endless.
LONGEST_TESTS = 600.0
INSTALL = "-m pip install -q --no-build-isolation --no-deps -e ."
# The suite without what compares the speed and the bits of large networks.
PYTEST = "-m pytest -x -q -p no:cacheprovider tests --ignore tests/test_bench_protocol.py"


def main() -> int:
    """Run the breaks of the part asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="1/1", help="I/N: this share of the breaks, from 1")
    parser.add_argument("--check", action="store_true", help="only look whether the texts fit")
    parser.add_argument("--least", type=float, default=90.0, help="percent that must be noticed")
    options = parser.parse_args()
    part, parts = (int(number) for number in options.part.split("/"))
    misfits = [f"{name}: {old}" for name, old, _ in BREAKS if _text(name).count(old) != 1]
    if misfits or options.check:
        print("\n".join([*misfits, f"{len(BREAKS)} breaks, {len(misfits)} do not fit"]))
        return 1 if misfits else 0
    _must(f"cmake -S . -B {BUILD} -G Ninja -DCHAINRULE_BUILD_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=Debug")
    _must(f"cmake --build {BUILD}")
    mine = BREAKS[part - 1 :: parts]
    noticed = 0
    for name, old, new in mine:
        start = time.monotonic()
        outcome = _outcome(name, old, new)
        noticed += outcome in ("C++", "Python")
        seconds = time.monotonic() - start
        print(f"{outcome:8} {seconds:5.0f} s  {name}: {' '.join(old.split())}", flush=True)
    share = 100 * noticed / len(mine)
    print(f"noticed: {noticed} of {len(mine)} ({share:.0f} %)")
    return 0 if share >= options.least else 1


def _outcome(name: str, old: str, new: str) -> str:
    """Return whose tests notice a break, C++ or Python; else SURVIVED, or INVALID if no program."""
    text = _text(name)
    (SOURCES / name).write_text(text.replace(old, new))
    try:
        if not _passes(f"cmake --build {BUILD}"):
            return "INVALID"
        if not _passes(f"ctest --test-dir {BUILD} --stop-on-failure --timeout 120"):
            return "C++"
        if not _passes(f"{sys.executable} {INSTALL}"):
            return "INVALID"
        return "SURVIVED" if _passes(f"{sys.executable} {PYTEST}") else "Python"
    finally:
        (SOURCES / name).write_text(text)


def _text(name: str) -> str:
    return (SOURCES / name).read_text()


def _passes(command: str) -> bool:
    try:
        run = subprocess.run(
            command.split(), cwd=ROOT, capture_output=True, timeout=LONGEST_TESTS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def _must(command: str) -> None:
    subprocess.run(command.split(), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    sys.exit(main())
