# SPDX-License-Identifier: Apache-2.0
"""What callers train a network on and validate it by, checked against the network and its loss."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.inputs.arrays import as_weights, check_same_length
from chainrule.inputs.checked_data import CheckedData, taken
from chainrule.inputs.compressed_rows import as_rows, stored
from chainrule.inputs.containers import is_sparse
from chainrule.inputs.dataset import Dataset
from chainrule.inputs.lazy_rows import LazyRows, is_lazy
from chainrule.inputs.several import Several, by_name, core_rows
from chainrule.inputs.targets import is_balanced
from chainrule.layers import Dense
from chainrule.losses import Custom
from chainrule.network.class_weights import weighed
from chainrule.network.output_losses import OutputLosses, loss_weights_of
from chainrule.network.sequences import padded_targets
from chainrule.network.training_targets import (
    labels_of,
    positions_of,
    targets_of,
    targets_of_outputs,
    weighed_positions,
)

if TYPE_CHECKING:
    from chainrule.inputs.streamed_rows import StreamedRows
    from chainrule.inputs.targets import ClassWeight
    from chainrule.network.compiled import Compiled

__all__ = ["make_dataset", "padded_rows", "prepare_validation", "rows_of", "warn_of_scale"]

_REGRESSION = ("mse", "mae", "huber", "log_cosh", "quantile")
_ROWS_TO_LOOK_AT = 10_000
_FAR = 1e4


def make_dataset(
    net: Compiled,
    x: object,
    y: object,
    loss: Any,
    sample_weight: object = None,
    class_weight: ClassWeight = None,
    *,
    learn_names: bool = False,
    in_place: bool = False,
) -> CheckedData:
    """Return what the caller gave as the core reads it; see `Sequential.fit`.

    A network that is not built yet is built for the columns of `x`; with `learn_names` it takes
    over the names of columns and classes where it has none. `in_place` is for a caller who works
    on `rows` alone of the data that come back.

    Raises
    ------
    ValueError, TypeError
        If something does not fit the network, the loss or the rest.
    """
    if isinstance(x, Dataset):
        _refuse_beside(y=y, sample_weight=sample_weight, class_weight=class_weight)
        if x._source is not None:
            return _streamed(net, x, loss, learn_names)
        if x._rows_of is None:
            return _checked_once(net, x, loss, learn_names)
        whole, rows = x._rows_of
        chosen = _checked_once(net, whole, loss, learn_names)._replace(rows=rows)
        return (chosen if in_place else chosen.taken()).balanced_again()
    if y is None:
        raise TypeError("y is missing: give targets beside x, or a Dataset that has some")
    several_outputs = isinstance(loss, OutputLosses)
    unweighted = sample_weight is None and class_weight is None
    if unweighted and not several_outputs and net._takes_targets_in_place(x, y, loss):
        targets: Any = y
        if targets.ndim == 1 and not loss.takes_labels:
            targets = targets.reshape(-1, 1)
        return CheckedData(x, targets, None, None)
    if not several_outputs:
        y = net._only_target(y)
    if net._several_inputs:
        x, y, sample_weight = padded_rows(net, x, y, sample_weight, loss)
    rows = net._rows_wherever(x)
    if learn_names:
        net._learn_feature_names(x)
    net._built_core().check_loss(loss._core, loss_weights_of(loss))
    targets = _targets(net, y, loss, learn_names)
    parts = targets.parts if isinstance(targets, Several) else [targets]
    if isinstance(rows, LazyRows) and not all(isinstance(part, np.ndarray) for part in parts):
        raise TypeError("y is sparse, which needs x in memory; pass the dense array y.toarray()")
    if several_outputs:
        for name, part in zip(loss.names, parts, strict=True):
            check_same_length(rows, part, names=("x", f"y[{name!r}]"))
    else:
        check_same_length(rows, targets)
    weights = None
    if sample_weight is not None:
        each = weighed_positions(net, loss)
        weights = as_weights(sample_weight, rows=len(rows), positions=each)
    made = CheckedData(rows, targets, weights, None, (), positions_of(net, loss, targets))
    return weighed(net, made, class_weight, loss)


def _targets(net: Compiled, y: object, loss: Any, learn_names: bool) -> Any:
    if isinstance(loss, OutputLosses):
        return targets_of_outputs(net, y, loss, learn_names)
    shape = net._output_shape()
    y = labels_of(net, y, loss, shape, learn=learn_names)
    return targets_of(net, y, loss, shape, sparse=is_sparse(y))


def _refuse_beside(**given: object) -> None:
    """Raise ValueError for what a data set has itself."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} must not be given beside a Dataset, which has its own")


def _checked_once(net: Compiled, data: Dataset, loss: Any, learn_names: bool) -> CheckedData:
    """Return a data set as the core reads it, checked unless that was done for the like."""
    if data.y is None and data._source is None:
        raise ValueError("the Dataset has no y, which this call needs")

    def check() -> tuple[CheckedData, Any]:
        checked = make_dataset(
            net,
            data.x,
            data.y,
            loss,
            data.sample_weight,
            data.class_weight,
            learn_names=learn_names,
        )
        return checked, net.class_names

    checked, class_names = data._once((_reads(net, data), repr(loss.config)), check)
    core = net._built_core()
    core.check_loss(loss._core, loss_weights_of(loss))
    _check_takes(net, checked.x)
    if learn_names:
        net._learn_feature_names(data.x)
        net._learn_class_names(class_names)
        # The network may ask for these names from now on.
        data._once((_reads(net, data), repr(loss.config)), lambda: (checked, class_names))
    return checked


def rows_of(net: Compiled, data: Dataset) -> Any:
    """Return the rows of a data set as the core reads them, checked unless that was done."""
    if data._rows_of is not None:
        whole, chosen = data._rows_of
        return taken(rows_of(net, whole), chosen)
    if data._source is not None:
        return _stream(net, data)
    rows = data._once(_reads(net, data), lambda: net._rows_wherever(data.x))
    if len(rows) != len(data):
        assert net._graph is not None
        raise ValueError(
            f"x has a list of {len(rows)} arrays of {len(data)} rows, and not one for each input "
            f"({', '.join(node.name for node in net._graph.inputs)}); sequences that all have one "
            "length are given by the name of their input"
        )
    _check_takes(net, rows)
    return rows


def _stream(net: Compiled, data: Dataset, loss: Any = None) -> StreamedRows:
    """Return the rows of a generator, which are checked as they come."""
    several = (
        [node.name for node in net._graph.inputs] if net._several_inputs and net._graph else None
    )
    rows = data._stream(several, lambda *batch: _batch_of_generator(net, loss, *batch))
    if several is None:
        net._check_columns(rows.shape[1])
    assert net._graph is not None
    for node, (_, columns) in zip(net._graph.inputs, rows.shapes, strict=True):
        expected = math.prod(node.shape)
        if columns != expected:
            raise ValueError(
                f"x[{node.name!r}] has {columns} columns; the input expects {expected}, of shape "
                f"{node.shape}"
            )
    rows.use(net._built_core())
    return rows


def _batch_of_generator(net: Compiled, loss: Any, x: Any, y: Any, sample_weight: Any) -> Any:
    """Return what a generator gives as rows of one length, each part with axes that it may have."""
    whose = "the generator's "
    if not net._several_inputs:
        x = net._only(x)
        net._check_axes(x, f"{whose}x")
        return x, y, sample_weight
    x, y, sample_weight = padded_rows(net, x, y, sample_weight, loss, whose)
    assert net._graph is not None
    names = [node.name for node in net._graph.inputs]
    for name, part in zip(names, by_name(f"{whose}x", "input", x, names), strict=True):
        net._check_axes(part, f"{whose}x[{name!r}]", name)
    return x, y, sample_weight


def _streamed(net: Compiled, data: Dataset, loss: Any, learn_names: bool) -> CheckedData:
    """Return the data of a generator."""
    rows = _stream(net, data, loss)
    net._built_core().check_loss(loss._core, loss_weights_of(loss))
    if not rows.has_targets:
        raise ValueError("the generator gives no y, which this call needs")

    def targets(y: Any) -> Any:
        y = y if isinstance(loss, OutputLosses) else net._only_target(y)
        return _targets(net, y, loss, learn_names)

    rows.use(net._built_core(), targets)
    if rows.sample_weight is not None:
        name, each = "the generator's sample_weight", weighed_positions(net, loss)
        as_weights(rows.sample_weight, rows=len(rows), positions=each, name=name)
    if is_balanced(data.class_weight):
        raise ValueError(
            'class_weight="balanced" needs all rows in memory; give the weights of the classes'
        )
    positions = positions_of(net, loss, rows.y)
    made = CheckedData(rows, rows.y, rows.sample_weight, None, (), positions)
    return weighed(net, made, data.class_weight, loss)


def _reads(net: Compiled, data: Dataset) -> tuple[Any, ...]:
    """Return what checks of rows depend on, but for the layers; build the network for them."""
    if net._graph is None:
        table = data.x if is_lazy(data.x) else as_rows(data.x)
        net._check_axes(data.x, "x")
        net._check_columns(math.prod(table.shape[1:]))
    assert net._graph is not None
    inputs = tuple((node.name, node.shape) for node in net._graph.inputs)
    names = (_hashable(each) for each in (net.feature_names, net.class_names))
    return inputs, net.outputs, net.dtype, *names


def _hashable(names: Any) -> Any:
    return tuple(names.items()) if isinstance(names, dict) else names


def _check_takes(net: Compiled, rows: Any) -> None:
    """Raise ValueError where the layers cannot take rows whose numbers have been checked."""
    if not isinstance(rows, LazyRows):
        net._built_core().check_takes(core_rows(rows), finite=False)


def padded_rows(
    net: Compiled, x: Any, y: Any, sample_weight: Any, loss: Any, whose: str = ""
) -> tuple[Any, Any, Any]:
    """Return rows of one length where x has sequences, of which a loss counts no step behind."""
    x, inside = net._padded(x, f"{whose}x")
    if inside is None or loss is None:
        return x, y, sample_weight
    time = inside.shape[1:]
    if weighed_positions(net, loss) == time:
        y, sample_weight = padded_targets(y, sample_weight, inside, whose)
    elif isinstance(loss, OutputLosses) and not inside.all():
        for name, one in zip(loss.names, loss.losses, strict=True):
            if net._output_shape(name)[:-1] == time and not isinstance(one, Custom):
                raise ValueError(
                    f"x has sequences that end before time = {time[0]}, and the output {name!r} "
                    "has a loss of each step: of several outputs rows alone have weights, so that "
                    "the steps behind the ends would count. Train on that output alone, or by a "
                    "function that leaves them out"
                )
    return x, y, sample_weight


def prepare_validation(
    net: Compiled,
    given: Any,
    loss: Any,
    *,
    in_place: bool = False,
) -> CheckedData:
    """Return ``validation_data``, a Dataset or (x, y[, sample_weight]), as `make_dataset` does."""
    expected = "validation_data must be (x, y) or (x, y, sample_weight)"
    if isinstance(given, Dataset):
        given = given, None
    elif not isinstance(given, tuple | list):
        raise TypeError(f"{expected}, got {type(given).__name__}")
    elif not 2 <= len(given) <= 3:
        raise ValueError(f"{expected}, got {len(given)} items")
    weight = given[2] if len(given) == 3 else None
    try:
        return make_dataset(net, given[0], given[1], loss, weight, in_place=in_place)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation_data: {error}") from error


def warn_of_scale(net: Compiled, loss: Any, data: CheckedData) -> None:
    """Warn of targets that a new network, whose outputs are near 0, is far from."""
    if isinstance(loss, OutputLosses) or len(net._output_shapes) > 1:
        return
    last = net.layers[-1]
    plain = isinstance(last, Dense) and last.activation.kind == "linear"
    if loss.kind not in _REGRESSION or not plain or net._built_core().total_steps > 0:
        return
    few = data.first if data.rows is None else data.targets
    y = few(_ROWS_TO_LOOK_AT).y
    sample = np.asarray(y if isinstance(y, np.ndarray) else stored(y)[0], dtype=np.float64)
    mean, deviation = abs(float(sample.mean())), float(sample.std())
    if max(mean, deviation) < _FAR and (deviation == 0 or max(mean, deviation) > 1 / _FAR):
        return
    warnings.warn(
        f"y is far from unit scale (mean {sample.mean():.3g}, standard deviation {deviation:.3g}), "
        "which training may not reach. Normalization of targets is yours: fit to "
        "(y - y.mean()) / y.std(), and predict by net.predict(x) * y.std() + y.mean()",
        stacklevel=6,
    )
