# SPDX-License-Identifier: Apache-2.0
"""Layers over positions in PyTorch, whose channels are the axis behind that of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.interop.assembly import Assembly
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.tensor import Tensor
from chainrule.interop.torch_convolutions import (
    convolution_modules,
    convolution_objection,
    pad_module,
    read_convolution,
    read_transposed,
)
from chainrule.interop.torch_modules import channels_first
from chainrule.interop.windows import (
    Windows,
    borders_of,
    cropped,
    padded,
    per_axis,
    pooled,
    up_sampled,
    windows_of,
)
from chainrule.layers import GlobalMaxPooling

__all__ = ["WINDOW_KINDS", "WINDOW_MODULES", "window_module"]


def _pool_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    windows = windows_of(node.layer, node.reads[0], node.shape)
    largest = node.layer.kind == "max_pooling"
    # An odd number of places beyond the ends is one more behind, which windows reach by ceil_mode;
    # where they move by one, another window before them all is left out.
    odd = [w.behind > w.before for w in windows]
    dropped = [more and w.stride == 1 for more, w in zip(odd, windows, strict=True)]
    options = {
        "kernel_size": [w.size for w in windows],
        "stride": [w.stride for w in windows],
        "padding": [
            w.behind if more else w.before for w, more in zip(windows, dropped, strict=True)
        ],
        "ceil_mode": any(odd),
    }
    if not largest:
        options["count_include_pad"] = False
    pool = getattr(nn, f"{'Max' if largest else 'Avg'}Pool{len(windows)}d")(**options)
    return _between_transposes(nn, node, pool, [(-int(more), 0) for more in dropped])


def _between_transposes(
    nn: Any, node: NetworkNode, module: Any, borders: Sequence[tuple[int, int]]
) -> list[Any]:
    """Return a module between transposes, with a border behind it if there is one."""
    pad = [pad_module(nn, borders)] if any(map(any, borders)) else []
    modules = [*([] if module is None else [module]), *pad]
    return channels_first(modules, len(node.shape))


def _global_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    axes = len(node.reads[0]) - 1
    if axes > 3:
        raise ValueError(f"{node} has rows of shape {node.reads[0]}, for which PyTorch has none")
    transpose = channels_first([], axes + 1)[0]
    return [transpose, getattr(nn, f"AdaptiveMaxPool{axes}d")(1), nn.Flatten()]


def _up_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    times = per_axis(node.layer.size, len(node.shape) - 1)
    return _between_transposes(nn, node, nn.Upsample(scale_factor=tuple(map(float, times))), [])


def _padding_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    return _between_transposes(nn, node, None, borders_of(node.layer.padding, len(node.shape) - 1))


def _cropping_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    cut = borders_of(node.layer.cropping, len(node.shape) - 1)
    return _between_transposes(nn, node, None, [(-before, -behind) for before, behind in cut])


def _axes(module: Any) -> int:
    """Return how many axes a module of a class of WINDOW_MODULES, or one derived from it, has."""
    names = (base.__name__ for base in type(module).__mro__)
    return int(next(name for name in names if name in WINDOW_MODULES)[-2])


def _pool(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    axes = _axes(module)
    largest = not hasattr(module, "count_include_pad")
    counts_border = bool(getattr(module, "count_include_pad", False))
    given = (module.kernel_size, module.stride or module.kernel_size, module.padding)
    sizes, strides, pads = (per_axis(each, axes) for each in given)
    if len(x.shape) != axes + 1:
        raise ValueError(f"pools {axes} axes of rows of shape {x.shape}")
    windows = []
    for extent, size, stride, pad in zip(x.shape[1:], sizes, strides, pads, strict=True):
        beyond = -(extent + 2 * pad - size) % stride if module.ceil_mode else 0
        # No window begins behind the border.
        beyond *= extent + pad - size + beyond < extent
        if beyond and counts_border:
            raise ValueError("counts the border of windows that end beyond it")
        windows.append(Windows(size, stride, pad, pad + beyond))
    return pooled(assembly, x, windows, largest=largest, counts_border=counts_border)


def _pool_objection(module: Any) -> str | None:
    if getattr(module, "divisor_override", None) is not None:
        return "it divides by a number of its own"
    if getattr(module, "return_indices", False):
        return "it returns indices"
    dilations = per_axis(getattr(module, "dilation", 1), 1)
    return "its windows are dilated" if max(dilations) > 1 else None


def _global_pool(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    axes = _axes(module)
    if len(x.shape) != axes + 1:
        raise ValueError(f"pools {axes} axes of rows of shape {x.shape}")
    layer = GlobalMaxPooling() if hasattr(module, "return_indices") else None
    return assembly.pool(x, range(1, axes + 1), True, layer)


def _several_positions(module: Any) -> str | None:
    if {*per_axis(module.output_size, 1)} != {1}:
        return "it leaves more than one position"
    return "it returns indices" if getattr(module, "return_indices", False) else None


def _up(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    axes = len(x.shape) - 1
    if not 1 <= axes <= 2:
        raise ValueError(f"repeats positions of rows of shape {x.shape}")
    if module.size is not None:
        sizes = per_axis(module.size, axes)
        times = [made / extent for made, extent in zip(sizes, x.shape[1:], strict=True)]
    else:
        factor = module.scale_factor
        times = [*factor] if isinstance(factor, tuple | list) else [factor] * axes
    if len(times) != axes or any(each < 1 or each != int(each) for each in times):
        raise ValueError(f"makes {times} positions of each in rows of shape {x.shape}")
    return up_sampled(assembly, x, [int(each) for each in times], first=True)


def _not_nearest(module: Any) -> str | None:
    return None if module.mode in ("nearest", "nearest-exact") else f"its mode is {module.mode!r}"


def _padding(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    axes = _axes(module)
    numbers = per_axis(module.padding, 2 * axes)
    if len(x.shape) != axes + 1:
        raise ValueError(f"pads {axes} axes of rows of shape {x.shape}")
    borders = [*zip(numbers[::2], numbers[1::2], strict=True)][::-1]
    cut = [(max(-before, 0), max(-behind, 0)) for before, behind in borders]
    added = [(max(before, 0), max(behind, 0)) for before, behind in borders]
    return padded(assembly, cropped(assembly, x, cut, first=True), added, first=True)


def _other_numbers(module: Any) -> str | None:
    return f"it adds {module.value}" if module.value else None


def window_module(name: str, arguments: Sequence[Any], given: Mapping[str, Any]) -> Any:
    """Return the module that a function over positions is, or None."""
    from torch import nn

    pools = {f"{kind}_pool{axes}d" for kind in ("max", "avg") for axes in (1, 2)}
    pools |= {f"adaptive_{name}" for name in pools}
    if name in pools:
        words = name.removesuffix("d").split("_")
        return getattr(nn, "".join(map(str.capitalize, words)) + "d")(*arguments[1:], **given)
    if name == "interpolate":
        names = ("size", "scale_factor", "mode")
        options = dict(zip(names, arguments[1:], strict=False))
        options |= {name: value for name, value in given.items() if value is not False}
        return nn.Upsample(**options) if options.keys() <= {*names} else None
    if name == "pad":
        options = dict(zip(("pad", "mode", "value"), arguments[1:], strict=False)) | dict(given)
        sides = options["pad"]
        if options.get("mode", "constant") != "constant" or len(sides) not in (2, 4):
            return None
        return getattr(nn, f"ConstantPad{len(sides) // 2}d")(
            tuple(sides), options.get("value") or 0.0
        )
    return None


WINDOW_KINDS = {
    "average_pooling": _pool_modules,
    "conv1d": convolution_modules,
    "conv1d_transpose": convolution_modules,
    "conv2d": convolution_modules,
    "conv2d_transpose": convolution_modules,
    "cropping": _cropping_modules,
    "depthwise_conv1d": convolution_modules,
    "depthwise_conv2d": convolution_modules,
    "global_max_pooling": _global_modules,
    "max_pooling": _pool_modules,
    "up_sampling": _up_modules,
    "zero_padding": _padding_modules,
}
"""The modules, one after the other, that a layer over positions is."""

WINDOW_MODULES: dict[str, tuple[Any, Any]] = (
    {f"{kind}Pool{axes}d": (_pool, _pool_objection) for kind in ("Max", "Avg") for axes in (1, 2)}
    | {
        f"Adaptive{kind}Pool{axes}d": (_global_pool, _several_positions)
        for kind in ("Max", "Avg")
        for axes in (1, 2, 3)
    }
    | {f"ConstantPad{axes}d": (_padding, _other_numbers) for axes in (1, 2)}
    | {f"Conv{axes}d": (read_convolution, convolution_objection) for axes in (1, 2)}
    | {f"ConvTranspose{axes}d": (read_transposed,) for axes in (1, 2)}
    | {"Upsample": (_up, _not_nearest)}
)
"""What reads a module over positions, and what says why it cannot be, by the module's class."""
