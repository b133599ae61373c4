# SPDX-License-Identifier: Apache-2.0
"""Explanations of networks that are no chains: NumPy, the core, differences, and the page."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
from graph_cases import CASES, targets
from graph_cases import rows as rows_of
from numpy.testing import assert_allclose
from random_graphs import random_network

import chainrule as cr


def residual() -> cr.Network:
    x = cr.Input(3, name="x")
    h = cr.Dense(4, activation="tanh", name="stem")(x)
    h = cr.Add(name="sum")([h, cr.Dense(4, activation="relu", name="block")(h)])
    net = cr.Network(x, cr.Dense(2, name="y")(h), seed=0, dtype="float64")
    rng = np.random.default_rng(1)
    net.set_weights({name: rng.normal(size=w.shape) for name, w in net.parameters.items()})
    return net


def two_by_two() -> cr.Network:
    a, b = cr.Input(4, name="a"), cr.Input(3, name="b")
    h = cr.Dense(5, activation="tanh", name="h")(a)
    z = cr.Concatenate(name="z")([h + cr.Dense(5, name="g")(h), b])
    outputs = {
        "kind": cr.Dense(3, activation="softmax")(z),
        "size": cr.Dense(2, activation="tanh")(z * 0.5),
    }
    return cr.Network([a, b], outputs, seed=2, dtype="float64")


def by_node(data: dict[str, Any], node: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the steps of a node, each with the vector that it makes."""
    made = data["vectors"][len(data["rows"]) :]
    return [(s, v) for s, v in zip(data["steps"], made, strict=True) if s["node"] == node]


def test_a_residual_network_in_numpy() -> None:
    net, rng = residual(), np.random.default_rng(3)
    x, y = rng.normal(size=3), rng.normal(size=2)
    data = net.explain(x, y, loss="mse").data
    p = net.parameters
    h = np.tanh(x @ p["stem.weight"] + p["stem.bias"])
    z = h @ p["block.weight"] + p["block.bias"]
    out = (h + np.maximum(z, 0)) @ p["y.weight"] + p["y.bias"]
    dsum = p["y.weight"] @ (out - y)
    dz = dsum * (z > 0)
    dh = dsum + p["block.weight"] @ dz
    dstem = dh * (1 - h**2)
    assert data["loss"]["value"] == pytest.approx(((out - y) ** 2).mean(), rel=1e-10)
    (_, made), (_, activated) = by_node(data, "stem")
    assert_allclose(activated["values"], h, rtol=1e-10)
    assert_allclose(activated["gradient"], dh, rtol=1e-9)  # of both of its readers
    assert_allclose(made["gradient"], dstem, rtol=1e-9)
    assert_allclose(by_node(data, "block")[0][1]["gradient"], dz, rtol=1e-9)
    ((step, summed),) = by_node(data, "sum")
    assert step["slopes"] == [[1.0], [1.0]]
    assert_allclose(summed["gradient"], dsum, rtol=1e-9)
    assert_allclose(data["vectors"][0]["gradient"], p["stem.weight"] @ dstem, rtol=1e-9)
    # Each weight's finite difference is that of the whole network.
    for name, incoming, arriving in (("stem", x, dstem), ("block", h, dz)):
        units = by_node(data, name)[0][0]["units"]
        for j, unit in units.items():
            assert unit["bias"][1] == pytest.approx(arriving[int(j)], rel=1e-5, abs=1e-8)
            for i, w, difference, _ in unit["terms"]:
                assert w == pytest.approx(p[f"{name}.weight"][i, int(j)])
                expected = incoming[i] * arriving[int(j)]
                assert difference == pytest.approx(expected, rel=1e-5, abs=1e-8)
    # What several layers read is no single path; behind the block there is one.
    assert by_node(data, "stem")[0][0]["next"] is None
    assert by_node(data, "y")[0][0]["next"] is None


def whole_differences(net: cr.Network, x: Any, y: Any, loss: Any, name: str) -> np.ndarray:
    """Return the finite differences of the loss by a parameter."""
    start, step = net.parameters, 1e-6
    found = np.empty(start[name].shape)
    for index in np.ndindex(*found.shape):
        sides = []
        for h in (step, -step):
            moved = {key: array.copy() for key, array in start.items()}
            moved[name][index] += h
            net.set_weights(moved)
            sides.append(net.evaluate(x, y, loss=loss)["loss"])
        found[index] = (sides[0] - sides[1]) / (2 * step)
    net.set_weights(start)
    return found


def test_two_inputs_and_two_outputs() -> None:
    net, rng = two_by_two(), np.random.default_rng(4)
    a, b, size = rng.normal(size=4), rng.normal(size=3), rng.normal(size=2)
    loss = {"kind": "cross_entropy", "size": "mse"}
    net.class_names = {"kind": ["cat", "dog", "owl"]}
    net.feature_names = {"b": ["u", "v", "w"]}
    net.compile(loss=loss, loss_weights={"size": 0.3})
    target = {"kind": "dog", "size": size}
    explanation = net.explain({"a": a, "b": b}, target)
    data = explanation.data
    x = {"a": a[None], "b": b[None]}
    y = {"kind": [1], "size": size[None]}
    measured = net.evaluate(x, y)
    assert data["loss"]["value"] == pytest.approx(measured["loss"], rel=1e-10)
    assert data["loss"]["kind"] == "cross_entropy + mse"
    assert data["loss"]["taken_over"] == "softmax"
    assert data["loss"]["target"].startswith("kind: dog; size: ")
    assert [row["name"] for row in data["rows"]] == ["a", "b"]
    assert [row["feature_names"] for row in data["rows"]] == [[], ["u", "v", "w"]]
    assert [each["class_names"] for each in data["outputs"]] == [["cat", "dog", "owl"], []]
    for each in data["outputs"]:
        values = data["vectors"][each["vector"]]["values"]
        assert_allclose(values, net.predict(x)[each["name"]][0], rtol=1e-10)
    chosen = net._chosen_loss(None)
    for name in ("h", "g", "kind", "size"):
        wanted = whole_differences(net, x, y, chosen, f"{name}.weight")
        step, made = by_node(data, name)[0]
        incoming = data["vectors"][step["reads"][0]]["values"]
        assert_allclose(np.outer(incoming, made["gradient"]), wanted, rtol=1e-5, atol=1e-8)
        for j, unit in step["units"].items():
            for i, _, difference, _ in unit["terms"]:
                assert difference == pytest.approx(wanted[i, int(j)], rel=1e-4, abs=1e-8)
    assert repr(explanation).startswith("<Explanation: cross_entropy + mse = ")


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_have_the_cores_gradients(seed: int) -> None:
    net, x, y = random_network(seed)
    parts = [part[0] for part in (x if isinstance(x, list) else [x])]
    explanation = net.explain(parts if len(parts) > 1 else parts[0], y[0], loss="mse")
    data = explanation.data
    core, rows = net._built_core(), [part[None] for part in parts]
    value, dx = core.compute_gradients(
        rows if len(rows) > 1 else rows[0], y[:1], cr.losses.MSE()._core, False, 1
    )
    assert data["loss"]["value"] == pytest.approx(value, rel=1e-9)
    mine = np.concatenate([each["gradient"] for each in data["vectors"][: len(parts)]])
    assert_allclose(mine, dx[0], rtol=1e-8, atol=1e-10)
    gradients = net.gradients
    for step, made in zip(data["steps"], data["vectors"][len(parts) :], strict=True):
        if "units" in step:
            incoming = data["vectors"][step["reads"][0]]["values"]
            weight = np.outer(incoming, made["gradient"])
            name = f"{step['node']}.weight"
            assert_allclose(weight, gradients[name], rtol=1e-8, atol=1e-10, err_msg=name)
            for j, unit in step["units"].items():
                for i, _, difference, _ in unit["terms"]:
                    wanted = gradients[name][i, int(j)]
                    assert difference == pytest.approx(wanted, rel=1e-4, abs=1e-7)
    assert "<script" in explanation.to_html()


@pytest.mark.parametrize("make", CASES)
def test_known_networks(make) -> None:
    net = make()
    x, y = rows_of(net, 1), targets(net, rows_of(net, 1))
    several = len(net._graph.inputs) > 1
    row = {name: part[0] for name, part in x.items()}
    target: Any = {name: part[0] for name, part in y.items()}
    data = net.explain(
        row if several else next(iter(row.values())),
        target if len(target) > 1 else next(iter(target.values())),
        loss="mse",
    ).data
    given = x if several else next(iter(x.values()))
    wanted = net.evaluate(given, y if len(y) > 1 else next(iter(y.values())), loss="mse")["loss"]
    assert data["loss"]["value"] == pytest.approx(wanted, rel=1e-9)


def test_a_shared_layers_update_is_of_all_its_uses() -> None:
    a, b = cr.Input(3, name="a"), cr.Input(3, name="b")
    tower = cr.Dense(4, activation="tanh", name="tower")
    net = cr.Network([a, b], cr.Dense(1, name="y")(tower(a) - tower(b)), seed=0, dtype="float64")
    rng = np.random.default_rng(5)
    row = {"a": rng.normal(size=3), "b": rng.normal(size=3)}
    data = net.explain(row, [0.5], loss="mse", optimizer=cr.SGD(0.1)).data
    uses = [by_node(data, name)[0] for name in ("tower", "tower/1")]
    x = {name: part[None] for name, part in row.items()}
    wanted = whole_differences(net, x, [[0.5]], "mse", "tower.weight")
    sums = np.zeros_like(wanted)
    for step, _ in uses:
        for j, unit in step["units"].items():
            for i, _, difference, update in unit["terms"]:
                sums[i, int(j)] += difference
                assert update == pytest.approx(-0.1 * wanted[i, int(j)], rel=1e-4, abs=1e-9)
    assert_allclose(sums, wanted, rtol=1e-4, atol=1e-8)


def test_frozen_layers_do_not_move() -> None:
    net = residual()
    net.freeze("block")
    data = net.explain([1.0, 2.0, 3.0], [0.0, 0.0], loss="mse", optimizer=cr.SGD(0.1)).data
    moved = {
        node: {
            term[3]
            for unit in by_node(data, node)[0][0]["units"].values()
            for term in unit["terms"]
        }
        for node in ("stem", "block")
    }
    assert moved["block"] == {0.0}
    assert len(moved["stem"]) > 1


def test_positions_are_told_of_as_a_whole() -> None:
    x = cr.Input((3, 2), name="x")
    h = cr.Flatten()(cr.LayerNormalization()(cr.Dense(4, activation="tanh", name="wide")(x)))
    net = cr.Network(x, cr.Dense(3, name="y")(h), seed=0, dtype="float64")
    row = np.random.default_rng(6).normal(size=(3, 2))
    data = net.explain(row, 2, loss="cross_entropy").data
    value, dx = net._built_core().compute_gradients(
        row.reshape(1, -1), np.array([2]), cr.losses.CrossEntropy()._core, False, 1
    )
    assert data["loss"]["value"] == pytest.approx(value)
    assert_allclose(data["vectors"][0]["gradient"], dx[0], rtol=1e-8, atol=1e-12)
    assert "units" not in by_node(data, "wide")[0][0]
    assert any("wide works on several positions" in note for note in data["notes"])
    # An output of several positions, with a label at each.
    net = cr.Network(x, cr.Dense(3, name="y")(x), seed=0, dtype="float64")
    data = net.explain(row, [0, 1, 2], loss="cross_entropy").data
    wanted = net.evaluate(row[None], [[0, 1, 2]], loss="cross_entropy")["loss"]
    assert data["loss"]["value"] == pytest.approx(wanted)


def test_recorded_steps() -> None:
    net = two_by_two()
    rng = np.random.default_rng(7)
    x = {"a": rng.normal(size=(40, 4)), "b": rng.normal(size=(40, 3))}
    y = {"kind": rng.integers(3, size=40), "size": rng.normal(size=(40, 2))}
    record = cr.callbacks.Record(every=2)
    loss = {"kind": "cross_entropy", "size": "mse"}
    net.fit(x, y, loss=loss, callbacks=[record], batch_size=8, verbose=0)
    row = {name: part[3] for name, part in x.items()}
    target = {name: part[3] for name, part in y.items()}
    data = net.explain(row, target, record=record).data
    assert [entry["step"] for entry in data["history"]] == [0, 2, 4, 5]
    last = data["history"][-1]
    assert last["loss"] == pytest.approx(data["loss"]["value"])
    for step, values in zip(data["steps"], last["values"], strict=True):
        assert values is not None, step


@pytest.mark.parametrize(
    ("row", "target", "options", "error", "text"),
    [
        ({"a": np.ones(4)}, {}, {}, ValueError, "row has nothing for the input 'b'"),
        ({"a": np.ones(4), "b": np.ones(2)}, {}, {}, ValueError, r"x\['b'\] has 2 columns"),
        ({"a": np.ones((2, 4)), "b": np.ones(3)}, {}, {}, ValueError, r"x\['a'\] has 2 rows"),
        ({"a": [np.nan] * 4, "b": np.ones(3)}, {}, {}, ValueError, r"x\['a'\] must be finite"),
        (np.ones(7), {}, {}, TypeError, "row must be a dict or a list with one entry for each"),
        ({"a": np.ones(4), "b": np.ones(3)}, {"kind": 1}, {}, ValueError,
         "target has nothing for the output 'size'"),
        ({"a": np.ones(4), "b": np.ones(3)}, {"kind": 5, "size": [0, 0]}, {}, ValueError,
         "5 is out of range"),
        ({"a": np.ones(4), "b": np.ones(3)}, {"kind": 1, "size": [0, 0]}, {"image_shape": (2, 2)},
         ValueError, "image_shape needs a network of one input"),
        ({"a": np.ones(4), "b": np.ones(3)}, {"kind": 1, "size": [0, 0]}, {"loss": "mse"},
         (TypeError, ValueError), "kind"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(row, target, options, error, text: str) -> None:
    net = two_by_two()
    loss = {"kind": "cross_entropy", "size": "mse"}
    with pytest.raises(error, match=text):
        net.explain(row, target or {"kind": 1, "size": [0.0, 0.0]}, **{"loss": loss, **options})
    assert net.loss is None


def test_the_page_of_a_graph(tmp_path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    net = two_by_two()
    net.class_names = {"kind": ["cat", "dog", "owl"]}
    rng = np.random.default_rng(8)
    row = {"a": rng.normal(size=4), "b": rng.normal(size=3)}
    explanation = net.explain(
        row,
        {"kind": "dog", "size": [0.5, 0.0]},
        loss={"kind": "cross_entropy", "size": "mse"},
        optimizer=cr.SGD(0.1),
    )
    explanation.save(tmp_path / "page.html")
    data, messages = explanation.data, []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda problem: messages.append(str(problem)))
        page.goto((tmp_path / "page.html").as_uri())
        assert float(page.locator("#loss").inner_text()) == float(f"{data['loss']['value']:.5g}")
        summary = page.locator("#summary").inner_text()
        assert "(kind)" in summary
        assert "(size)" in summary
        # Every number can be looked at.
        for k, vector in enumerate(data["vectors"]):
            for j in range(vector["count"]):
                page.locator(f'#values-{k} rect[data-unit="{j}"]').click()
                assert page.locator("#detail h3").first.inner_text()
        # What two layers read: the sum of their gradients.
        shared = len(data["rows"]) + 1
        assert data["steps"][1]["node"] == "h"
        page.locator(f'#values-{shared} rect[data-unit="2"]').click()
        table = page.locator("#chain").inner_text()
        assert f"{data['vectors'][shared]['gradient'][2]:.5g}"[:6] in table
        page.locator('#values-0 rect[data-unit="1"]').click()
        assert "a[1]" in page.locator("#detail h3").first.inner_text()
        page.locator("#drawing path[data-weight]").first.dispatch_event("click")
        assert "finite difference" in page.locator("#weight").inner_text()
        browser.close()
    assert messages == []
