# SPDX-License-Identifier: Apache-2.0
"""What PyTorch's modules and functions are here."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.assembly import Assembly, Tensor
from chainrule.interop.merges import MERGES
from chainrule.interop.onnx_constants import reshaped
from chainrule.interop.torch_modules import module_of, scaling
from chainrule.interop.torch_windows import WINDOW_MODULES, window_module
from chainrule.layers import (
    BatchNormalization,
    Dot,
    Dropout,
    Embedding,
    Layer,
    LayerNormalization,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    PReLU,
    RepeatVector,
)

__all__ = ["BATCH_NORM_AXES", "as_module", "call_merge", "input_columns", "merge_of", "row_of"]

Array = NDArray[Any]


class Row(NamedTuple):
    """What a module is here: a function that adds it, and one that says why it cannot be.

    It reads so many `inputs`.
    """

    read: Callable[..., Tensor]  # (assembly, *tensors, module)
    objection: Callable[[Any], str | None] = lambda module: None
    inputs: int = 1


def _array(tensor: Any) -> Array:
    values = tensor.detach().cpu()
    # bfloat16, which NumPy lacks, and float16 become float32.
    values = values if str(values.dtype) in ("torch.float32", "torch.float64") else values.float()
    array: Array = values.numpy()
    return array


def _linear(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if module.in_features != x.columns:
        raise ValueError(f"takes {module.in_features} columns, {x.columns} come in")
    bias = None if module.bias is None else _array(module.bias)
    return assembly.dense(x, _array(module.weight).T, bias)


def _norm(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    tensors = {"gamma": module.weight, "beta": getattr(module, "bias", None)}
    arrays = {name: _array(tensor) for name, tensor in tensors.items() if tensor is not None}
    options = {"epsilon": module.eps, "center": "beta" in arrays, "scale": "gamma" in arrays}
    if hasattr(module, "normalized_shape"):
        return assembly.layer(LayerNormalization(**options), arrays, x)
    if len(x.shape) + 1 not in BATCH_NORM_AXES[type(module).__name__[:11]]:
        raise ValueError(f"takes no rows of shape {x.shape}")
    arrays["running_mean"] = _array(module.running_mean)
    arrays["running_variance"] = _array(module.running_var)
    # Without one PyTorch averages over all batches.
    momentum = 0.9 if module.momentum is None else round(1.0 - module.momentum, 12)
    layer = BatchNormalization(momentum=momentum, **options)
    # Its channels are the axis behind that of the rows.
    return assembly.over_axis(x, 0, lambda x: assembly.layer(layer, arrays, x))


def _prelu(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    # One slope may be for all channels, which are the axis behind that of the rows.
    slope = np.broadcast_to(_array(module.weight), x.shape[:1])
    return assembly.over_axis(x, 0, lambda x: assembly.layer(PReLU(), {"slope": slope}, x))


def _parametric_activation(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    name = _inner(module)
    inner: Any = "linear"
    if name != "Identity":
        inner = _ACTIVATIONS[name].from_torch(module.activation)
    layer = ParametricActivation(inner)
    return assembly.layer(layer, {"alpha": _array(module.alpha)}, x)


def _unknown_activation(module: Any) -> str | None:
    name = _inner(module)
    if name == "Identity":
        return None
    if name not in _ACTIVATIONS or name == "Softmax":
        return f"its activation is {name}"
    return _ACTIVATIONS[name].torch_objection(module.activation)


def _inner(module: Any) -> str:
    return type(module.activation).__name__


def _periodic_embedding(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    arrays = {name: _array(tensor) for name, tensor in module.named_parameters()}
    columns, units, frequencies = arrays["weight"].shape
    if columns != x.columns:
        raise ValueError(f"takes {columns} columns, {x.columns} come in")
    return assembly.layer(PeriodicEmbedding(units=units, frequencies=frequencies), arrays, x)


def _piecewise_linear_embedding(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    arrays = {name: _array(tensor) for name, tensor in module.state_dict().items()}
    columns, units, bins = arrays["weight"].shape
    if columns != x.columns:
        raise ValueError(f"takes {columns} columns, {x.columns} come in")
    return assembly.layer(PiecewiseLinearEmbedding(units=units, bins=bins), arrays, x)


def _categories(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if module.in_features != x.columns or len(x.shape) > 1:
        raise ValueError(f"takes rows of {module.in_features} columns, {x.shape} come in")
    arrays = {name.split(".")[-1]: _array(tensor) for name, tensor in module.named_parameters()}
    return assembly.layer(Layer.from_config({**module.layer.config, "name": None}), arrays, x)


def _embedding(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if len(x.shape) > 1:
        raise ValueError(f"reads categories in rows of shape {x.shape}")
    layer = Embedding(module.num_embeddings, module.embedding_dim)
    made = assembly.layer(layer, {"weight": _array(module.weight)}, x)
    return assembly.reshape(made, (x.columns, module.embedding_dim))


def _rows_changed(module: Any) -> str | None:
    return "it changes its rows by max_norm" if module.max_norm is not None else None


def _scaling(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    return assembly.affine(x, *(_array(a).astype(float) for a in (module.scale, module.offset)))


def _clip(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    ends = {"min_value": float(module.min_val), "max_value": float(module.max_val)}
    options = {name: end for name, end in ends.items() if np.isfinite(end)}
    return assembly.layer(Layer.from_config({"kind": "clip", **options}), {}, x)


def _same(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    return x


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
    return assembly.take(x, len(x.shape) - 1, module.columns.cpu().numpy())


def _repeat(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    if math.prod(x.shape) != x.columns:
        raise ValueError(f"repeats rows of shape {x.shape}")
    return assembly.layer(RepeatVector(module.n), {}, assembly.reshape(x, (x.columns,)))


def _pool(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    return assembly.pool(x, range(len(x.shape) - 1), False)


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


def _dot(assembly: Assembly, a: Tensor, b: Tensor, module: Any) -> Tensor:
    return assembly.layer(Dot(), {}, a, b)


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
_ACTIVATIONS = {owner.torch_module: owner for owner in Activation.of_kinds() if owner.torch_module}
_MODULES = {
    "BatchNorm1d": Row(_norm, _no_statistics),
    "BatchNorm2d": Row(_norm, _no_statistics),
    "BatchNorm3d": Row(_norm, _no_statistics),
    "CategoryEmbedding": Row(_categories),
    "CategoryEncoding": Row(_categories),
    "Dot": Row(_dot, inputs=2),
    "Dropout": Row(lambda assembly, x, module: assembly.layer(Dropout(module.p), {}, x)),
    "Embedding": Row(_embedding, _rows_changed),
    "Flatten": Row(_flatten, _rows_joined),
    "GlobalAveragePooling": Row(_pool),
    "Hardtanh": Row(_clip),
    "Identity": Row(_same),
    "LayerNorm": Row(_norm, _several_axes),
    "Linear": Row(_linear),
    "Mean": Row(_mean),
    "PReLU": Row(_prelu),
    "ParametricActivation": Row(_parametric_activation, _unknown_activation),
    "PeriodicEmbedding": Row(_periodic_embedding),
    "Permute": Row(_permute),
    "PiecewiseLinearEmbedding": Row(_piecewise_linear_embedding),
    "RepeatVector": Row(_repeat),
    "Reshape": Row(_reshape),
    "Scaling": Row(_scaling),
    "Take": Row(_take),
    "Transpose": Row(_transpose),
    "Unflatten": Row(_unflatten),
} | {name: _activation(owner) for name, owner in _ACTIVATIONS.items()}
_MODULES |= {name: Row(*functions) for name, functions in WINDOW_MODULES.items()}
_MODULES["Softmax"] = Row(_softmax, _over_rows)
# Functions that are a module, with their underscores left out.
_FUNCTIONS = {name.lower(): name for name in _ACTIVATIONS}
# Layers of several tensors, by the function.
_MERGES = {merge.torch_function: kind for kind, merge in MERGES.items() if not merge.mean}


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


def as_module(
    function: str, arguments: Sequence[Any], options: Mapping[str, Any], tensors: Container[Any]
) -> Any:
    """Return the module that a function or method of one tensor is, or None."""
    from torch import nn

    name = function.strip("_")
    given = {k: v for k, v in options.items() if v is not None and not k.startswith("_")}
    if sum(each in tensors for each in (*arguments, *options.values())) != 1:
        return None
    if name.replace("_", "") in _FUNCTIONS and arguments:
        return getattr(nn, _FUNCTIONS[name.replace("_", "")])(*arguments[1:], **given)
    if name == "clamp":
        ends = dict(zip(("min", "max"), arguments[1:], strict=False)) | dict(options)
        low, high = ends.get("min"), ends.get("max")
        return nn.Hardtanh(-np.inf if low is None else low, np.inf if high is None else high)
    if name == "dropout" and given.get("training") is False:
        return nn.Dropout(given.get("p", 0.5))
    shaping = _shaping(name, arguments, given) or window_module(name, arguments, given)
    if shaping is not None:
        return shaping
    first, second = [*arguments, None, None][:2]
    number = second if first in tensors else first
    if name == "long" and len(arguments) == 1:  # of categories; the check finds others
        return nn.Identity()
    if name == "neg":
        return scaling(-1.0, 0.0)
    if not isinstance(number, int | float):
        return None
    if name in ("mul", "truediv", "div") and (name == "mul" or first in tensors):
        return scaling(number if name == "mul" else 1.0 / number, 0.0)
    if name in ("add", "sub") and not given:
        left = first not in tensors
        sign = -1.0 if name == "sub" else 1.0
        return scaling(sign if left else 1.0, number if left else sign * number)
    return None


def _shaping(name: str, arguments: Sequence[Any], given: Mapping[str, Any]) -> Any:
    """Return the module that a function is which only moves numbers or takes their mean."""
    from torch import nn

    numbers: list[Any] = []
    for each in arguments[1:]:
        numbers += each if isinstance(each, list | tuple) else [each]
    if name == "flatten":
        ends = dict(zip(("start_dim", "end_dim"), numbers, strict=False)) | dict(given)
        return nn.Flatten(ends.get("start_dim", 0), ends.get("end_dim", -1))
    if name in ("reshape", "view") and all(isinstance(n, int) for n in numbers[1:]):
        return module_of("Reshape", numbers[1:]) if numbers[1:] else None
    if name in ("transpose", "swapaxes") and len(numbers) == 2:
        return module_of("Transpose", numbers)
    if name == "mean" and (numbers or "dim" in given):
        dims = numbers[:-1] if numbers and isinstance(numbers[-1], bool) else numbers
        dims = dims or np.atleast_1d(given["dim"]).tolist()
        return module_of("Mean", dims, bool(given.get("keepdim", len(dims) < len(numbers))))
    if name == "permute" and numbers[:1] == [0]:
        return module_of("Permute", numbers[1:])
    if name == "unsqueeze" and len(numbers) == 1 and numbers[0]:
        last = numbers[0] == -1
        return nn.Unflatten(numbers[0], (-1, 1) if last else (1, -1))
    if name in ("expand", "repeat") and len(numbers) == 3 and numbers[0] in (1, -1):
        return module_of("RepeatVector", numbers[1]) if numbers[2] in (1, -1) else None
    return None


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
