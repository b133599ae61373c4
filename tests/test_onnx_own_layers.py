# SPDX-License-Identifier: Apache-2.0
"""Layers that ONNX files have as many operators: there and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

onnx = pytest.importorskip("onnx")

RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 4)) * [1.0, 30.0, 0.01, 5.0] + [0.0, 100.0, 2.0, -3.0]
GAPS = np.where(RNG.random(X.shape) < 0.2, np.nan, X)

CONSTANT = X.copy()
CONSTANT[:, 1] = 7.0
UNKNOWN = "not supported|does not fit its inputs"
NEAR = RNG.normal(size=(80, 4))  # which needs no offset in double

CASES = {
    "periodic": ([cr.PeriodicEmbedding(units=2, frequencies=5, frequency_stddev=0.7)], X),
    "one wave": ([cr.PeriodicEmbedding(units=1, frequencies=1, weight_decay_factor=0.0)], X),
    "piecewise": ([cr.PiecewiseLinearEmbedding(units=3, bins=6)], X),
    "one bin": ([cr.PiecewiseLinearEmbedding(units=1, bins=1)], X),
    "ties": ([cr.PiecewiseLinearEmbedding(units=2, bins=9)], np.round(X)),
    "constant": ([cr.PiecewiseLinearEmbedding(units=2, bins=3)], CONSTANT),
    "robust": ([cr.Normalization("robust")], X),
    "robust, constant": ([cr.Normalization("robust", clip=2.0)], CONSTANT),
    "clip": ([cr.Normalization(clip=3.0)], X),
    "near": ([cr.Normalization("robust", clip=3.0)], NEAR),
    "zero": ([cr.Normalization(missing="zero")], GAPS),
    "indicator": ([cr.Normalization("robust", clip=3.0, missing="indicator")], GAPS),
    "inverse": ([cr.Normalization(invert=True)], X),
    "robust, inverse": ([cr.Normalization("robust", invert=True)], X),
    "some": (
        [
            cr.Normalization(
                "robust", clip=1.5, missing="indicator", columns=(3, 0), indicator_columns=(0,)
            )
        ],
        np.where([True, False, False, True], GAPS, X),
    ),
    "all": (
        [
            cr.Normalization(missing="indicator"),
            cr.PeriodicEmbedding(name="waves"),
            cr.Scale(),
            cr.PiecewiseLinearEmbedding(bins=3, units=2, name="bins"),
        ],
        GAPS,
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_layers_come_back(case: str, dtype: str, tmp_path: Path) -> None:
    layers, x = CASES[case]
    net = cr.Sequential([cr.Input(4), *layers, cr.Dense(3, "tanh"), cr.Dense(2)], 1, dtype=dtype)
    net.fit(x, RNG.normal(size=(len(x), 2)), loss="mse", epochs=2, verbose=0)
    cr.to_onnx(net, tmp_path / "net.onnx", tolerance=1e-4)
    again = cr.from_onnx(tmp_path / "net.onnx")
    kinds = {"normalization", "periodic_embedding", "piecewise_linear_embedding"}
    own = [[layer for layer in n.layers if layer.kind in kinds] for n in (net, again)]
    assert own[0] == own[1]
    assert len(again.layers) >= len(net.layers) - 1
    rows = np.concatenate([x, 3 * x])
    expected = net.predict(rows)
    np.testing.assert_allclose(again.predict(rows), expected, rtol=1e-5, atol=1e-5)
    if case in ("piecewise", "one bin", "ties", "constant", "one wave", "periodic"):
        np.testing.assert_array_equal(again.predict(rows), expected)


def changed(net: cr.Sequential, path: Path, change: Any) -> None:
    """Write a network's file after a change to what is in it."""
    cr.to_onnx(net, path)
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)


def described(config: Any) -> Any:
    """Return a change that sets what the metadata say of layers."""

    def change(model: Any) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == "chainrule.layers")
        entry.value = config if isinstance(config, str) else json.dumps(config)

    return change


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("{", "'chainrule.layers' is no JSON"),
        ("[1]", "are no layers by name"),
        ({"0": {"kind": "none"}}, "describe no layer '0'"),
        ({"0": {"kind": "dense", "units": 3}}, "describe '0' as dense"),
        ({"0": {"kind": "periodic_embedding", "units": 33}}, "units must be in"),
        ({"0": {"kind": "periodic_embedding", "units": 4}}, UNKNOWN),
        ({"0": {"kind": "piecewise_linear_embedding"}}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_what_metadata_say_is_not_believed(config: Any, text: str, tmp_path: Path) -> None:
    net = cr.Sequential([cr.Input(4), cr.PeriodicEmbedding(), cr.Dense(2)], seed=0)
    changed(net, tmp_path / "net.onnx", described(config))
    with pytest.raises(cr.ModelFileError, match=text):
        cr.from_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("op", ["Cos", "Concat"])
def test_other_operators_are_not_taken_for_the_layer(op: str, tmp_path: Path) -> None:
    net = cr.Sequential([cr.Input(4), cr.PeriodicEmbedding(), cr.Dense(2)], seed=0)

    def change(model: Any) -> None:
        (node,) = (n for n in model.graph.node if n.op_type == op)
        if op == "Cos":
            node.op_type = "Sin"
        else:
            node.input[:] = [node.input[0]] * 2

    changed(net, tmp_path / "net.onnx", change)
    with pytest.raises(cr.ModelFileError, match=UNKNOWN):
        cr.from_onnx(tmp_path / "net.onnx")


def test_a_wrong_option_is_found_by_rows(tmp_path: Path) -> None:
    net = cr.Sequential([cr.Input(4), cr.Normalization(clip=3.0), cr.Dense(2)], seed=0)
    net.adapt(X)
    cr.to_onnx(net, tmp_path / "net.onnx")
    wrong = {"0": {"kind": "normalization", "clip": 2.0}}
    changed(net, tmp_path / "net.onnx", described(wrong))
    with pytest.raises(cr.ModelFileError, match="something else than the graph"):
        cr.from_onnx(tmp_path / "net.onnx")


def test_frozen_embeddings_stay_frozen(tmp_path: Path) -> None:
    layers = [cr.Input(4), cr.PeriodicEmbedding(name="waves"), cr.Dense(2, name="last")]
    net = cr.Sequential(layers, seed=0)
    net.freeze("waves")
    cr.to_onnx(net, tmp_path / "net.onnx")
    again = cr.from_onnx(tmp_path / "net.onnx")
    assert [name for name in again.parameters if name.startswith("waves")]
    assert again._frozen == {"waves"}
