# SPDX-License-Identifier: Apache-2.0
"""What callers weigh classes by, checked against the network and its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule.inputs.checked_data import CheckedData
from chainrule.inputs.column_names import listed
from chainrule.inputs.targets import check_balanced, class_weights_array
from chainrule.losses import Custom
from chainrule.names import unknown_name
from chainrule.network.output_losses import OutputLosses

if TYPE_CHECKING:
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled

__all__ = ["weighed"]


def weighed(net: Compiled, data: CheckedData, class_weight: Any, loss: Any) -> CheckedData:
    """Return data with class weights as the core reads them, for each of several outputs."""
    if class_weight is None:
        return data
    if isinstance(loss, OutputLosses):
        return _weighed_by_output(net, data, class_weight, loss)
    columns = net._output_shape()[-1]
    by_class = _weighs_classes(loss, columns)
    if not by_class and columns > 1:
        raise ValueError(f"class_weight with {loss.kind} needs one output, got {columns}")
    classes = columns if by_class else 2
    if isinstance(class_weight, str):
        check_balanced(class_weight)
        return data._replace(balanced=((loss, classes),)).balanced_again()
    by_label = _by_label(class_weight, net.class_names)
    return data._replace(class_weight=class_weights_array(by_label, classes))


def _weighed_by_output(
    net: Compiled, data: CheckedData, given: Any, loss: OutputLosses
) -> CheckedData:
    """Return data with class weights of those outputs that have some."""
    if not isinstance(given, Mapping):
        raise TypeError("class_weight must be a dict by the names of outputs")
    for name in given:
        if name not in loss.names:
            raise ValueError(f"class_weight: {unknown_name('output', name, loss.names)}")
    weights: list[Any] = []
    balanced: list[tuple[Loss, int] | None] = []
    for name, one in zip(loss.names, loss.losses, strict=True):
        columns = net._output_shape(name)[-1]
        by_class = _weighs_classes(one, columns)
        wanted: Any = given.get(name)
        what = f"class_weight[{name!r}]"
        if wanted is not None and not by_class and columns > 1:
            raise ValueError(f"{what} with {one.kind} needs one output column")
        classes = columns if by_class else 2
        is_rule = isinstance(wanted, str)
        if is_rule:
            check_balanced(wanted, what)
        balanced.append((one, classes) if is_rule else None)
        if wanted is None or is_rule:
            weights.append(None)
            continue
        known = net._names_of("class_names", name)
        by_label = _by_label(wanted, known, what, f"class_names[{name!r}]")
        weights.append(class_weights_array(by_label, classes, what))
    return data._replace(class_weight=weights, balanced=tuple(balanced)).balanced_again()


def _weighs_classes(loss: Loss, outputs: int) -> bool:
    """Whether there is a weight for each output; for a function the core asks for labels then."""
    return loss.takes_labels or (isinstance(loss, Custom) and outputs > 1)


def _by_label(
    weights: Any,
    class_names: tuple[str, ...] | None,
    what: str = "class_weight",
    known_as: str = "class_names",
) -> Any:
    """Return class weights by label, of those by the names of classes."""
    named = isinstance(weights, Mapping) and any(isinstance(key, str) for key in weights)
    if not named or class_names is None:
        return weights
    unknown = [key for key in weights if key not in class_names]
    if unknown:
        raise ValueError(
            f"{what} has the unknown class{'es' * (len(unknown) > 1)} {listed(unknown)}; the "
            f"network's {known_as} are {listed(class_names)}"
        )
    return {class_names.index(key): weight for key, weight in weights.items()}
