# SPDX-License-Identifier: Apache-2.0
"""Training piece by piece of long sequences, each piece from the state that the last one left."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent_networks import FEATURES, KINDS, ROWS, UNITS, shaken
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

PIECE, PIECES = 4, 3


def by_piece(kind, rng, dtype="float64"):
    """A layer and a dense one, whose states are inputs and outputs."""
    names = ["h", "c"] if kind == "lstm" else ["h"]
    piece, first = (
        cr.Input((PIECE, FEATURES), name="piece"),
        [cr.Input(UNITS, name=n) for n in names],
    )
    layer = KINDS[kind](UNITS, return_sequences=True, return_state=True, name="r")
    h, *last = layer(piece, initial_state=first if len(first) > 1 else first[0])
    outputs = [cr.Dense(2, name="d")(h), *last]
    return shaken(cr.Network([piece, *first], outputs, seed=1, dtype=dtype), rng)


def sequences(rng):
    time = PIECE * PIECES
    return rng.normal(size=(ROWS, time, FEATURES)), rng.normal(size=(ROWS, time, 2))


def mse_gradient(made, y):
    return 2 * (made - y) / y.size


def zeros(kind):
    return [np.zeros((ROWS, UNITS))] * (2 if kind == "lstm" else 1)


def pieces(x, y):
    return zip(np.split(x, PIECES, axis=1), np.split(y, PIECES, axis=1), strict=True)


def carried(net, kind, x, y, after_piece):
    """Go through the pieces, and call after_piece() behind the gradients of each."""
    states = zeros(kind)
    for x_part, y_part in pieces(x, y):
        made, *states = net.forward([x_part, *states]).values()
        net.backward([mse_gradient(made, y_part), *[np.zeros_like(s) for s in states]])
        after_piece()
    return states


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_pieces_are_those_of_the_whole(kind, rng) -> None:
    """Which cuts its gradient where pieces begin."""
    net = by_piece(kind, rng)
    x, y = sequences(rng)
    total = dict.fromkeys(net.parameters, 0.0)

    def add():
        for name, gradient in net.gradients.items():
            total[name] += gradient / PIECES

    carried(net, kind, x, y, add)
    layer = KINDS[kind](UNITS, return_sequences=True, truncate_gradient=PIECE, name="r")
    whole = cr.Sequential(
        [cr.Input(x.shape[1:]), layer, cr.Dense(2, name="d")], seed=0, dtype="float64"
    )
    whole.set_weights([*net.parameters.values()])
    whole.backward(mse_gradient(whole.forward(x), y))
    for expected, found in zip(whole.gradients.values(), total.values(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_against_pytorch(kind, rng) -> None:
    torch = pytest.importorskip("torch")
    net = by_piece(kind, rng)
    module = cr.to_torch(net)
    for name, values in module.named_parameters():
        # A bias here is the sum of PyTorch's two, except in GRU.
        values.requires_grad_(kind == "gru" or "bias_hh" not in name)
    x, y = sequences(rng)
    sgd = cr.SGD(0.1)
    last = carried(net, kind, x, y, lambda: sgd.step(net))
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    states = [torch.from_numpy(state) for state in zeros(kind)]
    for x_part, y_part in pieces(torch.from_numpy(x), torch.from_numpy(y)):
        made, *states = module(x_part, *[state.detach() for state in states]).values()
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(made, y_part).backward()
        optimizer.step()
    with torch.no_grad():
        expected = module(torch.from_numpy(x[:, :PIECE]), *states).values()
    found = net.predict([x[:, :PIECE], *last]).values()
    for ours, theirs in zip([*last, *found], [*states, *expected], strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12, atol=1e-15)


def test_other_numbers_of_rows(rng) -> None:
    net = by_piece("gru", rng)
    x, y = sequences(rng)
    before = net.parameters
    _, state = net.forward([x[:, :PIECE], *zeros("gru")]).values()
    few = [x[:2, PIECE : 2 * PIECE], state]
    text = rf"x\['piece'\] has 2 rows, x\['h'\] {ROWS}"
    targets = [y[:2, :PIECE], state[:2]]
    for call in (net.forward, net.predict, lambda x: net.train_on_batch(x, targets, loss="mse")):
        with pytest.raises(ValueError, match=text):
            call(few)
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, before[name])


HASH = """
import hashlib
import numpy as np
import chainrule as cr

rng = np.random.default_rng(5)
x, y = rng.normal(size=(50, 12, 5)), rng.normal(size=(50, 12, 33))
for threads in (1, 2, 3, 7):
    piece, h = cr.Input((4, 5), name="piece"), cr.Input(33, name="h")
    layer = cr.GRU(33, return_sequences=True, return_state=True)
    net = cr.Network([piece, h], [*layer(piece, initial_state=h)], seed=2)
    optimizer, state = cr.Adam(0.01), np.zeros((50, 33))
    for part in (slice(0, 4), slice(4, 8), slice(8, 12)):
        made, state = net.forward([x[:, part], state], num_threads=threads).values()
        net.backward([made - y[:, part], np.zeros_like(state)])
        optimizer.step(net)
    made, _ = net.predict([x[:, :4], state]).values()
    print(hashlib.sha256(made.tobytes()).hexdigest())
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 1
