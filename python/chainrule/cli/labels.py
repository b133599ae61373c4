# SPDX-License-Identifier: Apache-2.0
"""What labels are, classes or numbers, and what the classes are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.cli.known import Known, listed
from chainrule.losses import Loss

Task = Literal["classification", "regression"]

# Up to about here labels are more often classes than counts; train says what it took them for.
_MOST_CLASSES = 50
_BOOLEAN = frozenset({"yes", "no", "true", "false"})


@dataclass(frozen=True)
class Labels:
    """The labels of some rows."""

    y: NDArray[Any]  # (rows,) or (rows, targets); int64 and from 0 if they are classes
    # What `y` counts; None for classes that are called by their numbers
    class_names: tuple[str, ...] | None
    are_classes: bool  # whether they are classes
    sentence: str | None = None  # what numbers were taken for, and how to say otherwise


def task_of(loss: Loss | None, y: NDArray[Any]) -> Task | None:
    """Return what a loss asks of the labels; None without a loss, which leaves it to them."""
    if loss is None:
        return None
    if loss.takes_labels:
        return "classification" if y.ndim == 1 else "regression"
    two = loss.kind in ("binary_cross_entropy", "hinge") and _whole(y) and len(np.unique(y)) <= 2
    return "classification" if two else "regression"


def are_classes(y: NDArray[Any]) -> bool:
    """Return whether numbers are probably classes: few whole ones without gaps from 0 or 1.

    So are -1 and 1. Anything else that has gaps or many values is probably counted or measured.
    """
    if y.ndim != 1 or y.dtype.kind not in "biu" or not y.size:
        return False
    values = np.unique(y)
    count = len(values)
    if values.tolist() == [-1, 1]:
        return True
    without_gaps = int(values[0]) in (0, 1) and int(values[-1]) - int(values[0]) == count - 1
    return without_gaps and count <= _MOST_CLASSES and (count <= 2 or len(y) > count)


def interpreted(
    y: NDArray[Any],
    class_names: tuple[str, ...] | None,
    task: Task | None,
    *,
    name: str | None = None,
    keep_case: bool = False,
) -> Labels:
    """Return labels to train on as classes or as numbers."""
    if class_names is not None:
        if task == "regression":
            raise ValueError(
                f"--task regression needs numbers; the labels are {listed(class_names)}"
            )
        names, y = _merged(class_names, y, keep_case=keep_case)
        return Labels(y, names, are_classes=True)
    if y.ndim != 1 or y.dtype.kind not in "biuf" or not y.size:
        return Labels(y, None, are_classes=False)
    target = "target" if name is None else f"target {name!r}"
    if task == "regression" or (task is None and not are_classes(y)):
        hint = "; --task classification for classes" if task is None and _whole(y) else ""
        return Labels(y, None, False, f"{target}: {_described(y)}: regression{hint}")
    if not _whole(y):
        bad = y[y != np.floor(y)][0]
        raise ValueError(f"--task classification: the label {bad:g} is no whole number and no text")
    values, codes = np.unique(y, return_inverse=True)
    hint = "; --task regression for numbers" if task is None else ""
    sentence = f"{target}: {_described(y)}: {len(values)} classes{hint}"
    whole = [int(value) for value in values]
    if whole == list(range(len(whole))):
        return Labels(y.astype(np.int64), None, True, sentence)
    return Labels(codes.astype(np.int64), tuple(map(str, whole)), True, sentence)


def in_terms_of(
    known: Known, y: NDArray[Any], class_names: tuple[str, ...] | None, source: str
) -> NDArray[Any]:
    """Return labels as the numbers that a model gives to its classes."""
    if class_names is not None and known.class_names is None:
        # Names are numbered in their order in the file, so a missing one shifts the others.
        if known.classes not in (None, len(class_names)):
            what = f"knows {known.classes}" if known.classes else "predicts numbers"
            raise ValueError(f"{source} has {len(class_names)} classes, but {known.model} {what}")
        return y
    if not known.classes or known.class_names is None or y.ndim != 1:
        return y
    if class_names is None:
        if not _whole(y):
            return y
        values, codes = np.unique(y, return_inverse=True)
        class_names, y = tuple(str(int(value)) for value in values), codes
    label_of = {name: label for label, name in enumerate(known.class_names)}
    if {*label_of} == {"0", "1"}:
        label_of |= {"false": 0, "no": 0, "true": 1, "yes": 1}
    if {name.casefold() for name in label_of} <= {*_BOOLEAN, "0", "1"}:
        folded = {name.casefold(): label for name, label in label_of.items()}
        label_of = {name: folded.get(name.casefold(), -1) for name in class_names} | label_of
    unknown = [name for name in class_names if label_of.get(name, -1) < 0]
    if unknown:
        classes = "class" if len(unknown) == 1 else "classes"
        raise ValueError(
            f"{source} has the {classes} {listed([repr(name) for name in unknown])}, unknown to "
            f"{known.model}, whose classes are {listed(known.class_names)}"
        )
    labels: NDArray[Any] = np.array([label_of[name] for name in class_names], np.int64)[y]
    return labels


def class_weight_of(given: Any, class_names: tuple[str, ...] | None, classes: int | None) -> Any:
    """Return the weights of ``--class-weight`` by the labels that training knows."""
    if given is None:
        return None
    if not classes:
        raise ValueError("--class-weight is for classes; the labels are numbers")
    if given == "balanced" or class_names is not None:
        return given
    try:
        return {int(name): weight for name, weight in given.items()}
    except ValueError:
        raise ValueError(f"--class-weight names classes, which are numbers here: {given}") from None


def _merged(
    names: Sequence[str], codes: NDArray[Any], *, keep_case: bool
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return names and labels with spellings of yes, no, true and false made one each."""
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(name.casefold(), []).append(name)
    several = [found for found in spellings.values() if len(found) > 1]
    if keep_case or not several:
        return tuple(names), codes
    if not spellings.keys() <= _BOOLEAN:
        first, second = several[0][:2]
        raise ValueError(
            f"the labels {first!r} and {second!r} differ in case only; make them the same, or take "
            f"them for two classes with --keep-case"
        )
    merged = tuple(sorted(spellings))
    return merged, np.array([merged.index(name.casefold()) for name in names], np.int64)[codes]


def _whole(y: NDArray[Any]) -> bool:
    if y.dtype.kind in "biu":
        return True
    return bool(y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.floor(y)).all())


def _described(y: NDArray[Any]) -> str:
    values = np.unique(y)
    low, high = values[0], values[-1]
    if not _whole(y):
        return f"numbers from {low:g} to {high:g}"
    low, high = int(low), int(high)
    if high - low == len(values) - 1:
        return f"the whole numbers from {low} to {high}"
    return f"{len(values)} distinct whole numbers from {low} to {high}"
