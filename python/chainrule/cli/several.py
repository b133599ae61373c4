# SPDX-License-Identifier: Apache-2.0
"""Data of networks with several inputs or outputs: archives with an array for each by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import data
from chainrule.cli import dataset, report
from chainrule.cli.tables import TableOptions
from chainrule.network.network import Network
from chainrule.network.output_losses import OutputLosses

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class NamedRows:
    """The rows of each input and output."""

    x: Arrays
    y: Arrays

    def part(self, rows: NDArray[np.int64]) -> NamedRows:
        """Return some rows."""
        taken = [{name: each[rows] for name, each in a.items()} for a in (self.x, self.y)]
        return NamedRows(*taken)

    @property
    def given(self) -> tuple[Any, Any]:
        """What a network takes: of several a dict, of one its array."""
        x, y = (a if len(a) > 1 else next(iter(a.values()), None) for a in (self.x, self.y))
        return x, y

    def split(self) -> tuple[NamedRows, NamedRows]:
        """Return the rows to train on and those to test on, always the same."""
        count = len(self)
        train, test = dataset.split(dataset.Rows(np.arange(count), np.zeros((count, 0))))
        return self.part(train.x), self.part(test.x)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.x.values())))


def takes(net: Network, path: str | None) -> bool:
    """Whether a file has the rows of a network with several inputs or outputs."""
    core = net._built_core()
    several = len(core.input_names) > 1 or len(core.output_names) > 1
    return several and path is not None and path.lower().endswith(".npz")


def read(net: Network, path: str, options: TableOptions, *, labelled: bool) -> NamedRows:
    """Return the arrays that a file has for inputs, and if they are `labelled` for outputs.

    Each is called as its input or output; that of a single input x, of a single output y.

    Raises
    ------
    ValueError
        If one of them has other rows than the first.
    chainrule.DataFileError
        If one is missing, or the file damaged.
    """
    options.refuse(f"--data is {path}")
    core = net._built_core()
    inputs = _names_in_file(core.input_names, "x")
    outputs = _names_in_file(core.output_names, "y") if labelled else {}
    names = [*inputs.values(), *outputs.values()]
    found = {name: data.load_npz(path, x=name, y=None)[0] for name in names}
    for name, array in found.items():
        first = found[names[0]]
        if np.ndim(array) == 0 or np.ndim(first) == 0 or len(array) != len(first):
            raise ValueError(
                f"{path}: {name!r} has the shape {np.shape(array)}, {names[0]!r} "
                f"{np.shape(first)}; each must have as many rows"
            )
    x, y = ({n: found[named[n]] for n in named} for named in (inputs, outputs))
    return NamedRows(x, y)


def _names_in_file(names: Sequence[str], only: str) -> dict[str, str]:
    """Return what arrays are called, by the names of inputs or outputs; `only` if it is one."""
    return {name: name for name in names} if len(names) > 1 else {names[0]: only}


def measure(
    net: Network, rows: NamedRows, threads: int | None, metrics: list[str] | None
) -> dict[str, Any]:
    """Return the loss and the metrics of each output."""
    loss: Any = net.loss
    if metrics is None and isinstance(loss, OutputLosses):
        parts = zip(loss.names, loss.losses, loss.columns, strict=True)
        chosen: Any = {name: report.usual_metrics(one, columns) for name, one, columns in parts}
    else:
        chosen = report.usual_metrics(loss, net.outputs) if metrics is None else metrics
    return net.evaluate(*rows.given, metrics=chosen, num_threads=threads)
