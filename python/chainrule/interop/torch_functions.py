# SPDX-License-Identifier: Apache-2.0
"""Functions of one tensor that PyTorch's modules call, as modules."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.interop.torch_layers import ACTIVATIONS
from chainrule.interop.torch_modules import module_of, scaling
from chainrule.interop.torch_windows import window_module

__all__ = ["as_module"]

# Functions that are a module, with their underscores left out.
_FUNCTIONS = {name.lower(): name for name in ACTIVATIONS}
_DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d")


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
    if name in _DROPOUTS and given.get("training") is False:
        return getattr(nn, name.capitalize())(given.get("p", 0.5))
    shaping = _shaping(name, arguments, given) or window_module(name, arguments, given)
    if shaping is not None:
        return shaping
    first, second = [*arguments, None, None][:2]
    number = second if first in tensors else first
    if _is_cast(name, [*arguments[1:], *given.values()]):
        return nn.Identity()
    if name == "one_hot":
        count = [*arguments[1:], given.get("num_classes", -1)][0]
        return module_of("OneHot", count) if isinstance(count, int) else None
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


def _is_cast(name: str, options: Sequence[Any]) -> bool:
    """Whether a method gives the same numbers as another type; if not, the check finds it."""
    import torch

    to_type = name == "to" and all(isinstance(each, torch.dtype) for each in options)
    return to_type or (name in ("double", "float", "long") and not options)


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
    if name == "unsqueeze" and len(numbers) == 1 and numbers[0] and not given:
        axis, every = numbers[0], slice(None)
        index = [every] * (axis - 1) if axis > 0 else [Ellipsis]
        return module_of("Index", [*index, None, *[every] * (-axis - 1)])
    if name in ("expand", "repeat") and len(numbers) == 3 and numbers[0] in (1, -1):
        return module_of("RepeatVector", numbers[1]) if numbers[2] in (1, -1) else None
    return None
