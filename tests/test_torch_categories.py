# SPDX-License-Identifier: Apache-2.0
"""Layers that read categories as PyTorch modules, and back."""

from __future__ import annotations

import copy
import io
from itertools import product
from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")

CHOICES = ("error", "zero", "code")
BOTH = [*product(CHOICES, CHOICES)]


def rows_for(layer: Any, counts: dict[int, int], columns: int) -> Any:
    """Return numbers with categories in some columns, unknown and missing ones as far as taken."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(60, columns))
    for column, count in counts.items():
        x[:, column] = rng.integers(0, count, size=len(x))
        if layer.unknown != "error":
            x[rng.random(len(x)) < 0.2, column] = count + rng.integers(0, 3)
            x[0, column] = -1
        if layer.missing != "error":
            x[rng.random(len(x)) < 0.2, column] = np.nan
    return x


def check(net: cr.Network, x: Any) -> tuple[Any, cr.Network]:
    """Return a module and the network from it, after all three gave the same."""
    module = cr.to_torch(net)
    expected = net.predict(x)
    with torch.no_grad():
        made = module(torch.tensor(x, dtype=getattr(torch, net.dtype))).numpy()
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    again = cr.from_torch(module)
    kinds = ("category_encoding", "embedding")
    own = [[layer for layer in n.layers if layer.kind in kinds] for n in (net, again)]
    assert own[0] == own[1]
    np.testing.assert_allclose(again.predict(x), expected, rtol=1e-5, atol=1e-6)
    return module, again


@pytest.mark.parametrize(("unknown", "missing"), BOTH)
@pytest.mark.parametrize("mode", ["one_hot", "sign", "multi_hot", "count"])
@pytest.mark.parametrize("some", [False, True])
def test_encodings(mode: str, unknown: str, missing: str, some: bool) -> None:
    own = mode in ("one_hot", "sign")
    sizes = (3, 2, 5) if own else (4, 4, 4)
    counts = dict(zip((0, 2, 3) if some else (0, 1, 2), sizes, strict=True))
    layer = cr.CategoryEncoding(
        sizes if own else 4,
        "one_hot" if own else mode,
        columns=tuple(counts) if some else None,
        unknown=unknown,
        missing=missing,
        binary_as_sign=mode == "sign",
    )
    columns = 5 if some else 3
    for dtype in ("float32", "float64"):
        net = cr.Sequential([cr.Input(columns), layer, cr.Dense(3, "tanh")], seed=1, dtype=dtype)
        check(net, rows_for(layer, counts, columns))


@pytest.mark.parametrize(("unknown", "missing"), BOTH)
@pytest.mark.parametrize("shared", [False, True])
def test_embeddings(unknown: str, missing: str, shared: bool) -> None:
    counts = {3: 4, 0: 4} if shared else {3: 7, 0: 3}
    layer = cr.Embedding(
        4 if shared else (7, 3), 3, columns=(3, 0), unknown=unknown, missing=missing, name="table"
    )
    for dtype in ("float32", "float64"):
        net = cr.Sequential([cr.Input(4), layer, cr.Dense(2)], seed=1, dtype=dtype)
        net.freeze("table")
        _, again = check(net, rows_for(layer, counts, 4))
        weight = again.parameters["table.weight"]
        np.testing.assert_array_equal(weight, net.parameters["table.weight"])
        assert again._frozen == {"table"}


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = int(rng.integers(2, 7))
    held = tuple(map(int, rng.permutation(columns)[: rng.integers(1, columns + 1)]))
    counts = {column: int(rng.integers(2, 9)) for column in held}
    unknown, missing = (str(rng.choice(CHOICES)) for _ in range(2))
    options: Any = {"unknown": unknown, "missing": missing, "columns": held}
    encoding = cr.CategoryEncoding(tuple(counts.values()), binary_as_sign=True, **options)
    embedding = cr.Embedding(tuple(counts.values()), int(rng.integers(1, 5)), **options)
    entry = cr.Input(columns)
    branches = [cr.Dense(3, "relu")(layer(entry)) for layer in (encoding, embedding)]
    net = cr.Network(entry, cr.Dense(2)(cr.Concatenate()(branches)), seed=seed)
    check(net, rows_for(encoding, counts, columns))


def test_modules_are_copied_saved_and_trained() -> None:
    layer = cr.Embedding((4, 3), 2, unknown="code")
    net = cr.Sequential([cr.Input(2), layer, cr.Dense(1)], seed=0)
    module = cr.to_torch(net)
    x = torch.tensor([[3.0, 2.0], [9.0, 0.0]])
    saved = io.BytesIO()
    torch.save(module, saved)
    saved.seek(0)
    loaded = torch.load(saved, weights_only=False)
    for other in (copy.deepcopy(module), loaded):
        torch.testing.assert_close(other(x), module(x))
    module(x.to(torch.int64)).sum().backward()
    touched = module[0].table.weight.grad.abs().sum(1) > 0
    assert touched.tolist() == [False, False, False, True, True, True, False, True, False]


def test_what_is_no_category_of_a_table_is_refused() -> None:
    net = cr.Sequential([cr.Input(2), cr.Embedding((4, 3), 2), cr.Dense(1)], seed=0)
    for bad in (-1.0, 3.0, float("nan")):
        with pytest.raises(IndexError):
            cr.to_torch(net)(torch.tensor([[0.0, bad]]))


def test_behind_another_layer_it_is_refused() -> None:
    net = cr.Sequential([cr.Input(2), cr.CategoryEncoding((4, 3)), cr.Dense(1)], seed=0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), *cr.to_torch(net))
    with pytest.raises(ValueError, match="reads categories"):
        cr.from_torch(module)


class Tagger(torch.nn.Module):
    """A table of PyTorch's, by integers or by floats that it converts."""

    def __init__(self, convert: bool, **options: object) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(6, 3, **options)
        self.linear = torch.nn.Linear(12, 2)
        self.convert = convert

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.long() if self.convert else x
        return torch.relu(self.linear(self.table(x).flatten(1)))


@pytest.mark.parametrize("convert", [False, True])
def test_a_table_of_a_module(convert: bool) -> None:
    module = Tagger(convert, padding_idx=0)
    codes = np.random.default_rng(0).integers(0, 6, size=(30, 4))
    net = cr.from_torch(module, input_shape=4)
    assert [layer.kind for layer in net.layers] == ["embedding", "dense"]
    x = torch.tensor(codes, dtype=torch.float32 if convert else torch.int64)
    np.testing.assert_allclose(net.predict(codes), module(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_what_a_table_needs_is_said() -> None:
    with pytest.raises(ValueError, match=r"table.*max_norm"):
        cr.from_torch(Tagger(False, max_norm=1.0), input_shape=4)
    with pytest.raises(ValueError, match="pass input_shape"):
        cr.from_torch(torch.nn.Sequential(torch.nn.Embedding(3, 2), torch.nn.Flatten()))
