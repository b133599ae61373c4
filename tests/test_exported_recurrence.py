# SPDX-License-Identifier: Apache-2.0
"""ONNX files that PyTorch writes of convolutional and recurrent modules."""

from __future__ import annotations

import io
import warnings

import pytest

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
nn = torch.nn

TIME, FEATURES, UNITS = 7, 3, 5


class Images(nn.Module):
    """A convolutional network as tutorials have it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, stride=2)
        self.last = nn.Linear(6 * 3 * 3, 5)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.first(x)), 2)
        x = torch.relu(self.second(x))
        return self.last(x.view(x.size(0), -1))


class Sequences(nn.Module):
    """A recurrent module, and what is taken of its outputs."""

    def __init__(self, kind, bidirectional: bool, num_layers: int, taken: str) -> None:
        super().__init__()
        options = {"batch_first": True, "bidirectional": bidirectional}
        self.memory = kind(FEATURES, UNITS, num_layers, **options)
        self.last = nn.Linear(UNITS * (1 + bidirectional), 2)
        self.taken, self.bidirectional = taken, bidirectional

    def forward(self, x):
        out, states = self.memory(x)
        if self.taken == "sequences":
            return self.last(out)
        if self.taken == "last step":
            return self.last(out[:, -1])
        h = states[0] if isinstance(self.memory, nn.LSTM) else states
        return self.last(torch.cat((h[-2], h[-1]), 1) if self.bidirectional else h[-1])


def read(module, *shape: int) -> list[str]:
    """Return the kinds of layers of a module's file, which gives what the module does."""
    rows = torch.randn(5, *shape)
    file = io.BytesIO()
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "rows"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, which is older than PyTorch's newest
        torch.onnx.export(module.eval(), (rows[:2],), file, opset_version=17, dynamo=False, **names)
    net = cr.from_onnx(file.getvalue())
    with torch.no_grad():
        expected = module(rows).numpy()
    assert largest_relative_difference(net.predict(rows.numpy()), expected) <= 1e-5
    return [layer.kind for layer in net.layers]


def test_a_convolutional_network() -> None:
    middle = ["conv2d", "max_pooling", "conv2d"]
    assert read(Images(), 1, 16, 16) == ["permute", *middle, "permute", "flatten", "dense"]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("num_layers", "taken"), [(1, "last step"), (1, "states"), (2, "sequences")]
)
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_a_recurrent_network(name, num_layers, taken, bidirectional) -> None:
    module = Sequences(getattr(nn, name), bidirectional, num_layers, taken)
    kind = {"RNN": "simple_rnn", "GRU": "gru", "LSTM": "lstm"}[name]
    expected = ([kind, kind, "concatenate"] if bidirectional else [kind]) * num_layers
    if bidirectional and taken == "last step":
        expected += ["position"]
    found = read(module, TIME, FEATURES)
    assert found == [*expected, "dense"]


class Translator(nn.Module):
    """An encoder, and a decoder that begins with its final states."""

    def __init__(self, kind, bidirectional: bool) -> None:
        super().__init__()
        options = {"batch_first": True, "bidirectional": bidirectional}
        self.encoder, self.decoder = kind(FEATURES, UNITS, **options), kind(2, UNITS, **options)
        self.last = nn.Linear(UNITS * (1 + bidirectional), 2)
        self.beside = nn.Linear(UNITS * (1 + bidirectional), 1)

    def forward(self, source, target):
        out, state = self.encoder(source)
        return self.last(self.decoder(target, state)[0]), self.beside(out)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_an_encoder_and_a_decoder(name, bidirectional) -> None:
    module = Translator(getattr(nn, name), bidirectional).eval()
    rows = torch.randn(5, TIME, FEATURES), torch.randn(5, 4, 2)
    file, names = io.BytesIO(), {"input_names": ["x", "t"], "output_names": ["y", "z"]}
    names["dynamic_axes"] = {each: {0: "rows"} for each in ("x", "t")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(r[:2] for r in rows), file, dynamo=False, **names)
    net = cr.from_onnx(file.getvalue())
    with torch.no_grad():
        expected = module(*rows)
    made = net.predict([each.numpy() for each in rows])
    for found, y in zip(made.values(), expected, strict=True):
        assert largest_relative_difference(found, y.numpy()) <= 1e-5
    encoder = net.layers[0]
    assert encoder.return_sequences
    assert encoder.return_state == (name == "LSTM")


def test_states_of_its_own_are_refused() -> None:
    class Own(nn.Module):
        """A recurrence that begins with ones."""

        def __init__(self) -> None:
            super().__init__()
            self.memory = nn.GRU(FEATURES, UNITS, batch_first=True)

        def forward(self, x):
            return self.memory(x, torch.ones(1, x.size(0), UNITS))[0]

    with pytest.raises(cr.ModelFileError, match="begins with states of its own"):
        read(Own(), TIME, FEATURES)
    with pytest.raises(ValueError, match="ones"):
        cr.from_torch(Own(), input_shape=(TIME, FEATURES))
