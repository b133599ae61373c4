# SPDX-License-Identifier: Apache-2.0
"""What the doctests of the pages do not reach: links, file names, the README's example, C++."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.parser import parse

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    for link in links:
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    names = re.findall(r"`((?:cpp|docs|python|tests|\.ci)/[\w./-]*)`", text)
    # The architecture page leaves out the beginning that most of its paths share.
    short = re.findall(r"`((?:engine|kernels|model|include)/[\w./-]+\.\w+)`", text)
    for name in names:
        assert (ROOT / name).exists(), name
    for name in short:
        folder = ROOT / "cpp" if name.startswith("include/") else ROOT / "cpp" / "src"
        assert (folder / name).exists(), name


def test_the_readmes_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(ROOT / "README.md", "python")
    assert len(example.strip().splitlines()) <= 10
    names: dict[str, object] = {}
    exec(example, names)
    assert "'accuracy': 0.9" in capsys.readouterr().out
    assert np.mean(names["labels"] == names["y_test"]) > 0.95


def test_the_guides_commands_are_valid() -> None:
    (block,) = blocks(ROOT / "docs" / "guide.md", "sh")
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert len(commands) > 5
    for command in commands:
        assert command[0] == "chainrule"
        parse(command[1:])


def test_the_guides_program_compiles(tmp_path: Path) -> None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    (program,) = blocks(ROOT / "docs" / "guide.md", "cpp")
    source = tmp_path / "main.cpp"
    source.write_text(program, "utf-8")
    headers = ROOT / "cpp" / "include"
    command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, f"-I{headers}", str(source)], check=True)


def test_the_readme_names_what_there_is() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", text, re.MULTILINE))
    for loss in cr._core.Loss.kinds():
        assert loss in rows["losses"], loss
    for activation in set(cr._core.Activation.kinds()) - {"gelu_tanh"}:
        assert activation in rows["activations"], activation
    for layer in cr._core.Layer.kinds():
        assert layer.replace("_", "") in rows["layers"].lower(), layer
    for optimizer in cr._core.Optimizer.kinds():
        assert optimizer in rows["optimizers"].lower(), optimizer
