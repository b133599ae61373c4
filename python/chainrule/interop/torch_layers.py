# SPDX-License-Identifier: Apache-2.0
"""What PyTorch's modules and functions are here, and layers there."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.affine import affine_of
from chainrule.interop.assembly import Assembly, Tensor
from chainrule.interop.merges import MERGES
from chainrule.interop.nodes import NetworkNode
from chainrule.layers import BatchNormalization, Dropout, Layer, LayerNormalization, PReLU

__all__ = ["KINDS", "as_module", "call_merge", "input_columns", "merge_of", "modules_of", "row_of"]

Array = NDArray[Any]


class Row(NamedTuple):
    """What a module is here: a function that adds it, and one that says why it cannot be."""

    read: Callable[[Assembly, Tensor, Any], Tensor]
    objection: Callable[[Any], str | None] = lambda module: None


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
    arrays["running_mean"] = _array(module.running_mean)
    arrays["running_variance"] = _array(module.running_var)
    # Without one PyTorch averages over all batches.
    momentum = 0.9 if module.momentum is None else round(1.0 - module.momentum, 12)
    return assembly.layer(BatchNormalization(momentum=momentum, **options), arrays, x)


def _prelu(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    # One slope may be for all columns.
    slope = np.broadcast_to(_array(module.weight), (x.columns,))
    return assembly.layer(PReLU(), {"slope": slope}, x)


def _scaling(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    return assembly.affine(x, *(_array(a).astype(float) for a in (module.scale, module.offset)))


def _clip(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    ends = {"min_value": float(module.min_val), "max_value": float(module.max_val)}
    options = {name: end for name, end in ends.items() if np.isfinite(end)}
    return assembly.layer(Layer.from_config({"kind": "clip", **options}), {}, x)


def _same(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    return x


def _no_statistics(module: Any) -> str | None:
    return "it has no running statistics" if module.running_mean is None else None


def _several_axes(module: Any) -> str | None:
    return "it normalises more than one axis" if len(module.normalized_shape) != 1 else None


def _axes_kept(module: Any) -> str | None:
    whole = (module.start_dim, module.end_dim) == (1, -1)
    return None if whole else "it keeps axes other than that of the rows"


def _activation(owner: type[Activation]) -> Row:
    return Row(
        lambda assembly, x, module: assembly.activation(x, owner.from_torch(module)),
        owner.torch_objection,
    )


_ACTIVATIONS = {owner.torch_module: owner for owner in Activation.of_kinds() if owner.torch_module}
_MODULES = {
    "BatchNorm1d": Row(_norm, _no_statistics),
    "Dropout": Row(lambda assembly, x, module: assembly.layer(Dropout(module.p), {}, x)),
    "Flatten": Row(_same, _axes_kept),
    "Hardtanh": Row(_clip),
    "Identity": Row(_same),
    "LayerNorm": Row(_norm, _several_axes),
    "Linear": Row(_linear),
    "PReLU": Row(_prelu),
    "Scaling": Row(_scaling),
} | {name: _activation(owner) for name, owner in _ACTIVATIONS.items()}
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


def call_merge(kind: str, a: Any, b: Any) -> Any:
    """Return what a function makes of two tensors, or of two that stand for some."""
    import torch

    function = getattr(torch, MERGES[kind].torch_function)
    return function([a, b], 1) if kind == "concatenate" else function(a, b)


def as_module(
    function: str, arguments: Sequence[Any], options: Mapping[str, Any], tensors: Container[Any]
) -> Any:
    """Return the module that a function or method of one tensor is, or None."""
    from torch import nn

    from chainrule.interop.torch_modules import scaling

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
    if name == "flatten" and (list(arguments[1:]) == [1] or given.get("start_dim") == 1):
        return nn.Flatten()
    if name in ("reshape", "view") and len(arguments) == 3 and arguments[2] == -1:
        return nn.Flatten()
    first, second = [*arguments, None, None][:2]
    number = second if first in tensors else first
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


def input_columns(module: Any) -> int | None:
    """Return how many columns a module reads, if it tells."""
    for name in ("in_features", "num_features"):
        if hasattr(module, name):
            return int(getattr(module, name))
    if hasattr(module, "normalized_shape"):
        return int(module.normalized_shape[0])
    scale: Any = getattr(module, "scale", None)
    return len(scale) if getattr(scale, "ndim", 0) else None


def _dense_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    linear = nn.Linear(columns, node.columns, bias=node.layer.use_bias)
    _fill(linear, weight=node.arrays["weight"].T, bias=node.arrays.get("bias"))
    return [linear, *_activation_modules(nn, node, columns, dtype)]


def _activation_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    activation = node.layer.activation
    if activation.kind == "linear":
        return []
    return [getattr(nn, activation.torch_module)(**activation.torch_arguments)]


def _norm_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    layer, arrays = node.layer, node.arrays
    affine = "gamma" in arrays or "beta" in arrays
    if layer.kind == "batch_normalization":
        norm = nn.BatchNorm1d(columns, layer.epsilon, 1.0 - layer.momentum, affine=affine)
        _fill(norm, running_mean=arrays["running_mean"], running_var=arrays["running_variance"])
    else:
        norm = nn.LayerNorm(columns, layer.epsilon, elementwise_affine=affine)
    _fill(norm, weight=arrays.get("gamma"), bias=arrays.get("beta"))
    return [norm]


def _prelu_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    prelu = nn.PReLU(columns)
    _fill(prelu, weight=node.arrays["slope"])
    return [prelu]


def _dropout_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    return [nn.Dropout(node.layer.rate)]


def _clip_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    low, high = node.layer.min_value, node.layer.max_value
    return [nn.Hardtanh(-np.inf if low is None else low, np.inf if high is None else high)]


def _no_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    return []


def _scaling_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    from chainrule.interop.torch_modules import scaling

    affine = affine_of(node.layer, node.arrays, dtype)
    assert affine is not None
    return [scaling(*affine)]


def _fill(module: Any, **arrays: Array | None) -> None:
    """Give tensors of a module new values, in double where the values are."""
    import torch

    for name, values in arrays.items():
        if values is not None:
            getattr(module, name).data = torch.from_numpy(np.array(values, order="C"))


KINDS: Mapping[str, Callable[[Any, NetworkNode, int, str], list[Any]]] = {
    "activation": _activation_modules,
    "batch_normalization": _norm_modules,
    "clip": _clip_modules,
    "dense": _dense_modules,
    "dropout": _dropout_modules,
    "flatten": _no_modules,
    "gaussian_noise": _no_modules,
    "layer_normalization": _norm_modules,
    "normalization": _scaling_modules,
    "prelu": _prelu_modules,
    "rescaling": _scaling_modules,
    "scale": _scaling_modules,
}
"""The modules, one after the other, that a layer is which reads so many columns of a dtype."""


def modules_of(node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    """Return the modules, one after the other, that a node is."""
    from torch import nn

    return KINDS[node.layer.kind](nn, node, columns, dtype)
