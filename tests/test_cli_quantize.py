# SPDX-License-Identifier: Apache-2.0
"""``chainrule quantize``: the file and the metrics before and after."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.cli.dataset import read_both
from chainrule.network.predictor import compare


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


def _cross_entropy(logits, y):
    logits = logits.astype(np.float64)
    return np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y])


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
    losses = [_cross_entropy(p.predict(test.x), test.y) for p in (net, small)]
    assert lines[1] == f"{weights}: loss {losses[0]:.4f} -> {losses[1]:.4f}"
    assert lines[2] == f"{weights}: accuracy {before:.4f} -> {after:.4f}"
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("small", "digits")]
    assert lines[3] == f"small.safetensors: {sizes[0]:,} bytes, of {sizes[1]:,}"
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


def test_losses_and_metrics_that_are_called_losses(capsys):
    """Of several outputs too, and of networks that give probabilities."""
    x, y = cr.data.load_digits()
    a = cr.Input(64, name="a")
    h = cr.Dense(16, activation="relu")(cr.Rescaling(1 / 16)(a))
    told = {"digit": cr.Activation("softmax")(cr.Dense(10)(h)), "ink": cr.Dense(1)(h)}
    net = cr.Network(a, told, seed=0)
    targets = {"digit": y, "ink": x.mean(1) / 16}
    own = cr.metrics.Metric("own_loss", lambda y, p: float(np.abs(y - p).max()))
    net.fit(
        x, targets, loss={"digit": "cross_entropy", "ink": "mse"}, epochs=3, verbose=0,
        metrics={"ink": [own]},
    )  # fmt: skip
    capsys.readouterr()
    small = cr.Predictor(net, "bf16")
    compare(net, small, x, targets)
    lines = [line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]]
    found = {name: (float(before), float(after)) for name, before, _, after in lines}
    assert [*found] == ["loss", "digit_loss", "ink_loss", "ink_own_loss"]
    for place, predictor in enumerate((net, small)):
        out = {k: v.astype(np.float64) for k, v in predictor.predict(x).items()}
        digit = -np.mean(np.log(out["digit"][np.arange(len(y)), y]))
        wrong = out["ink"][:, 0] - targets["ink"]
        ink = np.mean(wrong**2)
        expected = [digit + ink, digit, ink, np.abs(wrong).max()]
        told = [each[place] for each in found.values()]
        np.testing.assert_allclose(told, expected, atol=6e-5, rtol=1e-5)
