# SPDX-License-Identifier: Apache-2.0
"""A last activation that is not the loss's link is refused, and `from_logits` means it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import assert_refused

import chainrule as cr
from chainrule import losses

ROWS, COLUMNS, OUTPUTS = 40, 4, 3
RNG = np.random.default_rng(5)
X = RNG.normal(size=(ROWS, COLUMNS)).astype(np.float32)
LABELS = RNG.integers(OUTPUTS, size=ROWS)
BITS = RNG.integers(2, size=(ROWS, OUTPUTS))

ANY_NUMBER = {"linear", "leaky_relu"}
ALLOWED = {
    "cross_entropy": ANY_NUMBER | {"softmax"},
    "binary_cross_entropy": ANY_NUMBER | {"sigmoid"},
    "poisson": ANY_NUMBER,
    "hinge": ANY_NUMBER
    | {"elu", "gelu", "gelu_tanh", "silu", "tanh", "softsign", "hard_swish", "mish", "selu"},
}
ACTIVATIONS = cr._core.Activation.kinds()
CALLS: dict[str, Callable[[cr.Sequential, Any, Any], object]] = {
    "fit": lambda net, y, loss: net.fit(X, y, loss=loss, verbose=0, metrics=[]),
    "evaluate": lambda net, y, loss: net.evaluate(X, y, loss=loss, metrics=[]),
    "train_on_batch": lambda net, y, loss: net.train_on_batch(X, y, loss=loss),
}


def targets(loss: str) -> Any:
    return LABELS if loss == "cross_entropy" else BITS


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", ALLOWED)
def test_pairs(loss: str, activation: str, call: Callable[..., object]) -> None:
    net = cr.Sequential([cr.Dense(OUTPUTS, activation=activation)], seed=0)
    if activation in ALLOWED[loss]:
        call(net, targets(loss), loss)
        return
    with pytest.raises(ValueError, match=loss) as caught:
        call(net, targets(loss), loss)
    text = str(caught.value)
    assert f"the last activation is {activation}" in text
    assert "use Dense(3) without activation" in text
    link = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "hinge": "tanh"}.get(
        loss
    )
    assert link is None or f'Dense(3, activation="{link}")' in text
    assert not net.built
    assert net.loss is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_changes_and_a_good_loss_goes_on(dtype: str) -> None:
    net = cr.Sequential([cr.Dense(OUTPUTS, activation="sigmoid")], seed=0, dtype=dtype)
    net.fit(X, BITS, loss="binary_cross_entropy", epochs=2, verbose=0)
    text = "the last activation is sigmoid"
    assert_refused(
        net, lambda: net.fit(X, LABELS, loss="cross_entropy", verbose=0), ValueError, text
    )
    assert_refused(net, lambda: net.evaluate(X, BITS, loss="poisson"), ValueError, text)
    net.fit(X, BITS, verbose=0)


@pytest.mark.parametrize(
    "layers",
    [
        [cr.Dense(OUTPUTS, activation="relu"), cr.Dropout(0.1)],
        [cr.Dense(OUTPUTS), cr.Activation("tanh"), cr.Dropout(0.1), cr.Activation("linear")],
        [cr.Dense(OUTPUTS, activation="relu"), cr.Rescaling(1.0)],
        [cr.Dense(OUTPUTS, activation="softmax"), cr.Dropout(0.1)],
        [cr.Dense(OUTPUTS, activation=cr.activations.LeakyRelu(0.0))],
    ],
    ids=repr,
)
def test_layers_behind_the_activation_hide_nothing(layers: list[Any]) -> None:
    net = cr.Sequential(layers, seed=0)
    with pytest.raises(ValueError, match="the last activation is"):
        net.fit(X, LABELS, loss="cross_entropy", verbose=0)


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy", "hinge"])
def test_a_softmax_over_one_output_is_refused(loss: str) -> None:
    net = cr.Sequential([cr.Dense(1, activation="softmax")], seed=0)
    with pytest.raises(ValueError, match="a softmax over one output is always 1"):
        net.fit(X, BITS[:, :1], loss=loss, verbose=0)


@pytest.mark.parametrize(
    ("loss", "activation", "reference"),
    [
        (losses.CrossEntropy(from_logits=True), "tanh", "CrossEntropyLoss"),
        (losses.CrossEntropy(from_logits=True), "softmax", "CrossEntropyLoss"),
        (losses.BinaryCrossEntropy(from_logits=True), "relu", "BCEWithLogitsLoss"),
        (losses.BinaryCrossEntropy(from_logits=True), "sigmoid", "BCEWithLogitsLoss"),
        (losses.Poisson(from_logits=True), "softplus", "PoissonNLLLoss"),
    ],
    ids=repr,
)
def test_from_logits_takes_the_activations_values_as_logits(
    loss: losses.Loss, activation: str, reference: str
) -> None:
    torch = pytest.importorskip("torch")
    net = cr.Sequential([cr.Dense(OUTPUTS, activation=activation)], seed=0, dtype="float64")
    y = LABELS if loss.takes_labels else BITS
    outputs = net.predict(X)
    given = torch.tensor(y if loss.takes_labels else y.astype(float))
    expected = float(getattr(torch.nn, reference)()(torch.tensor(outputs), given))
    assert net.evaluate(X, y, loss=loss)["loss"] == pytest.approx(expected, rel=1e-12)
    net.fit(X, y, loss=loss, verbose=0)
    # predict_proba applies the link to them, the loss's own activation or not.
    outputs = net.predict(X)
    np.testing.assert_array_equal(net.predict_proba(X), loss.link(outputs))


def test_from_logits_is_kept(tmp_path: Any) -> None:
    net = cr.Sequential([cr.Dense(OUTPUTS, activation="tanh")], seed=0)
    loss = losses.CrossEntropy(0.1, from_logits=True)
    net.fit(X, LABELS, loss=loss, verbose=0)
    net.save(tmp_path / "net")
    again = cr.load(tmp_path / "net")
    assert again.loss == loss
    assert losses.CrossEntropy(0.1) != loss
    again.fit(X, LABELS, verbose=0)


def test_from_logits_is_checked() -> None:
    with pytest.raises(ValueError, match="from_logits must be true or false"):
        losses.CrossEntropy(from_logits="yes")  # type: ignore[arg-type]
    assert losses.CrossEntropy(from_logits=None) == losses.CrossEntropy(from_logits=False)
    assert repr(losses.Poisson(from_logits=True)) == "Poisson(from_logits=True)"


IMAGES, STEPS = (4, 4, 2), (5, 2)


@pytest.mark.parametrize(
    ("shape", "layers", "loss", "text"),
    [
        (IMAGES, [cr.Conv2D(3, 4, activation="relu"), cr.Flatten()], "cross_entropy", "relu"),
        (IMAGES, [cr.DepthwiseConv2D(4, activation="relu"), cr.Flatten()], "cross_entropy", "relu"),
        (STEPS, [cr.Conv1D(3, 5, activation="tanh"), cr.Flatten()], "cross_entropy", "tanh"),
        (STEPS, [cr.SimpleRNN(3)], "cross_entropy", r"tanh of layer 0 \(simple_rnn\), which .* 1"),
        (STEPS, [cr.SimpleRNN(3, "relu"), cr.Dropout(0.1)], "cross_entropy", "relu of layer 0"),
        (STEPS, [cr.SimpleRNN(1, "sigmoid")], "binary_cross_entropy", "sigmoid of layer 0"),
        (STEPS, [cr.GRU(3)], "cross_entropy", r"tanh of layer 0 \(gru\), which gives .* \[-1, 1\]"),
        (STEPS, [cr.LSTM(3), cr.Rescaling(2.0)], "cross_entropy", r"tanh .* \[-2, 2\]"),
    ],
)
def test_convolutions_and_states_are_no_logits(shape, layers, loss: str, text: str) -> None:
    net = cr.Sequential([cr.Input(shape), *layers], seed=0)
    x, y = RNG.normal(size=(8, *shape)), np.arange(8) % 2
    with pytest.raises(ValueError, match=f"the last activation is {text}"):
        net.fit(x, y, loss=loss, verbose=0)
    assert net.loss is None


@pytest.mark.parametrize(
    ("shape", "layers", "loss"),
    [
        (IMAGES, [cr.Conv2D(3, 4), cr.Flatten()], "cross_entropy"),
        (IMAGES, [cr.Conv2D(3, 4, activation="leaky_relu"), cr.Flatten()], "cross_entropy"),
        (STEPS, [cr.SimpleRNN(3, "linear")], "cross_entropy"),
        (STEPS, [cr.GRU(1)], "hinge"),
        (STEPS, [cr.LSTM(1)], "mse"),
    ],
)
def test_other_convolutions_and_states_are_taken(shape, layers, loss: str) -> None:
    net = cr.Sequential([cr.Input(shape), *layers], seed=0)
    net.fit(RNG.normal(size=(8, *shape)), np.arange(8) % 2, loss=loss, verbose=0)
    if loss == "cross_entropy":
        net.fit(RNG.normal(size=(8, *shape)), np.arange(8) % 2, verbose=0)


def test_a_softmax_of_a_convolution_is_the_losss_own() -> None:
    nets = [
        cr.Network(x := cr.Input(IMAGES), cr.Conv2D(3, 2, activation=activation)(x), seed=0)
        for activation in ("linear", "softmax")
    ]
    x, y = RNG.normal(size=(8, *IMAGES)), RNG.integers(0, 3, (8, 3, 3))
    for net in nets:
        net.fit(x, y, loss="cross_entropy", epochs=2, verbose=0)
    for a, b in zip(nets[0].get_weights(), nets[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
