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
    targets: tuple[Known, ...] = ()  # of several targets what is known of each

    @classmethod
    def of(
        cls, net: Network, model: str, loss: Loss | None = None, *, labelled: bool = True
    ) -> Known:
        """Return what a network knows, for rows that are `labelled` or not.

        Raises
        ------
        ValueError
            If it has several inputs, or several outputs that labels are needed for.
        """
        refuse_several(net, model, outputs=labelled)
        return cls(
            model,
            net._built_core().inputs,
            net.feature_names,
            net._names_of("class_names", None),
            net.target_name,
            _classes(net, loss or net.loss),
        )


def refuse_several(net: Network, model: str, *, outputs: bool = True) -> None:
    """Raise ValueError if a network has several inputs, or several `outputs`."""
    core = net._built_core()
    names, what = core.input_names, "inputs"
    if len(names) < 2 and outputs:
        names, what = core.output_names, "outputs"
    if len(names) > 1:
        raise ValueError(
            f"{model} has several {what} ({listed(names)}), which files of rows cannot tell "
            "apart: evaluate, export-c and quantize take an .npz file with an array for each by "
            "its name, beside x or y where there is one; all else load it in Python"
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
