# SPDX-License-Identifier: Apache-2.0
"""Training that is cut short: Ctrl-C, exceptions of the caller's, several threads."""

from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule.callbacks import Callback, LambdaCallback


def data(rows: int = 200, columns: int = 20) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def network(units: int = 8) -> cr.Sequential:
    return cr.Sequential([cr.Dense(units, activation="relu"), cr.Dense(2)], seed=0)


def run_python(code: str) -> dict[str, Any]:
    """Return what `code` prints last, as JSON."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


# A million batches of one row take a second at least, and a thousand epochs of them longer than any
# test may, so that only the signal can end them, and does so within an epoch.
INTERRUPTED = """
    import json, os, signal, threading, time, warnings
    import numpy as np
    import chainrule as cr

    # A shell's background jobs inherit that it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rng = np.random.default_rng(0)
    x = np.tile(rng.normal(size=(1000, 16)).astype(np.float32), (1000, 1))
    y = np.zeros(len(x), dtype=np.int64)
    small = slice(0, 1000)
    net = cr.Sequential([cr.Dense(64, activation="relu"), cr.Dense(2)], seed=0)
    net.fit(x[small], y[small], loss="cross_entropy", epochs=2, verbose=0)
    before = net.parameters

    sent = []
    def interrupt():
        time.sleep(0.3)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    class Watch(cr.Callback):
        ended = 0
        def on_train_begin(self, net):
            threading.Thread(target=interrupt, daemon=True).start()
        def on_train_end(self, net):
            self.ended += 1
    class WatchBatches(Watch):
        def on_batch_end(self, net, epoch, batch, logs):
            pass

    watch = WATCH()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = net.fit(
            x, y, epochs=1000, batch_size=1, metrics=[], callbacks=[watch], verbose=VERBOSE
        )
    seconds = time.monotonic() - sent[0]
    steps = net._core.total_steps
    interrupted = history.interrupted
    finite = all(bool(np.isfinite(w).all()) for w in net.get_weights())
    moved = bool((net.parameters["0.weight"] != before["0.weight"]).any())
    net.fit(x[small], y[small], epochs=1, verbose=0)  # must not be stopped by what was before
    print(json.dumps(dict(
        seconds=seconds, steps=steps, interrupted=interrupted, finite=finite, moved=moved,
        ended=watch.ended, epochs=history.epochs, again=history.interrupted,
        warnings=[
            [w.category.__name__, str(w.message), os.path.basename(w.filename)] for w in caught
        ],
    )))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize(("watch", "verbose"), [("Watch", 0), ("WatchBatches", 1)])
def test_ctrl_c_stops_at_the_next_batch(watch: str, verbose: int) -> None:
    found = run_python(
        INTERRUPTED.replace("WATCH()", f"{watch}()").replace("VERBOSE", str(verbose))
    )
    assert found["interrupted"]
    assert found["seconds"] < 5
    assert 64 < found["steps"] < 64 + 1_000_000
    assert found["moved"]
    assert found["finite"]
    assert found["ended"] == 1
    assert found["warnings"] == [
        ["UserWarning", "training was interrupted; weights and history are kept", "<string>"]
    ]
    assert found["epochs"] == [1, 2, 3]  # the broken epoch is not among them
    assert not found["again"]


def test_ctrl_c_in_a_callback_keeps_whole_epochs() -> None:
    def interrupt(epoch: int, logs: Mapping[str, Any]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    x, y = data()
    net, plain = network(), network()
    with pytest.warns(UserWarning, match="training was interrupted"):
        net.fit(x, y, loss="cross_entropy", epochs=5, callbacks=[interrupt], verbose=0)
    assert net.history.interrupted
    plain.fit(x, y, loss="cross_entropy", epochs=2, verbose=0)
    assert net.history == plain.history
    assert not plain.history.interrupted
    for n in (net, plain):
        n.fit(x, y, epochs=1, verbose=0)
    np.testing.assert_array_equal(net.parameters["0.weight"], plain.parameters["0.weight"])


class CallersError(Exception):
    pass


@pytest.mark.parametrize(
    "method", ["on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_train_end"]
)
def test_exceptions_of_callbacks_reach_the_caller(method: str) -> None:
    def boom(*args: Any) -> None:
        raise CallersError(method)

    x, y = data()
    net = network()
    failing = type("Failing", (Callback,), {method: boom})()
    with pytest.raises(CallersError, match=method):
        net.fit(x, y, loss="cross_entropy", epochs=3, callbacks=[failing], verbose=0)
    epochs = {"on_epoch_end": [1], "on_train_end": [1, 2, 3]}.get(method, [])
    assert net.history.epochs == epochs
    assert all(np.isfinite(w).all() for w in net.get_weights())
    net.fit(x, y, epochs=2, verbose=0)
    assert net.history.epochs == [*epochs, len(epochs) + 1, len(epochs) + 2]


def test_on_train_end_runs_after_an_exception() -> None:
    ended: list[str] = []

    def boom(epoch: int, logs: Mapping[str, Any]) -> None:
        raise CallersError

    x, y = data()
    watch = LambdaCallback(on_train_end=lambda: ended.append("yes"))
    with pytest.raises(CallersError):
        network().fit(x, y, loss="cross_entropy", callbacks=[boom, watch], verbose=0)
    assert ended == ["yes"]


def test_exceptions_of_metrics_and_schedules_reach_the_caller() -> None:
    def boom(*args: Any) -> float:
        raise CallersError

    x, y = data()
    net = network()
    with pytest.raises(CallersError):
        net.fit(x, y, loss="cross_entropy", metrics=[boom], verbose=0)
    late = cr.SGD(lambda epoch: boom() if epoch else 0.1)
    with pytest.raises(CallersError):
        net.fit(x, y, loss="cross_entropy", metrics=[], optimizer=late, epochs=2, verbose=0)
    net.fit(x, y, optimizer="adam", verbose=0)
    assert net.history.epochs == [1, 2]


# Threads ---------------------------------------------------------------------------------------


class Gate(Callback):
    """Holds the training between its first and second epoch until told to go on."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()

    def on_epoch_end(self, net: Any, epoch: int, logs: Mapping[str, Any]) -> None:
        self.reached.set()
        assert self.go_on.wait(30)


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_one_network_in_two_threads_is_an_error(method: str) -> None:
    x, y = data()
    net, plain = network(), network()
    plain.fit(x, y, loss="cross_entropy", epochs=2, verbose=0)
    gate = Gate()
    thread = threading.Thread(
        target=net.fit,
        args=(x, y),
        kwargs={"loss": "cross_entropy", "epochs": 2, "callbacks": [gate], "verbose": 0},
    )
    thread.start()
    try:
        assert gate.reached.wait(30)
        options: dict[str, Any] = {"verbose": 0} if method == "fit" else {}
        with pytest.raises(RuntimeError, match="the network is being trained already"):
            getattr(net, method)(x, y, loss="hinge", optimizer="sgd", **options)
    finally:
        gate.go_on.set()
        thread.join(30)
    assert net.history == plain.history
    np.testing.assert_array_equal(net.parameters["0.weight"], plain.parameters["0.weight"])
    assert repr(net.loss) == "CrossEntropy()"


def test_the_core_refuses_a_second_thread() -> None:
    x, y = data(400_000)
    net = network(64)
    net.build(20)
    done = threading.Event()

    def train() -> None:
        net.fit(x, y, loss="cross_entropy", epochs=1, batch_size=16, metrics=[], verbose=0)
        done.set()

    thread = threading.Thread(target=train)
    thread.start()
    errors: list[str] = []
    while not done.is_set() and not errors:
        try:
            net.predict(x[:1])
        except RuntimeError as error:
            errors.append(str(error))
        time.sleep(0.001)
    thread.join(60)
    assert errors
    assert "another thread" in errors[0]
    assert net.history.epochs == [1]


def test_a_fit_within_a_fit_is_an_error() -> None:
    x, y = data()
    net = network()
    with pytest.raises(RuntimeError, match="the network is being trained already"):
        net.fit(
            x,
            y,
            loss="cross_entropy",
            callbacks=[lambda epoch, logs: net.fit(x, y, verbose=0)],
            verbose=0,
        )
    net.fit(x, y, verbose=0)  # and is over with the error


def test_callbacks_may_evaluate() -> None:
    x, y = data()
    net = network()
    seen: list[float] = []
    watch = LambdaCallback(on_batch_end=lambda *args: seen.append(net.evaluate(x, y)["loss"]))
    net.fit(x, y, loss="cross_entropy", batch_size=100, callbacks=[watch], verbose=0)
    assert len(set(seen)) == 2


def test_two_networks_in_two_threads() -> None:
    x, y = data(2000)
    plain = network()
    plain.fit(x, y, loss="cross_entropy", epochs=3, verbose=0)
    nets = [network() for _ in range(2)]
    threads = [
        threading.Thread(
            target=net.fit,
            args=(x, y),
            kwargs={"loss": "cross_entropy", "epochs": 3, "verbose": 0},
        )
        for net in nets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for net in nets:
        assert net.history == plain.history
        np.testing.assert_array_equal(net.parameters["0.weight"], plain.parameters["0.weight"])


def test_copies_train_beside_each_other() -> None:
    x, y = data()
    net = network()
    copies: list[cr.Sequential] = []
    net.fit(
        x,
        y,
        loss="cross_entropy",
        callbacks=[lambda epoch, logs: copies.append(copy.deepcopy(net))],
        verbose=0,
    )
    copies[0].fit(x, y, verbose=0)
    assert copies[0].history.epochs == [1, 2]
    assert net.history.epochs == [1]


def test_signal_handlers_run_between_batches() -> None:
    """A handler that does not raise leaves the training alone."""
    if not hasattr(signal, "SIGUSR1"):
        pytest.skip("sends SIGUSR1")
    found = run_python(
        """
        import json, os, signal, threading, time
        import numpy as np
        import chainrule as cr

        # An epoch that only Ctrl-C ends, which comes once the other signal was handled.
        x = np.lib.stride_tricks.as_strided(np.ones(32, np.float32), (10_000_000, 32), (0, 4))
        y = np.lib.stride_tricks.as_strided(np.ones(1, np.int64), (10_000_000,), (0,))
        net = cr.Sequential([cr.Dense(64, activation="relu"), cr.Dense(2)], seed=0)
        begun, handled = threading.Event(), threading.Event()

        def handle(*args):
            handled.set()

        def send():
            begun.wait()
            time.sleep(0.1)  # well into the epoch
            os.kill(os.getpid(), signal.SIGUSR1)
            handled.wait()
            os.kill(os.getpid(), signal.SIGINT)

        signal.signal(signal.SIGUSR1, handle)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=send, daemon=True).start()
        history = net.fit(
            x, y, loss="cross_entropy", metrics=[], epochs=1, batch_size=1, shuffle=False,
            callbacks=[cr.callbacks.LambdaCallback(on_epoch_begin=lambda *args: begun.set())],
            verbose=0,
        )
        print(json.dumps([handled.is_set(), history.interrupted, history.epochs]))
        """
    )
    assert found == [True, True, []]
