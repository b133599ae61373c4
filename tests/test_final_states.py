# SPDX-License-Identifier: Apache-2.0
"""Final states of recurrent layers, and decoders that begin with them."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
from recurrent_networks import FEATURES, KINDS, ROWS, TIME, UNITS, chain, shaken, step
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

LENGTHS = np.arange(ROWS)[:, None] % TIME + 1
each_kind = pytest.mark.parametrize("kind", KINDS)
COUNTS = {kind: 1 + (kind == "lstm") for kind in KINDS}


def network(kind, *, lengths=False, begins=False, dtype="float64", **options):
    """Return a network with all that a layer gives for outputs, and rows for it."""
    rng = np.random.default_rng(5)
    x = cr.Input((TIME, FEATURES), name="x")
    given = [x, *[cr.Input(1, name="n")] * lengths]
    first = [cr.Input(UNITS, name=name) for name in "hc"[: COUNTS[kind] * begins]]
    made = KINDS[kind](UNITS, name="r", return_state=True, **options)(given, first or None)
    outputs = list(made) if options.get("return_sequences") else list(made[1:])
    net = shaken(cr.Network([*given, *first], outputs, seed=2, dtype=dtype), rng)
    rows = [rng.normal(size=(ROWS, TIME, FEATURES)), *[LENGTHS.astype(float)] * lengths]
    return net, [*rows, *rng.normal(size=(len(first), ROWS, UNITS))]


def listed(made) -> list[np.ndarray]:
    """Return what a network gives for each of its outputs."""
    return [*made.values()] if isinstance(made, dict) else [made]


def single(values):
    """Return one of a kind by itself."""
    return values if len(values) > 1 else values[0]


def by_definition(kind, net, rows, *, lengths, backwards):
    """Return the states behind each step of each row, and those behind its last step."""
    p = {name.split(".")[1]: values for name, values in net.parameters.items()}
    x, *others = rows
    first = others[lengths:] or [np.zeros((ROWS, UNITS))]
    sequences, final = np.zeros((ROWS, TIME, UNITS)), np.zeros((2, ROWS, UNITS))
    for i in range(ROWS):
        h, c = first[0][i], first[-1][i]
        steps = range(int(LENGTHS[i, 0]) if lengths else TIME)
        for t in reversed(steps) if backwards else steps:
            h, c = step(kind, p, x[i, t], h, c)
            sequences[i, t] = h
        final[:, i] = h, c
    return sequences, *final[: COUNTS[kind]]


@pytest.mark.parametrize(
    ("sequences", "backwards", "lengths", "begins"), [*itertools.product((False, True), repeat=4)]
)
@each_kind
def test_outputs(kind, sequences, backwards, lengths, begins) -> None:
    net, rows = network(
        kind,
        lengths=lengths,
        begins=begins,
        return_sequences=sequences,
        go_backwards=backwards,
    )
    expected = by_definition(kind, net, rows, lengths=lengths, backwards=backwards)
    one = single([each[:1] for each in rows])
    for made in (net.predict(single(rows)), net.forward(single(rows)), net.predict(one)):
        for found, each in zip(listed(made), expected[not sequences :], strict=True):
            np.testing.assert_allclose(found, each[: len(found)], rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("sequences", "backwards", "lengths"), [*itertools.product((False, True), repeat=3)]
)
@each_kind
def test_gradients(kind, sequences, backwards, lengths, rng) -> None:
    net, rows = network(
        kind,
        lengths=lengths,
        begins=True,
        return_sequences=sequences,
        go_backwards=backwards,
    )
    y = [rng.normal(size=each.shape) for each in listed(net.predict(rows))]
    report = cr.gradient_check(net, rows, single(y), "mse")
    assert report.max_relative_error <= 1e-7, report


@pytest.mark.parametrize("backwards", [False, True])
@each_kind
def test_a_truncated_gradient_of_a_final_state_reaches_no_state_far_before_it(
    kind, backwards
) -> None:
    options = {"go_backwards": backwards, "truncate_gradient": 2}
    net, rows = network(kind, lengths=True, begins=True, **options)
    for output in range(COUNTS[kind]):
        made = listed(net.forward(rows))
        dx = net.backward(single([(i == output) + 0.0 * h for i, h in enumerate(made)]))
        reached = np.abs(dx["h"]).max(axis=1) > 0
        assert np.array_equal(reached, LENGTHS[:, 0] <= 2)
        assert np.abs(dx["x"]).max() > 0


def translator(kind, *, lengths=False, dtype="float32", units=9, seed=0, **options):
    """Return an encoder, whose sequences are read too, before a decoder."""
    source, target = cr.Input((TIME, FEATURES), name="source"), cr.Input((4, 2), name="target")
    given = [source, *[cr.Input(1, name="n")] * lengths]
    encoder = KINDS[kind](units, return_sequences=True, return_state=True, name="e", **options)
    steps, *state = encoder(given)
    decoded = KINDS[kind](units, return_sequences=True, name="d")(target, initial_state=state)
    outputs = [cr.Dense(2, name="y")(decoded), cr.Dense(1, name="z")(cr.GlobalMaxPooling()(steps))]
    return cr.Network([*given, target], outputs, seed=seed, dtype=dtype)


def rows_of_translator(rows=ROWS, lengths=False):
    rng = np.random.default_rng(8)
    x = [rng.normal(size=(rows, TIME, FEATURES)), rng.normal(size=(rows, 4, 2))]
    x[1:1] = [np.arange(rows)[:, None] % TIME + 1.0] * lengths
    return x, [rng.normal(size=(rows, 4, 2)), rng.normal(size=(rows, 1))]


@pytest.mark.parametrize("lengths", [False, True])
@each_kind
def test_gradients_pass_through_the_states_of_a_decoder(kind, lengths, rng) -> None:
    net = shaken(translator(kind, lengths=lengths, dtype="float64", units=3), rng)
    report = cr.gradient_check(net, *rows_of_translator(lengths=lengths), "mse")
    assert report.max_relative_error <= 1e-7, report


@each_kind
def test_pytorch(kind, rng) -> None:
    torch = pytest.importorskip("torch")
    net = shaken(translator(kind, dtype="float64"), rng)
    (source, target), _ = rows_of_translator()
    modules = {}
    order = {"simple_rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 1, 2, 3)}[kind]  # of its gates

    def reordered(values):
        gates = np.split(values, len(order), axis=-1)
        return torch.from_numpy(np.concatenate([gates[i] for i in order], axis=-1).T.copy())

    for name, features in (("e", FEATURES), ("d", 2)):
        cell = {"simple_rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}[kind]
        module = getattr(torch.nn, cell)(features, 9, batch_first=True, dtype=torch.float64)
        p = {
            key.split(".")[1]: v for key, v in net.parameters.items() if key.startswith(f"{name}.")
        }
        with torch.no_grad():
            module.weight_ih_l0.copy_(reordered(p["weight"]))
            module.weight_hh_l0.copy_(reordered(p["recurrent_weight"]))
            module.bias_ih_l0.copy_(reordered(p["bias"]))
            module.bias_hh_l0.copy_(reordered(p.get("recurrent_bias", 0 * p["bias"])))
        modules[name] = module
    x = [torch.from_numpy(each).requires_grad_() for each in (source, target)]
    steps, state = modules["e"](x[0])
    decoded, _ = modules["d"](x[1], state)

    def dense(name, values):
        weight, bias = (torch.from_numpy(net.parameters[f"{name}.{a}"]) for a in ("weight", "bias"))
        return values @ weight + bias

    outputs = [dense("y", decoded), dense("z", steps.amax(dim=1))]
    for found, expected in zip(listed(net.forward([source, target])), outputs, strict=True):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=0, atol=1e-12)
    dy = [rng.normal(size=tuple(each.shape)) for each in outputs]
    torch.autograd.backward(outputs, [torch.from_numpy(each) for each in dy])
    dx = net.backward(dy)
    for found, given in zip(listed(dx), x, strict=True):
        np.testing.assert_allclose(found, given.grad.numpy(), rtol=0, atol=1e-12)
    for name, module in modules.items():
        gradient = module.weight_hh_l0.grad.numpy()
        found = reordered(net.gradients[f"{name}.recurrent_weight"]).numpy()
        np.testing.assert_allclose(found, gradient, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("sequences", "backwards", "lengths", "begins"), [*itertools.product((False, True), repeat=4)]
)
@each_kind
def test_pytorch_and_back(kind, sequences, backwards, lengths, begins) -> None:
    torch = pytest.importorskip("torch")
    net, rows = network(
        kind,
        lengths=lengths,
        begins=begins,
        return_sequences=sequences,
        go_backwards=backwards,
    )
    module = cr.to_torch(net)
    with torch.no_grad():
        made = module(*map(torch.from_numpy, map(np.asarray, rows)))
    expected = by_definition(kind, net, rows, lengths=lengths, backwards=backwards)
    for found, each in zip(listed(made), expected[not sequences :], strict=True):
        np.testing.assert_allclose(found.numpy(), each, rtol=0, atol=1e-13)
    back = cr.from_torch(module, input_shape=[each.shape[1:] for each in rows])
    same = zip(listed(back.predict(single(rows))), listed(net.predict(single(rows))), strict=True)
    for found, each in same:
        np.testing.assert_allclose(found, each, rtol=0, atol=1e-13)


@pytest.mark.parametrize("lengths", [False, True])
@each_kind
def test_a_translator_trains_in_pytorch(kind, lengths, rng) -> None:
    torch = pytest.importorskip("torch")
    net = shaken(translator(kind, lengths=lengths, dtype="float64", units=3), rng)
    x, _ = rows_of_translator(lengths=lengths)
    module = cr.to_torch(net)
    made = module(*map(torch.from_numpy, map(np.asarray, x)))
    outputs = net.forward(x)
    dy = [rng.normal(size=each.shape) for each in listed(outputs)]
    net.backward(dy)
    torch.autograd.backward(listed(made), [*map(torch.from_numpy, dy)])
    weight = module.d.recurrence.weight_ih_l0.grad.numpy().T
    order = {"simple_rnn": [0], "gru": [1, 0, 2], "lstm": [0, 1, 2, 3]}[kind]
    gates = np.split(net.gradients["d.weight"], len(order), axis=1)
    expected = np.concatenate([gates[i] for i in order], axis=1)
    np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-12)


def trained(kind: str, threads: int, epochs: int = 2) -> cr.Network:
    net = translator(kind, lengths=True, recurrent_dropout=0.2)
    x, y = rows_of_translator(70, lengths=True)
    net.fit(x, y, epochs=epochs, batch_size=16, num_threads=threads, loss="mse", verbose=0)
    return net


def digest(net: cr.Network) -> str:
    made = net.predict(rows_of_translator(70, lengths=True)[0])
    arrays = [*net.parameters.values(), *listed(made)]
    return hashlib.sha256(b"".join(each.tobytes() for each in arrays)).hexdigest()


HASHES = """
from test_final_states import KINDS, digest, trained
for kind in KINDS:
    for threads in (1, 2, 3, 7):
        print(kind + digest(trained(kind, threads)))
"""


def test_threads_and_instruction_sets_keep_the_bits() -> None:
    assert len(printed_by_each_instruction_set(HASHES)) == len(KINDS)


@each_kind
def test_files_and_resumed_runs_keep_the_bits(kind, tmp_path) -> None:
    unbroken, net = trained(kind, 2), trained(kind, 1, epochs=1)
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert [layer.config for layer in again.layers] == [layer.config for layer in net.layers]
    x, y = rows_of_translator(70, lengths=True)
    again.fit(x, y, epochs=1, batch_size=16, loss="mse", verbose=0)
    assert digest(again) == digest(unbroken)


@each_kind
def test_padding_changes_no_bit(kind) -> None:
    net, rows = network(kind, lengths=True, return_sequences=True, dtype="float32")
    x, n = rows
    other = np.where(np.arange(TIME)[:, None] < n[:, :, None], x, 1e6)
    made, again = net.predict(rows), net.predict([other, n])
    assert [*made] == ["cropping", "position", "position_1"][: 1 + COUNTS[kind]]
    assert all(np.array_equal(made[name], again[name]) for name in made)


@each_kind
def test_a_predictor_has_them(kind) -> None:
    net = translator(kind)
    (source, target), _ = rows_of_translator()
    expected = net.predict([source, target])
    flat = [each[:1].reshape(1, -1).astype(np.float32) for each in (source, target)]
    made = cr.Predictor(net).predict(flat)
    flat = np.concatenate([each[0].ravel() for each in listed(expected)])
    assert np.array_equal(np.concatenate([np.ravel(each) for each in listed(made)]), flat)


@each_kind
def test_a_layer_by_itself_gives_them_as_positions(kind, rng) -> None:
    """As its docstring says; so it has a meaning in a Sequential, too."""
    count = COUNTS[kind]
    x = rng.normal(size=(ROWS, TIME, FEATURES))
    for sequences, steps in ((True, TIME), (False, 0)):
        layer = KINDS[kind](UNITS, return_sequences=sequences, return_state=True)
        net = cr.Sequential([cr.Input((TIME, FEATURES)), layer], seed=1)
        plain = chain(KINDS[kind](UNITS, return_sequences=True), dtype="float32")
        plain.set_weights(net.get_weights())
        y, made = plain.predict(x), net.predict(x)
        assert made.shape == (ROWS, steps + count, UNITS)
        assert np.array_equal(made[:, :steps], y[:, :steps])
        assert np.array_equal(made[:, steps], y[:, -1])


def test_what_has_no_final_states_says_so() -> None:
    layer = cr.GRU(3, return_sequences=True, return_state=True, name="memory")
    net = cr.Sequential([cr.Input((4, 2)), layer], seed=0)
    text = r"'memory' \(gru\) cannot: it gives the final state of whole sequences"
    with pytest.raises(ValueError, match=text):
        cr.StreamingPredictor(net)


@pytest.mark.parametrize("lengths", [False, True])
@each_kind
def test_both_sides(kind, lengths, rng) -> None:
    """The states to begin with, and the final ones, are those of two layers by themselves."""
    count = COUNTS[kind]
    x = cr.Input((TIME, FEATURES), name="x")
    given = [x, *[cr.Input(1, name="n")] * lengths]
    first = [cr.Input(UNITS, name=f"s{i}") for i in range(2 * count)]
    options = {"return_sequences": True, "return_state": True}
    both = cr.Bidirectional(KINDS[kind](UNITS, name="r", **options))
    made = both(given, initial_state=first)
    assert len(made) == 1 + 2 * count
    net = shaken(cr.Network([*given, *first], list(made), seed=2, dtype="float64"), rng)
    rows = [rng.normal(size=(ROWS, TIME, FEATURES)), *[LENGTHS.astype(float)] * lengths]
    rows += [*rng.normal(size=(2 * count, ROWS, UNITS))]
    y, *final = listed(net.predict(rows))
    for i, (name, layer) in enumerate({"r": both.layer, "r_backward": both.backward_layer}.items()):
        own = slice(i * count, (i + 1) * count)
        alone = layer(given, initial_state=first[own])
        one = cr.Network([*given, *first[own]], list(alone), dtype="float64")
        one.set_weights({k: v for k, v in net.parameters.items() if k.split(".")[0] == name})
        states = rows[1 + lengths :][own]
        steps, *others = listed(one.predict([*rows[: 1 + lengths], *states]))
        assert np.array_equal(y[..., i * UNITS : (i + 1) * UNITS], steps)
        for found, expected in zip(final[own], others, strict=True):
            assert np.array_equal(found, expected)
    target = [rng.normal(size=each.shape) for each in listed(net.predict(rows))]
    report = cr.gradient_check(net, rows, target, "mse")
    assert report.max_relative_error <= 1e-7, report


def test_both_sides_of_other_numbers_of_states() -> None:
    x, h = cr.Input((TIME, FEATURES)), cr.Input(UNITS)
    gru, lstm = cr.Bidirectional(cr.GRU(UNITS)), cr.Bidirectional(cr.LSTM(UNITS))
    text = r"Bidirectional\(GRU\(4\)\) has initial_state of two, one of each layer, got 1"
    for states in ([h], h):
        with pytest.raises(ValueError, match=text):
            gru(x, initial_state=states)
    with pytest.raises(ValueError, match="of four, h and c of each layer, got 2"):
        lstm(x, initial_state=[h, h])
    wide = cr.Input(UNITS + 1)
    made = gru(x, initial_state=[h, wide])
    with pytest.raises(ValueError, match=r"to begin with, of shape \(4,\)"):
        cr.Network([x, wide, h], made)


@pytest.mark.parametrize("index", [0, 2, -1, -4])
def test_position(index, rng) -> None:
    net = cr.Sequential([cr.Input((4, 3)), cr.Dense(5, "tanh"), cr.Position(index)], seed=0)
    whole = chain(cr.Dense(5, "tanh"), shape=(4, 3), dtype="float32")
    whole.set_weights(net.get_weights())
    x = rng.normal(size=(6, 4, 3)).astype(np.float32)
    assert np.array_equal(net.predict(x), whole.predict(x)[:, index])
    assert np.array_equal(net.forward(x), whole.forward(x)[:, index])
    dy = rng.normal(size=(6, 5)).astype(np.float32)
    every = np.zeros((6, 4, 5), np.float32)
    every[:, index] = dy
    assert np.array_equal(net.backward(dy), whole.backward(every))


@pytest.mark.parametrize(
    ("shape", "index", "text"),
    [
        ((4, 3), 4, r"index must name a position of rows of shape \(4, 3\), got 4"),
        ((4, 3), -5, "got -5"),
        (4, 0, r"position: it reads rows of shape \(time, features\), got \(4,\)"),
        ((4, 3, 2), 0, r"got \(4, 3, 2\)"),
    ],
)
def test_positions_that_there_are_not(shape, index, text) -> None:
    with pytest.raises(ValueError, match=text):
        cr.Sequential([cr.Input(shape), cr.Position(index)], seed=0)
