# SPDX-License-Identifier: Apache-2.0
"""Kill a process that saves two networks in turn, again and again, and count what is left.

Usage: python killed_saves.py FOLDER, with the number of kills on the standard input. Prints how
often the first network was found, how often the second, and how many saves were unfinished.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import chainrule as cr

NETS = [cr.Sequential([cr.Input(200), cr.Dense(200)], seed=seed) for seed in (1, 2)]


def save_for_ever(path: Path, first: int) -> NoReturn:
    """Save the networks in turn."""
    while True:
        NETS[first].save(path)
        first = 1 - first


def seconds_to_save(path: Path) -> float:
    """Return the time that one save takes here."""
    start = time.perf_counter()
    for net in NETS * 3:
        net.save(path)
    return (time.perf_counter() - start) / 6


def main(folder: Path) -> None:
    """Kill at random instants of about two saves, however long these take at the time."""
    path = folder / "net.safetensors"
    seen = {"first": 0, "second": 0, "unfinished": 0}
    longest = 2 * seconds_to_save(path)
    draw = random.Random(0)
    current = 1
    for _ in range(int(sys.stdin.read())):
        child = os.fork()
        if child == 0:
            save_for_ever(path, 1 - current)
        time.sleep(draw.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        before, current = current, cr.load(path).seed - 1
        # About as many kills come before the first save has ended as after it.
        longest *= 1.1 if current == before else 1 / 1.1
        seen["second" if current else "first"] += 1
        for left in folder.glob(".*.tmp"):
            seen["unfinished"] += 1
            left.unlink()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
