# SPDX-License-Identifier: Apache-2.0
"""Writing the metrics of each epoch to a table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from chainrule.callbacks.callback import Callback, Logs, Network


class CSVLogger(Callback):
    """Write the metrics of each epoch as a row of a CSV file.

    The first row names the columns: the epoch and the metrics of the first epoch. Values that are
    not numbers, such as a confusion matrix, are written as JSON. Each row is on the disk when its
    epoch ends.

    Parameters
    ----------
    path : str or path-like
        File to write.
    append : bool, default False
        Go on with an existing file instead of replacing it at the start of each ``fit``.

    Raises
    ------
    ValueError
        If the metrics of an epoch are not the columns of the file.

    Examples
    --------
    >>> from chainrule.callbacks import CSVLogger
    >>> logger = CSVLogger("training.csv")
    """

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        self.path = Path(path)
        self.append = append

    def on_train_begin(self, net: Network) -> None:
        """Create the file, so that an unwritable path is noticed before training."""
        with self.path.open("a" if self.append else "w", encoding="utf-8"):
            pass

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Write one row."""
        import csv

        names = ["epoch", *logs]
        with self.path.open("r+", encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file), None)
            file.seek(0, os.SEEK_END)
            writer = csv.writer(file, lineterminator="\n")
            if columns is None:
                columns = names
                writer.writerow(columns)
            if sorted(columns) != sorted(names):
                raise ValueError(f"{self.path} has the columns {columns}, the epoch gave {names}")
            row = {"epoch": epoch, **logs}
            writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    return json.dumps(value) if isinstance(value, list) else value
