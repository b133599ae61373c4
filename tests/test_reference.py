# SPDX-License-Identifier: Apache-2.0
"""The site's reference has every public name, and each has an example."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import chainrule

pytest.importorskip("sklearn")  # what its room needs

import chainrule.sklearn

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
MODULES = {
    name: getattr(chainrule, name)
    for name in chainrule.__all__
    if isinstance(getattr(chainrule, name), ModuleType)
}
MODULES["sklearn"] = chainrule.sklearn  # not one of the names, since few have scikit-learn


def public_names() -> list[str]:
    names = [f"chainrule.{name}" for name in chainrule.__all__ if name not in MODULES]
    for module, content in MODULES.items():
        names += [f"chainrule.{module}.{name}" for name in content.__all__]
    return [name for name in names if not name.endswith("__version__")]


def resolve(name: str) -> Any:
    value: Any = chainrule
    for part in name.removeprefix("chainrule.").split("."):
        value = getattr(value, part)
    return value


def listed() -> list[str]:
    names = []
    for page in REFERENCE.glob("*.md"):
        text = page.read_text()
        for block in re.findall(r"\.\. autosummary::\n((?:   .*\n|\n)+)", text):
            entries = [line.strip() for line in block.splitlines()]
            names += [f"chainrule.{e}" for e in entries if e and not e.startswith(":")]
        names += re.findall(r"\.\. py:data:: (\S+)", text)
    return names


def test_every_public_name_is_in_the_reference_once():
    names = listed()
    assert len(names) == len(set(names))
    there = {id(resolve(name)) for name in names}
    assert [name for name in public_names() if id(resolve(name)) not in there] == []


@pytest.mark.parametrize("name", sorted(set(listed())))
def test_a_listed_name_is_public_and_has_an_example(name):
    assert name in public_names()
    value = resolve(name)
    if callable(value):
        assert ">>> " in (inspect.getdoc(value) or ""), f"{name} has no example"


@pytest.mark.parametrize("name", [n for n in dir(chainrule.Sequential) if not n.startswith("_")])
def test_what_a_network_does_has_an_example(name):
    value = inspect.getattr_static(chainrule.Sequential, name)
    if isinstance(value, property) and name in ("built", "inputs", "outputs"):
        return  # numbers and a yes or no, which explain themselves
    assert ">>> " in (inspect.getdoc(value) or "")


def test_every_header_is_in_the_reference():
    text = "".join(page.read_text() for page in REFERENCE.glob("*.md"))
    shown = set(re.findall(r"doxygenfile\} (\S+)", text))
    folder = ROOT / "cpp" / "include" / "chainrule"
    names = [path.name for path in folder.rglob("*.h*")]
    headers = set(names)  # the site finds a header by its name alone
    assert len(headers) == len(names)
    # What includes all others; what is said in macros for compilers.
    rest = {"chainrule.h", "chainrule.hpp", "cxx20.hpp", "export.h", "version.h"}
    assert headers - shown == rest
    assert shown <= headers


def test_every_lesson_has_its_place():
    order = (ROOT / "docs" / "extensions" / "drawings.py").read_text()
    places = re.findall(r'^    "(\w+)",$', order, flags=re.MULTILINE)
    assert sorted(places) == sorted(path.stem for path in (ROOT / "docs" / "gallery").glob("*.py"))
