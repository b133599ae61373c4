# SPDX-License-Identifier: Apache-2.0
"""Recurrences of PyTorch modules that others have written."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference

TIME, FEATURES = 6, 3
RNG = np.random.default_rng(3)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("taken", ["sequences", "last step", "states", "both"])
def test_modules_of_pytorch(name, bidirectional, num_layers, taken) -> None:
    torch = pytest.importorskip("torch")

    class Own(torch.nn.Module):
        """A recurrence as models use it."""

        def __init__(self) -> None:
            super().__init__()
            options = {"batch_first": True, "bidirectional": bidirectional, "dropout": 0.1}
            options["dropout"] *= num_layers - 1
            self.memory = getattr(torch.nn, name)(FEATURES, 4, num_layers, **options)
            self.last = torch.nn.Linear(4 * (1 + bidirectional), 2)

        def forward(self, x):
            out, states = self.memory(x, *self.first(x))
            h = states[0] if name == "LSTM" else states
            if taken == "sequences":
                return self.last(torch.relu(out))
            ends = torch.cat((h[-2], h[-1]), 1) if bidirectional else h[-1]
            if taken == "both":
                return self.last(out[:, 0] + ends)
            return self.last(out[:, -1, :] if taken == "last step" else ends)

        def first(self, x):
            count = num_layers * (1 + bidirectional)
            return () if name == "LSTM" else (torch.zeros(count, x.size(0), 4, dtype=x.dtype),)

    module = Own().double().eval()
    net = cr.from_torch(module, input_shape=(TIME, FEATURES))
    kind = {"RNN": "simple_rnn", "GRU": "gru", "LSTM": "lstm"}[name]
    layers = [layer for layer in net.layers if layer.kind == kind]
    assert len(layers) == num_layers * (1 + bidirectional)
    if taken == "states" or (taken == "last step" and not bidirectional):
        assert not any(layer.return_sequences for layer in layers[-1 - bidirectional :])
    x = RNG.normal(size=(7, TIME, FEATURES))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-12


@pytest.mark.parametrize(
    ("options", "use", "text"),
    [
        ({}, "out", "batch_first=True"),
        ({"batch_first": True, "proj_size": 2}, "out", "proj_size"),
        ({"batch_first": True}, "flat", "flatten of its states"),
        ({"batch_first": True}, "third", "number 2 of its states"),
        ({"batch_first": True}, "mixed", "something of a recurrent module's states"),
    ],
)
def test_modules_that_are_no_layer_are_refused(options, use, text) -> None:
    torch = pytest.importorskip("torch")

    class Own(torch.nn.Module):
        """Something that layers do not have."""

        def __init__(self) -> None:
            super().__init__()
            self.memory = torch.nn.LSTM(FEATURES, 4, **options)
            self.next = torch.nn.LSTM(4, 4, batch_first=True)

        def forward(self, x):
            out, (h, c) = self.memory(x)
            if use == "third":
                return h[2]
            if use == "mixed":
                return self.next(out, (c, h))[0]
            return {"out": out, "flat": h.flatten(1)}[use]

    with pytest.raises(ValueError, match=text):
        cr.from_torch(Own(), input_shape=(TIME, FEATURES))


def test_modules_that_cannot_be_followed_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="gives sequences and states"):
        cr.from_torch(torch.nn.GRU(3, 4, batch_first=True), input_shape=(TIME, FEATURES))
    net = cr.Sequential([cr.Input((TIME, FEATURES)), cr.SimpleRNN(4, "sigmoid")], seed=1)
    with pytest.raises(ValueError, match="its RNN has no sigmoid"):
        cr.to_torch(net)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("form", ["whole", "keyword", "pair"])
def test_decoders_begin_with_the_states_of_encoders(name, bidirectional, num_layers, form) -> None:
    torch = pytest.importorskip("torch")

    class Translator(torch.nn.Module):
        """An encoder and a decoder, as models of sequences to sequences have them."""

        def __init__(self) -> None:
            super().__init__()
            options = {"batch_first": True, "bidirectional": bidirectional}
            make = getattr(torch.nn, name)
            self.encoder = make(FEATURES, 4, num_layers, **options)
            self.decoder = make(2, 4, num_layers, **options)
            self.last = torch.nn.Linear(4 * (1 + bidirectional), 2)

        def forward(self, x, y):
            _, states = self.encoder(x)
            if form == "pair" and name == "LSTM":
                h, c = states
                states = (h, c)
            given = {"hx": states} if form == "keyword" else {}
            out, _ = self.decoder(y, *(() if given else (states,)), **given)
            return self.last(out)

    module = Translator().double().eval()
    net = cr.from_torch(module, input_shape=[(TIME, FEATURES), (4, 2)])
    x = [RNG.normal(size=(7, TIME, FEATURES)), RNG.normal(size=(7, 4, 2))]
    with torch.no_grad():
        expected = module(*map(torch.from_numpy, x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-12


@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_of_all_layers(bidirectional) -> None:
    torch = pytest.importorskip("torch")

    class States(torch.nn.Module):
        """The states of lower layers, and cells."""

        def __init__(self) -> None:
            super().__init__()
            options = {"batch_first": True, "bidirectional": bidirectional}
            self.memory = torch.nn.LSTM(FEATURES, 4, 2, **options)

        def forward(self, x):
            out, (h, c) = self.memory(x)
            return torch.cat([h[0] + c[-1], c[1], h[-1], out[:, 0]], 1)

    module = States().double().eval()
    net = cr.from_torch(module, input_shape=(TIME, FEATURES))
    x = RNG.normal(size=(7, TIME, FEATURES))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-12


def test_a_module_that_is_called_twice_is_one_layer() -> None:
    torch = pytest.importorskip("torch")

    class Own(torch.nn.Module):
        """The same convolution, normalisation and recurrence twice."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv1d(FEATURES, FEATURES, 3, padding=1)
            self.norm = torch.nn.BatchNorm1d(FEATURES)
            self.memory = torch.nn.GRU(FEATURES, FEATURES, batch_first=True)

        def forward(self, x):
            x = self.norm(self.conv(torch.relu(self.norm(self.conv(x.transpose(1, 2))))))
            return self.memory(self.memory(x.transpose(1, 2))[0])[0]

    module = Own().eval()
    net = cr.from_torch(module, input_shape=(TIME, FEATURES))
    assert {name.partition(".")[0] for name in net.parameters} == {"conv", "norm", "memory"}
    x = RNG.normal(size=(7, TIME, FEATURES)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-5
