# SPDX-License-Identifier: Apache-2.0
"""Ensembles: members to the bits of networks trained alone, and their mean."""

import copy

import numpy as np
import pytest
from subprocesses import outputs_of_instruction_sets

import chainrule as cr

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(230, 6)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, len(X))
NUMBERS = (X @ np.linspace(-1, 1, 6) + np.sin(X[:, 0])).astype(np.float32)
QUICK = {"epochs": 3, "batch_size": 32, "verbose": 0}


def classifier(seed=7, **options):
    layers = [
        cr.Input(6),
        cr.Normalization(),
        cr.Dense(16, activation="relu"),
        cr.Dropout(0.3),
        cr.GaussianNoise(0.1),
        cr.PReLU(),
        cr.Dense(3, activation="softmax"),
    ]
    return cr.Sequential(layers, seed=seed, **options)


def branching(seed=3):
    """Two inputs, of which one is prepared behind the other's first layer with parameters."""
    a, b = cr.Input(6, name="a"), cr.Input(6, name="b")
    left = cr.Dense(8, activation="tanh", name="left")(a)
    right = cr.Dense(8, name="right")(cr.Normalization(name="norm")(b))
    h = cr.Dropout(0.2)(left + right)
    return cr.Network(inputs=[a, b], outputs=cr.Dense(1, name="y")(h), seed=seed)


def assert_is_member(net, member, alone):
    ours = net.parameters
    for name, values in alone.parameters.items():
        own = f"member_{member}/{name}"
        assert np.array_equal(values, ours[own if own in ours else name]), name


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_member_has_the_bits_of_the_network_alone(threads, optimizer):
    options = {**QUICK, "loss": "cross_entropy", "shuffle": False, "num_threads": threads}
    net = cr.ensemble(classifier(), members=3)
    history = net.fit(X, LABELS, optimizer=optimizer, **options)
    losses = []
    for member in (1, 2, 3):
        alone = classifier(7 + member - 1)
        given = alone.fit(X, LABELS, optimizer=optimizer, **options)
        losses.append(given["loss"])
        assert_is_member(net, member, alone)
    np.testing.assert_allclose(history["loss"], np.mean(losses, axis=0), rtol=1e-12)


def test_its_first_member_is_the_network_itself_in_shuffled_batches():
    net, alone = cr.ensemble(classifier(), members=2), classifier()
    for each in (net, alone):
        each.fit(X, LABELS, loss="cross_entropy", **QUICK)
    assert_is_member(net, 1, alone)


def test_a_member_taken_out_before_training_learns_the_same():
    net = cr.ensemble(classifier(), members=3)
    alone = copy.deepcopy(net.subnetwork("member_3/5"))
    for each in (net, alone):
        each.fit(X, LABELS, loss="cross_entropy", **QUICK)
    assert alone.parameters.keys() < net.parameters.keys()
    for name, values in alone.parameters.items():
        assert np.array_equal(values, net.parameters[name])


def test_random_numbers_follow_the_order_of_the_description():
    net = cr.ensemble(branching(), members=2)
    data = {"a": X, "b": X[::-1]}
    for member in (1, 2):
        alone = branching(3 + member - 1)
        alone.fit(data, NUMBERS, loss="mse", shuffle=False, **QUICK)
        if member == 1:
            net.fit(data, NUMBERS, loss="mse", shuffle=False, **QUICK)
        assert_is_member(net, member, alone)


@pytest.mark.parametrize(
    "layers",
    [
        [cr.CategoryEncoding((4, 5)), cr.Dense(3, activation="softmax")],
        [cr.Embedding((4, 5), 3), cr.Dense(3, activation="softmax")],
        [cr.Rescaling(0.5), cr.Dense(8), cr.BatchNormalization(), cr.Dense(3)],
    ],
    ids=["encoding", "embedding", "batch_normalization"],
)
def test_members_read_categories_and_statistics(layers):
    x = RANDOM.integers(0, 4, (len(X), 2))
    net = cr.ensemble(cr.Sequential([cr.Input(2), *layers], seed=5), members=2)
    options = {**QUICK, "loss": "cross_entropy", "shuffle": False}
    net.fit(x, LABELS, **options)
    for member in (1, 2):
        alone = cr.Sequential([cr.Input(2), *layers], seed=5 + member - 1)
        alone.fit(x, LABELS, **options)
        assert_is_member(net, member, alone)


HASHES = """
import hashlib, numpy as np, chainrule as cr
x = np.random.default_rng(0).normal(size=(150, 6)).astype(np.float32)
y = np.arange(150) % 3
layers = [cr.Input(6), cr.Dense(16, activation="relu"), cr.Dropout(0.3)]
layers.append(cr.Dense(3, activation="softmax"))
for share in (None, "trunk"):
    net = cr.ensemble(cr.Sequential(layers, seed=1), members=3, share=share)
    net.fit(x, y, loss="cross_entropy", epochs=2, verbose=0, validation_data=(x, y), num_threads=2)
    print(hashlib.sha256(b"".join(w.tobytes() for w in net.get_weights())).hexdigest())
    print(net.history["val_loss"], net.evaluate(x, y, num_threads=1)["loss"])
"""


def test_instruction_sets_give_the_same_bits():
    assert len(set(outputs_of_instruction_sets(HASHES).values())) == 1


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def outputs_of_members(net, x, members):
    """What dense layers with a relu between make of rows, in float64."""
    p = {name: values.astype(np.float64) for name, values in net.parameters.items()}
    found = []
    for m in range(1, members + 1):
        of = f"member_{m}/"
        h = np.maximum(x @ p[of + "0.weight"] + p[of + "0.bias"], 0)
        found.append(h @ p[of + "1.weight"] + p[of + "1.bias"])
    return np.array(found)


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "linear"])
def test_the_mean_is_that_of_probabilities(link):
    units, loss = {
        "softmax": (3, "cross_entropy"),
        "sigmoid": (1, "binary_cross_entropy"),
        "linear": (1, "mse"),
    }[link]
    y = {"softmax": LABELS, "sigmoid": LABELS > 0, "linear": NUMBERS}[link]
    net = cr.ensemble(
        cr.Sequential(
            [cr.Input(6), cr.Dense(8, activation="relu"), cr.Dense(units, activation=link)], seed=1
        ),
        members=4,
    )
    net.fit(X, y, loss=loss, **QUICK)
    z = outputs_of_members(net, X, 4)
    if link == "softmax":
        p = np.mean([softmax(each) for each in z], axis=0)
        expected = -np.log(p[np.arange(len(X)), y]).mean()
    elif link == "sigmoid":
        p = np.mean(1 / (1 + np.exp(-z)), axis=0)
        expected = -np.where(y, np.log(p[:, 0]), np.log(1 - p[:, 0])).mean()
    else:
        p = z.mean(axis=0)
        expected = np.mean((p[:, 0] - y) ** 2)
    np.testing.assert_allclose(net.predict(X), p, atol=1e-6)
    if link != "linear":
        np.testing.assert_allclose(net.predict_proba(X), p, atol=1e-6)
    assert net.evaluate(X, y)["loss"] == pytest.approx(expected, rel=1e-5)


def test_training_metrics_are_those_of_the_mean():
    still = cr.ensemble(
        cr.Sequential([cr.Input(6), cr.Dense(3, activation="softmax")], seed=0), members=3
    )
    history = still.fit(X, LABELS, loss="cross_entropy", optimizer=cr.SGD(1e-12), **QUICK)
    p = [softmax(still.subnetwork(f"member_{m}/0").predict(X)) for m in (1, 2, 3)]
    assert history["accuracy"][0] == (still.predict(X).argmax(axis=1) == LABELS).mean()
    assert any(history["accuracy"][0] != (each.argmax(axis=1) == LABELS).mean() for each in p)


def test_extreme_outputs_have_finite_losses():
    net = cr.ensemble(
        cr.Sequential([cr.Input(1), cr.Dense(2, activation="softmax")], seed=0), members=2
    )
    net.compile(loss="cross_entropy")
    net.set_weights([[[1e4, -1e4]], [0.0, 0.0]] * 2)
    assert net.evaluate([[1.0]], [0])["loss"] == 0.0
    assert net.evaluate([[1.0]], [1])["loss"] == pytest.approx(700.0)


@pytest.mark.parametrize("share", [None, "trunk"])
def test_a_gradient_is_that_of_the_sum_of_losses(share):
    layers = [cr.Input(6), cr.Dense(5, activation="tanh"), cr.Dense(3, activation="softmax")]
    net = cr.ensemble(cr.Sequential(layers, seed=0), members=2, share=share)
    report = cr.gradient_check(net, X[:20], LABELS[:20], loss="cross_entropy")
    assert report.max_relative_error < 1e-7


def test_a_trunk_is_shared_and_the_rest_is_not():
    net = cr.ensemble(classifier(), members=2, share="trunk")
    assert list(net.parameters) == [
        "0.mean",
        "0.variance",
        "member_1/0/scale.scale",
        "member_1/1.weight",
        "member_1/1.bias",
        "member_2/0/scale.scale",
        "member_1/4.slope",
        "member_1/5.weight",
        "member_1/5.bias",
        "member_2/5.weight",
        "member_2/5.bias",
    ]
    net.fit(X, LABELS, loss="cross_entropy", **QUICK)
    p = {name: values.astype(np.float64) for name, values in net.parameters.items()}
    x = (X - p["0.mean"]) / np.sqrt(p["0.variance"])
    members = []
    for of in ("member_1/", "member_2/"):
        h = np.maximum(
            x * p[of + "0/scale.scale"] @ p["member_1/1.weight"] + p["member_1/1.bias"], 0
        )
        members.append(softmax(h @ p[of + "5.weight"] + p[of + "5.bias"]))
    assert not np.allclose(members[0], members[1], atol=0.05)
    np.testing.assert_allclose(net.predict(X), np.mean(members, axis=0), atol=1e-5)


def test_early_stopping_keeps_the_best_weights_of_the_mean():
    net = cr.ensemble(classifier(), members=3)
    stopping = cr.EarlyStopping("val_loss", patience=20)
    rows = slice(150, None)
    history = net.fit(
        X[:150],
        LABELS[:150],
        loss="cross_entropy",
        optimizer=cr.Adam(0.02),
        validation_data=(X[rows], LABELS[rows]),
        callbacks=[stopping],
        epochs=25,
        verbose=0,
    )
    best = min(history["val_loss"])
    assert history["val_loss"][-1] > best
    assert net.evaluate(X[rows], LABELS[rows])["loss"] == best


@pytest.mark.parametrize("share", [None, "trunk"])
def test_files_keep_members(share, tmp_path):
    net = cr.ensemble(classifier(), members=3, share=share)
    net.fit(X, LABELS, loss="cross_entropy", **QUICK)
    net.save(tmp_path / "net.safetensors")
    loaded = cr.load(tmp_path / "net.safetensors")
    copied = copy.deepcopy(net)
    for other in (loaded, copied):
        assert np.array_equal(other.predict(X), net.predict(X))
    # Masks and batches go on as they would have.
    for each in (net, loaded, copied):
        each.fit(X, LABELS, **QUICK)
    for other in (loaded, copied):
        for a, b in zip(net.get_weights(), other.get_weights(), strict=True):
            assert np.array_equal(a, b)


def test_onnx_gives_the_mean(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    net = cr.ensemble(classifier(), members=3)
    net.fit(X, LABELS, loss="cross_entropy", **QUICK)
    for output in ("raw", "probabilities"):
        cr.to_onnx(net, tmp_path / "net.onnx", output=output)
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
        (given,) = session.run(None, {session.get_inputs()[0].name: X})
        np.testing.assert_allclose(given, net.predict(X), atol=1e-5)


def test_two_layers_read_the_categories_of_one_input():
    x = cr.Input(2)
    a = cr.Embedding((4, 5), 3, name="a")(x)
    b = cr.Embedding((4, 5), 3, name="b")(x)
    net = cr.Network(inputs=x, outputs=a + b, seed=0)
    rows = RANDOM.integers(0, 4, (50, 2))
    expected = sum(
        np.concatenate([p[rows[:, 0]], p[4 + rows[:, 1]]], axis=1)
        for p in (net.parameters["a.weight"], net.parameters["b.weight"])
    )
    np.testing.assert_allclose(net.predict(rows), expected, rtol=1e-6)
    targets = RANDOM.normal(size=(50, 6))
    net.fit(rows, targets, loss="mse", **QUICK)
    again = cr.Network(inputs=x, outputs=a + b, seed=0)
    again.fit(rows, targets, loss="mse", num_threads=1, **QUICK)
    assert np.array_equal(net.predict(rows), again.predict(rows))


def test_frozen_layers_stay_frozen():
    single = cr.Sequential([cr.Input(6), cr.Dense(4), cr.Dense(1)], seed=0)
    single.freeze("0")
    net = cr.ensemble(single, members=2)
    before = net.parameters
    net.fit(X, NUMBERS, loss="mse", **QUICK)
    for name, values in net.parameters.items():
        assert np.array_equal(values, before[name]) == ("/0." in name)


def test_outputs_each_have_their_mean():
    x = cr.Input(6)
    h = cr.Dense(4, activation="relu")(x)
    outputs = {"a": cr.Dense(1)(h), "b": cr.Dense(3, activation="softmax")(h)}
    net = cr.ensemble(cr.Network(inputs=x, outputs=outputs, seed=0), members=2)
    loss = {"a": "mse", "b": "cross_entropy"}
    net.fit(X, {"a": NUMBERS, "b": LABELS}, loss=loss, **QUICK)
    given = net.predict(X)
    assert {name: part.shape for name, part in given.items()} == {"a": (230, 1), "b": (230, 3)}
    p = [net.subnetwork(f"member_{m}/b").predict(X) for m in (1, 2)]
    np.testing.assert_allclose(given["b"], np.mean(p, axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"members": 0}, ValueError, "members must be"),
        ({"members": 1}, ValueError, "members must be at least 2, got 1"),
        ({"members": 2.5}, TypeError, "members must be"),
        ({"members": 2, "share": "all"}, ValueError, "share"),
        ({"network": [cr.Dense(1)], "members": 2}, TypeError, "network must be a Network"),
        ({"network": cr.Sequential([cr.Dense(1)]), "members": 2}, RuntimeError, "inputs"),
        (
            {"network": cr.Sequential([cr.Input(2), cr.Scale()]), "members": 2, "share": "trunk"},
            ValueError,
            "needs a Dense layer",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        cr.ensemble(**{"network": classifier(), **arguments})


def test_a_trained_network_is_refused():
    net = classifier()
    net.fit(X, LABELS, loss="cross_entropy", **QUICK)
    with pytest.raises(ValueError, match="has been trained"):
        cr.ensemble(net, members=2)


def test_methods_on_all_rows_at_once_are_refused():
    net = cr.ensemble(cr.Sequential([cr.Input(6), cr.Dense(1)], seed=0), members=2)
    with pytest.raises(ValueError, match="independent average"):
        net.fit(X, NUMBERS, loss="mse", optimizer="lbfgs", epochs=2, verbose=0)


def test_members_that_end_differently_are_refused():
    x = cr.Input(6)
    members = [cr.Dense(3, activation="softmax")(x), cr.Dense(3)(x)]
    net = cr.Network(inputs=x, outputs=cr.Average(independent=True)(members))
    with pytest.raises(ValueError, match="only some end in the activation"):
        net.fit(X, LABELS, loss="cross_entropy", verbose=0)
    with pytest.raises(ValueError, match="logits"):
        cr.ensemble(cr.Sequential([cr.Input(6), cr.Dense(3, activation="relu")]), members=2).fit(
            X, LABELS, loss="cross_entropy", verbose=0
        )
