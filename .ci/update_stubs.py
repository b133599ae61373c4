# SPDX-License-Identifier: Apache-2.0
"""Rewrite python/chainrule/_core.pyi from the installed module: python .ci/update_stubs.py."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

STUB = Path(__file__).parents[1] / "python" / "chainrule" / "_core.pyi"

# What the signatures of the module leave open.
REPLACEMENTS = (
    (r"^__all__.*\n", ""),
    (r" +@staticmethod\n +def __new__\(.*\n(?: +.*\n)?(?: +\.\.\.\n)?", ""),
    (r"Sequence\[tuple\]", "Sequence[tuple[typing.Any, ...]]"),
    (r"typing\.SupportsInt \| typing\.SupportsIndex", "int"),
    (r"typing\.SupportsFloat \| typing\.SupportsIndex", "float"),
    (
        r"typing\.Annotated\[numpy\.typing\.ArrayLike, (numpy\.\w+)\]",
        r"numpy.typing.NDArray[\1]",
    ),
    (r"numpy\.ndarray", "numpy.typing.NDArray[typing.Any]"),
    (r"\bdict\b(?!\[)", "dict[str, typing.Any]"),
    (r"(def compute_gradients.*-> )tuple:", r"\1tuple[float, numpy.typing.NDArray[typing.Any]]:"),
    (
        r"-> tuple\[float, numpy\.typing\.NDArray\[numpy\.float\d+\]\]",
        "-> tuple[float, numpy.typing.NDArray[typing.Any]]",
    ),
    (r'"""\n +(.*)\n +"""', r'"""\1"""'),
    (r'"""\n(.*)\n"""', r'"""\1"""'),
    (r"(losses\w*): LossSum = None", r"\1: LossSum | None = None"),
    (r"(losses_before): LossSum,", r"\1: LossSum | None,"),
    (r"((?:training|validation): )tuple\b", r"\1tuple[typing.Any, ...]"),
    (r"\| list\[", "| collections.abc.Sequence["),
    (r"list\[tuple\]", "list[tuple[int, ...]]"),
    (
        r"(Laplace:(?:.|\n)*?def predict\((?:.|\n)*?-> )tuple:",
        r"\1tuple[numpy.typing.NDArray[typing.Any], numpy.typing.NDArray[typing.Any]]:",
    ),
    (r"-> tuple:", "-> tuple[int, ...]:"),
)


def main() -> None:
    """Generate, tidy and format the stub."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pybind11_stubgen", "chainrule._core", "-o", folder]
        subprocess.run(command, check=True)
        text = (Path(folder) / "chainrule" / "_core.pyi").read_text()
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    STUB.write_text("# SPDX-License-Identifier: Apache-2.0\n" + text)
    subprocess.run(
        ["ruff", "check", "-q", "--fix", "--exit-zero", "--select", "D,I", str(STUB)], check=True
    )
    subprocess.run(["ruff", "format", "-q", str(STUB)], check=True)


if __name__ == "__main__":
    main()
