# SPDX-License-Identifier: Apache-2.0
"""Losses that are Python functions, against the built-in ones and plain NumPy in float64."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import weakref

import numpy as np
import pytest
from subprocesses import outputs_of_instruction_sets

import chainrule as cr


def squared(y_true, y_pred):
    d = y_pred - y_true
    return (d**2).mean(axis=1), 2 * d / d.shape[1]


def softmax_cross_entropy(labels, z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(z))
    gradient = p.copy()
    gradient[rows, labels] -= 1
    return -np.log(p[rows, labels]), gradient


def focal(labels, z, gamma=2.0):
    """(1 - p)^gamma times the cross-entropy (Lin et al., 2017), differentiated by hand."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    hit = np.eye(z.shape[1])[labels]
    q = (p * hit).sum(axis=1, keepdims=True)
    slope = gamma * (1 - q) ** (gamma - 1) * q * np.log(q) - (1 - q) ** gamma
    return (-((1 - q) ** gamma) * np.log(q))[:, 0], slope * (hit - p)


def network(outputs=3, dtype="float64", **options):
    layers = [cr.Input(4), cr.Dense(8, activation="tanh"), cr.Dense(outputs)]
    return cr.Sequential(layers, seed=1, dtype=dtype, **options)


def close(a, b, tolerance):
    for name, values in a.parameters.items():
        np.testing.assert_allclose(values, b.parameters[name], rtol=tolerance, atol=tolerance)


def same(net, before):
    assert net.parameters.keys() == before.keys()
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_function_trains_as_the_loss_that_it_is(dtype, tolerance, weighted, rng) -> None:
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    labels = rng.integers(0, 3, 50)
    weights = {"sample_weight": rng.uniform(0, 2, 50)} if weighted else {}
    by_class = {"class_weight": [1.0, 3.0, 0.5]} if weighted else {}
    cases = [(y, squared, "mse", {}), (labels, softmax_cross_entropy, "cross_entropy", by_class)]
    for target, function, name, more in cases:
        ours, theirs = network(dtype=dtype), network(dtype=dtype)
        for net, loss in ((ours, function), (theirs, name)):
            net.fit(
                x,
                target,
                loss=loss,
                epochs=3,
                batch_size=16,
                verbose=0,
                metrics=[],
                **weights,
                **more,
            )
            net.train_on_batch(x[:9], target[:9])
        close(ours, theirs, tolerance)
        losses = [net.evaluate(x, target, **weights, **more)["loss"] for net in (ours, theirs)]
        np.testing.assert_allclose(*losses, rtol=100 * tolerance)
        np.testing.assert_allclose(
            ours.history["loss"], theirs.history["loss"], rtol=100 * tolerance
        )


def test_weights_scale_the_mean_over_rows(rng) -> None:
    z, y, w = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), np.array([1.0, 0, 2, 5, 0.5])
    loss = cr.losses.get(squared)
    values, slopes = squared(y, z)
    np.testing.assert_allclose(loss(z, y, w), (w * values).sum() / w.sum(), rtol=1e-15)
    np.testing.assert_allclose(
        loss.gradient(z, y, w), w[:, None] * slopes / w.sum(), rtol=1e-14, atol=1e-16
    )
    assert loss(z, y, np.zeros(5)) == 0


def test_class_weights_of_a_single_output(rng) -> None:
    x, y = rng.normal(size=(30, 4)), rng.integers(0, 2, 30)
    values = [
        network(1).evaluate(x, y, loss=loss, metrics=[], class_weight={1: 4.0})["loss"]
        for loss in (squared, "mse")
    ]
    np.testing.assert_allclose(*values, rtol=1e-14)
    with pytest.raises(ValueError, match="a function as loss needs labels, or one output"):
        network().evaluate(x, rng.normal(size=(30, 3)), loss=squared, class_weight=[1, 2, 1])
    y = np.array([0, 1, 3])
    with pytest.raises(ValueError, match=r"y\[2\] is label 3"):
        network().evaluate(x[:3], y, loss=softmax_cross_entropy, class_weight=[1, 2, 1])


def test_gradient_check(rng) -> None:
    x, labels = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    assert cr.gradient_check(network(), x, labels, focal).max_relative_error <= 1e-7

    def wrong(y_true, y_pred):
        return squared(y_true, y_pred)[0], y_pred

    report = cr.gradient_check(network(), x, rng.normal(size=(6, 3)), wrong)
    assert report.max_relative_error > 1e-2


def test_what_the_function_gets(rng) -> None:
    seen = []

    def loss(y_true, y_pred):
        seen.append((y_true, y_pred))
        return np.zeros(len(y_pred)), np.zeros_like(y_pred)

    x = rng.normal(size=(5, 4))
    for dtype in ("float32", "float64"):
        for y in (np.arange(5), np.arange(5) - 7, np.arange(5.0), np.ones((5, 2), np.uint8)):
            network(dtype=dtype).evaluate(x, y, loss=loss)
    kinds = [(t.dtype.name, t.shape, p.dtype.name, p.shape) for t, p in seen]
    assert kinds == [
        (t if labels else dtype, shape, dtype, (5, 3))
        for dtype in ("float32", "float64")
        for t, shape, labels in (
            ("int64", (5,), True),
            ("int64", (5,), True),
            ("", (5, 1), False),
            ("", (5, 2), False),
        )
    ]
    np.testing.assert_array_equal(seen[1][0], np.arange(5) - 7)
    network(1).evaluate(x, np.arange(5), loss=loss)
    assert seen[-1][0].dtype == np.float64
    assert seen[-1][0].shape == (5, 1)
    # The arrays are the function's own.
    kept = seen[0][1].copy()
    network(dtype="float32").evaluate(x, np.arange(5), loss=loss)
    np.testing.assert_array_equal(seen[0][1], kept)


def shared_positions():
    x = cr.Input((4, 3), name="x")
    return cr.Network(x, cr.Dense(2)(x), seed=0, dtype="float64")


def test_outputs_of_several_positions_keep_their_shape(rng) -> None:
    def loss(y_true, y_pred):
        assert y_true.shape == y_pred.shape == (len(y_pred), 4, 2)
        d = y_pred - y_true
        return (d**2).mean(axis=(1, 2)), 2 * d / 8

    x, y = rng.normal(size=(7, 4, 3)), rng.normal(size=(7, 8))
    assert cr.gradient_check(shared_positions(), x, y, loss).max_relative_error <= 1e-7
    net = shared_positions()
    np.testing.assert_allclose(
        net.evaluate(x, y, loss=loss)["loss"], net.evaluate(x, y, loss="mse")["loss"], rtol=1e-14
    )


def test_several_outputs_and_one_called_kind(rng) -> None:
    def make():
        x = cr.Input(4, name="x")
        h = cr.Dense(6, activation="tanh")(x)
        outputs = {"kind": cr.Dense(2)(h), "ink": cr.Dense(3)(h)}
        return cr.Network(x, outputs, seed=0, dtype="float64")

    x, y = (
        rng.normal(size=(20, 4)),
        {"kind": rng.normal(size=(20, 2)), "ink": rng.integers(0, 3, 20)},
    )
    a, b = make(), make()
    a.fit(x, y, loss={"kind": squared, "ink": "cross_entropy"}, epochs=2, verbose=0)
    b.fit(x, y, loss={"kind": "mse", "ink": "cross_entropy"}, epochs=2, verbose=0)
    close(a, b, 1e-13)
    assert repr(a.loss) == "{'kind': Custom(squared), 'ink': CrossEntropy()}"
    compiled = a.loss.losses[0]
    a.fit(x, y, loss={"kind": squared, "ink": "cross_entropy"}, verbose=0)
    assert a.loss.losses[0] is compiled
    # A config still stands for all of them.
    y["ink"] = rng.normal(size=(20, 3))
    assert make().evaluate(x, y, loss={"kind": "huber", "delta": 2.0})["loss"] > 0
    with pytest.raises(ValueError, match="loss has nothing for the output 'ink'"):
        make().evaluate(x, y, loss={"kind": "mse"})


def test_an_only_output_called_kind(rng) -> None:
    x = cr.Input(4, name="x")
    net = cr.Network(x, {"kind": cr.Dense(2)(x)}, seed=0)
    rows, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 2))
    for loss in ({"kind": "mse"}, {"kind": {"kind": "huber", "delta": 2.0}}, {"kind": squared}):
        assert net.evaluate(rows, y, loss=loss)["loss"] > 0


def test_the_same_function_stays_the_same_loss(rng) -> None:
    x, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 3))

    class Model:
        def __init__(self):
            self.net = network()

        def loss(self, y_true, y_pred):
            return squared(y_true, y_pred)

    model = Model()
    model.net.train_on_batch(x, y, loss=model.loss)
    first = model.net.loss
    model.net.train_on_batch(x, y, loss=model.loss)
    assert model.net.loss is first
    # What the function refers to, the network itself here, is not kept alive by the core.
    reference = weakref.ref(model.net)
    del model, first
    gc.collect()
    assert reference() is None


def test_names() -> None:
    loss = cr.losses.Custom(functools.partial(focal, gamma=3.0), name="focal_3")
    assert repr(loss) == "Custom(focal_3)"
    assert loss.kind == "custom"
    assert repr(cr.losses.get(focal)) == "Custom(focal)"
    assert repr(cr.losses.get(functools.partial(focal, gamma=1.0))) == "Custom(partial)"
    assert cr.losses.Custom(focal) == cr.losses.get(focal)
    assert cr.losses.Custom(focal) != cr.losses.Custom(focal, "other")
    assert cr.losses.Custom(focal) != cr.losses.get("mse")
    with pytest.raises(TypeError, match="function must be a function"):
        cr.losses.Custom(3)
    with pytest.raises(TypeError, match="name must be a string"):
        cr.losses.Custom(focal, 3)
    with pytest.raises(TypeError, match="expected an instance"):
        cr.losses.get(cr.losses.MSE)
    with pytest.raises(ValueError, match="unknown loss 'custom'"):
        cr.losses.get({"kind": "custom", "name": "focal"})


def test_files_keep_all_but_the_function(tmp_path, rng) -> None:
    x, y = rng.normal(size=(40, 4)), rng.integers(0, 3, 40)
    net = network()
    net.fit(x, y, loss=focal, epochs=2, verbose=0, metrics=["accuracy"])
    net.save(tmp_path / "net.safetensors")
    loaded = cr.load(tmp_path / "net.safetensors")
    assert loaded.loss is None
    assert loaded.history == net.history
    with pytest.raises(ValueError, match=r"the function focal as its loss.*give loss=focal again"):
        loaded.evaluate(x, y)
    for each in (net, loaded):
        each.fit(x, y, loss=focal, epochs=1, verbose=0)
    same(loaded, net.parameters)
    loaded.save(tmp_path / "again.safetensors")
    twin = pickle.loads(pickle.dumps(net))
    assert twin.loss == net.loss
    for each in (net, twin, twins := copy.deepcopy(net)):
        each.fit(x, y, epochs=1, verbose=0)
    same(twin, twins.parameters)


HASH = """
import hashlib
import numpy as np, chainrule as cr
from test_custom_loss import focal
rng = np.random.default_rng(5)
x, y = rng.integers(0, 9, size=(300, 20)) / 8, rng.integers(0, 4, 300)
sums = []
for threads in (1, 2, 3, 7):
    for dtype in ("float32", "float64"):
        net = cr.Sequential([cr.Input(20), cr.Dense(300, activation="relu"),
                             cr.BatchNormalization(), cr.Dense(4)], seed=2, dtype=dtype)
        net.fit(x, y, loss=focal, epochs=2, batch_size=128, verbose=0, num_threads=threads)
        weights = b"".join(v.tobytes() for v in net.parameters.values())
        sums.append(hashlib.sha256(weights).hexdigest())
print(*sums)
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    found = set()
    for isa, printed in outputs_of_instruction_sets(HASH).items():
        sums = printed.split()
        assert len(set(sums)) == 2, isa
        found.add(tuple(sums[:2]))
    assert len(found) == 1


def test_against_pytorch(rng) -> None:
    torch = pytest.importorskip("torch")
    x, y = rng.normal(size=(12, 4)), rng.integers(0, 3, 12)
    net = network()
    z = torch.tensor(net.predict(x), requires_grad=True)
    p = torch.softmax(z, dim=1)[torch.arange(12), torch.tensor(y)]
    value = (-((1 - p) ** 2) * torch.log(p)).mean()
    value.backward()
    loss = cr.losses.get(focal)
    np.testing.assert_allclose(loss(z.detach().numpy(), y), value.item(), rtol=1e-13)
    np.testing.assert_allclose(
        loss.gradient(z.detach().numpy(), y), z.grad.numpy(), rtol=1e-11, atol=1e-14
    )
