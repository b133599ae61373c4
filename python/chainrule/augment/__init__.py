# SPDX-License-Identifier: Apache-2.0
"""Augmentation: images that are changed at random each time a network is trained on them.

``fit(x, y, augment=[...])`` has the training threads do it while they read a batch. What becomes of
an image depends on the network's seed, the epoch and the image's row alone, so it has the same bits
for any number of threads and any instruction set. Whatever moves pixels is one resampling,
bilinear and with zeros around the image; what changes their values follows, in the order of the
list. The numbers are those that the caller passes, before the first layer sees them.

Examples
--------
>>> import chainrule as cr
>>> x, y = cr.data.load_digits()
>>> layers = [cr.Rescaling(1 / 16), cr.Flatten(), cr.Dense(10)]
>>> net = cr.Sequential([cr.Input((8, 8)), *layers], seed=0)
>>> history = net.fit(
...     x, y, loss="cross_entropy", verbose=0, augment=[cr.augment.RandomShift(1)]
... )
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.augment.applying import apply
from chainrule.augment.augmentation import Augmentation
from chainrule.augment.geometric import (
    ElasticDeformation,
    RandomFlip,
    RandomRotation,
    RandomShift,
    RandomZoom,
)
from chainrule.augment.photometric import CutOut, PixelNoise, RandomBrightness
from chainrule.names import module_attributes

__all__ = [
    "Augmentation",
    "CutOut",
    "ElasticDeformation",
    "PixelNoise",
    "RandomBrightness",
    "RandomFlip",
    "RandomRotation",
    "RandomShift",
    "RandomZoom",
    "apply",
    "get",
]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)

get = Augmentation.get
