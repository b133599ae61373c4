# SPDX-License-Identifier: Apache-2.0
"""Formulas as MathML, which browsers draw by themselves: no script and no font has to be loaded."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.writers.html5 import HTML5Translator


def _mathml(node: nodes.Element, block: bool) -> str:
    try:
        text = node.astext()
        # Lines that are aligned at their signs, as by Sphinx's other renderers.
        if block and "&" in text and "\\begin" not in text:
            text = f"\\begin{{aligned}}{text}\\end{{aligned}}"
        return tex2mathml(text, as_block=block)
    except MathError as error:
        raise SphinxError(
            f"{node.source}:{node.line}: formula {node.astext()!r}: {error}"
        ) from error


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(_mathml(node, block=False))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{_mathml(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer by its name in conf.py."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
