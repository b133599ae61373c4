# SPDX-License-Identifier: Apache-2.0
"""Losses and metrics of outputs with several positions, against NumPy and PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

TIME, CLASSES = 5, 3


def network(activation="linear", shape=(TIME, 4), columns=CLASSES, dtype="float64"):
    x = cr.Input(shape, name="x")
    h = cr.Dense(6, activation="tanh")(x)
    return cr.Network(x, cr.Dense(columns, activation=activation)(h), seed=1, dtype=dtype)


@pytest.fixture
def data(rng):
    return rng.normal(size=(20, TIME, 4)), rng.integers(0, CLASSES, (20, TIME))


def cross_entropies(z, y):
    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0]


def test_cross_entropy_is_the_mean_over_positions(data, rng) -> None:
    x, y = data
    net = network()
    losses = cross_entropies(net.predict(x), y)
    hits = net.predict(x).argmax(axis=-1) == y
    for targets in (y, y[..., None], np.eye(CLASSES)[y], np.eye(CLASSES)[y].reshape(20, -1)):
        found = net.evaluate(x, targets, loss="cross_entropy")
        np.testing.assert_allclose(found["loss"], losses.mean(), rtol=1e-14)
        np.testing.assert_allclose(found["accuracy"], hits.mean(), rtol=1e-14)
    by_row, by_position = rng.uniform(0, 2, 20), rng.uniform(0, 2, (20, TIME))
    for w, each in ((by_row, by_row[:, None]), (by_position, by_position)):
        each = np.broadcast_to(each, losses.shape)
        found = net.evaluate(x, y, loss="cross_entropy", sample_weight=w)
        np.testing.assert_allclose(found["loss"], np.average(losses, weights=each), rtol=1e-14)
        np.testing.assert_allclose(found["accuracy"], np.average(hits, weights=each), rtol=1e-14)
        again = net.evaluate(cr.Dataset(x, y, sample_weight=w), loss="cross_entropy")
        assert again == found
    by_class = np.array([1.0, 4.0, 0.5])
    found = net.evaluate(x, y, loss="cross_entropy", class_weight=by_class)
    expected = np.average(losses, weights=by_class[y])
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("loss", "columns", "target"),
    [
        ("cross_entropy", 3, lambda rng: rng.integers(0, 3, (8, TIME))),
        ("cross_entropy", 3, lambda rng: rng.dirichlet(np.ones(3), (8, TIME))),
        ("binary_cross_entropy", 1, lambda rng: rng.integers(0, 2, (8, TIME))),
        ("binary_cross_entropy", 2, lambda rng: rng.integers(0, 2, (8, TIME, 2))),
        ("mse", 2, lambda rng: rng.normal(size=(8, TIME, 2))),
        ("huber", 1, lambda rng: rng.normal(size=(8, TIME))),
        ("poisson", 1, lambda rng: rng.poisson(2, (8, TIME))),
        (cr.losses.Quantile((0.1, 0.9)), 2, lambda rng: rng.normal(size=(8, TIME))),
    ],
)
def test_gradient_check(loss, columns, target, rng) -> None:
    x = rng.normal(size=(8, TIME, 4))
    report = cr.gradient_check(network(columns=columns), x, target(rng), loss)
    assert report.max_relative_error <= 1e-7


def test_an_activation_that_the_loss_contains(data) -> None:
    x, y = data
    logits, probabilities = network(), network("softmax")
    for net in (logits, probabilities):
        net.fit(x, y, loss="cross_entropy", epochs=3, batch_size=8, verbose=0)
    for name, values in logits.parameters.items():
        np.testing.assert_array_equal(values, probabilities.parameters[name])
    p = logits.predict_proba(x)
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-12)
    np.testing.assert_array_equal(p, probabilities.predict_proba(x))
    np.testing.assert_array_equal(p, logits.loss.link(logits.predict(x)))


def test_positions_train_as_rows(rng) -> None:
    """A dense network over time sees positions as it sees rows."""
    x, y, w = rng.normal(size=(12, TIME, 4)), rng.integers(0, 3, (12, TIME)), rng.uniform(0, 1, 12)
    over_time = network()
    flat = network(shape=(4,))
    options = {"loss": "cross_entropy", "epochs": 4, "shuffle": False, "verbose": 0}
    over_time.fit(x, y, batch_size=4, sample_weight=w, **options)
    flat.fit(
        x.reshape(-1, 4),
        y.reshape(-1),
        batch_size=4 * TIME,
        sample_weight=np.repeat(w, TIME),
        **options,
    )
    for a, b in zip(over_time.parameters.values(), flat.parameters.values(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert over_time.history["loss"] == flat.history["loss"]
    assert over_time.history["accuracy"] == flat.history["accuracy"]


def test_images_and_one_of_several_outputs(rng) -> None:
    x = cr.Input((4, 3, 2), name="image")
    h = cr.Dense(5, activation="relu")(x)
    outputs = {"mask": cr.Dense(3)(h), "size": cr.Dense(1)(cr.GlobalAveragePooling()(h))}
    net = cr.Network(x, outputs, seed=0, dtype="float64")
    images, masks, sizes = rng.normal(size=(9, 4, 3, 2)), rng.integers(0, 3, (9, 4, 3)), np.ones(9)
    y = {"mask": masks, "size": sizes}
    loss = {"mask": "cross_entropy", "size": "mse"}
    w = rng.uniform(0, 1, 9)
    found = net.evaluate(images, y, loss=loss, sample_weight=w)
    z = net.predict(images)["mask"]
    each = np.broadcast_to(w[:, None, None], masks.shape)
    expected = np.average(cross_entropies(z, masks), weights=each)
    np.testing.assert_allclose(found["mask_loss"], expected, rtol=1e-13)
    hits = np.average(z.argmax(axis=-1) == masks, weights=each)
    np.testing.assert_allclose(found["mask_accuracy"], hits, rtol=1e-13)
    weights = {"class_weight": {"mask": [1.0, 2.0, 3.0]}}
    history = net.fit(images, y, loss=loss, epochs=2, verbose=0, **weights)
    assert len(history["mask_accuracy"]) == 2
    assert cr.gradient_check(net, images, y, loss).max_relative_error <= 1e-7


def test_balanced_weights_validation_and_splits(data) -> None:
    x, y = data
    net = network()
    history = net.fit(
        x, y, loss="cross_entropy", class_weight="balanced", validation_split=0.25, verbose=0
    )
    counts = np.bincount(y[:15].reshape(-1), minlength=CLASSES)
    weights = counts.sum() / (CLASSES * counts)
    twin = network()
    twin.fit(
        x[:15],
        y[:15],
        loss="cross_entropy",
        class_weight=weights,
        validation_data=(x[15:], y[15:]),
        verbose=0,
    )
    assert history.to_dict() == twin.history.to_dict()
    with pytest.warns(UserWarning, match="class 2"):
        network().fit(
            x, np.where(np.arange(20)[:, None] < 15, 0, 2) * np.ones(TIME, int),
            loss="cross_entropy", validation_split=0.25, verbose=0,
        )  # fmt: skip


ERRORS = [
    (lambda y: y[:, :3], {}, r"y has shape \(20, 3\); cross_entropy on outputs of shape \(5, 3\) "),
    (lambda y: y[:, 0], {}, r"expects rows of shape \(5, 3\) of probabilities, or of class labels"),
    (lambda y: y + 1, {}, r"y.reshape\(-1\)\[\d+\] = 3 is out of range: valid labels are 0 to 2"),
    (lambda y: np.eye(3)[y] * 2, {}, r"y.reshape\(-1, 3\)\[0\] sums to 2"),
    (lambda y: np.full(y.shape, np.nan), {}, "y.reshape"),
    (lambda y: y[:-1], {}, "x has 20 rows but y has 19"),
    (
        lambda y: y,
        {"sample_weight": np.ones((20, 4))},
        r"sample_weight has shape \(20, 4\), expected one weight per row: \(20,\), or per position",
    ),
    (lambda y: y, {"class_weight": [1, 2]}, r"expected one weight per class: \(3,\)"),
]


@pytest.mark.parametrize(("change", "options", "text"), ERRORS)
def test_errors(change, options, text, data) -> None:
    x, y = data
    net = network()
    before = net.parameters
    with pytest.raises(ValueError, match=text):
        net.fit(x, change(y), loss="cross_entropy", verbose=0, **options)
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, before[name])


def test_a_function_gets_labels_of_positions(data) -> None:
    x, y = data

    def loss(labels, z):
        assert labels.shape == (len(z), TIME)
        e = np.exp(z)
        p = e / e.sum(axis=-1, keepdims=True)
        hit = np.eye(CLASSES)[labels]
        return -(np.log(p) * hit).sum(axis=-1).mean(axis=1), (p - hit) / TIME

    ours, theirs = network(), network()
    w = np.linspace(0.5, 2, 20)
    ours.fit(x, y, loss=loss, verbose=0, epochs=2, metrics=["accuracy"], sample_weight=w)
    theirs.fit(x, y, loss="cross_entropy", verbose=0, epochs=2, sample_weight=w)
    np.testing.assert_allclose(ours.history["loss"], theirs.history["loss"], rtol=1e-13)
    np.testing.assert_allclose(ours.history["accuracy"], theirs.history["accuracy"], rtol=1e-13)
    assert cr.gradient_check(network(), x[:4], y[:4], loss).max_relative_error <= 1e-7
    with pytest.raises(ValueError, match=r"expected one weight per row: \(20,\)$"):
        network().evaluate(x, y, loss=loss, sample_weight=np.ones((20, TIME)))


HASH = """
import hashlib
import numpy as np, chainrule as cr
rng = np.random.default_rng(5)
x, y = rng.integers(0, 9, size=(60, 7, 20)) / 8, rng.integers(0, 4, (60, 7))
w = rng.uniform(0, 2, (60, 7))
for threads in (1, 2, 3, 7):
    i = cr.Input((7, 20))
    h = cr.Dense(90, activation="relu")(i)
    net = cr.Network(i, cr.Dense(4, activation="softmax")(h), seed=2)
    net.fit(x, y, loss="cross_entropy", epochs=2, batch_size=32, verbose=0, num_threads=threads,
            sample_weight=w, class_weight=[1, 2, 0.5, 1])
    print(hashlib.sha256(net.predict(x).tobytes()).hexdigest())
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 1


def test_against_pytorch(data, rng) -> None:
    torch = pytest.importorskip("torch")
    x, y = data
    by_class, smoothing = np.array([1.0, 3.0, 0.5]), 0.1
    net = network()
    z = torch.tensor(net.predict(x), requires_grad=True)
    loss = torch.nn.CrossEntropyLoss(torch.tensor(by_class), label_smoothing=smoothing)
    value = loss(z.permute(0, 2, 1), torch.tensor(y))
    value.backward()
    ours = cr.losses.CrossEntropy(label_smoothing=smoothing)
    found = net.evaluate(x, y, loss=ours, class_weight=by_class)["loss"]
    np.testing.assert_allclose(found, value.item(), rtol=1e-13)
    net.forward(x)
    net.backward(z.grad.numpy().reshape(20, -1))
    expected = dict(net.gradients)
    net.train_on_batch(x, y, loss=ours, class_weight=by_class, optimizer=cr.SGD(1.0))
    twin = network()
    for name, gradient in expected.items():
        np.testing.assert_allclose(
            twin.parameters[name] - net.parameters[name], gradient, rtol=1e-9, atol=1e-13
        )


def test_what_each_layer_gave_at_each_position(rng: np.random.Generator) -> None:
    x = cr.Input((3, 2), name="x")
    h = cr.Dense(4, activation="tanh", name="h")(cr.Rescaling(2.0)(x))
    net = cr.Network(x, cr.Dense(1, name="y")(cr.Flatten()(h)), seed=0, dtype="float64")
    rows = rng.normal(size=(50, 3, 2))
    net.forward(rows, training=False)
    p = net.parameters
    wide = np.tanh(2.0 * rows @ p["h.weight"] + p["h.bias"])
    flat = wide.reshape(50, 12)
    expected = [2.0 * rows, wide, flat, flat @ p["y.weight"] + p["y.bias"]]
    for given, wanted in zip(net.activations, expected, strict=True):
        assert given is not None
        assert given.shape == wanted.shape
        np.testing.assert_allclose(given, wanted, rtol=1e-12)
