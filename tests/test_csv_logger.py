# SPDX-License-Identifier: Apache-2.0
"""CSVLogger: rows of an epoch each, read back."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from test_callbacks import FakeNet, train

import chainrule
from chainrule.callbacks import (
    CSVLogger,
    EarlyStopping,
)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_csv_logger_writes_a_row_per_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    logs = [{"loss": 1 / 3, "cm": np.eye(2, dtype=int)}, {"cm": [[0, 1], [1, 0]], "loss": 0.25}]
    train(FakeNet(), [CSVLogger(path)], logs)
    assert rows(path) == [
        ["epoch", "loss", "cm"],
        ["1", repr(1 / 3), "[[1, 0], [0, 1]]"],
        ["2", "0.25", "[[0, 1], [1, 0]]"],
    ]
    assert b"\r" not in path.read_bytes()


def test_csv_logger_replaces_or_appends(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    train(FakeNet(), [CSVLogger(path, append=True)], [{"loss": 1.0}])
    train(FakeNet(), [CSVLogger(path, append=True)], [{"loss": 2.0}])
    assert rows(path) == [["epoch", "loss"], ["1", "1.0"], ["1", "2.0"]]
    train(FakeNet(), [CSVLogger(path)], [{"loss": 3.0}])
    assert rows(path) == [["epoch", "loss"], ["1", "3.0"]]


def test_csv_logger_notices_other_metrics_and_bad_paths(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path / "log.csv")
    with pytest.raises(ValueError, match=r"has the columns \['epoch', 'loss'\], the epoch gave"):
        train(FakeNet(), [logger], [{"loss": 1.0}, {"loss": 1.0, "val_loss": 1.0}])
    with pytest.raises(FileNotFoundError):
        train(FakeNet(), [CSVLogger(tmp_path / "missing" / "log.csv")], [{"loss": 1.0}])


def test_csv_logger_sees_the_epoch_that_stops(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    stopping = EarlyStopping("loss", patience=1)
    train(FakeNet(), [stopping, CSVLogger(path)], [{"loss": 1.0}, {"loss": 2.0}, {"loss": 3.0}])
    assert [row[0] for row in rows(path)] == ["epoch", "1", "2"]


@pytest.mark.parametrize(
    "value", [0.1, np.float32(0.1), True, 3, np.nan, np.inf, -1e-310, [[1, 2], [3, 4]], np.eye(2)]
)
def test_logged_values_read_back(tmp_path, value):
    logger = CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin(None)
    logger.on_epoch_end(None, 1, {'a, "b"\nc': value, "loss": 0.5})
    with (tmp_path / "log.csv").open(newline="") as file:
        names, row = csv.reader(file)
    assert names == ["epoch", 'a, "b"\nc', "loss"]
    found = json.loads(row[1]) if row[1].startswith("[") else row[1]
    np.testing.assert_array_equal(np.array(found, np.float64), np.asarray(value, np.float64))


@pytest.mark.parametrize(
    ("logs", "kind", "text"),
    [
        ({"mine": "cat"}, TypeError, "metric 'mine' is 'cat', expected a number"),
        ({"mine": 1j}, TypeError, "metric 'mine' is 1j, expected a number"),
        ({"mine": None}, TypeError, "metric 'mine' is None, expected a number"),
        ({"epoch": 3}, ValueError, "a metric is called 'epoch', as is the first column"),
    ],
)
def test_values_that_no_table_holds_are_not_logged(tmp_path, logs, kind, text):
    logger = CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin(None)
    with pytest.raises(kind, match=re.escape(text)):
        logger.on_epoch_end(None, 1, logs)
    assert (tmp_path / "log.csv").read_text() == ""


def test_log_that_lacks_its_last_newline_is_continued_on_a_new_line(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,loss\n1,0.5")
    logger = CSVLogger(tmp_path / "log.csv", append=True)
    logger.on_train_begin(None)
    logger.on_epoch_end(None, 2, {"loss": 0.25})
    assert (tmp_path / "log.csv").read_text() == "epoch,loss\n1,0.5\n2,0.25\n"


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("content", ["a,b,label\n1,2,0\n", "epochs,b\n1,2\n", "text", "epoch"])
def test_csv_logger_leaves_files_alone_that_are_no_logs(tmp_path, append, content):
    path = tmp_path / "data.csv"
    path.write_text(content)
    net = chainrule.Sequential([chainrule.Dense(1)], seed=0)
    x = np.ones((4, 2))
    logger = CSVLogger(path, append=append)
    with pytest.raises(FileExistsError, match=r"is no log of epochs: .*data\.csv"):
        net.fit(x, x[:, 0], loss="mse", callbacks=[logger], verbose=0)
    assert path.read_text() == content
    path.write_text("")
    for _ in range(2):
        net.fit(x, x[:, 0], loss="mse", callbacks=[logger], verbose=0)
    assert path.read_text().count("\n") == (3 if append else 2)
