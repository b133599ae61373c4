# SPDX-License-Identifier: Apache-2.0
"""The numbers of an explanation: the core's gradients, differences, updates and paths."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.callbacks.record import Snapshot


def float64_network(net: cr.Sequential) -> cr.Sequential:
    wide = cr.Sequential(net.layers, seed=0, dtype="float64")
    wide.build(net.inputs)
    wide.set_weights(net.parameters)
    return wide


def core_gradients(net: cr.Sequential, row, target, loss) -> tuple[float, np.ndarray, dict]:
    wide = float64_network(net)
    x, y = np.asarray(row, float).reshape(1, -1), np.asarray([target])
    value, dx = wide._built_core().compute_gradients(x, y, cr.losses.get(loss)._core, False, 1)
    return value, dx[0], wide.gradients


NETWORKS = {
    "relu and cross-entropy": (
        [cr.Dense(5, activation="relu"), cr.Dense(3, activation="softmax")],
        2,
        "cross_entropy",
    ),
    "sigmoid and binary cross-entropy": (
        [cr.Dense(5, activation="gelu"), cr.Dense(2, activation="sigmoid")],
        [0.0, 1.0],
        "binary_cross_entropy",
    ),
    "softmax and mse": ([cr.Dense(4, activation="softmax")], [0.1, 0.2, 0.3, 0.4], "mse"),
    "tanh at the end": ([cr.Dense(3, activation="tanh")], [0.1, 0.2, 0.3], "huber"),
    "normalisations": (
        [
            cr.Normalization(),
            cr.Dense(5, use_bias=False),
            cr.BatchNormalization(),
            cr.Activation("silu"),
            cr.Dropout(0.5),
            cr.Dense(4),
            cr.LayerNormalization(),
            cr.PReLU(),
            cr.Dense(2),
        ],
        [1.0, -1.0],
        "mse",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_the_cores(name: str, rng: np.random.Generator) -> None:
    layers, target, loss = NETWORKS[name]
    net = cr.Sequential([cr.Input(4), *layers], seed=1)
    net.adapt(rng.normal(size=(20, 4)))
    row = rng.normal(size=4)
    explanation = net.explain(row, target, loss=loss)
    value, dx, gradients = core_gradients(net, row, target, loss)
    data = explanation.data
    assert data["loss"]["value"] == pytest.approx(value, rel=1e-10)
    taken_over = {"cross": "softmax", "binary": "sigmoid"}.get(loss.partition("_")[0])
    assert data["loss"]["taken_over"] == ("softmax" if "softmax" in name else taken_over)
    np.testing.assert_allclose(data["vectors"][0]["gradient"], dx, rtol=1e-10)
    outputs = float64_network(net).predict(row)
    np.testing.assert_allclose(data["vectors"][-1]["values"], outputs[0], rtol=1e-10)
    compared = set()
    for place, step in enumerate(data["steps"]):
        if "units" not in step:
            continue
        x, dz = data["vectors"][place]["values"], data["vectors"][place + 1]["gradient"]
        weight = gradients[f"{step['layer']}.weight"]
        np.testing.assert_allclose(np.outer(x, dz), weight, rtol=1e-9, atol=1e-300)
        if f"{step['layer']}.bias" in gradients:
            np.testing.assert_allclose(dz, gradients[f"{step['layer']}.bias"], rtol=1e-10)
        for index, unit in step["units"].items():
            assert len(unit["terms"]) == len(x)
            for i, w, difference, _ in unit["terms"]:
                assert w == pytest.approx(net.parameters[f"{step['layer']}.weight"][i, int(index)])
                expected = weight[i, int(index)]
                assert difference == pytest.approx(expected, rel=1e-5, abs=1e-8)
                compared.add((place, i, index))
    assert len(compared) == sum(w.size for n, w in net.parameters.items() if _of_dense(net, n))


def _of_dense(net: cr.Sequential, name: str) -> bool:
    return isinstance(net.layers[int(name.partition(".")[0])], cr.Dense) and "weight" in name


@pytest.mark.parametrize(
    "optimizer",
    [cr.SGD(0.1, momentum=0.9), cr.Adam(0.01), cr.SGD(0.5, weight_decay=0.1), cr.Adam(lazy=True)],
    ids=repr,
)
def test_updates_are_those_of_a_step(optimizer, rng: np.random.Generator) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="tanh"), cr.Dense(2)], 0, "float64")
    row, target = rng.normal(size=3), [0.5, 1.0]
    before = net.parameters
    explanation = net.explain(row, target, loss="mse", optimizer=optimizer)
    assert all((net.parameters[name] == before[name]).all() for name in before)
    assert net.optimizer is None
    net.train_on_batch([row], [target], loss="mse", optimizer=optimizer)
    for place in (0, 2):
        step = explanation.data["steps"][place]
        weight, bias = (f"{step['layer']}.{kind}" for kind in ("weight", "bias"))
        for index, unit in step["units"].items():
            j = int(index)
            moved = net.parameters[bias][j] - before[bias][j]
            assert unit["bias"][2] == pytest.approx(moved, rel=1e-6)
            for i, _, _, update in unit["terms"]:
                moved = net.parameters[weight][i, j] - before[weight][i, j]
                assert update == pytest.approx(moved, rel=1e-6, abs=1e-15)


def test_the_strongest_uses_lead_through_the_network(rng: np.random.Generator) -> None:
    layers = [cr.Dense(6, activation="tanh"), cr.Dense(5, activation="relu"), cr.Dense(1)]
    net = cr.Sequential([cr.Input(3), *layers], seed=0, dtype="float64")
    data = net.explain(rng.normal(size=3), [1.0], loss="mse").data
    place = 0
    units, weights = data["steps"][place]["next"]
    gradient = np.array(data["vectors"][3]["gradient"])
    for j in range(6):
        shares = net.parameters["1.weight"][j] * gradient
        assert units[j] == np.abs(shares).argmax()
        assert weights[j] == pytest.approx(net.parameters["1.weight"][j, units[j]], rel=1e-9)
    assert data["steps"][4]["next"] is None


def test_categories(rng: np.random.Generator) -> None:
    layers = [cr.CategoryEncoding((3, 2)), cr.Dense(4, activation="relu"), cr.Dense(2)]
    net = cr.Sequential([cr.Input(2), *layers], seed=0)
    data = net.explain([2, 1], 0, loss="cross_entropy").data
    assert data["vectors"][1]["values"] == [0.0, 0.0, 1.0, 0.0, 1.0]
    value, _, gradients = core_gradients(net, [2, 1], 0, "cross_entropy")
    assert data["loss"]["value"] == pytest.approx(value)
    np.testing.assert_allclose(
        np.outer(data["vectors"][1]["values"], data["vectors"][2]["gradient"]),
        gradients["1.weight"],
        rtol=1e-9,
    )


def page_data(page: str) -> dict:
    return json.loads(re.search('id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_a_page_of_an_mnist_network_is_small(rng: np.random.Generator) -> None:
    layers = [cr.Rescaling(1 / 255), cr.Dense(128, activation="relu"), cr.Dense(10)]
    net = cr.Sequential([cr.Input(784), *layers], seed=0)
    image = rng.integers(0, 256, (28, 28)) * (rng.random((28, 28)) < 0.5)
    record = cr.callbacks.Record()
    x = rng.integers(0, 256, (640, 784), dtype=np.uint8)
    y = rng.integers(0, 10, 640)
    net.fit(x, y, loss="cross_entropy", callbacks=[record], verbose=0, batch_size=8)
    explanation = net.explain(image, 3, record=record)
    page = explanation.to_html()
    assert len(page.encode()) < 300_000
    assert explanation.data["rows"][0]["shape"] == [28, 28]
    assert any("784 weights" in note for note in explanation.data["notes"])
    assert any("recorded steps" in note for note in explanation.data["notes"])
    assert len(explanation.data["history"]) >= 10


def test_a_page_loads_nothing_and_runs_nothing_of_the_data(tmp_path) -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(2)], seed=0)
    net.feature_names = ["</script><script>alert(1)</script>", "@SCRIPT@"]
    net.class_names = ["<b>", "ä"]
    explanation = net.explain([1.0, 2.0], "ä", loss="cross_entropy")
    path = tmp_path / "page.html"
    explanation.save(path)
    page = path.read_text("utf-8")
    assert page == explanation.to_html()
    assert page.count("<script") == 2
    assert page.count('"use strict"') == 1
    assert set(re.findall(r"https?://[\w./]+", page)) == {"http://www.w3.org/2000/svg"}
    assert page_data(page)["rows"][0]["feature_names"][0].startswith("</script>")
    frame = explanation._repr_html_()
    assert frame.startswith("<iframe srcdoc=")
    assert "<script" not in frame


def test_large_networks_say_what_is_left_out(rng: np.random.Generator) -> None:
    net = cr.Sequential([cr.Input(300), cr.Dense(900, activation="relu"), cr.Dense(3)], seed=0)
    explanation = net.explain(rng.normal(size=300), 1, loss="cross_entropy")
    notes = " ".join(explanation.data["notes"])
    assert "Layer 0 has 900 units; the 160 with the largest gradients" in notes
    assert "too many for pictures" in notes
    first = explanation.data["steps"][0]
    gradient = np.abs(explanation.data["vectors"][1]["gradient"])
    assert min(gradient[[int(j) for j in first["units"]]]) >= np.sort(gradient)[-160]
    assert "colors" not in first
    assert len(explanation.to_html()) < 300_000


def test_of_long_rows_and_wide_layers_the_largest_gradients_are_shown(rng) -> None:
    layers = [cr.Dense(40, activation="relu"), cr.Dense(20_000, activation="tanh"), cr.Dense(2)]
    net = cr.Sequential([cr.Input(30_000), *layers], seed=0, dtype="float64")
    row = rng.normal(size=30_000)
    explanation = net.explain(row, 1, loss="cross_entropy")
    data = explanation.data
    assert len(explanation.to_html()) < 300_000
    notes = " ".join(data["notes"])
    assert "The row has 30,000 numbers; the 1," in notes
    assert "Dense(20000) gives 20,000 numbers" in notes
    _, dx, gradients = core_gradients(net, row, 1, "cross_entropy")
    first, hidden, wide = data["vectors"][0], data["vectors"][1], data["vectors"][3]
    assert hidden["at"] is None
    np.testing.assert_allclose(first["values"], row[first["at"]], rtol=1e-10)
    np.testing.assert_allclose(first["gradient"], dx[first["at"]], rtol=1e-9)
    assert set(np.argsort(-np.abs(dx))[:1000]) <= set(first["at"])
    np.testing.assert_allclose(
        wide["gradient"], gradients["1.bias"][wide["at"]], rtol=1e-8, atol=1e-300
    )
    # What is told of one by one is there too, and paths lead to what is there.
    for place, step in enumerate(data["steps"]):
        at = data["vectors"][place]["at"]
        for unit in step.get("units", {}).values():
            assert at is None or {term[0] for term in unit["terms"]} <= set(at)
    assert set(data["steps"][0]["next"][0]) <= set(wide["at"])
    assert len(data["steps"][2]["next"][0]) == len(wide["at"])


@pytest.mark.parametrize(
    ("row", "target", "options", "text"),
    [
        ([1.0, 2.0], 0, {}, "x has 2 columns; the network expects 3"),
        ([1.0, np.nan, 2.0], 0, {}, "NaN"),
        ([1.0, 2.0, 3.0], 2, {}, "out of range"),
        ([1.0, 2.0, 3.0], [0.5, 0.2, 0.3], {}, "y has shape"),
        ([1.0, 2.0, 3.0], 0, {"image_shape": (2, 2)}, "image_shape is 2 x 2, but the row has 3"),
        ([1.0, 2.0, 3.0], 0, {"image_shape": (0, 3)}, "image_shape must be"),
        ([1.0, 2.0, 3.0], 0, {"record": cr.callbacks.Record()}, "record holds no steps"),
        ([1.0, 2.0, 3.0], 0, {"optimizer": "sdg"}, "unknown optimizer"),
    ],
)
def test_what_does_not_fit_is_named(row, target, options, text: str) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    with pytest.raises(ValueError, match=text):
        net.explain(row, target, loss="cross_entropy", **options)
    with pytest.raises(ValueError, match="no loss yet"):
        net.explain([1.0, 2.0, 3.0], 0)


@pytest.mark.parametrize("image", [np.ones((2, 2)), [[1.0, 1.0], [1.0, 1.0]], np.ones(4)])
def test_images_and_rows(image) -> None:
    net = cr.Sequential([cr.Dense(2)], seed=0)
    data = net.explain(image, 0, loss="cross_entropy").data
    assert data["vectors"][0]["values"] == [1.0] * 4
    assert data["rows"][0]["shape"] == ([2, 2] if np.ndim(image) == 2 else None)
    assert net.inputs == 4
    with pytest.raises(ValueError, match="x has 3 columns; the network expects 4"):
        net.explain(np.ones(3), 0, loss="cross_entropy")
    with pytest.raises(ValueError, match="row must be one row, got 2"):
        net.explain(np.ones((2, 4)), 0, loss="cross_entropy")


def test_a_row_of_a_frame_is_read_by_its_names() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.arange(12.0).reshape(4, 3), columns=["a", "b", "c"])
    net = cr.Sequential([cr.Dense(2)], seed=0)
    net.fit(frame, ["no", "yes", "no", "yes"], loss="cross_entropy", verbose=0)
    for row in (frame.iloc[1], frame.iloc[1][["c", "a", "b"]], frame.iloc[[1]][["b", "a", "c"]]):
        data = net.explain(row, "yes").data
        assert data["vectors"][0]["values"] == [3.0, 4.0, 5.0]
        assert data["loss"]["target"] == "yes"


def test_an_error_leaves_the_network_as_it_was() -> None:
    net = cr.Sequential([cr.Dense(2)])
    for options in ({"image_shape": (2, 2)}, {"record": cr.callbacks.Record()}):
        with pytest.raises(ValueError, match=next(iter(options))):
            net.explain(np.ones(3), 0, loss="cross_entropy", **options)
        assert not net.built


def test_a_layer_that_gives_no_finite_numbers_is_named() -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(3), cr.Dense(2)], 0, "float64")
    net.set_weights({"0.weight": np.full((2, 3), 1e200), "1.weight": np.full((3, 2), 1e200)})
    with pytest.raises(ValueError, match=r"layer 1, Dense\(2\), gives numbers that are not finite"):
        net.explain([1.0, 1.0], 0, loss="cross_entropy")
    record = cr.callbacks.Record()
    record.snapshots = [Snapshot(0, net.get_weights())]
    net.set_weights({"0.weight": np.ones((2, 3)), "1.weight": np.ones((3, 2))})
    record.snapshots.append(Snapshot(1, net.get_weights()))
    data = net.explain([1.0, 1.0], 0, loss="cross_entropy", record=record).data
    assert [entry["step"] for entry in data["history"]] == [1]
    assert any("Step 0 is left out: layer 1" in note for note in data["notes"])


def test_an_update_that_would_diverge_is_left_out() -> None:
    net = cr.Sequential([cr.Input(1), cr.Dense(1)], 0, "float64")
    net.set_weights({"0.weight": [[1e160]], "0.bias": [0.0]})
    explanation = net.explain([1e148], [0.0], loss="mae", optimizer=cr.SGD(1e300))
    assert '"terms":[[0,1e+160,' in explanation.to_html()
    assert page_data(explanation.to_html())["steps"][0]["units"]["0"]["terms"][0][3] is None


def test_a_record_of_another_network_is_refused() -> None:
    record = cr.callbacks.Record()
    x, y = np.eye(3), [0, 1, 1]
    cr.Sequential([cr.Dense(2)], seed=0).fit(
        x, y, loss="cross_entropy", callbacks=[record], verbose=0
    )
    net = cr.Sequential([cr.Input(3), cr.Dense(5), cr.Dense(2)], seed=0)
    with pytest.raises(ValueError, match="record is of another network"):
        net.explain(x[0], 0, loss="cross_entropy", record=record)


def trained(record: cr.callbacks.Record, rows: int = 100) -> cr.Sequential:
    rng = np.random.default_rng(0)
    net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="tanh"), cr.Dense(2)], seed=0)
    x, y = rng.normal(size=(rows, 3)), rng.integers(0, 2, rows)
    net.fit(x, y, loss="cross_entropy", batch_size=1, callbacks=[record], verbose=0)
    return net


def test_a_record_has_the_weights_of_its_steps() -> None:
    record = cr.callbacks.Record(every=30)
    net = trained(record)
    assert [snapshot.step for snapshot in record.snapshots] == [0, 30, 60, 90, 100]
    for a, b in zip(record.snapshots[-1].weights, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    stopped = cr.callbacks.Record(every=30)
    part = trained(stopped, rows=60)
    assert [snapshot.step for snapshot in stopped.snapshots] == [0, 30, 60]
    assert not np.array_equal(part.get_weights()[0], net.get_weights()[0])
    data = net.explain([1.0, 0.0, 1.0], 1, record=record).data
    assert [entry["step"] for entry in data["history"]] == [0, 30, 60, 90, 100]
    untrained = cr.Sequential(net.layers, seed=0)
    untrained.build(3)
    value, _, _ = core_gradients(untrained, [1.0, 0.0, 1.0], 1, "cross_entropy")
    assert data["history"][0]["loss"] == pytest.approx(value)
    assert data["history"][-1]["loss"] == pytest.approx(data["loss"]["value"])


def test_a_record_keeps_within_its_limit() -> None:
    record = cr.callbacks.Record(limit=8)
    trained(record)
    steps = [snapshot.step for snapshot in record.snapshots]
    assert len(steps) <= 8
    assert steps[0] == 0
    assert steps[-1] == 100
    assert record.every == 16
    assert all(step % 16 == 0 for step in steps[:-1])


@pytest.mark.parametrize("options", [{"every": 0}, {"every": 1.5}, {"limit": 1}, {"every": True}])
def test_a_record_refuses_other_numbers(options) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        cr.callbacks.Record(**options)
