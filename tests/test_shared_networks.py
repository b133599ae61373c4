# SPDX-License-Identifier: Apache-2.0
"""Networks within networks, whose parameters are shared."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

X = np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32)


def halves() -> tuple[cr.Sequential, cr.Sequential, cr.Network]:
    encoder = cr.Sequential(
        [cr.Input(6), cr.Dense(4, activation="tanh"), cr.BatchNormalization(), cr.Dense(2)],
        seed=1,
        name="encoder",
    )
    decoder = cr.Sequential([cr.Input(2), cr.Dense(6)], seed=2, name="decoder")
    x = cr.Input(6)
    return encoder, decoder, cr.Network(inputs=x, outputs=decoder(encoder(x)), seed=3)


def assert_shared(encoder: cr.Sequential, decoder: cr.Sequential, both: cr.Network) -> None:
    np.testing.assert_array_equal(decoder.predict(encoder.predict(X)), both.predict(X))
    for prefix, part in (("encoder", encoder), ("decoder", decoder)):
        for name, values in part.parameters.items():
            np.testing.assert_array_equal(both.parameters[f"{prefix}/{name}"], values)


def test_halves_of_an_autoencoder_share_their_weights() -> None:
    encoder, decoder, both = halves()
    before = encoder.parameters
    assert_shared(encoder, decoder, both)
    both.fit(X, X, loss="mse", optimizer=cr.Adam(1e-2), epochs=3, verbose=0)
    assert any((before[name] != values).any() for name, values in encoder.parameters.items())
    assert_shared(encoder, decoder, both)


CHANGES: dict[str, Callable[[cr.Network], object]] = {
    "fit": lambda net: net.fit(X[:, :2], X, loss="mse", verbose=0),
    "train_on_batch": lambda net: net.train_on_batch(X[:, :2], X, loss="mse"),
    "set_weights": lambda net: net.set_weights([np.ones_like(w) for w in net.get_weights()]),
    "step": lambda net: (
        net.forward(X[:, :2]),
        net.backward(np.ones((20, 6))),
        cr.SGD(0.1).step(net),
    ),
    "interpolate": lambda net: net.interpolate(
        cr.Sequential([cr.Input(2), cr.Dense(6)], seed=9), 0.5
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_whatever_changes_a_part_changes_the_whole(change: Callable[[Any], object]) -> None:
    encoder, decoder, both = halves()
    both.predict(X)
    before = decoder.parameters
    change(decoder)
    assert any((before[name] != values).any() for name, values in decoder.parameters.items())
    assert_shared(encoder, decoder, both)
    # And once more in the other direction.
    both.train_on_batch(X, X, loss="mse")
    assert_shared(encoder, decoder, both)


def test_running_statistics_are_shared() -> None:
    encoder, decoder, both = halves()
    encoder.forward(X, training=True)
    assert_shared(encoder, decoder, both)


def test_during_a_training_parts_have_the_present_weights() -> None:
    encoder, decoder, both = halves()
    seen = []

    def look(epoch: int, logs: Any) -> None:
        np.testing.assert_array_equal(decoder.predict(encoder.predict(X)), both.predict(X))
        seen.append(encoder.get_weights()[0])

    both.fit(X, X, loss="mse", epochs=3, verbose=0, callbacks=[look])
    assert (seen[0] != seen[1]).any()
    assert (seen[1] != seen[2]).any()


def test_a_training_in_turns_has_the_bits_of_networks_with_set_weights() -> None:
    """Sharing is the same as handing all weights over by hand."""
    encoder, decoder, both = halves()
    twin_encoder, twin_decoder, twin_both = (copy.deepcopy(net) for net in (encoder, decoder, both))
    for _ in range(3):
        both.train_on_batch(X, X, loss="mse", optimizer="adam")
        decoder.train_on_batch(X[:, :2], X, loss="mse", optimizer="adam")
        twin_both.train_on_batch(X, X, loss="mse", optimizer="adam")
        twin_decoder.set_weights(twin_both.get_weights()[-2:])
        twin_decoder.train_on_batch(X[:, :2], X, loss="mse", optimizer="adam")
        twin_both.set_weights({f"decoder/{n}": w for n, w in twin_decoder.parameters.items()})
    for name, values in twin_both.parameters.items():
        np.testing.assert_array_equal(both.parameters[name], values)
    assert (twin_encoder.get_weights()[0] != encoder.get_weights()[0]).any()


def test_copies_share_nothing(tmp_path: Path) -> None:
    encoder, decoder, both = halves()
    decoder.train_on_batch(X[:, :2], X, loss="mse")
    both.save(tmp_path / "net")
    for twin in (copy.copy(both), pickle.loads(pickle.dumps(both)), cr.load(tmp_path / "net")):
        np.testing.assert_array_equal(twin.predict(X), both.predict(X))
        twin.set_weights([0 * weight for weight in twin.get_weights()])
        assert_shared(encoder, decoder, both)
        assert both.get_weights()[0].any()


def test_a_siamese_network_of_one_tower() -> None:
    tower = cr.Sequential([cr.Input(3), cr.Dense(4, activation="tanh")], seed=0, name="tower")
    a, b = cr.Input(3, name="a"), cr.Input(3, name="b")
    net = cr.Network(inputs=[a, b], outputs=tower(a) - tower(b), seed=0)
    assert list(net.parameters) == ["tower/0.weight", "tower/0.bias"]
    left, right = X[:, :3], X[:, 3:]
    expected = tower.predict(left) - tower.predict(right)
    np.testing.assert_array_equal(net.predict({"a": left, "b": right}), expected)


def test_transfer_learning() -> None:
    """A trained network's first layers within a new one, whose own layers alone are new."""
    base = cr.Sequential([cr.Input(6), cr.Dense(5, activation="tanh"), cr.Dense(3)], seed=0)
    base.fit(X, X[:, :3], loss="mse", verbose=0)
    features = base.subnetwork("0")
    np.testing.assert_array_equal(features.predict(X), base[:1].predict(X))
    x = cr.Input(6)
    net = cr.Network(inputs=x, outputs=cr.Dense(2, name="head")(features(x)), seed=5)
    weights = net.parameters
    np.testing.assert_array_equal(weights["network/0.weight"], base.parameters["0.weight"])
    net.train_on_batch(X, X[:, :2], loss="mse")
    np.testing.assert_array_equal(net.parameters["network/0.bias"], base.parameters["0.bias"])
    with pytest.raises(ValueError, match="unknown node '7'"):
        base.subnetwork("7")


def test_networks_within_that_do_not_fit_are_refused() -> None:
    part = cr.Sequential([cr.Input(3), cr.Dense(2, name="d")], seed=0, name="part")
    wide, a, b = cr.Input(4), cr.Input(3, name="a"), cr.Input(3, name="b")
    text = r"node 'part/d' shares the parameters of 'd' in another network, which reads \(3,\), and"
    with pytest.raises(ValueError, match=rf"{text} cannot read \(4,\)"):
        cr.Network(wide, part(wide))
    with pytest.raises(
        ValueError, match=r"'part/d' shares .* computes in float32 and not in float64"
    ):
        cr.Network(a, part(a), dtype="float64")
    with pytest.raises(ValueError, match=r"has 1 inputs \(x\), got 2"):
        part([a, b])
    with pytest.raises(RuntimeError, match="the number of inputs is not known yet"):
        cr.Sequential([cr.Dense(2)])(a)
    assert part._shared is None
