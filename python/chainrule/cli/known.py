# SPDX-License-Identifier: Apache-2.0
"""What a model knows of the data it has learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.losses import Loss
from chainrule.network.network import Network

_NAMES_SHOWN = 10


@dataclass(frozen=True)
class Known:
    """What new data have to agree with."""

    model: str  # what error texts call the model
    inputs: int  # number of features
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None  # also where they are only numbers
    target_name: str | None = None  # name of the label column
    classes: int | None = None  # 0 if it predicts numbers; None if it was never trained

    @classmethod
    def of(cls, net: Network, model: str, loss: Loss | None = None) -> Known:
        """Return what a network knows."""
        return cls(
            model,
            net._built_core().inputs,
            net.feature_names,
            net.class_names,
            net.target_name,
            _classes(net, loss or net.loss),
        )


def _classes(net: Network, loss: Loss | None) -> int | None:
    if loss is None:
        return None
    if loss.takes_labels:
        return net.outputs
    return 2 if net.outputs == 1 and loss.kind in ("binary_cross_entropy", "hinge") else 0


def listed(names: Sequence[str]) -> str:
    """Return names between commas, the first ones if there are many."""
    return ", ".join([*names[:_NAMES_SHOWN], *(["..."] if len(names) > _NAMES_SHOWN else [])])
