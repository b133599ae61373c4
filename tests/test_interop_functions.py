# SPDX-License-Identifier: Apache-2.0
"""The functions to and from other software: where they are, and what they are given."""

from __future__ import annotations

import subprocess
import sys

import pytest

import chainrule as cr

FUNCTIONS = (
    "export_c",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "to_onnx",
    "to_sklearn",
    "to_torch",
)
OUT = {
    "export_c": lambda net, path: cr.export_c(net, path),
    "to_onnx": lambda net, path: cr.to_onnx(net, path / "net.onnx"),
    "to_sklearn": lambda net, path: cr.to_sklearn(net),
    "to_torch": lambda net, path: cr.to_torch(net),
}
PACKAGES = {"to_onnx": "onnx", "to_sklearn": "sklearn", "to_torch": "torch"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_loaded_on_first_use(name):
    code = (
        "import sys, chainrule as cr\n"
        "assert not {'chainrule.interop', 'chainrule.c_export'} & set(sys.modules)\n"
        f"assert cr.{name} is cr.{name} and {name!r} in cr.__all__ and {name!r} in dir(cr)\n"
        "import chainrule.c_export, chainrule.interop\n"
        f"print(callable(cr.{name}))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize("name", OUT)
def test_something_else_than_a_network(name, tmp_path):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    with pytest.raises(TypeError, match="net must be a network, got list"):
        OUT[name]([cr.Dense(3)], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", OUT)
def test_a_network_without_inputs(name, tmp_path):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    with pytest.raises(RuntimeError, match="the number of inputs is not known yet"):
        OUT[name](cr.Sequential([cr.Dense(3)]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_networks_have_no_such_methods():
    net = cr.Sequential([cr.Input(2), cr.Dense(1)])
    assert not any(hasattr(net, name) for name in FUNCTIONS)


@pytest.mark.parametrize("package", ["sklearn", "torch"])
def test_without_the_package(package, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == package] or [package]:
        monkeypatch.setitem(sys.modules, module, None)
    text = {"sklearn": r'pip install "chainrule\[sklearn\]"', "torch": "pip install torch"}[package]
    for name in (f"from_{package}", f"to_{package}"):
        with pytest.raises(ImportError, match=text):
            getattr(cr, name)(cr.Sequential([cr.Input(2), cr.Dense(1)]))
