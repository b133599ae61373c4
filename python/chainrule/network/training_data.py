# SPDX-License-Identifier: Apache-2.0
"""What callers train a network on and validate it by, checked against the network and its loss."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.inputs.arrays import as_weights, check_same_length
from chainrule.inputs.checked_data import CheckedData, compares_classes
from chainrule.inputs.column_names import listed
from chainrule.inputs.compressed_rows import Rows, as_rows, stored
from chainrule.inputs.containers import is_sparse
from chainrule.inputs.dataset import Dataset
from chainrule.inputs.lazy_rows import LazyRows, is_lazy
from chainrule.inputs.several import Several, by_name, core_rows
from chainrule.inputs.targets import (
    check_balanced,
    class_weights_array,
    is_balanced,
    prepare_sparse_targets,
    prepare_targets,
)
from chainrule.layers import Dense
from chainrule.names import unknown_name
from chainrule.network.output_losses import OutputLosses, loss_weights_of

if TYPE_CHECKING:
    from chainrule.inputs.streamed_rows import StreamedRows
    from chainrule.inputs.targets import ClassWeight
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled

__all__ = ["make_dataset", "prepare_validation", "rows_of", "warn_of_scale"]

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
) -> CheckedData:
    """Return what the caller gave as the core reads it; see `Sequential.fit`.

    A network that is not built yet is built for the columns of `x`; with `learn_names` it takes
    over the names of columns and classes where it has none.

    Raises
    ------
    ValueError, TypeError
        If something does not fit the network, the loss or the rest.
    """
    if isinstance(x, Dataset):
        _refuse_beside(y=y, sample_weight=sample_weight, class_weight=class_weight)
        if x._source is not None:
            return _streamed(net, x, loss, learn_names)
        return _checked_once(net, x, loss, learn_names)
    if y is None:
        raise TypeError("y is missing: give targets beside x, or a Dataset that has some")
    if not isinstance(loss, OutputLosses):
        y = net._only_target(y)
    if isinstance(loss, OutputLosses) or net._several_inputs:
        return _several(net, x, y, loss, sample_weight, class_weight, learn_names)
    features = net._rows_wherever(x)
    sparse = is_sparse(y)
    if sparse and isinstance(features, LazyRows):
        raise TypeError("y is sparse, which needs x in memory; pass the dense array y.toarray()")
    if learn_names:
        net._learn_feature_names(x)
    core = net._built_core()
    core.check_loss(loss._core)
    outputs = core.outputs
    if not sparse and compares_classes(loss, outputs):
        y = net._labels(y, learn=learn_names)
    targets = _targets(net, y, loss, outputs, sparse=sparse)
    check_same_length(features, targets)
    weights = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, rows=len(features))
    return _weighed(net, CheckedData(features, targets, weights, None), class_weight, loss)


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
        if not net._several_inputs:
            net._learn_feature_names(data.x)
        if net.class_names is None and class_names is not None:
            net.class_names = class_names
        # The network may ask for these names from now on.
        data._once((_reads(net, data), repr(loss.config)), lambda: (checked, class_names))
    return checked


def rows_of(net: Compiled, data: Dataset) -> Any:
    """Return the rows of a data set as the core reads them, checked unless that was done."""
    if data._source is not None:
        return _stream(net, data)
    rows = data._once(_reads(net, data), lambda: net._rows_wherever(data.x))
    _check_takes(net, rows)
    return rows


def _stream(net: Compiled, data: Dataset) -> StreamedRows:
    """Return the rows of a generator, which are checked as they come."""
    several = (
        [node.name for node in net._graph.inputs] if net._several_inputs and net._graph else None
    )
    rows = data._stream(several)
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
    rows.use(net._built_core().check_takes)
    return rows


def _streamed(net: Compiled, data: Dataset, loss: Any, learn_names: bool) -> CheckedData:
    """Return the data of a generator."""
    rows = _stream(net, data)
    net._built_core().check_loss(loss._core, loss_weights_of(loss))
    if not rows.has_targets:
        raise ValueError("the generator gives no y, which this call needs")

    def targets(y: Any) -> Any:
        if isinstance(loss, OutputLosses):
            return _targets_of_outputs(net, y, loss)
        y = net._only_target(y)
        if compares_classes(loss, net.outputs):
            y = net._labels(y, learn=learn_names)
        return _targets(net, y, loss, net.outputs, sparse=is_sparse(y))

    rows.use(net._built_core().check_takes, targets)
    if is_balanced(data.class_weight):
        raise ValueError(
            'class_weight="balanced" needs all rows in memory; give the weights of the classes'
        )
    made = CheckedData(rows, rows.y, rows.sample_weight, None)
    return _weighed(net, made, data.class_weight, loss)


def _targets_of_outputs(net: Compiled, y: Any, loss: OutputLosses) -> Several:
    """Return the targets of each output."""
    given = by_name("y", "output", y, loss.names)
    parts = zip(loss.names, given, loss.losses, loss.columns, strict=True)
    return Several(
        [
            _targets(net, part, one, columns, f"y[{name!r}]", sparse=is_sparse(part))
            for name, part, one, columns in parts
        ]
    )


def _weighed(net: Compiled, data: CheckedData, class_weight: Any, loss: Any) -> CheckedData:
    """Return data with class weights as the core reads them, for each of several outputs."""
    if class_weight is None:
        return data
    if isinstance(loss, OutputLosses):
        return _weighed_by_output(data, class_weight, loss)
    if not loss.takes_labels and net.outputs > 1:
        raise ValueError(f"class_weight with {loss.kind} needs one output, got {net.outputs}")
    classes = net.outputs if loss.takes_labels else 2
    if isinstance(class_weight, str):
        check_balanced(class_weight)
        return data._replace(balanced=((loss, classes),)).balanced_again()
    by_label = _by_label(class_weight, net.class_names)
    return data._replace(class_weight=class_weights_array(by_label, classes))


def _weighed_by_output(data: CheckedData, given: Any, loss: OutputLosses) -> CheckedData:
    """Return data with class weights of those outputs that have some."""
    if not isinstance(given, Mapping):
        raise TypeError("class_weight must be a dict by the names of outputs")
    for name in given:
        if name not in loss.names:
            raise ValueError(f"class_weight: {unknown_name('output', name, loss.names)}")
    weights: list[Any] = []
    balanced: list[tuple[Loss, int] | None] = []
    for name, one, columns in zip(loss.names, loss.losses, loss.columns, strict=True):
        wanted: Any = given.get(name)
        what = f"class_weight[{name!r}]"
        if wanted is not None and not one.takes_labels and columns > 1:
            raise ValueError(f"{what} with {one.kind} needs one output column")
        classes = columns if one.takes_labels else 2
        is_rule = isinstance(wanted, str)
        if is_rule:
            check_balanced(wanted, what)
        balanced.append((one, classes) if is_rule else None)
        plain = wanted is not None and not is_rule
        weights.append(class_weights_array(wanted, classes, what) if plain else None)
    return data._replace(class_weight=weights, balanced=tuple(balanced)).balanced_again()


def _reads(net: Compiled, data: Dataset) -> tuple[Any, ...]:
    """Return what checks of rows depend on, but for the layers; build the network for them."""
    if net._graph is None:
        table = data.x if is_lazy(data.x) else as_rows(data.x)
        net._check_columns(math.prod(table.shape[1:]))
    assert net._graph is not None
    inputs = tuple((node.name, node.shape) for node in net._graph.inputs)
    return inputs, net.outputs, net.dtype, net.feature_names, net.class_names


def _check_takes(net: Compiled, rows: Any) -> None:
    """Raise ValueError where the layers cannot take rows whose numbers have been checked."""
    if not isinstance(rows, LazyRows):
        net._built_core().check_takes(core_rows(rows), finite=False)


def _targets(
    net: Compiled, y: object, loss: Loss, outputs: int, name: str = "y", *, sparse: bool
) -> Rows:
    """Return the targets of an output as the core reads them."""
    single = net.dtype == "float32"
    prepare = prepare_sparse_targets if sparse else prepare_targets
    return prepare(loss._core, y, outputs, single=single, name=name)


def _several(
    net: Compiled,
    x: object,
    y: object,
    loss: Any,
    sample_weight: object,
    class_weight: Any,
    learn_names: bool,
) -> CheckedData:
    """Return the data of a network of several inputs or outputs."""
    rows = net._as_rows(x)
    assert net._graph is not None
    net._built_core().check_loss(loss._core, loss_weights_of(loss))
    names = net._graph.outputs
    if isinstance(loss, OutputLosses):
        targets: Any = _targets_of_outputs(net, y, loss)
        for name, part in zip(names, targets.parts, strict=True):
            check_same_length(rows, part, names=("x", f"y[{name!r}]"))
    else:
        if compares_classes(loss, net.outputs):
            y = net._labels(y, learn=learn_names)
        targets = _targets(net, y, loss, net.outputs, sparse=is_sparse(y))
        check_same_length(rows, targets)
    weights = None if sample_weight is None else as_weights(sample_weight, rows=len(rows))
    return _weighed(net, CheckedData(rows, targets, weights, None), class_weight, loss)


def _by_label(weights: Any, class_names: tuple[str, ...] | None) -> Any:
    """Return class weights by label, of those by the names of classes."""
    named = isinstance(weights, Mapping) and any(isinstance(key, str) for key in weights)
    if not named or class_names is None:
        return weights
    unknown = [key for key in weights if key not in class_names]
    if unknown:
        raise ValueError(
            f"class_weight has the unknown class{'es' * (len(unknown) > 1)} {listed(unknown)}; the "
            f"network's class_names are {listed(class_names)}"
        )
    return {class_names.index(key): weight for key, weight in weights.items()}


def prepare_validation(
    net: Compiled,
    given: Any,
    loss: Any,
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
        return make_dataset(net, given[0], given[1], loss, weight)
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
    y = data.first(_ROWS_TO_LOOK_AT).y
    sample = np.asarray(y if isinstance(y, np.ndarray) else stored(y)[0], dtype=np.float64)
    mean, deviation = abs(float(sample.mean())), float(sample.std())
    if max(mean, deviation) < _FAR and (deviation == 0 or max(mean, deviation) > 1 / _FAR):
        return
    warnings.warn(
        f"y is far from unit scale (mean {sample.mean():.3g}, standard deviation {deviation:.3g}), "
        "which training may not reach. Normalization of targets is yours: fit to "
        "(y - y.mean()) / y.std(), and predict by net.predict(x) * y.std() + y.mean()",
        stacklevel=5,
    )
