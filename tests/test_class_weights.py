# SPDX-License-Identifier: Apache-2.0
"""Balanced class weights, weights that leave validation alone, and classes that are never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.utils.class_weight import compute_class_weight

import chainrule as cr

RNG = np.random.default_rng(6)
X = RNG.normal(size=(90, 4))
Y = RNG.choice(3, size=90, p=[0.7, 0.2, 0.1])
BINARY = (Y == 0).astype(int)


def network(outputs: int) -> cr.Sequential:
    return cr.Sequential([cr.Dense(outputs)], seed=1)


def fitted(outputs: int, y: Any, **options: Any) -> cr.Sequential:
    net = network(outputs)
    net.fit(X, y, epochs=2, verbose=0, **options)
    return net


def assert_same(left: cr.Sequential, right: cr.Sequential) -> None:
    for a, b in zip(left.get_weights(), right.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("loss", "outputs", "y", "labels"),
    [
        ("cross_entropy", 3, Y, Y),
        ("cross_entropy", 3, np.eye(3)[Y], Y),
        ("cross_entropy", 3, scipy.sparse.csr_array(np.eye(3)[Y]), Y),
        ("binary_cross_entropy", 1, BINARY, BINARY),
        ("binary_cross_entropy", 1, scipy.sparse.csr_array(BINARY[:, None]), BINARY),
        ("hinge", 1, 2 * BINARY - 1, BINARY),
    ],
)
def test_balanced_is_scikit_learns(loss: str, outputs: int, y: Any, labels: Any) -> None:
    weights = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    options: dict[str, Any] = {"loss": loss, "metrics": []}
    assert_same(
        fitted(outputs, y, class_weight="balanced", **options),
        fitted(outputs, y, class_weight=list(weights), **options),
    )


def test_balanced_weights_are_those_of_the_training_rows() -> None:
    order = np.argsort(-Y, kind="stable")
    order = np.concatenate([order[:60:2], order[1:60:2], order[60:]])
    y = Y[order]
    weights = compute_class_weight("balanced", classes=np.unique(y[:60]), y=y[:60])
    nets = []
    for given in ("balanced", dict(zip(np.unique(y[:60]).tolist(), weights, strict=True))):
        net = network(3)
        net.fit(X, y, loss="cross_entropy", validation_split=1 / 3, class_weight=given, verbose=0)
        nets.append(net)
    assert_same(*nets)


def test_balanced_counts_sample_weights() -> None:
    sample_weight = RNG.uniform(0.5, 2, 90)
    counts = np.bincount(Y, sample_weight)
    weights = sample_weight.sum() / (3 * counts)
    options: dict[str, Any] = {"loss": "cross_entropy", "sample_weight": sample_weight}
    assert_same(
        fitted(3, Y, class_weight="balanced", **options),
        fitted(3, Y, class_weight=list(weights), **options),
    )


def test_a_class_without_rows_weighs_one() -> None:
    y = np.where(Y == 2, 0, Y)
    weights = [*compute_class_weight("balanced", classes=np.array([0, 1]), y=y), 1.0]
    loss = cr.losses.CrossEntropy(0.1)
    assert_same(
        fitted(3, y, class_weight="balanced", loss=loss),
        fitted(3, y, class_weight=weights, loss=loss),
    )
    outputs = RNG.normal(size=(90, 3))
    assert loss(outputs, y, class_weight="balanced") == loss(outputs, y, class_weight=weights)


def test_what_balanced_is_not_for() -> None:
    with pytest.raises(ValueError, match="class_weight with binary_cross_entropy needs one output"):
        fitted(3, np.eye(3)[Y], loss="binary_cross_entropy", class_weight="balanced")
    with pytest.raises(ValueError, match="would weigh each batch in another way"):
        network(3).train_on_batch(X, Y, loss="cross_entropy", class_weight="balanced")
    with pytest.raises(ValueError, match="must be weights or \"balanced\", got 'balance'"):
        fitted(3, Y, loss="cross_entropy", class_weight="balance")


@pytest.mark.parametrize("split", [False, True])
def test_validation_is_not_weighed(split: bool) -> None:
    """The loss that is reported is that of evaluate without weights."""
    options: dict[str, Any] = {"validation_split": 0.5}
    if not split:
        options = {"validation_data": (X[45:], Y[45:])}
    rows = slice(None) if split else slice(0, 45)
    net = network(3)
    history = net.fit(
        X[rows], Y[rows], loss="cross_entropy", class_weight=[1, 9, 5], verbose=0, **options
    )
    assert history["val_loss"] == [net.evaluate(X[45:], Y[45:])["loss"]]


@pytest.mark.parametrize(
    ("loss", "outputs", "y", "text"),
    [
        ("cross_entropy", 3, np.sort(Y), "hold class 2, which no training row"),
        ("cross_entropy", 3, np.eye(3)[np.sort(Y)], "hold class 2, which"),
        ("binary_cross_entropy", 1, np.sort(BINARY), "hold class 1, which"),
    ],
)
def test_classes_that_are_only_validated(loss: str, outputs: int, y: Any, text: str) -> None:
    share = 0.05 if outputs == 3 else (BINARY.mean() + 0.001)
    with pytest.warns(UserWarning, match=text) as caught:
        network(outputs).fit(
            X, y, loss=loss, validation_split=max(share, np.mean(Y == 2) + 0.001)
            if outputs == 3 else share, epochs=3, verbose=0, metrics=[],
        )  # fmt: skip
    assert len(caught) == 1


def test_balanced_by_output_is_scikit_learns() -> None:
    def trained(class_weight: Any, **options: Any) -> cr.Network:
        x = cr.Input(X.shape[1])
        outputs = {"label": cr.Dense(3)(x), "flag": cr.Dense(1)(x), "size": cr.Dense(1)(x)}
        net = cr.Network(inputs=x, outputs=outputs, seed=0)
        net.fit(
            X,
            {"label": Y, "flag": BINARY, "size": X[:, 0]},
            loss={"label": "cross_entropy", "flag": "binary_cross_entropy", "size": "mse"},
            class_weight=class_weight,
            verbose=0,
            **options,
        )
        return net

    for rows, options in ((90, {}), (60, {"validation_split": 1 / 3})):
        given: dict[str, Any] = {"label": "balanced", "flag": [2.0, 1.0]}
        labels = np.unique(Y[:rows])
        weights = compute_class_weight("balanced", classes=labels, y=Y[:rows])
        by_label = dict(zip(labels.tolist(), weights, strict=True))
        assert_same(trained(given, **options), trained({**given, "label": by_label}, **options))
        flags = compute_class_weight("balanced", classes=np.array([0, 1]), y=BINARY[:rows])
        assert_same(trained({"flag": "balanced"}, **options), trained({"flag": flags}, **options))
    with pytest.raises(ValueError, match=r"class_weight\['label'\] must be weights or"):
        trained({"label": "balance"})
    with pytest.raises(ValueError, match="would weigh each batch in another way"):
        network(3).train_on_batch(X, Y, loss="cross_entropy", class_weight={0: "balanced"})
