# SPDX-License-Identifier: Apache-2.0
"""Networks from and to PyTorch modules."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import activations
from chainrule.interop.affine import affine_of
from chainrule.interop.assembly import Assembly
from chainrule.interop.nodes import nodes_of, refuse_missing
from chainrule.interop.torch_check import Leaf, check_export, check_outputs, evaluation_copy
from chainrule.layers import BatchNormalization, Dropout, LayerNormalization, PReLU

if TYPE_CHECKING:
    import torch

    from chainrule.network.sequential import Sequential

__all__ = ["from_torch", "to_torch"]

# Layers that `to_torch` knows.
_KINDS = (
    "activation",
    "batch_normalization",
    "dense",
    "dropout",
    "layer_normalization",
    "normalization",
    "prelu",
    "rescaling",
)


def from_torch(module: torch.nn.Module) -> Sequential:
    """Return a network with copies of a PyTorch module's weights.

    Parameters
    ----------
    module : torch.nn.Module
        A `torch.nn.Sequential`, or a module whose children, applied in the order in which they
        were made, are what it computes. Known are Linear, BatchNorm1d, LayerNorm, Dropout, Flatten,
        Identity, the activations that the library has, and
        `chainrule.interop.torch_modules.Scaling`. Weights under a parametrisation, such as
        `torch.nn.utils.parametrizations.weight_norm`, are taken as they are in evaluation mode.

        Whether this is all that the module does is checked on random rows, for which a copy of it
        runs in evaluation mode. The module itself stays as it is; but hooks on it, which the copy
        has too, are called.

    Returns
    -------
    Sequential
        Of the weights' dtype. Its `predict` gives what the module in evaluation mode does, up to
        rounding. It has no loss yet.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If `module` is no module.
    ValueError
        If it has modules that are not supported, all of which the text lists with the reasons; if
        shapes do not fit together; or if it computes something else than its children in order:
        the text names the innermost module that does.

    Warns
    -----
    UserWarning
        If modules share a parameter, of which each layer of the network gets a copy of its own.
    """
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    unsupported = [
        f"{leaf}: {reason}" for leaf in walk(module) if (reason := _objection(leaf.module))
    ]
    if unsupported:
        listed = "".join(f"\n  {text}" for text in unsupported)
        raise ValueError(f"these modules are not supported:{listed}")
    copied = evaluation_copy(module)
    leaves = walk(copied)
    inputs = _inputs(leaves)
    _refresh(copied, leaves, inputs)
    net = _network(leaves, _dtype(copied), inputs)
    check_outputs(copied, walk, net, _network)
    _warn_of_ties(module)
    return net


def to_torch(net: Sequential) -> torch.nn.Sequential:
    """Return a `torch.nn.Sequential` with copies of the weights, in evaluation mode.

    Its outputs are those of `predict`, which is checked on random rows. Penalties of the
    weights are not part of it, and what PyTorch lacks, `Rescaling` and `Normalization`,
    becomes a `chainrule.interop.torch_modules.Scaling`.

    Parameters
    ----------
    net : Sequential
        A built network.

    Returns
    -------
    torch.nn.Sequential
        Of the network's dtype.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    ValueError
        If a layer has no form in PyTorch.
    chainrule.ExportError
        If the module's outputs differ from the network's.
    RuntimeError
        If the number of inputs is not known yet.
    """
    library = _torch()
    columns = built_core(net).inputs
    dtype = getattr(library, net.dtype)
    refuse_missing(net, _KINDS, "PyTorch")
    modules: list[Any] = []
    # New modules draw weights, which are then overwritten.
    with library.random.fork_rng(devices=[]):
        for index, layer in enumerate(net.layers):
            arrays = layer_arrays(net, index)
            modules += _torch_modules(layer, arrays, columns, net.dtype)
            columns = layer.outputs(columns)
    module: torch.nn.Sequential = library.nn.Sequential(*modules).to(dtype).eval()
    check_export(module, net)
    return module


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("PyTorch is not installed: pip install torch") from error
    return torch


def walk(module: Any, name: str = "") -> list[Leaf]:
    """Return the modules that are layers, in the order in which they were made.

    A module that is there twice comes twice.
    """
    children = [(child, part) for child, part in module._modules.items() if part is not None]
    if type(module) is _torch().nn.Sequential and not children:
        return []
    if not children or _kind(module) is not None:
        return [Leaf(name, module)]
    prefix = f"{name}." if name else ""
    return [leaf for child, part in children for leaf in walk(part, prefix + child)]


def _kind(module: Any) -> str | None:
    """Return which of the known modules it is, if its class does what that does."""
    bases: tuple[Any, ...] = type(module).__mro__
    for base in bases:
        if base.__name__ in _MODULES and base.__module__.startswith(("torch.nn.", "chainrule.")):
            return base.__name__ if type(module).forward is base.forward else None
    return None


def _network(leaves: Sequence[Leaf], dtype: str, inputs: int) -> Sequential:
    """Return the network of layers in order."""
    assembly = Assembly(inputs, dtype)
    for leaf in leaves:
        try:
            _MODULES[_kind(leaf.module) or ""](assembly, leaf.module)
        except ValueError as error:
            raise ValueError(f"{leaf}: {error}") from error
    return assembly.network()


def _refresh(module: Any, leaves: Sequence[Leaf], inputs: int) -> None:
    """Bring weights up to date that older parametrisations work out as the module is called."""
    torch = _torch()
    if not any("weight" in vars(leaf.module) for leaf in leaves):
        return
    # Where that fails the check tells why.
    with contextlib.suppress(Exception), torch.no_grad(), torch.random.fork_rng(devices=[]):
        module(torch.zeros(1, inputs, dtype=next(module.parameters()).dtype))


def _warn_of_ties(module: Any) -> None:
    sharing: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if parameter.numel():
            sharing.setdefault(parameter.data_ptr(), []).append(name)
    ties = [" and ".join(names) for names in sharing.values() if len(names) > 1]
    if ties:
        warnings.warn(
            f"the module shares parameters ({'; '.join(ties)}), of which the network has copies: "
            "its training will change them apart",
            stacklevel=3,
        )


def _objection(leaf: Any) -> str | None:
    """Return why a module is not supported, or None."""
    kind = _kind(leaf)
    if kind is None:
        return "there is no such layer"
    if kind == "BatchNorm1d" and leaf.running_mean is None:
        return "it has no running statistics"
    if kind == "LayerNorm" and len(leaf.normalized_shape) != 1:
        return "it normalises more than one axis"
    if kind == "Flatten" and (leaf.start_dim, leaf.end_dim) != (1, -1):
        return "it keeps axes other than that of the rows"
    owner = _ACTIVATIONS.get(kind)
    return None if owner is None else owner.torch_objection(leaf)


def _inputs(leaves: Sequence[Leaf]) -> int:
    for _, leaf in leaves:
        for name in ("in_features", "num_features"):
            if hasattr(leaf, name):
                return int(getattr(leaf, name))
        if hasattr(leaf, "normalized_shape"):
            return int(leaf.normalized_shape[0])
        if _kind(leaf) == "Scaling" and leaf.scale.ndim:
            return len(leaf.scale)
    raise ValueError("no module tells the number of inputs")


def _dtype(module: Any) -> str:
    double = any(str(tensor.dtype) == "torch.float64" for tensor in module.state_dict().values())
    return "float64" if double else "float32"


def _array(tensor: Any) -> NDArray[Any]:
    values = tensor.detach().cpu()
    # bfloat16, which NumPy lacks, and float16 become float32.
    values = values if str(values.dtype) in ("torch.float32", "torch.float64") else values.float()
    array: NDArray[Any] = values.numpy()
    return array


def _add_linear(assembly: Assembly, leaf: Any) -> None:
    if leaf.in_features != assembly.columns:
        raise ValueError(f"takes {leaf.in_features} columns, {assembly.columns} come in")
    assembly.dense(_array(leaf.weight).T, None if leaf.bias is None else _array(leaf.bias))


def _gamma_and_beta(leaf: Any) -> dict[str, NDArray[Any]]:
    tensors = {"gamma": leaf.weight, "beta": getattr(leaf, "bias", None)}
    return {name: _array(tensor) for name, tensor in tensors.items() if tensor is not None}


def _add_batch_norm(assembly: Assembly, leaf: Any) -> None:
    arrays = _gamma_and_beta(leaf)
    arrays["running_mean"] = _array(leaf.running_mean)
    arrays["running_variance"] = _array(leaf.running_var)
    # Without one PyTorch averages over all batches.
    momentum = 0.9 if leaf.momentum is None else 1.0 - leaf.momentum
    layer = BatchNormalization(
        momentum=round(momentum, 12),
        epsilon=leaf.eps,
        center="beta" in arrays,
        scale="gamma" in arrays,
    )
    assembly.layer(layer, arrays)


def _add_layer_norm(assembly: Assembly, leaf: Any) -> None:
    arrays = _gamma_and_beta(leaf)
    layer = LayerNormalization(epsilon=leaf.eps, center="beta" in arrays, scale="gamma" in arrays)
    assembly.layer(layer, arrays)


def _add_scaling(assembly: Assembly, leaf: Any) -> None:
    assembly.affine(_array(leaf.scale).astype(float), _array(leaf.offset).astype(float))


def _add_prelu(assembly: Assembly, leaf: Any) -> None:
    # One slope may be for all columns.
    slope = np.broadcast_to(_array(leaf.weight), (assembly.columns,))
    assembly.layer(PReLU(), {"slope": slope})


def _activation(owner: type[activations.Activation]) -> Callable[[Assembly, Any], None]:
    return lambda assembly, leaf: assembly.activation(owner.from_torch(leaf))


_ACTIVATIONS = {owner.torch_module: owner for owner in activations.Activation.of_kinds()}
_MODULES: dict[str, Callable[[Assembly, Any], None]] = {
    "BatchNorm1d": _add_batch_norm,
    "Dropout": lambda assembly, leaf: assembly.layer(Dropout(leaf.p), {}),
    "Flatten": lambda assembly, leaf: None,
    "Identity": lambda assembly, leaf: None,
    "LayerNorm": _add_layer_norm,
    "Linear": _add_linear,
    "PReLU": _add_prelu,
    "Scaling": _add_scaling,
} | {name: _activation(owner) for name, owner in _ACTIVATIONS.items() if name}


def _torch_modules(
    layer: Any, arrays: dict[str, NDArray[Any]], columns: int, dtype: str
) -> list[Any]:
    nn = _torch().nn
    if layer.kind == "dense":
        linear = nn.Linear(columns, layer.units, bias=layer.use_bias)
        _fill(linear, weight=arrays["weight"].T, bias=arrays.get("bias"))
        return [linear, *_torch_activation(layer.activation)]
    if layer.kind == "activation":
        return _torch_activation(layer.activation)
    if layer.kind == "dropout":
        return [nn.Dropout(layer.rate)]
    if layer.kind == "prelu":
        prelu = nn.PReLU(columns)
        _fill(prelu, weight=arrays["slope"])
        return [prelu]
    affine = "gamma" in arrays or "beta" in arrays
    if layer.kind == "batch_normalization":
        norm = nn.BatchNorm1d(columns, layer.epsilon, 1.0 - layer.momentum, affine=affine)
        _fill(norm, running_mean=arrays["running_mean"], running_var=arrays["running_variance"])
    elif layer.kind == "layer_normalization":
        norm = nn.LayerNorm(columns, layer.epsilon, elementwise_affine=affine)
    else:
        return [_torch_scaling(layer, arrays, dtype)]
    _fill(norm, weight=arrays.get("gamma"), bias=arrays.get("beta"))
    return [norm]


def _torch_scaling(layer: Any, arrays: dict[str, NDArray[Any]], dtype: str) -> Any:
    from chainrule.interop.torch_modules import Scaling

    affine = affine_of(layer, arrays, dtype)
    assert affine is not None
    torch = _torch()
    scale, offset = (torch.tensor(a, dtype=getattr(torch, dtype)) for a in affine)
    return Scaling(scale, offset)


def _fill(module: Any, **arrays: NDArray[Any] | None) -> None:
    """Give tensors of a module new values, in double where the values are."""
    torch = _torch()
    for name, values in arrays.items():
        if values is not None:
            tensor = getattr(module, name)
            tensor.data = torch.from_numpy(np.array(values, order="C"))


def _torch_activation(activation: activations.Activation) -> list[Any]:
    if activation.kind == "linear":
        return []
    return [getattr(_torch().nn, activation.torch_module)(**activation.torch_arguments)]
