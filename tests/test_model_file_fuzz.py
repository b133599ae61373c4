# SPDX-License-Identifier: Apache-2.0
"""Model files with random edits and values."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from model_bytes import CONTENT, altered, sealed, split
from test_model_file_errors import set_in

import chainrule as cr
from chainrule.network.model_file import from_bytes


@settings(max_examples=150, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(CONTENT)), st.integers(0, 9), st.binary(max_size=9)),
        min_size=1,
        max_size=5,
    ),
    seal=st.booleans(),
)
def test_random_edits_raise_nothing_else(edits: list[tuple[int, int, bytes]], seal: bool) -> None:
    content = CONTENT
    for place, removed, inserted in edits:
        content = content[:place] + inserted + content[place + removed :]
    if seal:
        try:
            content = sealed(*split(content))
        except (ValueError, KeyError, TypeError, AttributeError, struct.error):
            return
    try:
        net = from_bytes(content)
    except cr.ModelFileError:
        return
    assert all(np.isfinite(w).all() for w in net.get_weights())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything in nested lists and dictionaries."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [path, *(p for key, item in items for p in places(item, (*path, key)))]


DESCRIPTION = json.loads(split(CONTENT)[0]["__metadata__"]["chainrule"])


PLACES = [path for path in places(DESCRIPTION) if path]


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PLACES), value=JSON)
def test_random_values_raise_nothing_else(path: tuple[Any, ...], value: Any) -> None:
    with contextlib.suppress(cr.ModelFileError):
        from_bytes(altered(set_in(*path, value)))
