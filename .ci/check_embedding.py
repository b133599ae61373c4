# SPDX-License-Identifier: Apache-2.0
"""Check what chainrule costs a C++ program: headers to compile, and bytes where it only predicts.

Usage: check_embedding.py INCLUDE_FOLDER PROGRAM SMALL_PROGRAM MODEL, where the programs predict
with the model by a static library, the second linked with --gc-sections. Compile time is the time
of parsing, and that is about proportional to the lines that the preprocessor leaves, which do not
vary from run to run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

USUAL = ["layers.hpp", "trainer.hpp", "predictor.hpp", "model_file.hpp"]
BASE = "#include <string>\n#include <vector>\n"
# They hold most of what makes the standard library slow to compile.
HEAVY = ["algorithm", "atomic", "chrono", "filesystem", "functional", "iostream", "map", "memory"]
HEAVY += ["mutex", "random", "ranges", "regex", "sstream", "thread", "unordered_map", "variant"]
MOST_LINES = 1.25
MOST_BYTES = 1_000_000
# What a program that loads a network and predicts by it has no use for: text of its symbols, and
# what they stand for.
UNUSED = {
    "chainrule::kernels::training_": "the kernels of training",
    "chainrule::engine::Plan<float>::forward(": "plans",
    "chainrule::engine::run_team(": "teams of threads",
    "chainrule::engine::LossStage<float>::": "losses",
    "chainrule::engine::RecurrentTrainingStage<float>::": "backpropagation through time",
    "chainrule::engine::make_update<float>(": "optimizer steps",
    "chainrule::Network<float>::adapt(": "what takes statistics from data",
    "chainrule::check_finite<float>(": "checks of data",
    "chainrule::model_bytes<float>(": "the writer of model files",
    "chainrule::StreamingPredictor<float>::": "sequences frame by frame",
}


def preprocessed(source: str, include: Path) -> str:
    """Give what the preprocessor makes of ``source``, with its line markers."""
    command = ["c++", "-std=c++20", "-E", "-x", "c++", "-I", str(include), "-"]
    return subprocess.run(command, input=source, text=True, capture_output=True, check=True).stdout


def code_lines(text: str) -> int:
    """Count the lines that a compiler has to read."""
    return sum(1 for line in text.splitlines() if line.strip() and not line.startswith("#"))


def header_problems(include: Path) -> list[str]:
    """List what is wrong with the weight of the headers that programs usually include."""
    text = preprocessed(BASE + "".join(f"#include <chainrule/{name}>\n" for name in USUAL), include)
    base = code_lines(preprocessed(BASE, include))
    ratio = code_lines(text) / base
    print(f"headers: {ratio:.2f} times the lines of <string> and <vector>")
    entered = {Path(name).name for name in re.findall(r'^# \d+ "([^"]+)" 1\b', text, re.MULTILINE)}
    found = [f"<{name}> is included" for name in HEAVY if name in entered]
    if ratio > MOST_LINES:
        found.append(f"headers: {ratio:.2f} times the lines, more than {MOST_LINES}")
    return found


def size_problems(program: Path, model: Path) -> list[str]:
    """Compare the size of a static program that only predicts, stripped, with what it may have."""
    with tempfile.TemporaryDirectory() as folder:
        stripped = shutil.copy(program, folder)
        subprocess.run(["strip", stripped], check=True)
        size = Path(stripped).stat().st_size
        subprocess.run([stripped, str(model)], check=True, stdout=subprocess.DEVNULL)
    print(f"{program.name}: {size} bytes, stripped")
    return [f"{program.name}: {size} bytes, more than {MOST_BYTES}"] if size > MOST_BYTES else []


def content_problems(program: Path) -> list[str]:
    """List what a static program that only predicts has and should not have."""
    symbols = subprocess.run(["nm", "-C", str(program)], capture_output=True, text=True, check=True)
    found = []
    if "chainrule::kernels::inference_portable" not in symbols.stdout:
        found.append(f"{program.name} does not contain the static library")
    for text, what in UNUSED.items():
        if text in symbols.stdout:
            found.append(f"{program.name} contains {what}: {text}")
    return found


def main() -> None:
    """Print the figures and exit with status 1 if one of them is too large."""
    include, program, small, model = (Path(argument) for argument in sys.argv[1:5])
    found = header_problems(include) + content_problems(program) + size_problems(small, model)
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
