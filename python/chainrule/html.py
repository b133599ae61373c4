# SPDX-License-Identifier: Apache-2.0
"""Tables and text as HTML, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "") -> str:
    """Return a table whose first column is text and whose others are aligned to the right."""

    def line(cells: Sequence[str], tag: str) -> str:
        sides = ["left", *["right"] * (len(cells) - 1)]
        return "".join(
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )

    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table>{above}<thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def html_text(text: str) -> str:
    """Return lines of text as they are printed."""
    return f"<pre>{html.escape(text)}</pre>"
