# SPDX-License-Identifier: Apache-2.0
"""KeyboardInterrupt between any two instructions: what is left is whole and can go on."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule.callbacks import EarlyStopping
from chainrule.network.history import History

PACKAGE = str(Path(cr.__file__).parent)
# Where training keeps state; the rest prepares arguments, at thousands of places.
STATEFUL = (
    "network/fit_loop.py",
    "network/observer.py",
    "network/fitting.py",
    "network/history.py",
    "network/single_steps.py",
    "network/compiled.py",
    "network/weights.py",
    "callbacks",
)


class Interrupter:
    """Raises KeyboardInterrupt at place number `at`, counted over lines or instructions."""

    def __init__(self, at: int, files: tuple[str, ...], *, opcodes: bool = False) -> None:
        self.left = at
        self.files = files
        self.opcodes = opcodes

    def __call__(self, frame: types.FrameType, event: str, argument: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE):
            return None
        if not name[len(PACKAGE) + 1 :].startswith(self.files):
            return self
        frame.f_trace_opcodes = self.opcodes
        if event == ("opcode" if self.opcodes else "line"):
            self.left -= 1
            if self.left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self

    def run(self, call: Callable[[], object]) -> bool:
        """Whether the call was interrupted."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        return self.left < 0


def data() -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 3)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def fitted() -> cr.Sequential:
    x, y = data()
    net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="relu"), cr.Dense(2)], seed=0)
    net.fit(x, y, loss="cross_entropy", epochs=1, verbose=0)
    return net


def check_usable(net: cr.Sequential, path: Path) -> None:
    """Columns of one length, and a network that saves, loads and trains on."""
    x, y = data()
    assert {len(column) for column in net.history.values()} <= {len(net.history.epochs)}
    assert all(np.isfinite(w).all() for w in net.get_weights())
    net.save(path)
    loaded = cr.load(path)
    assert loaded.history == net.history
    np.testing.assert_array_equal(loaded.predict(x), net.predict(x))
    before = len(net.history.epochs)
    net.fit(x, y, epochs=1, verbose=0)
    net.train_on_batch(x, y)
    assert len(net.history.epochs) == before + 1


def test_an_epoch_is_appended_whole_or_not_at_all() -> None:
    logs = {"loss": 0.5, "new": [[1.0]], "other": 2.0}
    whole = History()
    whole.append(1, {"loss": 1.0, "old": 3.0})
    before = whole.to_dict()
    whole.append(2, logs)
    at, interrupted = 0, True
    while interrupted:
        history = History()
        history.append(1, {"loss": 1.0, "old": 3.0})
        interrupted = Interrupter(at, ("network/history.py",), opcodes=True).run(
            lambda history=history: history.append(2, logs)
        )
        assert history.to_dict() in (before, whole.to_dict())
        interrupted |= Interrupter(at, ("network/history.py",), opcodes=True).run(history.to_dict)
        assert history.to_dict() in (before, whole.to_dict())
        at += 1
    assert history == whole
    assert at > 100


@pytest.mark.parametrize("part", range(8))
def test_a_fit_that_is_interrupted_anywhere_leaves_a_network_that_goes_on(
    part: int, tmp_path: Path
) -> None:
    x, y = data()
    at = part
    while True:
        net = fitted()
        stopper = EarlyStopping(monitor="loss", patience=1)
        options: dict[str, Any] = {"epochs": 2, "batch_size": 6, "callbacks": [stopper]}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="training was interrupted")
            reached = Interrupter(at, STATEFUL).run(
                lambda net=net, options=options: net.fit(x, y, verbose=0, **options)
            )
        check_usable(net, tmp_path / "net.safetensors")
        if not reached:
            break
        at += 8
    assert at > 100


@pytest.mark.parametrize("call", ["train_on_batch", "evaluate", "predict", "adapt", "set_weights"])
def test_other_calls_that_are_interrupted_anywhere(call: str, tmp_path: Path) -> None:
    x, y = data()
    arguments = {
        "train_on_batch": (x, y),
        "evaluate": (x, y),
        "predict": (x.tolist(),),
        "adapt": (x,),
        "set_weights": (fitted().get_weights(),),
    }[call]
    at, reached = 0, True
    while reached:
        net = fitted()
        reached = Interrupter(at, STATEFUL).run(lambda net=net: getattr(net, call)(*arguments))
        check_usable(net, tmp_path / "net.safetensors")
        at += 3


def test_a_save_that_is_interrupted_anywhere_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    x, y = data()
    path = tmp_path / "net.safetensors"
    old, new = fitted(), fitted()
    new.fit(x, y, verbose=0)
    at, reached = 0, True
    while reached:
        old.save(path)
        reached = Interrupter(at, ("",)).run(lambda: new.save(path))
        assert cr.load(path).history in (old.history, new.history)
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
        at += 1
    assert cr.load(path).history == new.history


def test_an_infinite_metric_is_kept_and_saved_as_nan(tmp_path: Path) -> None:
    """JSON has no infinities, and a file must be one that can be loaded."""
    x, y = data()
    net = fitted()

    def far(y_true: Any, y_pred: Any) -> float:
        return -np.inf

    net.fit(x, y, metrics=[far], verbose=0)
    assert net.history["far"][-1] == -np.inf
    net.save(tmp_path / "net.safetensors")
    assert np.isnan(cr.load(tmp_path / "net.safetensors").history["far"]).all()
