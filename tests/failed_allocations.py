# SPDX-License-Identifier: Apache-2.0
"""Make every so many-th allocation of Python's fail in each call of a network.

Prints how many calls failed, and what was wrong with them: an error that is not a MemoryError, a
state that is neither that of before nor that of a whole call, a retry that gives something else
than an undisturbed call.

Each trial has a process of its own, because Python itself may crash: up to 3.14 in the
deallocator of an iterator over a dict's items that was not made.
"""

from __future__ import annotations

import _testcapi
import argparse
import copy
import faulthandler
import functools
import json
import linecache
import os
import pickle
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.network import model_file

# Text, since some of Python's functions take a path for no path where memory is short.
FOLDER = tempfile.mkdtemp()
SAVED = f"{FOLDER}/trained.safetensors"
RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 5.0, size=(12, 3)).astype(np.float32)
Y = (X[:, 0] > 3).astype(np.int64)
NAMES = np.array(["no", "yes"])[Y]
VALIDATION = (X[:5], Y[:5])


def network() -> cr.Sequential:
    layers = [
        *(cr.Normalization(), cr.Dense(4, activation="relu")),
        *(cr.BatchNormalization(), cr.Dense(2)),
    ]
    return cr.Sequential([cr.Input(3), *layers], seed=3)


TRAINED = network()
TRAINED.fit(X, Y, loss="cross_entropy", optimizer=cr.AdamW(1e-2), epochs=2, verbose=0)
TRAINED.save(SAVED)
network().save(f"{FOLDER}/saved.safetensors")
OTHER = network()


def trained() -> cr.Sequential:
    return copy.deepcopy(TRAINED)


def state(net: cr.Sequential) -> bytes:
    """Return all that a call may change: what a model file keeps, and settings."""
    kept = model_file.to_bytes(net) if net.built else b""
    try:
        kept += b"".join(gradient.tobytes() for gradient in net.gradients.values())
    except RuntimeError:
        kept += b"no gradients"
    kept += " ".join(sorted(path.name for path in Path(FOLDER).iterdir())).encode()
    return kept + repr((net, net.loss, net.optimizer, net.metrics, net.history)).encode()


def fit(net: cr.Sequential) -> None:
    net.fit(X, Y, loss="cross_entropy", optimizer="adam", batch_size=5, verbose=0)


def fit_more(net: cr.Sequential) -> None:
    schedule = cr.schedules.ReduceOnPlateau(0.1, monitor="loss")
    stopping = cr.callbacks.EarlyStopping(patience=1)
    options: dict[str, Any] = {"validation_data": VALIDATION, "callbacks": [stopping]}
    net.fit(X, NAMES, optimizer=cr.SGD(schedule, momentum=0.5), verbose=0, **options)


def differentiated() -> cr.Sequential:
    net = trained()
    net.forward(X)
    net.backward(np.ones((12, 2)))
    return net


def backward(net: cr.Sequential) -> list[bytes]:
    dx = net.backward(np.ones((12, 2)))
    return [dx.tobytes(), *(gradient.tobytes() for gradient in net.gradients.values())]


def set_gradients(net: cr.Sequential) -> None:
    net.gradients = {name: array + 1.0 for name, array in TRAINED_GRADIENTS.items()}


def activations(net: cr.Sequential) -> list[bytes]:
    return [layer.tobytes() for layer in net.activations]


def save(net: cr.Sequential) -> bytes:
    """Return what a file holds; no other file may be left."""
    path = f"{FOLDER}/saved.safetensors"
    net.save(path)
    with Path(path).open("rb") as file:
        return file.read()


def pickled(net: cr.Sequential) -> bytes:
    return state(pickle.loads(pickle.dumps(net)))


def named(net: cr.Sequential) -> None:
    net.feature_names = ("a", "b", "c")


TRAINED_GRADIENTS = differentiated().gradients

CALLS: dict[str, tuple[Callable[[], cr.Sequential], Callable[[cr.Sequential], Any]]] = {
    "construct": (trained, lambda _: state(network())),
    "fit": (network, fit),
    "fit_more": (trained, fit_more),
    "train_on_batch": (network, lambda net: net.train_on_batch(X, Y, loss="cross_entropy")),
    "train_in_place": (trained, lambda net: net.train_on_batch(X, Y)),
    "forward": (trained, lambda net: net.forward(X).tobytes()),
    "backward": (differentiated, backward),
    "step": (differentiated, lambda net: cr.SGD(0.1).step(net)),
    # The gradients are those that it has.
    "step_given": (differentiated, lambda net: cr.SGD(0.1).step(net, gradients=TRAINED_GRADIENTS)),
    "set_gradients": (differentiated, set_gradients),
    "first_gradients": (trained, set_gradients),
    "activations": (differentiated, activations),
    "interpolate": (trained, lambda net: net.interpolate(OTHER, 0.25)),
    "adapt": (network, lambda net: net.adapt(X)),
    "predict": (trained, lambda net: net.predict(X).tobytes()),
    "predict_row": (trained, lambda net: net.predict(X[0]).tobytes()),
    "predict_lists": (trained, lambda net: net.predict(X.tolist(), num_threads=1).tobytes()),
    "evaluate": (trained, lambda net: net.evaluate(X, Y, metrics=["accuracy", "f1"])),
    "save": (trained, save),
    "load": (trained, lambda _: state(cr.load(SAVED))),
    "deepcopy": (trained, lambda net: state(copy.deepcopy(net))),
    "pickle": (trained, pickled),
    "set_weights": (trained, lambda net: net.set_weights(TRAINED.get_weights())),
    "feature_names": (trained, named),
}


# What the interpreter says where its own search for a module or a method has no memory.
_MISLEADING = ("import of module", "expected str, bytes or os.PathLike object, not PosixPath")


def is_memory_error(error: BaseException) -> bool:
    """Whether it is one, or what the interpreter, its library or NumPy make of one.

    CPython 3.11 sets no error where it has no memory for the frame of a Python function. Of an
    extension's function that returns none it says "<built-in method ...> returned NULL".
    """
    frames = traceback.extract_tb(error.__traceback__)
    package = str(Path(cr.__file__).parent) + os.sep
    if any(text in str(error) for text in _MISLEADING):
        return True
    if isinstance(error, SystemError):
        said = str(error)
        return said == "error return without exception set" or said.startswith("<function ")
    in_library = not frames[-1].filename.startswith(package) and frames[-1].filename != __file__
    return isinstance(error, MemoryError) or in_library


def whole_epochs(net: cr.Sequential, before: int, undisturbed: cr.Sequential) -> bool:
    """Whether all was trained, and the error came while metrics or callbacks looked at it."""
    if before == len(net.history.epochs) or net.history.epochs != undisturbed.history.epochs:
        return False
    same = zip(net.get_weights(), undisturbed.get_weights(), strict=True)
    return all(np.array_equal(*pair) for pair in same)


class Trial:
    """A call in which one allocation fails, compared with an undisturbed one."""

    def __init__(self, name: str) -> None:
        self.make, self.work = CALLS[name]
        self.work(self.make())  # What is imported or cached at the first use is no part of it.
        self.undisturbed = self.make()
        self.expected = self.work(self.undisturbed)
        self.after = state(self.undisturbed)

    def run(self, number: int) -> tuple[bool, str]:
        """Return whether there was an error, and what was wrong with it, if anything."""
        net = self.make()
        before, epochs = state(net), len(net.history.epochs)
        _testcapi.set_nomemory(number, number + 1)
        try:
            result = self.work(net)
            _testcapi.remove_mem_hooks()
        except BaseException as error:
            _testcapi.remove_mem_hooks()
            return True, self.check(net, before, epochs, error)
        whole = result == self.expected and state(net) == self.after
        return False, "" if whole else "another result, and no error"

    def check(self, net: cr.Sequential, before: bytes, epochs: int, error: BaseException) -> str:
        """Return what is wrong with the network after an error."""
        if not is_memory_error(error):
            return "".join(traceback.format_exception(error))
        if state(net) == self.after or whole_epochs(net, epochs, self.undisturbed):
            return ""
        if state(net) != before:
            return "".join(["another state after ", *traceback.format_exception(error)])
        again = self.work(net)
        whole = again == self.expected and state(net) == self.after
        return "" if whole else "another result of the retry"


def in_child(work: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    """Return what `work` does in a process of its own, or that and where it crashed."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as crash:
        child = os.fork()
        if child == 0:
            faulthandler.enable(crash)
            signal.alarm(60)
            try:
                said = work()
            except BaseException:
                said = True, traceback.format_exc()
            os.write(writing, json.dumps(said).encode()[:60_000])
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        status = os.waitpid(child, 0)[1]
        crash.seek(0)
        where = crash.read().decode()
    if not os.WIFSIGNALED(status):
        failed, fault = json.loads(answer)
        return failed, fault
    frame = re.search(r'first\):\n  File "(.*)", line (\d+)', where)
    line = linecache.getline(frame[1], int(frame[2])) if frame else ""
    return True, "" if ".items()" in line else f"a crash: {line}\n{where}"


def main() -> int:
    """Run trials until no allocation is left to fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", nargs="*", default=list(CALLS), help="Default: all.")
    parser.add_argument("--each", type=int, default=4, help="Of so many numbers the first few.")
    options = parser.parse_args()
    faults = 0
    for name in options.calls:
        trial = Trial(name)
        number = errors = without = 0
        # Now and then an allocation can be done without; several in a row are beyond the last one.
        while without < 6:
            failed, fault = in_child(functools.partial(trial.run, number))
            without = 0 if failed else without + 1
            errors += failed
            if fault:
                faults += 1
                print(f"{name}, allocation {number}: {fault}")
            number += 1 + number // options.each
        print(f"{name}: {errors} errors")
        faults += errors == 0
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
