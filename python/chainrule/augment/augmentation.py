# SPDX-License-Identifier: Apache-2.0
"""What augmentations have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from chainrule import _core
from chainrule.spec import Spec

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["Augmentation", "resolve"]


class Augmentation(Spec):
    """Base class of augmentations.

    Parameters
    ----------
    input : str, optional
        The network's input whose images are changed. Default: every input of shape (height, width)
        or (height, width, channels); sequences of shape (time, features) are among them.

    Examples
    --------
    >>> from chainrule import augment
    >>> augment.get("random_flip")
    RandomFlip()
    """

    _core_type = _core.Augmentation
    _: KW_ONLY
    input: str | None = None
    if TYPE_CHECKING:  # for subclasses that write their constructor out

        def __init__(self, *, input: str | None = None, **options: Any) -> None: ...


def resolve(augment: object, name: str = "augment") -> list[_core.Augmentation]:
    """Return the core's descriptions of a list of augmentations; none for None."""
    if augment is None:
        return []
    if isinstance(augment, Augmentation | str | Mapping) or not isinstance(augment, Iterable):
        raise TypeError(f"{name} must be a list of augmentations, got {augment!r:.80}")
    described: list[Any] = [Augmentation.get(each) for each in augment]
    return [each._core for each in described]
