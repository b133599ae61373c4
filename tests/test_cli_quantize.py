# SPDX-License-Identifier: Apache-2.0
"""``chainrule quantize``: the file and the metrics before and after."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.cli.dataset import read_both


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = cr.data.load_digits()
    net = cr.Sequential(
        [cr.Rescaling(1 / 16), cr.Dense(64, activation="relu"), cr.Dense(10)], seed=0
    )
    net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=5, verbose=0)
    net.save("digits.safetensors")
    return net


def _printed(capsys, *argv):
    assert main(["quantize", "digits.safetensors", "--out", "small.safetensors", *argv]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


@pytest.mark.parametrize("weights", ["int8", "bf16"])
def test_metrics_are_those_of_the_file(weights, net, capsys, tmp_path):
    lines = _printed(capsys, "--data", "digits", "--weights", weights)
    x, _ = cr.data.load_digits()
    train, test = read_both("digits")
    small = cr.load_predictor("small.safetensors")
    assert small.weights == weights
    calibration = train.x if weights == "int8" else None
    expected = cr.Predictor(net, weights, calibration=calibration)
    np.testing.assert_array_equal(small.predict(x), expected.predict(x))
    before, after = (
        (outputs.argmax(1) == test.y).mean()
        for outputs in (net.predict(test.x), small.predict(test.x))
    )
    assert lines[0].startswith(f"{weights}: outputs change by up to ")
    assert lines[1] == f"{weights}: accuracy {before:.4f} -> {after:.4f}"
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("small", "digits")]
    assert lines[2] == f"small.safetensors: {sizes[0]:,} bytes, of {sizes[1]:,}"
    assert sizes[0] < 0.6 * sizes[1]


def test_bf16_needs_no_data(net, capsys):
    assert len(_printed(capsys, "--weights", "bf16")) == 1
    x, _ = cr.data.load_digits()
    expected = cr.Predictor(net, "bf16").predict(x)
    np.testing.assert_array_equal(cr.load("small.safetensors").predict(x), expected)


def test_rows_without_labels_show_the_change_alone(net, capsys):
    x, _ = cr.data.load_digits()
    np.save("rows.npy", x)
    lines = _printed(capsys, "--data", "rows.npy")
    assert [line.split(":")[0] for line in lines] == ["int8", "small.safetensors"]
