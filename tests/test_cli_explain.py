# SPDX-License-Identifier: Apache-2.0
"""``chainrule explain``: which row, which page, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import dataset, main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model of the digits and one of a table."""
    monkeypatch.chdir(tmp_path)
    x, y = cr.data.load_digits()
    net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(8, activation="relu"), cr.Dense(10)], 0)
    net.fit(x, y, loss="cross_entropy", verbose=0)
    net.save("digits.safetensors")
    rows = ["age,size,kind", *(f"{i},{i % 3},{'cat' if i % 2 else 'dog'}" for i in range(20))]
    (tmp_path / "pets.csv").write_text("\n".join(rows) + "\n")
    train = ["train", "--data", "pets.csv", "--epochs", "2", "--layers", "4", "--quiet"]
    assert main(train) == 0
    return tmp_path


def test_the_page_is_that_of_the_row(folder, capsys) -> None:
    capsys.readouterr()
    argv = ["explain", "digits.safetensors", "--data", "digits", "--row", "7"]
    assert main([*argv, "--out", "page.html"]) == 0
    rows = dataset.read_part("digits", None)
    explanation = cr.load("digits.safetensors").explain(rows.x[7], rows.y[7])
    assert (folder / "page.html").read_text("utf-8") == explanation.to_html()
    loss = explanation.data["loss"]["value"]
    expected = (
        f"page.html: row 7 of {len(rows.x)}, cross_entropy {loss:.4g} for the target {rows.y[7]}"
    )
    assert capsys.readouterr().out.strip() == expected
    assert main([*argv, "--part", "all"]) == 0
    x, y = cr.data.load_digits()
    explanation = cr.load("digits.safetensors").explain(x[7], y[7])
    assert (folder / "digits.html").read_text("utf-8") == explanation.to_html()


def test_names_of_columns_and_classes_are_on_the_page(folder, capsys) -> None:
    assert main(["explain", "pets.safetensors", "--data", "pets.csv", "--row", "3"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("for the target cat")
    page = (folder / "pets.html").read_text("utf-8")
    assert '"feature_names":["age","size"]' in page
    assert '"class_names":["cat","dog"]' in page


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--data", "digits", "--row", "-1"], "--row: expected an integer >= 0, got '-1'"),
        (["--data", "digits", "--row", "360"], "--row 360: there are rows 0 to 359"),
        (["--data", "pets.csv"], "pets.csv"),
        (["--data", "digits", "--out", "no/page.html"], "no: no such folder"),
        (["--data", "nothing.csv"], "nothing.csv"),
    ],
)
def test_what_does_not_fit(folder, capsys, argv, text: str) -> None:
    capsys.readouterr()
    assert main(["explain", "digits.safetensors", *argv]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (folder / "digits.html").exists()


def test_a_model_without_loss(folder, capsys) -> None:
    cr.Sequential([cr.Input(64), cr.Dense(10)], seed=0).save("new.safetensors")
    assert main(["explain", "new.safetensors", "--data", "digits"]) == 2
    assert "the network has no loss; it was never trained" in capsys.readouterr().err


def test_a_row_that_is_no_number_is_named_by_its_line(folder, capsys) -> None:
    x, y = np.array([[1.0, 2.0], [np.nan, 2.0]]), np.array(["cat", "dog"])
    np.savez("bad.npz", x=x, y=y)
    assert main(["explain", "pets.safetensors", "--data", "bad.npz", "--row", "0"]) == 0
    capsys.readouterr()
    argv = ["explain", "pets.safetensors", "--data", "bad.npz", "--row", "1", "--out", "bad.html"]
    assert main(argv) == 2
    assert "bad.npz, row 1, column 0: NaN is no finite number" in capsys.readouterr().err
