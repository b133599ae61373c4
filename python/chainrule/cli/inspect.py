# SPDX-License-Identifier: Apache-2.0
"""``chainrule inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path

from chainrule.network import model_file
from chainrule.network.model_file import load
from chainrule.network.network import Network


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
        "features": "no names" if net.feature_names is None else ", ".join(net.feature_names),
        "classes": "no names" if net.class_names is None else ", ".join(net.class_names),
        "target": "no name" if net.target_name is None else net.target_name,
    }
    for name, text in facts.items():
        print(f"{name:<10} {text}")
    print()
    net.summary()
    print()
    for name, array in net.parameters.items():
        print(f"{name:<24} {array.shape!s:<14} {array.nbytes:>12,} bytes")
    return 0


def _training(net: Network) -> str:
    core = net._built_core()
    text = f"{core.epochs} epochs, {core.total_steps} steps"
    for name, column in net.history.items():
        if isinstance(column[-1], float):
            text += f", {name} {column[-1]:.4g}"
    return text
