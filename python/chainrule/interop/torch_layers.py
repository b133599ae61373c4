# SPDX-License-Identifier: Apache-2.0
"""What PyTorch's modules and functions are here."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.assembly import Assembly
from chainrule.interop.merges import MERGES
from chainrule.interop.onnx_constants import reshaped
from chainrule.interop.parts import (
    add_embedding,
    add_encoding,
    columns_of_input,
    indexed,
    taken,
)
from chainrule.interop.recurrence import step_of
from chainrule.interop.tensor import Tensor
from chainrule.interop.torch_modules import array_of
from chainrule.interop.torch_recurrence import RECURRENT_MODULES
from chainrule.interop.torch_windows import WINDOW_MODULES
from chainrule.layers import (
    BatchNormalization,
    Dot,
    Dropout,
    Layer,
    LayerNormalization,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    PReLU,
    RepeatVector,
)

__all__ = ["ACTIVATIONS", "BATCH_NORM_AXES", "call_merge", "input_columns", "merge_of", "row_of"]

Array = NDArray[Any]


class Row(NamedTuple):
    """What a module is here: a function that adds it, and one that says why it cannot be.

    It reads up to so many `inputs`, None for any number, and gives a tensor, or one for each output
    of the call.
    """

    read: Callable[..., Tensor | list[Tensor]]  # (assembly, *tensors, module)
    objection: Callable[[Any], str | None] = lambda module: None
    inputs: int | None = 1


def _linear(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if module.in_features != x.columns:
        raise ValueError(f"takes {module.in_features} columns, {x.columns} come in")
    bias = None if module.bias is None else array_of(module.bias)
    return assembly.dense(x, array_of(module.weight).T, bias)


def _norm(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    tensors = {"gamma": module.weight, "beta": getattr(module, "bias", None)}
    arrays = {name: array_of(tensor) for name, tensor in tensors.items() if tensor is not None}
    options = {"epsilon": module.eps, "center": "beta" in arrays, "scale": "gamma" in arrays}
    if hasattr(module, "normalized_shape"):
        return assembly.layer(LayerNormalization(**options), arrays, x)
    if len(x.shape) + 1 not in BATCH_NORM_AXES[type(module).__name__[:11]]:
        raise ValueError(f"takes no rows of shape {x.shape}")
    arrays["running_mean"] = array_of(module.running_mean)
    arrays["running_variance"] = array_of(module.running_var)
    # Without one PyTorch averages over all batches.
    momentum = 0.9 if module.momentum is None else round(1.0 - module.momentum, 12)
    layer = BatchNormalization(momentum=momentum, **options)
    # Its channels are the axis behind that of the rows.
    return assembly.over_axis(x, 0, lambda x: assembly.layer(layer, arrays, x))


def _prelu(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    # One slope may be for all channels, which are the axis behind that of the rows.
    slope = np.broadcast_to(array_of(module.weight), x.shape[:1])
    return assembly.over_axis(x, 0, lambda x: assembly.layer(PReLU(), {"slope": slope}, x))


def _parametric_activation(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    name = _inner(module)
    inner: Any = "linear"
    if name != "Identity":
        inner = ACTIVATIONS[name].from_torch(module.activation)
    layer = ParametricActivation(inner)
    return assembly.layer(layer, {"alpha": array_of(module.alpha)}, x)


def _unknown_activation(module: Any) -> str | None:
    name = _inner(module)
    if name == "Identity":
        return None
    if name not in ACTIVATIONS or name == "Softmax":
        return f"its activation is {name}"
    return ACTIVATIONS[name].torch_objection(module.activation)


def _inner(module: Any) -> str:
    return type(module.activation).__name__


def _periodic_embedding(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    arrays = {name: array_of(tensor) for name, tensor in module.named_parameters()}
    columns, units, frequencies = arrays["weight"].shape
    if columns != x.columns:
        raise ValueError(f"takes {columns} columns, {x.columns} come in")
    return assembly.layer(PeriodicEmbedding(units=units, frequencies=frequencies), arrays, x)


def _piecewise_linear_embedding(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    arrays = {name: array_of(tensor) for name, tensor in module.state_dict().items()}
    columns, units, bins = arrays["weight"].shape
    if columns != x.columns:
        raise ValueError(f"takes {columns} columns, {x.columns} come in")
    return assembly.layer(PiecewiseLinearEmbedding(units=units, bins=bins), arrays, x)


def _categories(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if module.in_features != x.columns or len(x.shape) > 1:
        raise ValueError(f"takes rows of {module.in_features} columns, {x.shape} come in")
    arrays = {name.split(".")[-1]: array_of(tensor) for name, tensor in module.named_parameters()}
    return assembly.layer(Layer.from_config({**module.layer.config, "name": None}), arrays, x)


def _embedding(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    made = add_embedding(assembly, *columns_of_input(assembly, x), array_of(module.weight))
    return assembly.reshape(made, (*x.shape, module.embedding_dim))


def _one_hot(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    codes = range(module.num_classes)
    made = add_encoding(assembly, *columns_of_input(assembly, x), codes, "error")
    return assembly.reshape(made, (*x.shape, module.num_classes))


def _no_count(module: Any) -> str | None:
    if module.num_classes > 0:
        return None
    return "one_hot makes as many columns as a batch has categories, unless it has num_classes"


def _rows_changed(module: Any) -> str | None:
    return "it changes its rows by max_norm" if module.max_norm is not None else None


def _scaling(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    return assembly.affine(x, *(array_of(a).astype(float) for a in (module.scale, module.offset)))


def _clip(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    ends = {"min_value": float(module.min_val), "max_value": float(module.max_val)}
    options = {name: end for name, end in ends.items() if np.isfinite(end)}
    return assembly.layer(Layer.from_config({"kind": "clip", **options}), {}, x)


def _dropout(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    dropout = partial(assembly.layer, Dropout(module.p), {})
    return assembly.elementwise(x, dropout)


def _channel_dropout(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if len(x.shape) != int(_class_of(module)[-2]) + 1:
        raise ValueError(f"drops no channels of rows of shape {x.shape}")
    dropout = partial(assembly.layer, Dropout(module.p, per_channel=True), {})
    return assembly.over_positions(x, dropout)


def _flatten(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    rank = len(x.shape) + 1
    first, last = (axis + rank * (axis < 0) for axis in (module.start_dim, module.end_dim))
    if not 1 <= first <= last < rank:
        raise ValueError(f"joins axes {first} to {last} of rows of shape {x.shape}")
    joined = math.prod(x.shape[first - 1 : last])
    return assembly.reshape(x, (*x.shape[: first - 1], joined, *x.shape[last:]))


def _unflatten(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    rank = len(x.shape) + 1
    axis = module.dim + rank * (module.dim < 0)
    if not 1 <= axis < rank:
        raise ValueError(f"has no axis {module.dim} in rows of shape {x.shape}")
    made = reshaped((-1, *module.unflattened_size), x.shape[axis - 1 : axis], False)
    if made is None:
        raise ValueError(f"makes {tuple(module.unflattened_size)} of {x.shape[axis - 1]}")
    return assembly.reshape(x, (*x.shape[: axis - 1], *made, *x.shape[axis:]))


def _permute(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if sorted(module.dims) != [*range(1, len(x.shape) + 1)]:
        raise ValueError(f"takes axes {module.dims} of rows of shape {x.shape}")
    return assembly.permute(x, module.dims)


def _take(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    return taken(assembly, x, len(x.shape) - 1, module.columns.cpu().numpy())


def _step(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if len(x.shape) != 2:
        raise ValueError(f"takes a position of rows of shape {x.shape}")
    return step_of(assembly, x, module.place)


def _repeat(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if math.prod(x.shape) != x.columns:
        raise ValueError(f"repeats rows of shape {x.shape}")
    return assembly.layer(RepeatVector(module.n), {}, assembly.reshape(x, (x.columns,)))


def _mean(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    rank = len(x.shape) + 1
    axes = [axis + rank * (axis < 0) - 1 for axis in module.axes]
    if not all(0 <= axis < rank - 1 for axis in axes):
        raise ValueError(f"takes the mean over axes {module.axes} of rows of shape {x.shape}")
    return assembly.pool(x, axes, module.keepdim)


def _reshape(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    made = reshaped((-1, *module.shape), x.shape, True)
    if made is None:
        raise ValueError(f"makes {module.shape} of rows of shape {x.shape}")
    return assembly.reshape(x, made)


def _transpose(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    rank = len(x.shape) + 1
    dims = [*range(1, rank)]
    first, second = (axis + rank * (axis < 0) - 1 for axis in module.axes)
    if not (0 <= first < rank - 1 and 0 <= second < rank - 1):
        raise ValueError(f"swaps axes {module.axes} of rows of shape {x.shape}")
    dims[first], dims[second] = dims[second], dims[first]
    return assembly.permute(x, dims)


def _softmax(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    axis = module.dim - 1 if module.dim > 0 else module.dim + len(x.shape)
    if not 0 <= axis < len(x.shape):
        raise ValueError(f"has no axis {module.dim} in rows of shape {x.shape}")
    softmax = Activation.get("softmax")
    return assembly.over_axis(x, axis, lambda x: assembly.activation(x, softmax))


def _over_rows(module: Any) -> str | None:
    return None if module.dim else "it is not over an axis of the rows"


def _no_statistics(module: Any) -> str | None:
    return "it has no running statistics" if module.running_mean is None else None


def _several_axes(module: Any) -> str | None:
    return "it normalises more than one axis" if len(module.normalized_shape) != 1 else None


def _rows_joined(module: Any) -> str | None:
    return "it joins rows" if module.start_dim == 0 else None


def _activation(owner: type[Activation]) -> Row:
    return Row(
        lambda assembly, x, module: assembly.activation(x, owner.from_torch(module)),
        owner.torch_objection,
    )


BATCH_NORM_AXES = {"BatchNorm1d": (2, 3), "BatchNorm2d": (4,), "BatchNorm3d": (5,)}
"""How many axes batches may have."""
ACTIVATIONS = {owner.torch_module: owner for owner in Activation.of_kinds() if owner.torch_module}
"""Activations by the names of their modules."""
_MODULES = {
    "BatchNorm1d": Row(_norm, _no_statistics),
    "BatchNorm2d": Row(_norm, _no_statistics),
    "BatchNorm3d": Row(_norm, _no_statistics),
    "CategoryEmbedding": Row(_categories),
    "CategoryEncoding": Row(_categories),
    "Dot": Row(lambda assembly, a, b, module: assembly.layer(Dot(), {}, a, b), inputs=2),
    "Dropout": Row(_dropout),
    "Dropout1d": Row(_channel_dropout),
    "Dropout2d": Row(_channel_dropout),
    "Dropout3d": Row(_channel_dropout),
    "Embedding": Row(_embedding, _rows_changed),
    "Flatten": Row(_flatten, _rows_joined),
    "GlobalAveragePooling": Row(
        lambda assembly, x, module: assembly.pool(x, range(len(x.shape) - 1), False)
    ),
    "Hardtanh": Row(_clip),
    "Identity": Row(lambda assembly, x, module: x),
    "Index": Row(lambda assembly, x, module: indexed(assembly, x, module.index)),
    "LayerNorm": Row(_norm, _several_axes),
    "Linear": Row(_linear),
    "Mean": Row(_mean),
    "OneHot": Row(_one_hot, _no_count),
    "PReLU": Row(_prelu),
    "ParametricActivation": Row(_parametric_activation, _unknown_activation),
    "PeriodicEmbedding": Row(_periodic_embedding),
    "Permute": Row(_permute),
    "PiecewiseLinearEmbedding": Row(_piecewise_linear_embedding),
    "RepeatVector": Row(_repeat),
    "Reshape": Row(_reshape),
    "Scaling": Row(_scaling),
    "Step": Row(_step),
    "Take": Row(_take),
    "Transpose": Row(_transpose),
    "Unflatten": Row(_unflatten),
} | {name: _activation(owner) for name, owner in ACTIVATIONS.items()}
_MODULES |= {name: Row(*row) for name, row in (WINDOW_MODULES | RECURRENT_MODULES).items()}
_MODULES["Softmax"] = Row(_softmax, _over_rows)
_OF_POSITIONS = {name for name in WINDOW_MODULES if name[:4] == "Conv"} | RECURRENT_MODULES.keys()
# Layers of several tensors, by the function.
_MERGES = {merge.torch_function: kind for kind, merge in MERGES.items() if not merge.mean}


def _class_of(module: Any) -> str:
    """Return the class of _MODULES that a module is of, or of one derived from it."""
    names = (base.__name__ for base in type(module).__mro__)
    return next(name for name in names if name in _MODULES)


def row_of(module: Any) -> Row | None:
    """Return the row of a module, if its class does what the known one does."""
    bases: tuple[Any, ...] = type(module).__mro__
    for base in bases:
        if base.__name__ in _MODULES and base.__module__.startswith(("torch.nn.", "chainrule.")):
            changed = bases[0].forward is not base.forward or "forward" in vars(module)
            return None if changed else _MODULES[base.__name__]
    return None


def merge_of(function: str) -> str | None:
    """Return the kind of the layer that a function of several tensors is."""
    return _MERGES.get(function)


def call_merge(kind: str, *tensors: Any) -> Any:
    """Return what a function makes of tensors, or of what stands for some, two after two."""
    import torch

    function = getattr(torch, MERGES[kind].torch_function)
    return function([*tensors], -1) if kind == "concatenate" else reduce(function, tensors)


def tells_no_extents(module: Any) -> bool:
    """Whether a module reads rows of several axes, of which it may tell the columns alone."""
    return isinstance(row_of(module), Row) and type(module).__name__ in _OF_POSITIONS


def input_columns(module: Any) -> int | None:
    """Return how many columns a module reads, if it tells."""
    for name in ("in_features", "num_features"):
        if hasattr(module, name):
            return int(getattr(module, name))
    if hasattr(module, "normalized_shape"):
        return int(module.normalized_shape[0])
    if type(module).__name__ == "PeriodicEmbedding" and hasattr(module, "frequency"):
        return len(module.frequency)
    if type(module).__name__ == "PiecewiseLinearEmbedding" and hasattr(module, "edges"):
        return len(module.edges)
    scale: Any = getattr(module, "scale", None)
    return len(scale) if getattr(scale, "ndim", 0) else None
