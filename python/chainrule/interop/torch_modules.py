# SPDX-License-Identifier: Apache-2.0
"""Modules that PyTorch itself lacks; made on first use, when PyTorch is needed.

`Scaling`, `Limit`, `Permute`, `Take`, `RepeatVector`, `GlobalAveragePooling`, `Dot`,
`ParametricActivation`, `PeriodicEmbedding`, `PiecewiseLinearEmbedding`, `CategoryEncoding`,
`CategoryEmbedding` and `Recurrent` are layers of this library. `Reshape`, `Transpose`, `Mean`,
`Index`, `OneHot` and `Step` stand for functions of tensors while a module is read. The classes are
attributes of this file, so that modules that contain them can be pickled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.interop.torch_categories import category_classes
from chainrule.interop.torch_sequences import sequence_classes

if TYPE_CHECKING:
    from chainrule.activations import Activation
    from chainrule.interop.limits import Limits

Array = NDArray[Any]

_NAMES = {"Dot", "GlobalAveragePooling", "Limit", "ParametricActivation", "Permute"}
_NAMES |= {"Mean", "PeriodicEmbedding", "PiecewiseLinearEmbedding", "RepeatVector", "Reshape"}
_NAMES |= {"CategoryEmbedding", "CategoryEncoding", "Recurrent", "Scaling", "Step", "Take"}
_NAMES |= {"Index", "OneHot", "Transpose"}


def scaling(scale: ArrayLike, offset: ArrayLike) -> Any:
    """Return a `Scaling` in double."""
    import torch

    return __getattr__("Scaling")(*(torch.tensor(a, dtype=torch.float64) for a in (scale, offset)))


def limit(limits: Limits) -> Any:
    """Return a `Limit`, with rates in double."""
    import torch

    rates = torch.tensor(limits.rates, dtype=torch.float64)
    filled = torch.zeros(len(rates), dtype=torch.bool)
    filled[limits.filled] = True
    return __getattr__("Limit")(rates, filled, torch.tensor(limits.indicators, dtype=torch.int64))


def activation_modules(nn: Any, activation: Activation) -> list[Any]:
    """Return the module that an activation is, in a list; none of the linear one."""
    if activation.kind == "linear":
        return []
    return [getattr(nn, activation.torch_module)(**activation.torch_arguments)]


def fill(module: Any, **arrays: Array | None) -> None:
    """Give tensors of a module new values, in double where the values are."""
    import torch

    for name, values in arrays.items():
        if values is not None:
            getattr(module, name).data = torch.from_numpy(np.array(values, order="C"))


def array_of(tensor: Any) -> Array:
    """Return a tensor's numbers, float16 and bfloat16 as float32."""
    values = tensor.detach().cpu()
    # bfloat16, which NumPy lacks, and float16 become float32.
    values = values if str(values.dtype) in ("torch.float32", "torch.float64") else values.float()
    array: Array = values.numpy()
    return array


def module_of(name: str, *arguments: Any) -> Any:
    """Return a module of a class of this file."""
    return __getattr__(name)(*arguments)


def channels_first(modules: Sequence[Any], axes: int) -> list[Any]:
    """Return modules whose channels are the axis behind that of the rows, between two turns.

    Rows have so many `axes`.
    """
    if axes == 1:
        return [*modules]
    first, back = [axes, *range(1, axes)], [*range(2, axes + 1), 1]
    return [module_of("Permute", first), *modules, module_of("Permute", back)]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in globals():
        for made in _classes():
            made.__qualname__, made.__module__ = made.__name__, __name__
            globals()[made.__name__] = made
    return globals()[name]


def _classes() -> list[type]:
    import torch

    class Scaling(torch.nn.Module):
        """x * scale + offset, which are not trained: `Rescaling` and `Normalization` in PyTorch.

        Parameters
        ----------
        scale, offset : torch.Tensor of shape () or (columns,)
            Kept as buffers.
        """

        scale: torch.Tensor
        offset: torch.Tensor

        def __init__(self, scale: torch.Tensor, offset: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("scale", scale)
            self.register_buffer("offset", offset)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return x * scale + offset."""
            return x * self.scale + self.offset

    class Limit(torch.nn.Module):
        """Smooth limits and missing numbers, as of `chainrule.Normalization` behind the scaling.

        Parameters
        ----------
        rates : torch.Tensor of shape (columns,)
            ``x / sqrt(1 + (x * rates)**2)`` of each column.
        filled : torch.Tensor of bool of shape (columns,)
            Where NaN becomes 0.
        indicators : torch.Tensor of int64
            Columns of which one more, behind all others, says where numbers are NaN.
        """

        rates: torch.Tensor
        filled: torch.Tensor
        indicators: torch.Tensor

        def __init__(
            self, rates: torch.Tensor, filled: torch.Tensor, indicators: torch.Tensor
        ) -> None:
            super().__init__()
            self.register_buffer("rates", rates)
            self.register_buffer("filled", filled)
            self.register_buffer("indicators", indicators)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the limited columns, and the indicators behind them."""
            missing = x.isnan()
            x = torch.where(missing & self.filled, 0.0, x)
            y = x / torch.sqrt(1.0 + (x * self.rates) ** 2)
            return torch.cat([y, missing[..., self.indicators].to(y.dtype)], -1)

    class Permute(torch.nn.Module):
        """The axes of rows in another order, as `chainrule.Permute`.

        Parameters
        ----------
        dims : sequence of int
            Axis i of the output is axis ``dims[i]``; axes count from 1, 0 is that of the rows.
        """

        def __init__(self, dims: Sequence[int]) -> None:
            super().__init__()
            self.dims = tuple(dims)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return x with its axes moved."""
            return x.permute(0, *self.dims)

        def extra_repr(self) -> str:
            """Return the dims."""
            return f"{self.dims}"

    class Take(torch.nn.Module):
        """Some columns in an order of their own, as `chainrule.Take`.

        Parameters
        ----------
        columns : sequence of int
            Of the last axis, counted from 0.
        in_features : int
            How many columns the last axis has.
        """

        def __init__(self, columns: Sequence[int], in_features: int) -> None:
            super().__init__()
            self.in_features = in_features
            self.register_buffer("columns", torch.tensor([*columns], dtype=torch.int64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the columns."""
            taken: torch.Tensor = self.get_buffer("columns")
            return x.index_select(-1, taken)

        def extra_repr(self) -> str:
            """Return the columns."""
            return f"{self.get_buffer('columns').tolist()}"

    class RepeatVector(torch.nn.Module):
        """Each row n times: (rows, columns), or (rows, 1, columns), becomes (rows, n, columns).

        Parameters
        ----------
        n : int
            At least 1.
        """

        def __init__(self, n: int) -> None:
            super().__init__()
            self.n = n

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the rows repeated."""
            return x.flatten(1)[:, None].expand(-1, self.n, -1)

        def extra_repr(self) -> str:
            """Return n."""
            return f"{self.n}"

    class GlobalAveragePooling(torch.nn.Module):
        """The mean over all positions, as `chainrule.GlobalAveragePooling`: channels are last."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return a number for each channel."""
            return x.flatten(1, -2).mean(1)

    class Dot(torch.nn.Module):
        """Sums of products over the columns, as `chainrule.Dot`."""

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            """Return a number of two rows of columns, or all rows of a with all rows of b."""
            if a.ndim == 2:
                return (a * b).sum(-1, keepdim=True)
            return a @ b.transpose(1, 2)

    class ParametricActivation(torch.nn.Module):
        """x + alpha (f(x) - x), as `chainrule.ParametricActivation`: columns are last.

        Parameters
        ----------
        activation : torch.nn.Module
            The f.
        columns : int
            How many alphas there are, which begin with 1 and are trained.
        """

        def __init__(self, activation: torch.nn.Module, columns: int) -> None:
            super().__init__()
            self.activation = activation
            self.alpha = torch.nn.Parameter(torch.ones(columns))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return x and f(x), mixed."""
            mixed: torch.Tensor = (1 - self.alpha) * x + self.alpha * self.activation(x)
            return mixed

    class PeriodicEmbedding(torch.nn.Module):
        """Each column and sums of its cosines, as `chainrule.PeriodicEmbedding`: columns are last.

        Parameters
        ----------
        columns, units, frequencies : int
            Columns of x, sums for each, and waves of each.
        """

        def __init__(self, columns: int, units: int, frequencies: int) -> None:
            super().__init__()
            bound = frequencies**-0.5
            self.frequency = torch.nn.Parameter(0.1 * torch.randn(columns, frequencies))
            phase = math.pi * (2 * torch.rand(columns, frequencies) - 1)
            self.phase = torch.nn.Parameter(phase)
            weight = bound * (2 * torch.rand(columns, units, frequencies) - 1)
            self.weight = torch.nn.Parameter(weight)
            self.bias = torch.nn.Parameter(bound * (2 * torch.rand(columns, units) - 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return each column and its sums."""
            waves = torch.cos(2 * math.pi * self.frequency * x[..., None] + self.phase)
            sums = torch.einsum("...jf,juf->...ju", waves, self.weight) + self.bias
            return torch.cat([x[..., None], sums], -1).flatten(-2)

    class PiecewiseLinearEmbedding(torch.nn.Module):
        """Sums of each column's places in bins, as `chainrule.PiecewiseLinearEmbedding`.

        Parameters
        ----------
        columns, units, bins : int
            Columns of x, sums for each, and bins of each, between the numbers of ``edges``.
        """

        edges: torch.Tensor

        def __init__(self, columns: int, units: int, bins: int) -> None:
            super().__init__()
            bound = bins**-0.5
            self.register_buffer("edges", torch.zeros(columns, bins + 1))
            weight = bound * (2 * torch.rand(columns, units, bins) - 1)
            self.weight = torch.nn.Parameter(weight)
            self.bias = torch.nn.Parameter(bound * (2 * torch.rand(columns, units) - 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the sums of each column."""
            edge, high = self.edges[:, :-1], self.edges[:, 1:]
            rate = (1 / (high.double() - edge.double())).to(edge.dtype)
            rate = torch.where((high > edge) & rate.isfinite(), rate, 0)
            rate[:, 0] = torch.where((rate == 0).all(1), 1, rate[:, 0])
            counts = (rate > 0).cumsum(1)
            low = torch.where((rate > 0) & (counts == 1), -math.inf, edge)
            high = torch.where((rate > 0) & (counts == counts[:, -1:]), math.inf, high)
            places = (torch.minimum(torch.maximum(x[..., None], low), high) - edge) * rate
            return (torch.einsum("...jk,juk->...ju", places, self.weight) + self.bias).flatten(-2)

    class Reshape(torch.nn.Module):
        """The same numbers in rows of another shape, of which one extent may be -1."""

        def __init__(self, shape: Sequence[int]) -> None:
            super().__init__()
            self.shape = tuple(shape)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return x in its new shape."""
            return x.reshape(len(x), *self.shape)

    class Transpose(torch.nn.Module):
        """Two axes in each other's place."""

        def __init__(self, axes: Sequence[int]) -> None:
            super().__init__()
            self.axes = tuple(axes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return x with its axes swapped."""
            return x.transpose(*self.axes)

    class Mean(torch.nn.Module):
        """The mean over some axes."""

        def __init__(self, axes: Sequence[int], keepdim: bool) -> None:
            super().__init__()
            self.axes, self.keepdim = tuple(axes), keepdim

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the means."""
            return x.mean(self.axes, keepdim=self.keepdim)

    class Index(torch.nn.Module):
        """A part of each row, ``x[:, *index]``."""

        def __init__(self, index: Sequence[Any]) -> None:
            super().__init__()
            self.index = tuple(index)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the part."""
            return x[(slice(None), *self.index)]

    class OneHot(torch.nn.Module):
        """A 1 in the place of each category."""

        def __init__(self, num_classes: int) -> None:
            super().__init__()
            self.num_classes = num_classes

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return integers, of an axis more than x has."""
            return torch.nn.functional.one_hot(x, self.num_classes)

    layers = [Scaling, Limit, Permute, Take, RepeatVector, GlobalAveragePooling, Dot]
    layers += [ParametricActivation, PeriodicEmbedding, PiecewiseLinearEmbedding]
    layers += [*category_classes(), *sequence_classes()]
    return [*layers, Reshape, Transpose, Mean, Index, OneHot]
