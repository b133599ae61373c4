# SPDX-License-Identifier: Apache-2.0
"""Sequences of tokens by one shared table of embeddings, against NumPy and PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from recurrent_networks import KINDS, states

import chainrule as cr

ROWS, TIME, TOKENS, WIDTH, UNITS = 24, 7, 30, 5, 6
RNG = np.random.default_rng(1)
X = RNG.integers(0, TOKENS, (ROWS, TIME))
LENGTHS = RNG.integers(1, TIME + 1, (ROWS, 1))
LABELS = np.arange(ROWS) % 2


def network(kind: str = "gru", dtype: str = "float64", **options: Any) -> cr.Network:
    tokens, length = cr.Input(TIME, name="tokens"), cr.Input(1, name="length")
    table = cr.Embedding(TOKENS, WIDTH, weight_initializer="normal", name="table", **options)
    h = cr.Reshape((TIME, WIDTH))(table(tokens))
    h = KINDS[kind](UNITS, name="r")([h, length])
    return cr.Network([tokens, length], cr.Dense(2, name="head")(h), seed=0, dtype=dtype)


def plain(net: cr.Network, kind: str, tokens: Any, lengths: Any) -> Any:
    p = net.parameters
    own = {name[2:]: values for name, values in p.items() if name.startswith("r.")}
    rows = zip(p["table.weight"][tokens], lengths[:, 0], strict=True)
    h = np.array([states(kind, own, row, False, n)[1] for row, n in rows])
    return h @ p["head.weight"] + p["head.bias"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_reads_the_row_of_its_token(kind: str) -> None:
    net = network(kind)
    assert net.parameters["table.weight"].shape == (TOKENS, WIDTH)
    expected = plain(net, kind, X, LENGTHS)
    assert_allclose(net.predict([X, LENGTHS]), expected, rtol=1e-12)
    for dtype in ("uint8", "int32", "float32"):
        assert_array_equal(net.predict([X.astype(dtype), LENGTHS]), net.predict([X, LENGTHS]))
    assert_array_equal(cr.Predictor(net).predict([X, LENGTHS]), net.predict([X, LENGTHS]))
    sequences = [row[:n].tolist() for row, n in zip(X, LENGTHS[:, 0], strict=True)]
    assert_array_equal(net.predict({"tokens": sequences}), net.predict([X, LENGTHS]))
    result = cr.gradient_check(net, [X, LENGTHS], LABELS, "cross_entropy")
    assert result.max_relative_error <= 1e-7


def test_what_stands_behind_the_ends_changes_no_bit() -> None:
    trained = []
    for other, threads in ((0, 1), (TOKENS - 1, 3)):
        net = network(dtype="float32")
        x = np.where(np.arange(TIME) < LENGTHS, X, other)
        net.fit(
            [x, LENGTHS], LABELS, loss="cross_entropy", epochs=3, batch_size=10, verbose=0,
            num_threads=threads,
        )  # fmt: skip
        trained.append(net.parameters)
    for name, values in trained[0].items():
        assert_array_equal(values, trained[1][name])
    sequences = [row[:n] for row, n in zip(X, LENGTHS[:, 0], strict=True)]
    net = network(dtype="float32")
    net.fit({"tokens": sequences}, LABELS, loss="cross_entropy", epochs=3, batch_size=10, verbose=0)
    for name, values in trained[0].items():
        assert_array_equal(values, net.parameters[name])


def test_tokens_that_the_table_does_not_have() -> None:
    net = network()
    x = X.copy()
    x[3, 2] = TOKENS
    with pytest.raises(ValueError, match=rf"row 3, column 2.* {TOKENS}"):
        net.predict([x, LENGTHS])
    known = network(unknown="zero")
    known.set_weights(net.get_weights())
    table = net.parameters["table.weight"]
    net.set_weights({"table.weight": np.where(np.arange(TOKENS)[:, None] == X[3, 2], 0, table)})
    assert_array_equal(known.predict([x, LENGTHS])[3], net.predict([X, LENGTHS])[3])


def test_a_chain_learns_which_token_came_last() -> None:
    layers = [
        cr.Input(TIME),
        cr.Embedding(TOKENS, WIDTH),
        cr.Reshape((TIME, WIDTH)),
        cr.GRU(16),
        cr.Dense(2),
    ]
    net = cr.Sequential(layers, seed=0)
    x = RNG.integers(0, TOKENS, (600, TIME))
    y = x[:, -1] % 2
    net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(0.02), epochs=20, verbose=0)
    assert net.evaluate(x, y)["accuracy"] > 0.98


def test_pytorch_trains_the_same() -> None:
    torch = pytest.importorskip("torch")
    net = network("simple_rnn")
    p = {name: torch.from_numpy(v).requires_grad_() for name, v in net.parameters.items()}
    optimizer = torch.optim.SGD([*p.values()], lr=0.1)
    whole = np.full((ROWS, 1), TIME)
    for _ in range(5):
        optimizer.zero_grad()
        steps = torch.nn.functional.embedding(torch.from_numpy(X), p["table.weight"])
        h = torch.zeros(ROWS, UNITS, dtype=torch.float64)
        for t in range(TIME):
            z = steps[:, t] @ p["r.weight"] + p["r.bias"] + h @ p["r.recurrent_weight"]
            h = torch.tanh(z)
        outputs = h @ p["head.weight"] + p["head.bias"]
        torch.nn.functional.cross_entropy(outputs, torch.from_numpy(LABELS)).backward()
        optimizer.step()
    net.fit(
        [X, whole], LABELS, loss="cross_entropy", optimizer=cr.SGD(0.1), epochs=5,
        batch_size=ROWS, verbose=0,
    )  # fmt: skip
    for name, values in net.parameters.items():
        assert_allclose(values, p[name].detach().numpy(), rtol=1e-9, atol=1e-12)
