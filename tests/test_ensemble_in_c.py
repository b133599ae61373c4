# SPDX-License-Identifier: Apache-2.0
"""The mean of an ensemble's members in exported C."""

import numpy as np
import pytest
from compiled_c import COMPILERS, load, needs_compiler, outputs
from test_ensemble import LABELS, QUICK, X, classifier

import chainrule as cr


@needs_compiler
def test_exported_c_gives_the_mean(tmp_path):
    net = cr.ensemble(classifier(), members=3, share="trunk")
    net.fit(X, LABELS, loss="cross_entropy", **QUICK)
    cr.export_c(net, tmp_path, name="net", test_rows=X)
    library = load(COMPILERS[0], tmp_path, "net")
    for function in ("predict", "predict_proba"):
        given = outputs(library, "net", net, X, function)
        np.testing.assert_allclose(given, net.predict(X), atol=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "several"])
def test_metrics_of_exported_c_are_those_of_the_mean(kind, tmp_path):
    x = cr.Input(X.shape[1], name="x")
    h = cr.Dense(8, "relu")(x)
    units = int(LABELS.max()) + 1
    if kind == "several":
        outputs = {"a": cr.Dense(units, "softmax")(h), "b": cr.Dense(1, "sigmoid")(h)}
        y = {"a": LABELS, "b": LABELS > 0}
        loss = {"a": "cross_entropy", "b": "binary_cross_entropy"}
    else:
        softmax = kind == "softmax"
        outputs = cr.Dense(units if softmax else 1, kind)(h)
        y = LABELS if softmax else LABELS > 0
        loss = "cross_entropy" if softmax else "binary_cross_entropy"
    net = cr.ensemble(cr.Network(x, outputs, seed=0), members=3)
    net.fit(X, y, loss=loss, loss_weights={"a": 0.5} if kind == "several" else None, **QUICK)
    made = cr.export_c(net, tmp_path, validation_data=(X, y))
    assert {*made.before} >= ({"b_accuracy", "a_loss"} if kind == "several" else {"accuracy"})
    assert made.after == pytest.approx(made.before, rel=1e-5)
