# SPDX-License-Identifier: Apache-2.0
"""Networks of graphs: one hash, data of several inputs and outputs, frozen layers."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_cases import CASES, classifier, rows, siamese, targets
from subprocesses import outputs_of_instruction_sets

import chainrule as cr

each_case = pytest.mark.parametrize("make", CASES)


HASHES = """
import hashlib
import graph_cases
import numpy as np
import chainrule as cr

for make in (graph_cases.residual, graph_cases.two_by_two, graph_cases.siamese,
             graph_cases.u_shaped):
    for dtype in ("float32", "float64"):
        hashes = set()
        for threads in (1, 2, 3, 7):
            for sparsity in ("dense", "auto"):
                net = make(dtype)
                x = graph_cases.rows(net, 150)
                for rows in x.values():  # so sparse that the first layers leave zeros out
                    rows[np.abs(rows) < 1.6] = 0.0
                rng = np.random.default_rng(0)
                y = {n: rng.normal(size=(150, *s)) for n, s in net._output_shapes.items()}
                net.fit(x, y if len(y) > 1 else y.popitem()[1], loss="mse", epochs=3, verbose=0,
                        batch_size=64, num_threads=threads, input_sparsity=sparsity)
                weights = b"".join(w.tobytes() for w in net.get_weights())
                hashes.add(hashlib.sha256(weights).hexdigest())
        print(*hashes)
"""


def test_one_hash_for_threads_instruction_sets_and_sparsity() -> None:
    (hashes,) = set(outputs_of_instruction_sets(HASHES).values())
    assert [len(line.split()) for line in hashes.splitlines()] == [1] * 8
    assert len(set(hashes.split())) == 8


def labelled(count: int = 60) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return data for `classifier`."""
    rng = np.random.default_rng(11)
    x = {"pixels": rng.normal(size=(count, 5)), "context": rng.normal(size=(count, 3))}
    digit = (x["pixels"][:, 0] > 0).astype(int) + (x["context"][:, 0] > 0)
    return x, {"digit": digit, "ink": x["pixels"].sum(axis=1)}


LOSSES = {"digit": "cross_entropy", "ink": "mse"}
METRICS = {"digit": ["accuracy"], "ink": ["mae"]}


def test_fit_with_several_inputs_and_outputs(tmp_path: Path) -> None:
    x, y = labelled()
    net = classifier()
    history = net.fit(
        x,
        y,
        loss=LOSSES,
        loss_weights={"ink": 0.1},
        metrics=METRICS,
        optimizer=cr.Adam(1e-2),
        epochs=30,
        batch_size=16,
        validation_split=0.2,
        verbose=0,
    )
    names = ["loss", "digit_loss", "ink_loss", "digit_accuracy", "ink_mae"]
    assert list(history.history) == [*names, *(f"val_{name}" for name in names)]
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    for prefix in ("", "val_"):
        np.testing.assert_allclose(
            history[f"{prefix}loss"],
            np.array(history[f"{prefix}digit_loss"]) + 0.1 * np.array(history[f"{prefix}ink_loss"]),
            rtol=1e-6,
        )
    measured = net.evaluate(x, y)
    outputs = net.predict(x)
    z = outputs["digit"].astype(float)
    log_sums = np.log(np.exp(z).sum(axis=1))
    digit_loss = (log_sums - z[np.arange(len(z)), y["digit"]]).mean()
    ink = outputs["ink"][:, 0].astype(float)
    expected = {
        "loss": digit_loss + 0.1 * ((ink - y["ink"]) ** 2).mean(),
        "digit_loss": digit_loss,
        "ink_loss": ((ink - y["ink"]) ** 2).mean(),
        "digit_accuracy": (z.argmax(axis=1) == y["digit"]).mean(),
        "ink_mae": np.abs(ink - y["ink"]).mean(),
    }
    assert list(measured) == names
    for name, value in expected.items():
        assert measured[name] == pytest.approx(value, rel=1e-5), name
    # Lists stand for dicts, in the order of inputs and outputs.
    assert net.evaluate(list(x.values()), list(y.values())) == measured
    probabilities = net.predict_proba(x)
    np.testing.assert_allclose(probabilities["digit"].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(probabilities["ink"], outputs["ink"])

    path = tmp_path / "net.safetensors"
    net.save(path)
    for twin in (cr.load(path), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert type(twin) is cr.Network
        assert twin.evaluate(x, y) == measured
        twin.fit(x, y, epochs=1, verbose=0)
        again = copy.deepcopy(net)
        again.fit(x, y, epochs=1, verbose=0)
        assert twin.history.history == again.history.history
        for name, values in again.parameters.items():
            np.testing.assert_array_equal(twin.parameters[name], values)


def test_batches_by_themselves_and_by_callbacks_are_those_of_an_epoch() -> None:
    x, y = labelled(64)
    options: dict[str, Any] = {"loss": LOSSES, "optimizer": "adam"}
    whole, pieces, steps = classifier(), classifier(), classifier()
    whole.fit(x, y, batch_size=16, shuffle=False, verbose=0, **options)
    seen: list[float] = []

    class Each(cr.Callback):
        def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Any) -> None:
            seen.append(logs["loss"])

    pieces.fit(x, y, batch_size=16, shuffle=False, verbose=0, callbacks=[Each()], **options)
    logs = []
    for first in range(0, 64, 16):
        part = slice(first, first + 16)
        logs.append(
            steps.train_on_batch(
                {name: rows[part] for name, rows in x.items()},
                {name: rows[part] for name, rows in y.items()},
                **options,
            )
        )
    assert seen == pytest.approx([each["loss"] for each in logs], rel=1e-6)
    assert logs[0]["loss"] == pytest.approx(logs[0]["digit_loss"] + logs[0]["ink_loss"], rel=1e-6)
    assert pieces.history.history == whole.history.history
    for name, values in whole.parameters.items():
        np.testing.assert_array_equal(pieces.parameters[name], values)
        np.testing.assert_array_equal(steps.parameters[name], values)


def test_weights_of_rows_and_classes() -> None:
    x, y = labelled(30)
    twice = {name: np.concatenate([rows, rows[:10]]) for name, rows in x.items()}
    targets_twice = {name: np.concatenate([rows, rows[:10]]) for name, rows in y.items()}
    weight = np.where(np.arange(30) < 10, 2.0, 1.0)
    net = classifier("float64")
    expected = net.evaluate(twice, targets_twice, loss=LOSSES)
    assert net.evaluate(x, y, loss=LOSSES, sample_weight=weight)["loss"] == pytest.approx(
        expected["loss"]
    )
    by_class = net.evaluate(x, y, loss=LOSSES, class_weight={"digit": [1, 2, 3]})
    by_row = net.evaluate(x, y, loss=LOSSES, sample_weight=np.array([1.0, 2.0, 3.0])[y["digit"]])
    assert by_class["digit_loss"] == pytest.approx(by_row["digit_loss"])
    assert by_class["ink_loss"] == net.evaluate(x, y, loss=LOSSES)["ink_loss"]


@each_case
def test_threads_change_no_bit(make: Callable[..., cr.Network]) -> None:
    results = []
    for threads in (1, 2, 3, 7):
        net = make("float32")
        x = rows(net, 40)
        y = targets(net, x)
        net.fit(x, y, loss="mse", epochs=2, batch_size=16, verbose=0, num_threads=threads)
        results.append(b"".join(values.tobytes() for values in net.parameters.values()))
    assert len(set(results)) == 1


X, Y = labelled(12)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "text"),
    [
        ({"pixels": X["pixels"]}, Y, {}, ValueError, "x has nothing for the input 'context'"),
        ({**X, "more": 1}, Y, {}, ValueError, "x: unknown input 'more'"),
        (X["pixels"], Y, {}, TypeError, "x must be a dict or a list with one entry for each input"),
        ([X["pixels"]], Y, {}, ValueError, "x needs an entry for each input"),
        (
            {**X, "context": X["pixels"]},
            Y,
            {},
            ValueError,
            r"x\['context'\] has 5 columns; the input expects 3",
        ),
        (
            {**X, "context": X["context"][:5]},
            Y,
            {},
            ValueError,
            r"x\['pixels'\] has 12 rows, x\['context'\] 5",
        ),
        (
            {**X, "context": np.where(np.arange(3) == 1, np.nan, X["context"])},
            Y,
            {},
            ValueError,
            r"x\['context'\] must be finite; row 0, column 1 is NaN",
        ),
        (X, {"digit": Y["digit"]}, {}, ValueError, "y has nothing for the output 'ink'"),
        (X, {**Y, "inc": 1}, {}, ValueError, "y: unknown output 'inc'; did you mean 'ink'"),
        (X, {**Y, "digit": Y["digit"] + 5}, {}, ValueError, r"y\['digit'\]"),
        (X, {**Y, "ink": Y["ink"][:4]}, {}, ValueError, r"x has 12 rows.*y\['ink'\]"),
        (X, Y, {"loss": {"digit": "cross_entropy"}}, ValueError, "loss has nothing for the output"),
        (X, Y, {"loss": {**LOSSES, "a": "mse"}}, ValueError, "loss: unknown output 'a'"),
        (X, Y, {"loss_weights": {"a": 1}}, ValueError, "loss_weights: unknown output 'a'"),
        (X, Y, {"loss_weights": {"ink": -1}}, ValueError, r"loss_weights\['ink'\] must be finite"),
        (X, Y, {"loss_weights": {"ink": "a"}}, TypeError, r"loss_weights\['ink'\] must be a num"),
        (X, Y, {"metrics": {"a": ["mae"]}}, ValueError, "metrics: unknown output 'a'"),
        (X, Y, {"class_weight": {"a": [1, 2]}}, ValueError, "class_weight: unknown output 'a'"),
    ],
)
def test_data_that_do_not_fit(
    x: Any, y: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    net = classifier()
    before = net.parameters
    with pytest.raises(error, match=text):
        net.fit(x, y, **{"loss": LOSSES, "verbose": 0, **options})
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, before[name])
    assert net.loss is None
    assert net.history.epochs == []


def test_shapes_that_do_not_fit_name_the_node() -> None:
    a, b = cr.Input(3, name="a"), cr.Input(4, name="b")
    with pytest.raises(ValueError, match=r"total.*\(3,\).*\(4,\)"):
        cr.Network(inputs=[a, b], outputs=cr.Add(name="total")([a, b]))


def test_a_diverging_network_stays_as_it_was() -> None:
    x, y = labelled()
    net = classifier()
    with pytest.raises(cr.DivergenceError):
        net.fit(x, y, loss=LOSSES, optimizer=cr.SGD(1e20), epochs=3, verbose=0)
    assert all(np.isfinite(values).all() for values in net.parameters.values())


def test_several_axes() -> None:
    x = cr.Input((4, 3), name="x")
    h = cr.Dense(2, activation="relu")(x)
    net = cr.Network(
        inputs=x, outputs={"positions": h, "mean": cr.GlobalAveragePooling()(h)}, seed=0
    )
    values = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    weight, bias = net.parameters["positions.weight"], net.parameters["positions.bias"]
    expected = np.maximum(values @ weight + bias, 0)
    outputs = net.predict(values)
    np.testing.assert_allclose(outputs["positions"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs["mean"], expected.mean(axis=1), rtol=1e-5, atol=1e-6)
    only = cr.Network(inputs=x, outputs=h, seed=0)
    assert only.predict(values).shape == (5, 4, 2)
    assert only.backward(np.ones_like(only.forward(values))).shape == (5, 4, 3)


@each_case
def test_gradients_against_differences(make: Callable[..., cr.Network]) -> None:
    net = make()
    x = rows(net, 4)
    report = cr.gradient_check(net, x, targets(net, x), loss="mse")
    assert report.max_relative_error < 1e-7
    names = {name if len(x) == 1 else f"x[{name!r}]" for name in x} if len(x) > 1 else {"x"}
    assert set(report.relative_errors) == {*net.parameters, *names}


def test_summary() -> None:
    file = io.StringIO()
    siamese().summary(file)
    lines = file.getvalue().splitlines()
    assert lines[0].split() == ["node", "layer", "reads", "output", "parameters"]
    cells = [line.split() for line in lines if line.startswith("tower")]
    assert [(row[0], row[-1]) for row in cells] == [("tower", "42"), ("tower/1", "tower")]
    assert lines[-1] == "79 parameters in float64, 632 bytes"


def test_names_of_nodes_are_those_of_layers() -> None:
    net = siamese()
    assert net["tower"] is net["tower/1"]
    assert net["tower"] == cr.Dense(7, activation="tanh")
    assert len(net) == 5
    with pytest.raises(KeyError, match="unknown node 'towr'; did you mean 'tower'"):
        net["towr"]
    named = cr.Sequential([cr.Input(3), cr.Dense(2, name="first"), cr.Dense(1)], seed=0)
    assert named["first"] is named[0]
    assert named["1"] is named[1]
    assert list(named.parameters) == ["first.weight", "first.bias", "1.weight", "1.bias"]


def test_frozen_layers_stay_as_they_are(tmp_path: Path) -> None:
    x, y = labelled()
    net = classifier()
    net.freeze("dense")
    before = net.parameters
    net.fit(x, y, loss=LOSSES, epochs=2, verbose=0)
    net.train_on_batch(x, y)
    for name, values in net.parameters.items():
        assert (values == before[name]).all() == name.startswith("dense."), name
    assert net.count_params(trainable_only=True) == net.count_params() - 8 * 5 - 8
    net.save(tmp_path / "net")
    for twin in (copy.deepcopy(net), cr.load(tmp_path / "net")):
        weight = twin.parameters["dense.weight"]
        twin.train_on_batch(x, y)
        np.testing.assert_array_equal(twin.parameters["dense.weight"], weight)
        twin.unfreeze("dense")
        twin.train_on_batch(x, y)
        assert (twin.parameters["dense.weight"] != weight).any()
    with pytest.raises(ValueError, match="unknown node 'dance'"):
        net.freeze("digit", "dance")
    digit = net.parameters["digit.weight"]
    net.train_on_batch(x, y)
    assert (net.parameters["digit.weight"] != digit).any()


def test_normalization_of_one_input() -> None:
    x, y = labelled()
    a, b = cr.Input(5, name="a"), cr.Input(3, name="b")
    z = cr.Concatenate()([cr.Normalization(name="scaled")(a), b])
    given = {"a": 10 * x["pixels"] + 5, "b": x["context"]}
    net = cr.Network(inputs=[a, b], outputs=cr.Dense(1)(z), seed=0)
    net.adapt(given)
    mean = net.parameters["scaled.mean"]
    np.testing.assert_allclose(mean, given["a"].mean(axis=0), rtol=1e-6)
    other = cr.Network(inputs=[a, b], outputs=cr.Dense(1)(z), seed=0)
    other.fit(given, y["ink"], loss="mse", verbose=0)
    np.testing.assert_array_equal(other.parameters["scaled.mean"], mean)
    assert [stage.name for stage in net.plan(8, x=given).stages][-1] == "dense 8 -> 1"


def test_an_input_of_sparse_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x, y = labelled()
    x["pixels"] = np.where(x["pixels"] > 0.5, x["pixels"], 0)
    dense, compressed = classifier(), classifier()
    dense.fit(x, y, loss=LOSSES, epochs=2, verbose=0)
    compressed.fit(
        {**x, "pixels": sparse.csr_matrix(x["pixels"])}, y, loss=LOSSES, epochs=2, verbose=0
    )
    for name, values in dense.parameters.items():
        np.testing.assert_array_equal(compressed.parameters[name], values)


def test_monitors_of_outputs() -> None:
    x, y = labelled()
    net = classifier()
    stopping = [cr.EarlyStopping("val_digit_accuracy", patience=1), cr.EarlyStopping("ink_loss")]
    options: dict[str, Any] = {"loss": LOSSES, "optimizer": cr.SGD(1e-9), "verbose": 0}
    net.fit(x, y, epochs=9, validation_split=0.2, callbacks=stopping, **options)
    assert len(net.history.epochs) == 2
    with pytest.raises(ValueError, match="mode='auto' cannot tell"):
        cr.EarlyStopping("val_digit_luck")
