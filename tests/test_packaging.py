# SPDX-License-Identifier: Apache-2.0
"""The installed distribution: its version, files, entry points and import cost."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import re
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

ROOT = Path(__file__).resolve().parent.parent


def test_one_version_everywhere() -> None:
    header = (ROOT / "cpp/include/chainrule/version.h").read_text()
    numbers = re.findall(r"#define CHAINRULE_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
    assert len(numbers) == 3
    assert chainrule.__version__ == ".".join(numbers)
    assert importlib.metadata.version("chainrule") == chainrule.__version__


@pytest.mark.parametrize("name", ["py.typed", "_core.pyi"])
def test_type_information_is_installed(name: str) -> None:
    assert importlib.resources.files("chainrule").joinpath(name).is_file()


def test_only_numpy_is_mandatory() -> None:
    requirements = importlib.metadata.requires("chainrule") or []
    mandatory = [text for text in requirements if "extra ==" not in text]
    assert [re.split(r"[<>=! ]", text)[0] for text in mandatory] == ["numpy"]


def test_import_loads_no_optional_package() -> None:
    optional = {
        "hypothesis",
        "matplotlib",
        "onnx",
        "onnxruntime",
        "pandas",
        "pooch",
        "pyarrow",
        "sklearn",
        "torch",
        "tqdm",
    }
    code = "import sys, chainrule; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "chainrule" in loaded
    assert optional.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("option", "file"),
    [
        ("--cmakedir", "chainruleConfig.cmake"),
        ("--cmakedir", "../../pkgconfig/chainrule.pc"),
        ("--includedir", "chainrule/chainrule.h"),
        ("--includedir", "chainrule/trainer.hpp"),
    ],
)
def test_cpp_programs_find_the_library(option: str, file: str) -> None:
    command = [sys.executable, "-m", "chainrule", option]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (Path(output.rstrip("\n")) / file).is_file()


# What a linker is told and what the module loads are one file, or a program in which both run has
# two teams of threads. Its name has the whole version in it: a process loads but one of a name.
@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists what a process has loaded")
def test_python_and_cpp_programs_use_one_library() -> None:
    code = "import chainrule; print(open('/proc/self/maps').read())"
    command = [sys.executable, "-c", code]
    maps = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    loaded = {path for path in re.findall(r"/.+", maps) if "libchainrule" in path}
    command = [sys.executable, "-m", "chainrule", "--cmakedir"]
    folder = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    library = Path(folder.rstrip("\n")).parents[1] / f"libchainrule-{chainrule.__version__}.so"
    assert loaded == {str(library)}
    (description,) = re.findall(
        "^Libs: .+", (library.parent / "pkgconfig/chainrule.pc").read_text(), re.M
    )
    assert f" -l{library.stem.removeprefix('lib')} " in description


def test_command_line_entry_point() -> None:
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="chainrule")
    assert entry.value == "chainrule.cli:main"
    assert callable(entry.load())
