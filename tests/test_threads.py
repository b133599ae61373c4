# SPDX-License-Identifier: Apache-2.0
"""One network in several threads: predictions side by side, training alone."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule.callbacks import LambdaCallback


def data(rows: int = 400, columns: int = 20) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def network(units: int = 64) -> cr.Sequential:
    return cr.Sequential([cr.Input(20), cr.Dense(units, activation="relu"), cr.Dense(2)], seed=0)


def on_threads(count: int, work: Callable[[], object]) -> None:
    """Run `work` on so many threads at once; what one of them raises."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


@pytest.mark.parametrize("rows", [1, 3, 400])
@pytest.mark.parametrize("form", ["array", "list", "csr"])
def test_threads_predict_with_one_network_at_once(rows: int, form: str) -> None:
    x = data()[0][:rows]
    net = network()
    expected = net.predict(x)
    given: Any = x
    if form == "csr":
        given = pytest.importorskip("scipy.sparse").csr_array(x)
    elif form == "list":
        given = x.tolist()

    def predict() -> None:
        for _ in range(50):
            np.testing.assert_array_equal(net.predict(given), expected)

    on_threads(4, predict)


def test_everything_that_reads_a_network_runs_at_once(tmp_path: Path) -> None:
    x, y = data()
    net = network()
    net.fit(x, y, loss="cross_entropy", verbose=0)
    expected = net.predict_proba(x)
    scores = net.evaluate(x, y)
    readers: list[Callable[[], Any]] = [
        lambda: np.array_equal(net.predict_proba(x), expected),
        lambda: net.evaluate(x, y) == scores,
        lambda: np.array_equal(copy.deepcopy(net).predict_proba(x), expected),
        lambda: np.array_equal(pickle.loads(pickle.dumps(net)).predict_proba(x), expected),
        lambda: net.save(tmp_path / f"{threading.get_ident()}.safetensors") is None,
        lambda: len(net.get_weights()) == 4,
        lambda: net.plan(32) is not None,
        lambda: net.predict(x[0]).shape == (1, 2),
    ]
    turns = iter(range(10_000))

    def read() -> None:
        for _ in range(40):
            assert readers[next(turns) % len(readers)]()

    on_threads(5, read)
    assert np.array_equal(net.predict_proba(x), expected)
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(cr.load(path).predict_proba(x), expected)


def test_a_fit_among_predictions_ends_as_it_would_alone() -> None:
    x, y = data()
    alone, net = network(), network()
    versions = [alone.predict(x)]
    note = LambdaCallback(on_epoch_end=lambda *args: versions.append(alone.predict(x)))
    options: dict[str, Any] = {"loss": "cross_entropy", "epochs": 8, "verbose": 0}
    alone.fit(x, y, callbacks=[note], **options)
    done = threading.Event()
    errors: set[str] = set()

    def predict() -> None:
        while not done.is_set():
            try:
                found = net.predict(x)
            except RuntimeError as error:
                errors.add(str(error))
            else:
                assert any(np.array_equal(found, version) for version in versions)

    def train() -> None:
        try:
            net.fit(x, y, **options)
        finally:
            done.set()

    jobs = iter([train, predict, predict, predict])
    on_threads(4, lambda: next(jobs)())
    assert net.history == alone.history
    np.testing.assert_array_equal(net.predict(x), versions[-1])
    assert all("in use by another thread" in error for error in errors)


def test_weights_are_set_between_predictions() -> None:
    x = data()[0]
    net, other = network(), network()
    other.set_weights([2 * w for w in other.get_weights()])
    sets = [net.get_weights(), other.get_weights()]
    done = threading.Event()

    def change() -> None:
        for i in range(100):
            net.set_weights({"1.bias": sets[i % 2][3]})
        done.set()

    def predict() -> None:
        while not done.is_set():
            try:
                net.predict(x)
            except RuntimeError as error:
                assert "in use by another thread" in str(error)  # noqa: PT017 - one of two ways

    jobs = iter([change, predict, predict])
    on_threads(3, lambda: next(jobs)())


def test_the_network_of_a_deep_copy_trains_beside_its_original() -> None:
    """Within a callback the original is locked, and its copy is not."""
    x, y = data()
    net = network()
    seen: list[int] = []

    def train_a_copy(epoch: int, logs: object) -> None:
        for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            other.fit(x, y, verbose=0)
            seen.append(other.history.epochs[-1])
        with pytest.raises(RuntimeError, match="being trained already"):
            net.fit(x, y, verbose=0)

    net.fit(x, y, loss="cross_entropy", callbacks=[train_a_copy], verbose=0)
    assert seen == [2, 2]
    assert net.history.epochs == [1]
