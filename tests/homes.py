# SPDX-License-Identifier: Apache-2.0
"""A table of homes with text, dates and missing values, and what the command line makes of it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas

from chainrule.cli import main

RANDOM = np.random.default_rng(5)
ROWS = 160
TOWNS = np.array(["Aix; centre", "Brest", 'Cannes, "port"'])
X = pandas.DataFrame(
    {
        "area": RANDOM.uniform(30, 150, ROWS).round(2),
        "town": RANDOM.choice(TOWNS, ROWS),
        "sold": [f"2023-{m:02d}-{d:02d}" for m, d in RANDOM.integers(1, 13, (ROWS, 2))],
        "street": [f"s{i}" for i in RANDOM.integers(0, 14, ROWS)],
    }
)
PRICE = (X["area"] * X["town"].map(dict(zip(TOWNS, (2.0, 3.0, 5.0), strict=True)))).round(2)
KIND = np.where(PRICE > 300, "dear", "cheap")
X.loc[::9, "area"] = None
X.loc[3::10, "town"] = None
X.loc[7::20, "sold"] = None
HOMES = X.assign(price=PRICE)
KINDS = X.assign(kind=KIND)


def train(capsys, data, *options, output="model"):
    argv = ["train", "--data", data, "--budget", "fast", "--quiet", "-o", output, *options]
    assert main(argv) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys, *argv):
    before = sorted(Path().iterdir())
    assert main(list(argv)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert sorted(Path().iterdir()) == before
    return error


def predicted(capsys, model, data, *options):
    assert main(["predict", model, data, *options]) == 0
    return list(csv.reader(capsys.readouterr().out.splitlines()))


def numbers(rows):
    return np.array([row[-len(rows[0]) + (rows[0][0] == "label") :] for row in rows[1:]], float)


def homes_model(capsys):
    """Return the name of a model of prices."""
    HOMES.to_csv("homes.csv", index=False)
    train(capsys, "homes.csv", "--target", "price", output="homes")
    return "homes"


def kinds_model(capsys):
    """Return the name of a model of classes, whose columns have few categories."""
    KINDS.drop(columns="street").to_csv("kinds.csv", index=False)
    train(capsys, "kinds.csv", "--target", "kind", output="kinds")
    return "kinds"


def hard_rows():
    """Rows with missing values, all of them in one, and with unseen categories."""
    rows = X[:12].copy()
    rows.loc[2, "town"] = "elsewhere"
    rows.loc[4, "street"] = "nowhere"
    rows.loc[6] = None
    return rows
