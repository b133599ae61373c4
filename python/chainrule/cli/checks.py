# SPDX-License-Identifier: Apache-2.0
"""Values that a network cannot take, named by their place in the file they come from.

`fit` would name the row among those at hand, which are shuffled, and not that of the file.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import DTypeLike

from chainrule.cli.dataset import Rows
from chainrule.inputs.targets import prepare_targets
from chainrule.losses import Loss
from chainrule.network.network import Network

_ROW = re.compile(r"y\[(\d+)(?:, \d+)?\](?: =)?|y must be finite; row (\d+), column \d+")


def check_rows(rows: Rows, net: Network, loss: Loss, source: str) -> None:
    """Raise ValueError for the first feature or label that a network cannot take."""
    check_features(rows, net.dtype, source)
    try:
        prepare_targets(loss._core, rows.y, net.outputs, single=net.dtype == "float32")
    except ValueError as error:
        found = _ROW.match(str(error))
        if found is None:
            raise
        place = rows.where(int(found[1] or found[2]), None)
        raise ValueError(f"{source}, {place}: {str(error)[found.end() :].strip()}") from None


def check_features(rows: Rows, dtype: DTypeLike, source: str) -> None:
    """Raise ValueError for the first feature that is NaN, infinite or too large."""
    if rows.x.dtype.kind != "f":
        return
    table = rows.x.reshape(len(rows.x), -1)
    with np.errstate(over="ignore"):
        bad = ~np.isfinite(table.astype(dtype, copy=False))
    if bad.any():
        row, column = (int(k) for k in np.argwhere(bad)[0])
        value = float(table[row, column])
        fault = "NaN" if np.isnan(value) else f"{value:g}"
        fault += f" is too large for {dtype}" if np.isfinite(value) else " is no finite number"
        raise ValueError(f"{source}, {rows.where(row, column)}: {fault}")
