# SPDX-License-Identifier: Apache-2.0
"""Networks where the interpreter ends, forks, is interrupted or is not the only one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from subprocesses import run_each


def run_python(code: str, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


DAEMON = """
    import os, sys, threading, time
    import numpy as np
    import chainrule as cr

    folder = sys.argv[1]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 32)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    net = cr.Sequential([cr.Input(32), cr.Dense(64, activation="relu"), cr.Dense(2)], seed=0)
    net.compile(loss="cross_entropy")
    begun = threading.Event()

    class Slow(cr.Callback):
        def on_batch_end(self, *args):
            begun.set()
            time.sleep(0.001)

    def slow_loss(y_true, y_pred):
        begun.set()
        time.sleep(0.001)
        return (y_pred**2).sum(axis=1), 2 * y_pred

    def work():
        while True:
            WORK
            begun.set()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    time.sleep(0.02)
    print("the end", flush=True)
"""


WORKS = {
    "fit": "begun.set(); net.fit(x, y, epochs=1000, batch_size=8, metrics=[], verbose=0)",
    "fit with a bar": "begun.set(); net.fit(x, y, epochs=1000, batch_size=8, verbose=1)",
    "fit with a callback": "net.fit(x, y, epochs=1000, callbacks=[Slow()], verbose=0)",
    "fit with a function": "net.fit(x, y, loss=slow_loss, epochs=1000, verbose=0)",
    "steps": "net.train_on_batch(x[:8], y[:8])",
    "predict": "net.predict(x)",
    "predict a row": "net.predict(x[:1])",
    "evaluate": "net.evaluate(x, y)",
    "save": "net.save(os.path.join(folder, str(threading.get_ident())))",
    "copy": "import copy; copy.deepcopy(net)",
}


@pytest.mark.parametrize("work", WORKS)
def test_a_daemon_thread_does_not_abort_the_exit(work: str, tmp_path: Path) -> None:
    alone = "fit" in work or work == "steps"
    code = DAEMON.replace("WORK", WORKS[work]).replace("THREADS", "1" if alone else "3")
    codes = [textwrap.dedent(code).replace("ROWS", str(rows)) for rows in (20_000, 300)] * 2
    for result in run_each(codes, str(tmp_path)):
        assert (result.returncode, result.stderr) == (0, "")
        assert "the end" in result.stdout


def test_predictions_while_the_interpreter_ends() -> None:
    """The thread that ends the interpreter still gets its lock back."""
    result = run_python(
        """
        import atexit
        import numpy as np
        import chainrule as cr

        net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
        x = np.ones((500, 3), np.float32)

        class Last:
            def __del__(self, net=net, x=x, print=print):
                print(net.predict(x).shape, flush=True)

        last = Last()
        atexit.register(lambda: print(net.predict(x[:1]).shape, flush=True))
        """
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "(1, 2)\n(500, 2)\n"


INTERRUPTED = """
    import json, os, signal, threading, time
    import numpy as np
    import chainrule as cr

    signal.signal(signal.SIGINT, signal.default_int_handler)
    x = np.lib.stride_tricks.as_strided(np.zeros(784, np.float32), (100_000_000, 784), (0, 4))
    y = np.lib.stride_tricks.as_strided(np.zeros(1, np.int64), (100_000_000,), (0,))
    small, labels = np.ones((5, 784), np.float32), np.zeros(5, np.int64)
    net = cr.Sequential([cr.Input(784), cr.Dense(256, activation="relu"), cr.Dense(1)], seed=0)
    net.compile(loss="binary_cross_entropy", metrics=[])
    net._core.evaluate(small, labels.reshape(-1, 1), net.loss._core, batch_size=5)
    before = net.predict(small)
    sent = []

    def interrupt():
        time.sleep(0.3)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        CALL
    except KeyboardInterrupt:
        seconds = time.monotonic() - sent[0]
    same = bool((net.predict(small) == before).all())
    net.fit(small, labels, verbose=0)
    print(json.dumps([seconds, same]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize(
    "call",
    [
        "net.predict(x, out=np.lib.stride_tricks.as_strided(out, (len(x), 1), (0, 4)))",
        "net._core.evaluate(x, ROWS, net.loss._core, batch_size=256)",
    ],
)
def test_ctrl_c_ends_a_long_prediction(call: str) -> None:
    """Of more rows than there is memory for, so that nothing else can end it."""
    targets = "np.lib.stride_tricks.as_strided(np.zeros(1), (len(x), 1), (0, 0))"
    code = INTERRUPTED.replace("CALL", call.replace("ROWS", targets))
    if "out=" in call:
        # The core alone takes outputs that lie on top of each other.
        code = code.replace(call, "net.predict(x[:20_000_000], batch_size=4096)")
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    seconds, same = json.loads(result.stdout)
    assert seconds < 10
    assert same


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="sets a timer")
def test_signal_handlers_may_predict_and_not_train_within_a_prediction() -> None:
    result = run_python(
        """
        import signal
        import numpy as np
        import chainrule as cr

        x = np.zeros((2_000_000, 784), np.uint8)
        y = np.zeros(3, np.int64)
        net = cr.Sequential([cr.Input(784), cr.Dense(300, activation="relu"), cr.Dense(2)], seed=0)
        net.compile(loss="cross_entropy")
        seen = []

        def handle(*args):
            seen.append(net.predict(x[:3]).shape)
            try:
                net.fit(x[:3], y, verbose=0)
            except RuntimeError as error:
                seen.append(str(error))

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        net.predict(x)
        if not seen:
            print("too fast for a signal")
        elif len(seen) == 2:
            assert "in use by another thread or callback" in seen[1], seen
        net.fit(x[:3], y, verbose=0)
        print("done")
        """
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("done\n")


def test_a_subinterpreter_is_an_import_error() -> None:
    """In a process of its own, as an import there used to hang."""
    result = run_python(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            try:
                import _xxsubinterpreters as interpreters
            except ImportError:
                raise SystemExit("no subinterpreters")
        code = '''
        try:
            import chainrule
        except ImportError as error:
            assert "main interpreter" in str(error) or "subinterpreters" in str(error), error
        else:
            raise AssertionError("imported")
        '''
        import textwrap
        for _ in range(2):
            interpreter = interpreters.create()
            failure = interpreters.run_string(interpreter, textwrap.dedent(code))
            assert failure is None, failure
            interpreters.destroy(interpreter)
        import chainrule
        print("done")
        """,
        timeout=30,
    )
    if "no subinterpreters" in result.stderr:
        pytest.skip("this Python has none")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


FORKED = """
    import os, signal, sys, threading, time
    import numpy as np
    import chainrule as cr

    x = np.random.default_rng(0).normal(size=(100, 32)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    # An epoch that only the end of the process ends.
    many = np.lib.stride_tricks.as_strided(x, (10_000_000, 32), (0, 4))
    labels = np.lib.stride_tricks.as_strided(y, (10_000_000,), (0,))
    net = cr.Sequential([cr.Input(32), cr.Dense(64, activation="relu"), cr.Dense(2)], seed=0)
    net.fit(x, y, loss="cross_entropy", metrics=[], verbose=0)
    before = net.get_weights()
    options = dict(batch_size=1, metrics=[], shuffle=False, verbose=0)
    training = threading.Thread(target=net.fit, args=(many, labels), kwargs=options, daemon=True)
    training.start()
    refused = 0
    while refused < 50:  # in a row: it is refused for a moment before the data are checked too
        try:
            net.predict(x)
            refused = 0
        except RuntimeError:
            refused += 1
        time.sleep(0.001)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        code = 1
        try:
            same = all((a == b).all() for a, b in zip(net.get_weights(), before))
            shape = net.predict(x).shape
            net.fit(x, y, verbose=0)
            net.train_on_batch(x, y)
            code = 0 if same and shape == (100, 2) else 2
        finally:
            os._exit(code)
    print(os.waitpid(child, 0)[1], training.is_alive(), flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_network_in_training_is_usable_in_a_forked_child() -> None:
    code = textwrap.dedent(FORKED)
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "0 True\n"
