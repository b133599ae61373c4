# SPDX-License-Identifier: Apache-2.0
"""Writing the metrics of each epoch to a table."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.callbacks.callback import Callback, Logs, Network
from chainrule.callbacks.paths import check_writable
from chainrule.callbacks.state_values import whole_number

if TYPE_CHECKING:
    from pathlib import Path

_FIRST_COLUMN = b"epoch"


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
        Go on with an existing log instead of replacing it at the start of each ``fit``. A file that
        is no log is never touched. A training that goes on from a model file goes on with its log
        in any case; rows of epochs that the model has not seen are dropped from it.

    Raises
    ------
    FileExistsError
        When training begins, if the file is there and no log.
    ValueError
        If the metrics of an epoch are not the columns of the file, or one is called epoch.
    TypeError
        If a value is neither a number nor an array of numbers, which could not be read back.

    Examples
    --------
    >>> from chainrule.callbacks import CSVLogger
    >>> logger = CSVLogger("training.csv")
    """

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        from pathlib import Path  # here, since it would make `import chainrule` slower

        self.path = Path(path)
        self.append = append
        self._epoch: int | None = None
        self._resumed = False

    @property
    def state_key(self) -> str:
        """Class and file."""
        return f"CSVLogger({self.path})"

    def check(self, logs: Logs) -> None:
        """Raise OSError for a file that cannot be written, ValueError for one of other columns."""
        import csv

        if not self.path.exists():
            check_writable(str(self.path))
            return
        if self.path.is_dir() or not os.access(self.path, os.W_OK):
            self.path.open("r+b").close()  # raises, and would write nothing
        self._check_log()
        if self.append and self.path.is_file():
            with self.path.open(encoding="utf-8", newline="") as file:
                columns = next(csv.reader(file), None)
            if columns is not None:
                self._check_columns(columns, ["epoch", *logs])

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch of the last row."""
        return {} if self._epoch is None else {"epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the file behind the row of that epoch."""
        self._epoch = whole_number(state, "epoch")
        self._resumed = True

    def on_train_begin(self, net: Network) -> None:
        """Create the file, so that an unwritable path is noticed before training.

        Raises
        ------
        FileExistsError
            If it holds something other than a log, such as the data.
        """
        self._check_log()
        goes_on = self._resumed and self.path.is_file()
        with self.path.open("a" if self.append or goes_on else "w", encoding="utf-8"):
            pass
        if goes_on:
            self._drop_later_rows()
        self._resumed = False

    def _check_log(self) -> None:
        if self.path.is_file() and not _is_log(self.path):
            raise FileExistsError(
                errno.EEXIST, "this file exists and is no log of epochs", str(self.path)
            )

    def _check_columns(self, columns: list[str], names: list[str]) -> None:
        if sorted(columns) != sorted(names):
            raise ValueError(f"{self.path} has the columns {columns}, the epoch gave {names}")

    def _drop_later_rows(self) -> None:
        import csv

        with self.path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        seen = {str(epoch) for epoch in range(1, (self._epoch or 0) + 1)}
        kept = rows[:1] + [row for row in rows[1:] if row and row[0] in seen]
        if len(kept) < len(rows):
            with self.path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(kept)

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Write one row."""
        import csv

        if "epoch" in logs:
            raise ValueError("a metric is called 'epoch', as is the first column")
        names = ["epoch", *logs]
        cells = {"epoch": epoch, **{name: _cell(name, value) for name, value in logs.items()}}
        with self.path.open("r+", encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file), None)
            if file.seek(0, os.SEEK_END) and not _ends_in_newline(self.path):
                file.write("\n")
            writer = csv.writer(file, lineterminator="\n")
            if columns is None:
                columns = names
                writer.writerow(columns)
            self._check_columns(columns, names)
            writer.writerow([cells[column] for column in columns])
        self._epoch = epoch


def _is_log(path: Path) -> bool:
    """Whether a file is empty or begins with the column of epochs."""
    with path.open("rb") as file:
        beginning = file.read(len(_FIRST_COLUMN) + 1)
    return (beginning[:-1] == _FIRST_COLUMN and beginning[-1:] in (b",", b"\n")) or not beginning


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _cell(name: str, value: Any) -> Any:
    import json  # here, since it would make `import chainrule` slower

    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"metric {name!r} is {value!r:.80}, expected a number or an array of them")
    # Readers of tables know 1, not True.
    value = (array.astype(np.uint8) if array.dtype.kind == "b" else array).tolist()
    return json.dumps(value) if isinstance(value, list) else value
