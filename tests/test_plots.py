# SPDX-License-Identifier: Apache-2.0
"""Plots of a training run and of a confusion matrix."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.metrics import confusion_matrix
from chainrule.network.history import History
from chainrule.plots import plot_confusion_matrix, plot_history, plot_images

pytest.importorskip("matplotlib")

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def trained(epochs: int = 3) -> History:
    history = History()
    for epoch in range(5, 5 + epochs):
        logs: dict[str, Any] = {"loss": 1 / epoch, "accuracy": 1 - 1 / epoch}
        if epoch > 5:
            logs["val_loss"] = 2 / epoch
        history.append(epoch, {**logs, "confusion_matrix": np.eye(2)})
    return history


def curves(axes: Any) -> dict[str, tuple[list[float], list[float]]]:
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.get_lines()
    }


def test_history_has_a_panel_per_metric() -> None:
    loss, accuracy = plot_history(trained()).axes
    assert [loss.get_ylabel(), accuracy.get_ylabel()] == ["loss", "accuracy"]
    drawn = curves(loss)
    assert drawn["training"] == ([5.0, 6.0, 7.0], [1 / 5, 1 / 6, 1 / 7])
    epochs, values = drawn["validation"]
    assert epochs == [5, 6, 7]
    assert math.isnan(values[0])
    assert values[1:] == [2 / 6, 2 / 7]
    assert list(curves(accuracy)) == ["training"]


def test_history_may_be_a_plain_mapping() -> None:
    (axes,) = plot_history({"val_auc": [0.5, 0.75]}).axes
    assert curves(axes) == {"validation": ([1, 2], [0.5, 0.75])}


def test_metrics_chooses_panels() -> None:
    figure = plot_history(trained(), metrics=["accuracy"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy"]


@pytest.mark.parametrize(
    ("history", "metrics", "text"),
    [
        (trained(), ["acuracy"], "unknown metric 'acuracy'; did you mean 'accuracy'"),
        (trained(), ["confusion_matrix"], "unknown metric 'confusion_matrix'"),
        (trained(), [], "nothing to draw"),
        (History(), None, "nothing to draw"),
    ],
)
def test_bad_history(history: History, metrics: list[str] | None, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        plot_history(history, metrics=metrics)


def test_files_are_written(tmp_path: Path) -> None:
    plot_history(trained(40), tmp_path / "history.png")
    plot_confusion_matrix(np.eye(10, dtype=int), str(tmp_path / "matrix.png"))
    for name in ("history.png", "matrix.png"):
        content = (tmp_path / name).read_bytes()
        assert content.startswith(PNG_SIGNATURE)
        assert len(content) > 5000
    with pytest.raises(FileNotFoundError):
        plot_history(trained(), tmp_path / "missing" / "history.png")


def test_confusion_matrix_shows_counts_and_shares() -> None:
    matrix = confusion_matrix([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1], classes=3)
    axes = plot_confusion_matrix(matrix, classes=["cat", "dog", "giraffe"]).axes[0]
    (image,) = axes.get_images()
    assert np.asarray(image.get_array()).tolist() == [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]]
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert shown[(1, 0)] == "1"
    assert shown[(0, 0)] == "3"
    assert len(shown) == 9
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "giraffe"]


@pytest.mark.parametrize(
    ("matrix", "classes", "text"),
    [
        ([[1, 2]], None, r"shape \(C, C\), got \(1, 2\)"),
        ([1, 2], None, r"shape \(C, C\), got \(2,\)"),
        ([[1, 0], [0, 1]], ["cat"], "one name for each of 2 classes, got 1"),
    ],
)
def test_bad_confusion_matrix(matrix: Any, classes: list[str] | None, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        plot_confusion_matrix(matrix, classes=classes)


def test_pyplot_is_not_touched() -> None:
    program = (
        "import sys\n"
        "from chainrule.plots import plot_history\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plot_history({'loss': [1.0, 0.5]})\n"
        "assert 'matplotlib.figure' in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("matplotlib.backends.backend_agg", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "chainrule\[plot\]"'):
        plot_history(trained())


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3)])
def test_images_lie_in_a_grid_of_one_scale(shape: tuple[int, ...]) -> None:
    images = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    figure = plot_images(images, titles="abcde", columns=3)
    assert [axes.get_title() for axes in figure.axes] == list("abcde")
    places = {axes.get_subplotspec().get_geometry()[:2] for axes in figure.axes}
    assert places == {(2, 3)}
    drawn = np.array([axes.images[0].get_array() for axes in figure.axes])
    low, high = images.min(), images.max()
    expected = (images - float(low)) / (float(high) - float(low))
    np.testing.assert_allclose(drawn.reshape(shape), expected)
    assert len(plot_images(np.ones((7, 2, 2))).axes) == 7


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 4), (2, 4, 4, 2), (2, 4, 4, 3, 1)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must have shape .*, got \("):
        plot_images(np.zeros(shape))


def test_titles_and_columns_of_images_are_checked() -> None:
    with pytest.raises(ValueError, match="titles must have one for each of 2 images, got 1"):
        plot_images(np.zeros((2, 4, 4)), titles=["a"])
    with pytest.raises(ValueError, match="columns must be >= 1"):
        plot_images(np.zeros((2, 4, 4)), columns=0)
