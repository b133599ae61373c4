# SPDX-License-Identifier: Apache-2.0
"""Names of features and classes: an attribute of networks, which copies and files keep."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from model_bytes import altered, split

import chainrule as cr
from chainrule.network.model_file import from_bytes, to_bytes

FEATURES = ("width", "height (cm)", "猫", "", "e")
CLASSES = ("cat", "dog", "owl")


def named(dtype: str = "float32") -> cr.Sequential:
    net = cr.Sequential([cr.Input(5), cr.Dense(3)], seed=0, dtype=dtype)
    net.feature_names = list(FEATURES)
    net.class_names = CLASSES
    return net


def names_of(net: cr.Sequential) -> tuple[Any, Any]:
    return net.feature_names, net.class_names


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_files_pickles_and_copies_keep_names(dtype: str, tmp_path: Path) -> None:
    net = named(dtype)
    net.save(tmp_path / "net")
    loaded = cr.load(tmp_path / "net")
    for other in (loaded, pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert names_of(other) == (FEATURES, CLASSES)
    net.feature_names = None
    assert names_of(net) == (None, CLASSES)
    assert names_of(loaded) == (FEATURES, CLASSES)


def test_a_network_without_names_is_written_as_before() -> None:
    net = cr.Sequential([cr.Input(5), cr.Dense(3)], seed=0)
    assert names_of(net) == (None, None)
    assert b"_names" not in to_bytes(net)
    assert names_of(from_bytes(to_bytes(net))) == (None, None)


def test_the_format_is_as_documented() -> None:
    header, _ = split(to_bytes(named()))
    description = json.loads(header["__metadata__"]["chainrule"])
    assert description["format_version"] == 1
    assert description["network"]["feature_names"] == list(FEATURES)
    assert description["network"]["class_names"] == list(CLASSES)


def test_null_in_a_file_stands_for_no_names() -> None:
    assert from_bytes(altered(lambda d: d["network"].update(feature_names=None))).built


@pytest.mark.parametrize(
    ("key", "names", "text"),
    [
        ("feature_names", ["a", "b"], "feature_names must have 5 names, got 2"),
        ("feature_names", ["a"] * 5, "feature_names must differ from each other, got 'a' twice"),
        ("feature_names", "abcde", "feature_names must be a list"),
        ("feature_names", ["a", "b", 3, "d", "e"], "one of feature_names must be"),
        ("class_names", ["a", "b", "c\0"], "class_names[2] must not hold a 0 byte"),
        ("class_names", {"a": 1}, "class_names must be a list"),
    ],
)
def test_names_in_a_file_that_do_not_fit(key: str, names: Any, text: str) -> None:
    with pytest.raises(cr.ModelFileError) as caught:
        from_bytes(altered(lambda d: d["network"].update({key: names})))
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (["a"], ValueError, "feature_names must have 5 names, got 1"),
        ([], ValueError, "feature_names is empty; None stands for no names"),
        (["a", "b", "a", "c", "d"], ValueError, "got 'a' twice"),
        (["a", "b", 3, "c", "d"], TypeError, "feature_names[2] must be a string, got 3"),
        ("abcde", TypeError, "feature_names must be strings or None, got 'abcde'"),
        (7, TypeError, "feature_names must be strings or None, got 7"),
        (["a", "b", "\ud800", "c", "d"], ValueError, "no Unicode text"),
        (["a", "b", "c\0", "d", "e"], ValueError, "feature_names[2] must not hold a 0 byte"),
    ],
)
def test_names_that_do_not_fit_leave_the_old_ones(given: Any, kind: Any, text: str) -> None:
    net = named()
    with pytest.raises(kind) as caught:
        net.feature_names = given
    assert text in str(caught.value)
    assert names_of(net) == (FEATURES, CLASSES)


def test_a_single_output_has_two_classes() -> None:
    net = cr.Sequential([cr.Input(1), cr.Dense(1)])
    net.class_names = ["no", "yes"]
    with pytest.raises(ValueError, match="class_names must have 2 names, got 1"):
        net.class_names = ["yes"]


def test_before_the_number_of_inputs_is_known() -> None:
    net = cr.Sequential([cr.Dense(1)])
    assert names_of(net) == (None, None)
    with pytest.raises(RuntimeError, match="number of inputs is not known"):
        net.feature_names = ["a"]
