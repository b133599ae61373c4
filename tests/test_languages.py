# SPDX-License-Identifier: Apache-2.0
"""Python, C++ and C train one network to the same bits, and go on from each other's files."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_bytes import state

import chainrule as cr

SOURCES = Path(__file__).parent / "languages"
ROWS, INPUTS, CLASSES, EPOCHS = 70, 6, 3, 3
RNG = np.random.default_rng(4)
# Far from unit scale, so that a Normalization that is not adapted, or adapted twice, shows.
X = np.ascontiguousarray(
    RNG.normal(size=(ROWS, INPUTS)) * [1, 5, 0.1, 300, 2, 1] + [0, 9, 1, -70, 0, 4]
)
Y = (X[:, 0] + X[:, 3] / 300 > 0).astype(np.int64) + (X[:, 1] > 12)
FIT: dict[str, Any] = {"batch_size": 16, "validation_data": (X, Y), "verbose": 0, "metrics": []}

Train = Callable[[Path, Path, int], list[tuple[float, float]]]


@pytest.fixture(scope="module", params=["cpp", "c"])
def train(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Return the program in one language as a function: (model, result, epochs) -> losses."""
    folder = tmp_path_factory.mktemp("languages")
    compiler, standard = {"cpp": ("g++", "c++20"), "c": ("gcc", "c11")}[request.param]
    found = subprocess.run(
        [sys.executable, "-m", "chainrule", "--cmakedir"],
        capture_output=True,
        text=True,
        check=True,
    )
    packages = Path(found.stdout.strip()).parent.parent / "pkgconfig"
    if not shutil.which(compiler) or not shutil.which("pkg-config"):
        pytest.skip(f"{compiler} or pkg-config is not installed")
    flags = subprocess.run(
        ["pkg-config", "--static", "--cflags", "--libs", "chainrule"],
        env={"PKG_CONFIG_PATH": str(packages), "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    program = folder / "train"
    source = SOURCES / f"train.{request.param}"
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    command = [compiler, f"-std={standard}", *warnings, source, *flags, "-o", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "x").write_bytes(X.tobytes())
    (folder / "y").write_bytes(Y.tobytes())

    def run(model: Path, result: Path, epochs: int) -> list[tuple[float, float]]:
        done = subprocess.run(
            [program, model, folder / "x", folder / "y", str(ROWS), str(epochs), result],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        pairs = [line.split() for line in done.stdout.splitlines()]
        return [(float.fromhex(loss), float.fromhex(validated)) for loss, validated in pairs]

    return run


def described(optimizer: cr.optimizers.Optimizer, dtype: str) -> cr.Sequential:
    """Return a network that knows its loss and optimizer, and has not been trained."""
    net = cr.Sequential(
        [
            cr.Input(INPUTS),
            cr.Normalization(),
            cr.Dense(12, activation="tanh"),
            cr.Normalization(),
            cr.Dropout(0.2),
            cr.Dense(CLASSES),
        ],
        seed=3,
        dtype=dtype,
    )
    net.compile(loss="cross_entropy", optimizer=optimizer, metrics=[])
    return net


def without_history(net: cr.Sequential) -> dict[str, Any]:
    """Return all that training leaves in a network but what Python alone keeps."""
    return {name: value for name, value in state(net).items() if name not in {"history", "metrics"}}


def losses(net: cr.Sequential) -> list[tuple[float, float]]:
    return list(zip(net.history["loss"], net.history["val_loss"], strict=True))


OPTIMIZERS = {
    "adam": (lambda: cr.Adam(1e-2), "float32"),
    "momentum": (lambda: cr.SGD(0.05, momentum=0.9, clip_norm=0.5), "float64"),
    "cosine": (lambda: cr.Adam(cr.schedules.Cosine(0.02, epochs=5)), "float32"),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_from_the_start(train: Train, tmp_path: Path, name: str) -> None:
    make, dtype = OPTIMIZERS[name]
    net = described(make(), dtype)
    net.save(tmp_path / "start")
    given = train(tmp_path / "start", tmp_path / "end", EPOCHS)
    net.fit(X, Y, epochs=EPOCHS, **FIT)
    assert given == losses(net)
    assert net._adapted
    end = cr.load(tmp_path / "end")
    assert without_history(end) == without_history(net)
    assert end.predict(X).tobytes() == net.predict(X).tobytes()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_in_turns(train: Train, tmp_path: Path, name: str) -> None:
    make, dtype = OPTIMIZERS[name]
    whole = described(make(), dtype)
    turns = copy.deepcopy(whole)
    whole.fit(X, Y, epochs=EPOCHS, **FIT)
    turns.fit(X, Y, epochs=1, **FIT)
    turns.save(tmp_path / "first")
    train(tmp_path / "first", tmp_path / "second", 1)
    turns = cr.load(tmp_path / "second")
    turns.fit(X, Y, epochs=EPOCHS - 2, **FIT)
    assert without_history(turns) == without_history(whole)


def test_statistics_are_taken_once(train: Train, tmp_path: Path) -> None:
    """What another language has adapted, Python's fit leaves alone, and the other way round."""
    net = described(cr.SGD(1e-12), "float32")
    net.save(tmp_path / "start")
    train(tmp_path / "start", tmp_path / "trained", 1)
    trained = cr.load(tmp_path / "trained")
    before = trained.predict(X)
    trained.fit(X + 100, Y, epochs=1, **FIT)
    np.testing.assert_allclose(trained.predict(X), before, rtol=1e-5, atol=1e-6)

    net.adapt(X + 50)
    net.save(tmp_path / "start")
    train(tmp_path / "start", tmp_path / "trained", 1)
    mean = cr.load(tmp_path / "trained").parameters["0.mean"]
    assert mean.tobytes() == net.parameters["0.mean"].tobytes()


def test_predictions_of_single_rows_and_of_many_agree(train: Train, tmp_path: Path) -> None:
    net = described(cr.Adam(1e-2), "float32")
    net.save(tmp_path / "start")
    train(tmp_path / "start", tmp_path / "end", 1)
    end = cr.load(tmp_path / "end")
    rows = np.concatenate([end.predict(row[None]) for row in X])
    assert rows.tobytes() == end.predict(X).tobytes()
