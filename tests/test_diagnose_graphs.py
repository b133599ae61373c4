# SPDX-License-Identifier: Apache-2.0
"""`diagnose` and `GradientFlow` of networks that are no chains: healthy and sick ones."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr


def kinds(report) -> list[str]:
    return [finding.kind for finding in report.findings]


def residual(depth: int = 12, activation: str = "relu") -> cr.Network:
    x = cr.Input(20, name="x")
    h = cr.Dense(16, activation=activation)(x)
    for _ in range(depth):
        h = h + cr.Dense(16)(cr.Dense(16, activation=activation)(cr.LayerNormalization()(h)))
    return cr.Network(x, cr.Dense(3, name="y")(h), seed=0)


def two_by_two() -> cr.Network:
    a, b = cr.Input(12, name="a"), cr.Input(8, name="b")
    h = cr.Dense(16, activation="relu", name="wide")(a)
    z = cr.Concatenate()([h + cr.Dense(16)(h), cr.Dense(4, activation="tanh")(b)])
    outputs = {"label": cr.Dense(3)(z), "size": cr.Dense(1)(z)}
    return cr.Network([a, b], outputs, seed=1)


def siamese() -> cr.Network:
    a, b = cr.Input(10, name="a"), cr.Input(10, name="b")
    tower = cr.Dense(12, activation="tanh", name="tower")
    return cr.Network([a, b], cr.Dense(1, name="y")(tower(a) - tower(b)), seed=2)


def graph_data(make) -> tuple:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 20))
    label = np.argmax(x[:, :3], axis=1)
    if make is residual:
        return x, label, "cross_entropy"
    size = x[:, :1] - x[:, 12:13]
    if make is two_by_two:
        losses = {"label": "cross_entropy", "size": "mse"}
        return {"a": x[:, :12], "b": x[:, 12:]}, {"label": label, "size": size}, losses
    return {"a": x[:, :10], "b": x[:, 10:]}, size, "mse"


@pytest.mark.parametrize("make", [residual, two_by_two, siamese])
def test_healthy_graphs(make) -> None:
    net = make()
    x, y, loss = graph_data(make)
    before = [w.tobytes() for w in net.get_weights()]
    report = net.diagnose(x, y, loss=loss, optimizer=cr.Adam(1e-2))
    assert kinds(report) == []
    assert [w.tobytes() for w in net.get_weights()] == before
    nodes = [node.name for node in net._graph.nodes if node.layer is not None]
    assert [layer.node for layer in report.layers] == nodes
    assert all(layer.output is not None for layer in report.layers)
    assert "Nothing was found." in str(report)


def test_gradients_of_graphs_are_the_networks_own() -> None:
    net = two_by_two()
    x, y, losses = graph_data(two_by_two)
    report = net.diagnose(x, y, loss=losses)
    core = net._core.copy()
    chosen = net._chosen_loss(losses)
    rows = [np.float32(x["a"]), np.float32(x["b"])]
    targets = [y["label"], np.float32(y["size"])]
    core.compute_gradients(rows, targets, chosen._core, True, 1, None, None, chosen.weights)
    for layer in report.layers:
        if layer.gradient is not None:
            gradient = core.get_gradient(f"{layer.node}.weight")
            assert layer.gradient == pytest.approx(np.sqrt(np.mean(gradient**2)), rel=1e-5)


def test_sick_graphs() -> None:
    x, y, losses = graph_data(two_by_two)
    net = two_by_two()
    assert kinds(net.diagnose({**x, "b": 1e4 * x["b"]}, y, loss=losses)) == [
        "unscaled_inputs",
        "saturated_units",
    ]
    broken = {**x, "b": x["b"].copy()}
    broken["b"][3, 2] = np.nan
    assert "not_finite" in kinds(net.diagnose(broken, y, loss=losses))
    weights = net.parameters
    net.set_weights({"wide.bias": weights["wide.bias"] - 100.0})
    found = net.diagnose(x, y, loss=losses).findings
    assert [finding.kind for finding in found] == ["vanishing_gradients", "dead_units"]
    assert "100% of the units of layer wide are 0 for every row" in found[1].text
    rare = {**y, "label": np.where(np.arange(300) < 4, 2, np.arange(300) % 2)}
    assert "imbalanced_classes" in kinds(two_by_two().diagnose(x, rare, loss=losses))
    far = {**y, "size": y["size"] + 1e4}
    assert "unscaled_targets" in kinds(two_by_two().diagnose(x, far, loss=losses))
    x, label, loss = graph_data(residual)
    fast = residual().diagnose(x, label, loss=loss, optimizer=cr.SGD(100.0))
    assert "learning_rate_too_high" in kinds(fast)
    slow = residual().diagnose(x, label, loss=loss, optimizer=cr.SGD(3e-6))
    assert "learning_rate_too_low" in kinds(slow)


def sequences(time: int = 20) -> tuple:
    """Rows of 4 features over time, each with a scale of its own, and labels that follow them."""
    x = np.random.default_rng(1).normal(size=(200, time, 4))
    return x, (x[:, -3:, 0].sum(axis=1) > 0).astype(int)


def test_columns_of_sequences_are_features() -> None:
    steps = cr.Input((20, 4), name="steps")
    net = cr.Network(steps, cr.Dense(2)(cr.GRU(8)(steps)), seed=0)
    x, y = sequences()
    # Of a single step alone, which is no fault of the feature.
    x[:, 0, 1], x[:, 5, 2] = 3.0, x[:, 5, 3]
    healthy = net.diagnose(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2))
    assert kinds(healthy) == []
    assert (healthy.data.columns, healthy.data.constant) == (4, [])
    assert healthy.data.largest_scale == pytest.approx(np.sqrt((x[..., 1] ** 2).mean()), rel=1e-6)
    assert str(healthy).startswith("200 rows of shape (20, 4), 2 classes; loss")
    x[:, :, 2] = x[:, :, 3]
    x[:, :, 1] = 7.0
    x[9, 4, 0] = np.nan
    report = net.diagnose(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2))
    assert report.data.constant == [1]
    assert report.data.duplicated == [(2, 3)]
    assert report.data.not_finite == [0]
    assert kinds(report) == ["not_finite", "duplicated_columns"]
    assert "x has NaN or infinity in column 0, which" in report.findings[0].text
    assert "1 columns repeat others: 3 = 2" in report.findings[1].text
    x = 1e3 * sequences()[0]
    assert "unscaled_inputs" in kinds(net.diagnose(x, y, loss="cross_entropy"))


def test_columns_of_images_are_channels_unless_they_are_flattened() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(120, 6, 5, 3)), np.arange(120) % 2
    x[:, :, 0] = 0.0  # pixels that never vary, of channels that do
    x[..., 2] = -1.0
    image = cr.Input((6, 5, 3))
    net = cr.Network(image, cr.Dense(2)(cr.Flatten()(cr.Conv2D(4, 3)(image))), seed=0)
    data = net.diagnose(x, y, loss="cross_entropy").data
    assert (data.columns, data.constant) == (3, [2])
    scaled = cr.Normalization()(image)
    net = cr.Network(image, cr.Dense(2)(cr.Flatten()(cr.Conv2D(4, 3)(scaled))), seed=0)
    data = net.diagnose(x, y, loss="cross_entropy").data
    assert data.largest_scale == pytest.approx(1.0, rel=1e-3)
    flat = cr.Sequential([cr.Input((6, 5, 3)), cr.Flatten(), cr.Dense(2)], seed=0)
    data = flat.diagnose(x, y, loss="cross_entropy").data
    constant = np.flatnonzero((x == x[:1]).all(axis=0).reshape(-1)).tolist()
    assert (data.columns, data.constant) == (90, constant)
    assert len(constant) == 6 * 2 + 6 * 5


def test_columns_of_several_inputs_are_counted_on() -> None:
    steps, more = cr.Input((20, 4), name="steps"), cr.Input(2, name="more")
    net = cr.Network([steps, more], cr.Dense(2)(cr.Concatenate()([cr.GRU(8)(steps), more])), seed=0)
    x, y = sequences()
    given = {"steps": x, "more": np.random.default_rng(3).normal(size=(200, 2))}
    given["more"][:, 1] = 5.0
    given["more"][3, 0] = np.inf
    data = net.diagnose(given, y, loss="cross_entropy").data
    assert (data.columns, data.constant, data.not_finite) == (6, [5], [4])
    net.feature_names = {"more": ["width", "height"]}
    text = str(net.diagnose(given, y, loss="cross_entropy"))
    assert "in column 'width', which fit refuses" in text
    assert "200 rows" not in text  # one of them is not finite
    assert "199 rows of shape (20, 4), (2,), 2 classes" in text


def test_residual_connections_carry_what_a_chain_of_sigmoids_does_not() -> None:
    x, label, loss = graph_data(residual)
    chain = [cr.Input(20), *(cr.Dense(16, activation="sigmoid") for _ in range(24)), cr.Dense(3)]
    assert "vanishing_gradients" in kinds(
        cr.Sequential(chain, seed=0).diagnose(x, label, loss=loss)
    )
    assert "vanishing_gradients" not in kinds(
        residual(activation="sigmoid").diagnose(x, label, loss=loss)
    )


def test_gradient_flow_of_a_graph() -> None:
    net = two_by_two()
    x, y, losses = graph_data(two_by_two)
    flow = cr.callbacks.GradientFlow(x, y)
    net.fit(x, y, loss=losses, epochs=2, callbacks=[flow], verbose=0)
    nodes = [node.name for node in net._graph.nodes if node.layer is not None]
    weighted = [place for place, name in enumerate(nodes) if f"{name}.weight" in net.parameters]
    assert list(flow.gradients) == weighted
    assert all(len(each) == 3 for each in flow.gradients.values())
    assert all(len(each) == 2 for each in flow.updates.values())


@pytest.mark.parametrize("make", [residual, two_by_two, siamese])
def test_first_layers_of_graphs(make) -> None:
    net = make()
    x, y, loss = graph_data(make)
    net.fit(x, y, loss=loss, epochs=1, verbose=0)
    nodes = [node for node in net._graph.nodes if node.layer is not None]
    for count, node in enumerate(nodes, start=1):
        first = net[:count]
        part = net.subnetwork(node.name)
        needed = [entry.name for entry in part._graph.inputs]
        own = {name: x[name] for name in needed} if isinstance(x, dict) else x
        own = own[needed[0]] if isinstance(own, dict) and len(own) == 1 else own
        assert np.array_equal(first.predict(x), part.predict(own))
        assert len(first.get_weights()) == len(part.get_weights())
    assert len(net[:-1]) == len(nodes) - 1
    with pytest.raises(ValueError, match="must be its first layers"):
        net[1:]


def test_first_layers_keep_their_axes() -> None:
    x = cr.Input((4, 3))
    net = cr.Network(x, cr.GlobalAveragePooling()(cr.Dense(5)(x)), seed=0)
    assert net[:1].predict(np.ones((2, 4, 3))).shape == (2, 4, 5)
