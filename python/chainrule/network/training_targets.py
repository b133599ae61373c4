# SPDX-License-Identifier: Apache-2.0
"""Targets of a network's outputs, checked against these and their losses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.inputs.checked_data import compares_classes
from chainrule.inputs.compressed_rows import Rows
from chainrule.inputs.containers import as_array, is_plain, is_sparse
from chainrule.inputs.positions import prepare_positions
from chainrule.inputs.several import Several, by_name
from chainrule.inputs.targets import prepare_sparse_targets, prepare_targets
from chainrule.losses import Custom
from chainrule.network.output_losses import OutputLosses

if TYPE_CHECKING:
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled

__all__ = ["labels_of", "positions_of", "targets_of", "targets_of_outputs", "weighed_positions"]


def labels_of(
    net: Compiled,
    y: Any,
    loss: Loss,
    shape: tuple[int, ...],
    *,
    learn: bool,
    part: str | None = None,
) -> Any:
    """Return labels in the place of names of classes, also of those of each position."""
    if is_plain(y) or is_sparse(y) or not compares_classes(loss, shape[-1]):
        return y
    if len(shape) == 1:
        return net._labels(y, learn=learn, part=part)
    names = as_array(y, name="y" if part is None else f"y[{part!r}]")
    if names.dtype.kind not in "OUT":
        return y
    return np.reshape(net._labels(names.reshape(-1), learn=learn, part=part), names.shape)


def targets_of(
    net: Compiled, y: object, loss: Loss, shape: tuple[int, ...], name: str = "y", *, sparse: bool
) -> Rows:
    """Return the targets of an output of this shape as the core reads them."""
    single = net.dtype == "float32"
    if sparse and len(shape) > 1:
        raise ValueError(
            f"{name} is sparse, which outputs of one position alone take; they have the shape "
            f"{shape}: pass {name}.toarray()"
        )
    if len(shape) > 1:
        return prepare_positions(loss._core, y, shape, single=single, name=name)
    prepare = prepare_sparse_targets if sparse else prepare_targets
    return prepare(loss._core, y, shape[-1], single=single, name=name)


def weighed_positions(net: Compiled, loss: Any) -> tuple[int, ...]:
    """Return the positions that may have weights of their own.

    A function has losses of rows, and one weight of a row counts for all of several outputs.
    """
    return () if isinstance(loss, Custom | OutputLosses) else net._output_shape()[:-1]


def _positions(loss: Loss, shape: tuple[int, ...], targets: Rows) -> int:
    """Return how many an output has; 1 where the targets of a function are no such."""
    count = math.prod(shape[:-1])
    flat = isinstance(targets, np.ndarray) and targets.ndim == 2
    if isinstance(loss, Custom) and flat and targets.shape[1] % count != 0:
        return 1
    return count


def positions_of(net: Compiled, loss: Any, targets: Any) -> Any:
    """Return how many positions metrics compare, of several outputs a list."""
    if not isinstance(loss, OutputLosses):
        return _positions(loss, net._output_shape(), targets)
    each = zip(loss.names, loss.losses, targets.parts, strict=True)
    return [_positions(one, net._output_shape(name), part) for name, one, part in each]


def targets_of_outputs(net: Compiled, y: Any, loss: OutputLosses, learn_names: bool) -> Several:
    """Return the targets of each output."""
    given = by_name("y", "output", y, loss.names)
    parts = zip(loss.names, given, loss.losses, strict=True)

    def target(name: str, part: Any, one: Loss) -> Rows:
        shape = net._output_shape(name)
        part = labels_of(net, part, one, shape, learn=learn_names, part=name)
        return targets_of(net, part, one, shape, f"y[{name!r}]", sparse=is_sparse(part))

    return Several([target(*each) for each in parts])
