# SPDX-License-Identifier: Apache-2.0
"""Names that packages import at their first use."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys

import pytest

PACKAGES = ["chainrule", *(f"chainrule.{room}" for room in ("callbacks", "layers", "metrics"))]


def typed_imports(package: str) -> list[tuple[str, str]]:
    """Return the modules and names that a type checker takes a package's names from."""
    tree = ast.parse(inspect.getsource(importlib.import_module(package)))
    blocks = [
        node.body
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return [
        (node.module or "", name.name)
        for block in blocks
        for node in block
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    ]


def resolved(module: str, name: str) -> object:
    """Return what a name in a module or package stands for."""
    found = getattr(importlib.import_module(module), name, None)
    return importlib.import_module(f"{module}.{name}") if found is None else found


@pytest.mark.parametrize("package", PACKAGES)
def test_what_type_checkers_see_is_what_the_first_use_imports(package: str) -> None:
    room = importlib.import_module(package)
    known = [(module, name) for module, name in typed_imports(package) if name in room.__all__]
    assert known
    for module, name in known:
        assert getattr(room, name) is resolved(module, name), name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there_and_listed(package: str) -> None:
    room = importlib.import_module(package)
    assert len(set(room.__all__)) == len(room.__all__)
    assert dir(room) == sorted(room.__all__)
    for name in room.__all__:
        assert getattr(room, name) is not None


def in_fresh_process(code: str) -> str:
    """Return what a program prints in which nothing of chainrule has been imported before."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("{'kind': 'conv2d', 'filters': 2, 'kernel_size': 3}", "conv2d"),
        ("{'kind': 'Dropout', 'rate': 0.5}", "dropout"),
        ("'global_max_pooling'", "global_max_pooling"),
    ],
)
def test_a_config_finds_the_class_of_a_layer_that_nothing_has_imported(
    given: str, kind: str
) -> None:
    code = f"import chainrule as cr; print(cr.layers.get({given}).config['kind'])"
    assert in_fresh_process(code).strip() == kind


def test_a_model_file_finds_the_classes_of_its_layers(tmp_path: object) -> None:
    path = f"{tmp_path}/model.safetensors"
    in_fresh_process(
        "import chainrule as cr; cr.Sequential([cr.Input((8, 8, 1)), cr.Conv2D(2, 3), "
        f"cr.GlobalMaxPooling()], seed=0).save({path!r})"
    )
    printed = in_fresh_process(
        f"import chainrule as cr; print([type(n).__name__ for n in cr.load({path!r}).layers])"
    )
    assert "'Conv2D', 'GlobalMaxPooling'" in printed


def test_importing_chainrule_imports_none_of_what_a_program_may_not_use() -> None:
    code = "import sys, chainrule; print(*sorted(m for m in sys.modules if 'chainrule.' in m))"
    assert set(in_fresh_process(code).split()) == {
        f"chainrule.{module}" for module in ("_core", "names", "synonyms")
    }
