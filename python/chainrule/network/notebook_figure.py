# SPDX-License-Identifier: Apache-2.0
"""A figure that notebooks show."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["NotebookFigure"]


class NotebookFigure(Figure):
    """Matplotlib's figure, which a notebook shows without ``%matplotlib inline`` too."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=100)
        return content.getvalue()
