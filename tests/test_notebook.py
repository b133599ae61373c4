# SPDX-License-Identifier: Apache-2.0
"""What a notebook shows, run through a real kernel."""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

CELLS = [
    "import chainrule as cr\nx, y = cr.data.load_digits()",
    "net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(16, activation='relu'), cr.Dense(10)])\n"
    "net.summary()",
    "history = net.fit(x, y, loss='cross_entropy', epochs=2, validation_split=0.1)",
    "history",
    "cr.plots.plot_history(history)",
    "from chainrule.metrics import confusion_matrix\n"
    "cr.plots.plot_confusion_matrix(confusion_matrix(y, net.predict(x)))",
    "net.plan()",
    "cr.gradient_check(net, x[:2], y[:2], max_entries=2)",
    "names = get_ipython().Completer.attr_matches('cr.losses.')\n"
    "print(sorted(n for n in names if n.lstrip('.').startswith(('np', 'Any', 'get'))))\n"
    "print(sorted(dir(cr.losses)))",
    "a, b = cr.graph.variables(a=1.0, b=2.0)\na * b",
    "net.explain(x[0], y[0])",
    "net.diagnose(x, y)",
]


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """Return a folder of a short name, as a socket's may have a hundred characters only."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory, sockets: Path) -> list[list[Any]]:
    """Return the outputs of each cell; neither the user's settings nor a network take part."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    folder: Path = tmp_path_factory.mktemp("notebook")
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        if sys.platform != "win32":
            manager = client.create_kernel_manager()
            manager.transport, manager.ip = "ipc", str(sockets / "kernel")
        client.execute()
    return [cell["outputs"] for cell in notebook["cells"]]


def data_of(cell: list[Any]) -> dict[str, str]:
    """Return the one result of a cell."""
    (result,) = cell
    assert result["output_type"] == "execute_result"
    data: dict[str, str] = result["data"]
    return data


def test_nothing_is_written_to_standard_error(outputs: list[list[Any]]) -> None:
    errors = [
        output["text"]
        for cell in outputs
        for output in cell
        if output["output_type"] == "stream" and output["name"] == "stderr"
    ]
    # The bar of tqdm itself is no complaint.
    assert not any("arning" in text or "ipywidgets" in text for text in errors)
    assert not any(output["output_type"] == "error" for cell in outputs for output in cell)


def test_the_summary_of_an_unbuilt_network_says_what_it_can(outputs: list[list[Any]]) -> None:
    text = outputs[1][0]["text"]
    assert "Dense(10)" in text
    assert "170" in text
    assert "the number of inputs is not known yet" in text


def test_training_prints_a_line_for_each_epoch(outputs: list[list[Any]]) -> None:
    printed = "".join(o["text"] for o in outputs[2] if o.get("name") == "stdout")
    assert "epoch 1/2" in printed
    assert "epoch 2/2" in printed


def test_the_history_is_a_table(outputs: list[list[Any]]) -> None:
    data = data_of(outputs[3])
    assert data["text/html"].startswith("<table>")
    assert data["text/html"].count("<tr>") == 3
    assert "val_accuracy" in data["text/html"]
    assert data["text/plain"].startswith("<History of 2 epochs: loss ")


@pytest.mark.parametrize("cell", [4, 5])
def test_plots_appear(outputs: list[list[Any]], cell: int) -> None:
    content = base64.b64decode(data_of(outputs[cell])["image/png"])
    assert content.startswith(b"\x89PNG")
    assert len(content) > 2000


@pytest.mark.parametrize(("cell", "text"), [(6, "a step"), (7, "largest relative error")])
def test_reports_are_readable(outputs: list[list[Any]], cell: int, text: str) -> None:
    data = data_of(outputs[cell])
    assert text in data["text/plain"]
    assert "PlanStage(" not in data["text/plain"]
    assert data["text/html"].startswith("<pre>")
    assert text in data["text/html"]


def test_completion_offers_public_names_only(outputs: list[list[Any]]) -> None:
    text = outputs[8][0]["text"]
    assert "np" not in text
    assert "Any" not in text
    assert "'CrossEntropy'" in text


def test_a_computation_graph_is_drawn(outputs: list[list[Any]]) -> None:
    data = data_of(outputs[9])
    assert data["image/svg+xml"].startswith("<svg")
    assert "v1 = a * b" in data["image/svg+xml"]
    assert data["text/plain"] == "<Node a * b = 2>"


def test_an_explanation_is_a_page_in_a_frame(outputs: list[list[Any]]) -> None:
    data = data_of(outputs[10])
    assert data["text/html"].startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert data["text/plain"].startswith("<Explanation: cross_entropy = ")


def test_a_diagnosis_is_a_table(outputs: list[list[Any]]) -> None:
    data = data_of(outputs[11])
    assert data["text/html"].startswith("<table>")
    assert "1 Dense(16, activation=&#x27;relu&#x27;)" in data["text/html"]
    assert "Nothing was found." in data["text/plain"]
