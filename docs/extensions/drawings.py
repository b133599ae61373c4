# SPDX-License-Identifier: Apache-2.0
"""Pictures of the gallery beside Matplotlib's: SVG drawings and animations that a script writes.

A block of a script ``lesson.py`` that writes ``lesson*.svg`` or ``lesson*.gif`` shows it. Drawings
are part of the page, so that they take its colours, light or dark.
"""

import shutil
from pathlib import Path
from typing import Any

_INLINE = """
.. raw:: html

   <div class="drawing">{svg}</div>
"""
_IMAGE = """
.. image:: /{path}
   :alt: {title}
   :class: sphx-glr-single-img
"""


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Move a block's files to the gallery's pictures and return the text that shows them."""
    script = Path(block_vars["src_file"])
    text = ""
    for file in sorted(script.parent.glob(f"{script.stem}*.*")):
        if file.suffix not in (".svg", ".gif"):
            continue
        picture = Path(next(block_vars["image_path_iterator"])).with_suffix(file.suffix)
        shutil.move(file, picture)
        if file.suffix == ".svg":
            text += _INLINE.format(svg=picture.read_text().replace("\n", " "))
        else:
            path = picture.relative_to(gallery_conf["src_dir"]).as_posix()
            text += _IMAGE.format(path=path, title=script.stem.replace("_", " "))
    return text


_ORDER = [
    "chain_rule",
    "one_neuron",
    "two_layers",
    "numerical_differences",
    "sign_error",
    "learning_rates",
    "optimizers",
    "mse_or_cross_entropy",
    "batch_size",
    "mnist_by_hand",
    "vanishing_gradients",
    "batch_normalization",
    "dropout_and_l2",
    "convolution",
    "recurrent_addition",
    "softmax_stability",
    "sparse_input",
    "quantile_bands",
    "table_and_trees",
    "autoencoder",
    "convolutional_autoencoder",
    "gan",
    "gan_digits",
    "character_model",
    "amplifier",
    "second_order",
    "uncertainty",
    "microcontroller",
    "live_training",
]


def in_order(file: str) -> int:
    """Return a lesson's place: the easier one comes first."""
    return _ORDER.index(Path(file).stem)
