# SPDX-License-Identifier: Apache-2.0
"""What the files are that the commands write, told by their beginning.

A command replaces without being asked what it has itself written, and nothing else.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_BEGINNING = 65536
_FIGURES = (
    b"\x89PNG",
    b"%% Creator: Matplotlib",
    b"%PDF",
    b"%!PS",
    b"\xff\xd8\xff",
    b"II*\0",
    b"MM\0*",
    b"GIF8",
    b"RIFF",
)
_WRITTEN_AS_C = re.compile(
    rb"/\* \w+: .*(chainrule|Layers of the network)|/\* Compares \w+ with what chainrule"
)


@dataclass(frozen=True)
class FileKind:
    """A kind of file that commands write."""

    name: str  # what error texts call it, with an article
    # Tells whether the first `LONGEST_BEGINNING` bytes of a file are those of one
    begins: Callable[[bytes], bool]


def _model(head: bytes) -> bool:
    # The length of the header, and the header, whose first entry in any order is an object's key.
    header = head[8:]
    return int.from_bytes(head[:8], "little") <= 100_000_000 and (
        header.lstrip().startswith(b"{") and b'"chainrule"' in header
    )


def _predictions(head: bytes) -> bool:
    try:
        line = head.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError:
        return False
    names = next(csv.reader([line]), [])
    if names[:1] == ["label"]:
        names = names[1:] or ["probability"]
    return bool(names) and all(re.match(r"(probability|output)(_|$)", name) for name in names)


def _onnx(head: bytes) -> bool:
    # The number of the format's version as protobuf's first field, and another field after it; or
    # the metadata that chainrule writes first.
    if head.startswith(b"r") and b"chainrule." in head[:40]:
        return True
    return len(head) > 2 and head[0] == 0x08 and head[1] < 0x20 and head[2] & 7 in (0, 2)


def _page(head: bytes) -> bool:
    return head.startswith(b"<!doctype html>") and b'name="generator" content="chainrule"' in head


def _figure(head: bytes) -> bool:
    return head.startswith(_FIGURES) or b"<svg" in head[:1000]


def _benchmark(head: bytes) -> bool:
    return head.lstrip().startswith(b"{") and b'"machine"' in head[:100]


MODEL = FileKind("a model file", _model)
PREDICTIONS = FileKind("predictions", _predictions)
ONNX = FileKind("an ONNX file", _onnx)
PAGE = FileKind("a page written by chainrule", _page)
FIGURE = FileKind("a figure", _figure)
BENCHMARK = FileKind("measurements of bench", _benchmark)
C_SOURCE = FileKind("C code written by chainrule", lambda head: bool(_WRITTEN_AS_C.match(head)))
