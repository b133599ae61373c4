# SPDX-License-Identifier: Apache-2.0
"""Error texts for unknown names."""

from __future__ import annotations

import pytest

from chainrule.names import nearest, unknown_name

VALID = ["mse", "mae", "cross_entropy", "binary_cross_entropy"]


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("crossentropy", "cross_entropy"),
        ("Cross_Entropy", "cross_entropy"),
        ("MSE", "mse"),
        ("binary_crossentropy", "binary_cross_entropy"),
    ],
)
def test_suggests_the_nearest_name(given: str, nearest: str) -> None:
    assert unknown_name("loss", given, VALID) == (
        f"unknown loss {given!r}; did you mean {nearest!r}? "
        "valid: mse, mae, cross_entropy, binary_cross_entropy"
    )


@pytest.mark.parametrize("given", ["zzz", "", None, 3, ["mse"]])
def test_suggests_nothing_when_nothing_is_near(given: object) -> None:
    text = unknown_name("loss", given, iter(VALID))
    assert text == f"unknown loss {given!r}; valid: mse, mae, cross_entropy, binary_cross_entropy"


def test_keeps_the_spelling_of_the_valid_name() -> None:
    assert "did you mean 'Adam'?" in unknown_name("optimizer", "adan", ["SGD", "Adam"])


def test_a_part_of_a_name_is_near_if_it_is_no_mere_syllable() -> None:
    assert nearest("loss", ["val_loss_of_the_epoch"]) == "val_loss_of_the_epoch"
    assert nearest("number_of_epochs_in_all", ["mae", "epochs"]) == "epochs"
    assert nearest("ma", ["decimal_separator"]) is None
    assert nearest("decimal_separator", ["ma"]) is None


@pytest.mark.parametrize(
    ("given", "valid", "suggestion"),
    [
        ("val_los", ["loss", "val_loss"], "val_loss"),
        ("loss", ["val_loss", "accuracy"], "val_loss"),
        ("caf\ud800", ["caf\ud801"], "caf\ud801"),
        ("x" * 100_000, ["loss"], None),
    ],
)
def test_parts_and_texts_that_the_core_would_not_take(
    given: str, valid: list[str], suggestion: str | None
) -> None:
    expected = "; valid" if suggestion is None else f"; did you mean {suggestion!r}? valid"
    assert expected in unknown_name("monitor", given, valid)
