# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules that take parts of their rows: columns, positions, and categories among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch_modules import randomised

import chainrule as cr

torch = pytest.importorskip("torch")
nn = torch.nn
F = nn.functional


class Own(nn.Module):
    """A function of rows and of parts with weights."""

    def __init__(self, function: Any, **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def same(module: Any, x: Any, shape: Any, given: Any = None) -> cr.Network:
    """Return the network of a module, after both gave the same."""
    net = cr.from_torch(module, input_shape=shape)
    with torch.no_grad():
        expected = module(torch.from_numpy(x if given is None else given)).numpy()
    made = net.predict(x)
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    return net


COLUMNS = {
    "slice": (lambda x: x[:, 2:5], 3),
    "from the end": (lambda x: x[:, -3:], 3),
    "every other": (lambda x: x[:, ::2], 3),
    "slice of one": (lambda x: x[:, 1:2], 1),
    "list": (lambda x: x[:, [5, 0, 5]], 3),
    "ellipsis": (lambda x: x[..., 1:], 5),
    "all": (lambda x: x[:], 6),
    "new axis": (lambda x: x[:, 3, None], 1),
    "unsqueezed": (lambda x: x[:, -1].unsqueeze(1), 1),
    "from behind": (lambda x: x[:, 4].unsqueeze(-1), 1),
    "part of a part": (lambda x: x[:, 1:][:, 2:4], 2),
    "functions of a column": (lambda x: (torch.tanh(x[:, 0]) * x[:, 2] - 1)[:, None], 1),
    "joined": (lambda x: torch.cat([x[:, 4:], x[:, :2].relu(), x[:, 3:4] / 2], 1), 5),
    "positions": (lambda x: x.reshape(-1, 2, 3)[:, :, 1], 2),
    "position": (lambda x: x.reshape(-1, 2, 3)[:, 1, 1:], 2),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", COLUMNS)
def test_parts_of_rows(name: str, dtype: str, rng: Any) -> None:
    function, width = COLUMNS[name]
    module = randomised(Own(lambda m, x: m.last(function(x)), last=nn.Linear(width, 2)))
    x = rng.normal(size=(30, 6)).astype(dtype)
    same(module.to(getattr(torch, dtype)), x, 6)


def test_parts_of_what_layers_give(rng: Any) -> None:
    module = randomised(
        Own(
            lambda m, x: m.last(m.first(x)[:, 1:4]) * m.first(x)[:, 0, None],
            first=nn.Linear(6, 5),
            last=nn.Linear(3, 2),
        )
    )
    # A product of a column and several is no layer here.
    with pytest.raises(ValueError, match="mul"):
        cr.from_torch(module)
    module = randomised(
        Own(
            lambda m, x: m.last(m.first(x)[:, 1:4]) + m.first(x)[:, [0, 4]],
            first=nn.Linear(6, 5),
            last=nn.Linear(3, 2),
        )
    )
    net = same(module, rng.normal(size=(30, 6)).astype(np.float32), 6)
    assert net.count_params() == 6 * 5 + 5 + 3 * 2 + 2


def test_parts_of_images(rng: Any) -> None:
    parts = {
        "rows": lambda x: x[:, :, 1:4],
        "a channel": lambda x: x[:, 1:2],
        "a pixel": lambda x: x[:, :, 2, 3],
        "columns of pixels": lambda x: x[..., 2:],
    }
    x = rng.normal(size=(20, 2, 5, 4)).astype(np.float32)
    for name, part in parts.items():
        width = int(np.prod(part(x).shape[1:]))
        module = Own(lambda m, x, part=part: m.last(part(x).flatten(1)), last=nn.Linear(width, 3))
        module = randomised(module)
        net = cr.from_torch(module, input_shape=(2, 5, 4))
        with torch.no_grad():
            expected = module(torch.from_numpy(x)).numpy()
        given = x if net._graph.inputs[0].shape == x.shape[1:] else np.moveaxis(x, 1, -1)
        np.testing.assert_allclose(net.predict(given), expected, rtol=1e-4, atol=1e-5, err_msg=name)


class Table(nn.Module):
    """Numbers, two tables and ones for categories, as modules of tables are written."""

    def __init__(self, convert: bool) -> None:
        super().__init__()
        self.town, self.kind = nn.Embedding(7, 3), nn.Embedding(4, 2)
        self.first, self.last = nn.Linear(3 + 2 + 5 + 2, 8), nn.Linear(8, 1)
        self.convert = convert

    def forward(self, x: Any) -> Any:
        codes = x[:, :3].long() if self.convert else x[:, :3]
        ones = F.one_hot(codes[:, 2], 5).float()
        numbers = x[:, 3:] if self.convert else x[:, 3:].float()
        h = torch.cat([self.town(codes[:, 0]), self.kind(codes[:, 1]), ones, numbers], 1)
        return self.last(torch.relu(self.first(h)))


def table_rows(rng: Any, numbers: Any) -> Any:
    counts = (7, 4, 5)
    return np.column_stack([*(rng.integers(0, n, size=40) for n in counts), numbers])


@pytest.mark.parametrize("convert", [True, False])
def test_a_module_of_a_table(convert: bool, rng: Any) -> None:
    module = randomised(Table(convert))
    numbers = rng.normal(size=(40, 2)) if convert else rng.integers(-9, 9, size=(40, 2))
    x = table_rows(rng, numbers)
    net = same(module, x, 5, x.astype(np.float32 if convert else np.int64))
    kinds = [layer.kind for layer in net.layers]
    assert kinds.count("embedding") == 2
    assert kinds.count("category_encoding") == 1
    assert net.count_params() == sum(p.numel() for p in module.parameters())
    with pytest.raises(ValueError, match="must hold categories in column 2"):
        net.predict(np.array([[0.0, 0.0, 5.0, 1.0, 1.0]]))
    with pytest.raises(ValueError, match="pass input_shape"):
        cr.from_torch(module)


def test_ones_for_several_columns(rng: Any) -> None:
    module = randomised(
        Own(
            lambda m, x: m.last(F.one_hot(x[:, [2, 0]].long(), num_classes=3).flatten(1).float()),
            last=nn.Linear(6, 2),
        )
    )
    x = rng.integers(0, 3, size=(30, 4)).astype(np.float32)
    same(module, x, 4)


def test_it_learns_on(rng: Any) -> None:
    net = cr.from_torch(randomised(Table(True)), input_shape=5)
    x = table_rows(rng, rng.normal(size=(40, 2)))
    y = (x[:, 2] == 3) - 0.5 * x[:, 3]
    history = net.fit(x, y, loss="mse", optimizer=cr.Adam(0.03), epochs=100, verbose=0)
    assert history["loss"][-1] < 0.05 * history["loss"][0]


REFUSED = {
    "no count": (lambda m, x: m.last(F.one_hot(x[:, 0].long()).float()), "has num_classes"),
    "a dense layer's": (
        lambda m, x: m.last(F.one_hot(m.first(x)[:, 0].long(), 3).float()),
        "columns of an input as they are",
    ),
    "twice": (
        lambda m, x: m.last(F.one_hot(x[:, [1, 1]].long(), 3)[:, 0].float()),
        "each of them once",
    ),
    "outside": (lambda m, x: m.last(x[:, [0, 4, 1]]), r"Own\): takes \[0, 4, 1\] of 4"),
    "nothing": (lambda m, x: m.last(x[:, 4:]), r"takes \[\] of 4, which leaves nothing of axis 1"),
    "by a tensor": (lambda m, x: m.last(x[:, x[0].long()]), "getitem"),
    "of the batch": (lambda m, x: m.last(x[1:, :3]), "getitem"),
    "two lists": (lambda m, x: m.last(x.reshape(-1, 2, 2)[:, [0, 1], [1, 0]]), "getitem"),
    "a number a row": (lambda m, x: m.last(x[:, :3])[:, 0], "shape"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_here_is_named(name: str) -> None:
    function, text = REFUSED[name]
    module = Own(function, first=nn.Linear(4, 4), last=nn.Linear(3, 2))
    with pytest.raises(ValueError, match=text):
        cr.from_torch(module, input_shape=4)
