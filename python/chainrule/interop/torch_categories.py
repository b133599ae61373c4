# SPDX-License-Identifier: Apache-2.0
"""Modules that read columns of categories, for `chainrule.interop.torch_modules`."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.interop.categories import codes_of
from chainrule.interop.nodes import shape_made

__all__ = ["category_classes"]


def category_classes() -> list[type]:
    """Return the classes, which need PyTorch."""
    import torch

    class _Categories(torch.nn.Module):
        """What reads columns of categories: rows of an input of this many columns.

        Parameters
        ----------
        layer : chainrule.CategoryEncoding or chainrule.Embedding
            Whose options it has.
        in_features : int
            Columns of x.
        """

        def __init__(self, layer: Any, in_features: int) -> None:
            super().__init__()
            self.layer, self.in_features = layer, in_features
            codes = codes_of(layer, in_features)
            held = np.flatnonzero(codes.count)
            if layer.kind == "embedding" and layer.columns is not None:
                held = np.array(layer.columns)
            others = np.flatnonzero(codes.count == 0)
            known = {n: getattr(codes, n)[held] for n in ("count", "first", "unknown", "missing")}
            known |= {"held": held, "others": others, "sign": codes.sign[held]}
            known |= {"places": codes.output[others]}
            for name, values in known.items():
                self.register_buffer(name, torch.from_numpy(values), persistent=False)

        def codes(self, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            """Return the codes of the columns of categories, -1 for none, and the categories."""
            known = (given >= 0) & (given < self.get_buffer("count"))
            categories = torch.where(known, given, 0).to(torch.int64)
            steps = torch.where(self.get_buffer("sign"), 0, categories)
            missing, unknown = (self.get_buffer(name) for name in ("missing", "unknown"))
            codes = torch.where(given.isnan(), missing, unknown)
            return torch.where(known, self.get_buffer("first") + steps, codes), categories

        def extra_repr(self) -> str:
            """Return the options."""
            return f"{self.layer}, in_features={self.in_features}"

    class CategoryEncoding(_Categories):
        """Columns of categories as ones, as `chainrule.CategoryEncoding`.

        What is no category, where the layer refuses it, is zeros.

        Parameters
        ----------
        layer : chainrule.CategoryEncoding
            Whose options it has.
        in_features : int
            Columns of x.
        """

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the ones, and the other columns in their places."""
            x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
            codes, categories = self.codes(x[:, self.get_buffer("held")])
            signs = self.get_buffer("sign") & (codes == self.get_buffer("first"))
            ones = torch.where(signs, 2 * categories - 1, 1).to(x.dtype)
            width = shape_made(self.layer, ((self.in_features,),))[0]
            # What has no place goes to a column behind all others.
            made = x.new_zeros(len(x), width + 1)
            made = made.scatter_add(1, torch.where(codes < 0, width, codes), ones)[:, :-1]
            if self.layer.output_mode == "multi_hot":
                made = made.clamp(max=1)
            others = x[:, self.get_buffer("others")]
            return made.index_copy(1, self.get_buffer("places"), others)

    class CategoryEmbedding(_Categories):
        """Rows of a table for columns of categories, as `chainrule.Embedding`.

        What is no category, where the layer refuses it, is an IndexError.

        Parameters
        ----------
        layer : chainrule.Embedding
            Whose options it has.
        in_features : int
            Columns of x.
        """

        def __init__(self, layer: Any, in_features: int) -> None:
            super().__init__(layer, in_features)
            last = (self.get_buffer(n) for n in ("unknown", "missing"))
            rows = (self.get_buffer("first") + self.get_buffer("count")).max()
            size = max(int(rows), *(int(each.max()) + 1 for each in last))
            self.table = torch.nn.Embedding(size, layer.units)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the rows, and behind them the other columns."""
            x = x if x.is_floating_point() else x.to(torch.get_default_dtype())
            given = x[:, self.get_buffer("held")]
            codes, _ = self.codes(given)
            missing, layer = given.isnan(), self.layer
            zero = (missing & (layer.missing == "zero")) | (~missing & (layer.unknown == "zero"))
            zero &= codes < 0
            rows = self.table(torch.where(zero, 0, codes))
            rows = torch.where(zero[..., None], 0, rows).flatten(1)
            return torch.cat([rows, x[:, self.get_buffer("others")].to(rows.dtype)], 1)

    return [CategoryEncoding, CategoryEmbedding]
