# SPDX-License-Identifier: Apache-2.0
"""``chainrule inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.network import model_file
from chainrule.network.model_file import load
from chainrule.network.network import Network
from chainrule.tables import SavedModel


def run(options: argparse.Namespace) -> int:
    """Print what a model file holds."""
    net = load(options.model)
    content = Path(options.model).read_bytes()
    description = model_file.description(content)
    facts = {
        "file": f"{options.model}, {len(content):,} bytes",
        "format": f"{description['format_version']}, by chainrule "
        f"{description['chainrule_version']}",
        "seed": str(net.seed),
        "loss": "none" if net.loss is None else repr(net.loss),
        "optimizer": "none" if net.optimizer is None else repr(net.optimizer),
        "trained": _training(net),
        "features": _features(net),
        "classes": _names(net.class_names),
        "target": _target(net),
    }
    for name, text in facts.items():
        print(f"{name:<10} {text}")
    print()
    net.summary()
    print()
    for name, array in net.parameters.items():
        print(f"{name:<24} {array.shape!s:<14} {array.nbytes:>12,} bytes")
    return 0


def _target(net: Network) -> str:
    """Return what targets are called."""
    names = [] if net.target_name is None else [net.target_name]
    if net.table is not None:
        names = [*SavedModel.of(net, "the model").target.names]
    return ", ".join(names) or "no name"


def _names(names: Any) -> str:
    """Return names, of several inputs or outputs by theirs."""
    if isinstance(names, dict):
        return "; ".join(f"{part}: {', '.join(each)}" for part, each in names.items())
    return "no names" if names is None else ", ".join(names)


def _features(net: Network) -> str:
    """Return the names of features; of a model of a table also what they are."""
    if net.table is None:
        return _names(net.feature_names)
    texts = []
    for place, column in enumerate(SavedModel.of(net, "the model").model.description.columns):
        known = f"{column.kind} of {len(column.categories)}" if column.categories else column.kind
        texts.append(f"{place if column.name is None else column.name} ({known})")
    return ", ".join(texts)


def _training(net: Network) -> str:
    core = net._built_core()
    text = f"{core.epochs} epochs, {core.total_steps} steps"
    for name, column in net.history.items():
        if isinstance(column[-1], float):
            text += f", {name} {column[-1]:.4g}"
    return text
