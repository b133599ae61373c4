# SPDX-License-Identifier: Apache-2.0
"""The work that is measured: that the libraries compute the same, and a wrong one is found out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_cases import (
    CLICKS,
    CLICKS_ADAGRAD,
    DOUBLE,
    MANY,
    PICTURES,
    PREDICT,
    SPARSE,
    TABLE,
    WORDS,
)

import harness
from harness import peers
from harness.peers.numpy import mean_loss
from harness.peers.numpy_images import image_outputs
from harness.reference import Outputs, TrainedLoss, exact_trainer, truth_of
from harness.runner import LibraryAtWork, Runner
from harness.workloads import Inference, ManyNetworks, Network, Training

ONE_HIDDEN_LAYER = (SPARSE, TABLE, DOUBLE, WORDS, CLICKS)
TRAININGS = (*ONE_HIDDEN_LAYER, CLICKS_ADAGRAD, PICTURES)


@pytest.mark.parametrize("work", [*ONE_HIDDEN_LAYER, PICTURES], ids=lambda w: w.name)
def test_gradients_of_the_truth(work):
    reference = exact_trainer(work)
    x, y = work.matrix()

    def loss():
        weights = reference.weights()
        if work is PICTURES:
            return mean_loss(work.loss, image_outputs(work.network, weights, x), y)
        hidden = np.maximum(x @ weights[0] + weights[1], 0.0)
        return mean_loss(work.loss, hidden @ weights[2] + weights[3], y)

    # A bias of 0 puts rows without ink on relu's kink.
    for weight in reference.weights():
        weight += 0.1
    gradients = reference.gradients(x.astype(np.float64), y)
    for weight, gradient in zip(reference.weights(), gradients, strict=True):
        # Of sparse inputs, one that is there.
        index = np.unravel_index(np.abs(gradient).argmax(), weight.shape)
        step = 1e-6
        weight[index] += step
        above = loss()
        weight[index] -= 2 * step
        below = loss()
        weight[index] += step
        assert gradient[index] == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-9)
        assert gradient[index] != 0.0


def test_adam_of_the_truth():
    # With constant gradients of any size, Adam's first steps are the learning rate.
    reference = exact_trainer(TABLE)
    before = [weight.copy() for weight in reference.weights()]
    gradients = [np.full(weight.shape, 0.5) for weight in before]
    for _ in range(3):
        reference.update(gradients)
    for old, new in zip(before, reference.weights(), strict=True):
        np.testing.assert_allclose(old - new, 0.03, rtol=1e-6)


def test_lazy_adam_of_the_truth():
    reference = exact_trainer(CLICKS)
    before = [weight.copy() for weight in reference.weights()]
    gradients = [np.full(weight.shape, 0.5) for weight in before]
    used = np.array([3, 7])
    for _ in range(3):
        reference.update(gradients, used)
    moved = [old - new for old, new in zip(before, reference.weights(), strict=True)]
    np.testing.assert_allclose(moved[0][used], 0.03, rtol=1e-6)
    assert not np.delete(moved[0], used, axis=0).any()
    for others in moved[1:]:
        np.testing.assert_allclose(others, 0.03, rtol=1e-6)


def test_adagrad_of_the_truth():
    # With constant gradients of any size, step k is the learning rate / sqrt(k).
    reference = exact_trainer(CLICKS_ADAGRAD)
    before = reference.weights()[0].copy()
    for _ in range(3):
        reference.update([np.full(weight.shape, -0.5) for weight in reference.weights()])
    expected = 0.01 * (1 + 2**-0.5 + 3**-0.5)
    np.testing.assert_allclose(reference.weights()[0] - before, expected, rtol=1e-6)


def test_who_takes_sparse_data():
    takers = {
        work.name: {name for name, library in peers.PEERS.items() if library.takes(work)}
        for work in (WORDS, CLICKS)
    }
    assert {"PyTorch", "scikit-learn", "chainrule"} <= takers[WORDS.name]
    assert {"PyTorch", "chainrule"} <= takers[CLICKS.name]
    dense_only = {"torch.compile", "JAX", "NumPy by hand", "ONNX Runtime"}
    assert not dense_only & (takers[WORDS.name] | takers[CLICKS.name])


QUICK_PEERS = [name for name in peers.installed() if not peers.PEERS[name].starts_slowly]


@pytest.fixture(scope="module", params=QUICK_PEERS)
def library(request):
    if request.param != "JAX":
        yield LibraryAtWork(request.param, 1)
        return
    # JAX warns of every fork that comes after it, and other tests fork.
    runner = Runner("JAX", 1)
    yield runner
    runner.close()


def takes(library, work):
    return (library.library if isinstance(library, Runner) else library._library).takes(work)


@pytest.mark.parametrize("work", [*TRAININGS, PREDICT], ids=lambda w: w.name)
def test_peers_agree(library, work):
    if not takes(library, work):
        pytest.skip("declares that it cannot")
    reference = truth_of(work)
    result = library.result(reference.work)
    assert reference.error(result) is None
    assert {array.dtype for array in result} == {np.dtype(work.network.dtype)}


def test_last_batch_may_be_shorter(library):
    if not takes(library, TABLE):
        pytest.skip("declares that it cannot")
    work = replace(TABLE, rows=40)
    reference = exact_trainer(work)
    reference.train(1, shuffle=False)
    for found, expected in zip(library.result(work), reference.weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_onnx_runtime_declares_inference_only():
    runtime = peers.PEERS["ONNX Runtime"]
    assert runtime.takes(PREDICT)
    assert not any(runtime.takes(work) for work in (*TRAININGS, MANY))


def test_idle_library_is_found_out():
    wrong = TrainedLoss(SPARSE).error(SPARSE.network.weights())
    assert wrong.startswith("the loss after 8 steps is ")


def test_wrong_outputs_are_found_out():
    reference = Outputs(PREDICT)
    good = list(reference.expected.reshape(3, 4, 2))
    assert reference.error(good) is None
    bad = [good[0], good[1], good[2] * 1.01]
    assert reference.error(bad).startswith("the outputs are off by 0.0")
    assert reference.error(good[:2]) == "the outputs have shape (8, 2), expected (12, 2)"


def test_wrong_shape_is_refused():
    weights = [weight.T for weight in SPARSE.network.weights()]
    with pytest.raises(ValueError, match=r"weight has shape \(8, 20\), expected \(20, 8\)"):
        TrainedLoss(SPARSE).loss(weights)


def test_many_networks_are_each_made_anew(monkeypatch):
    made = []

    class Recorded(peers.PEERS["NumPy by hand"].__class__):
        def trainer(self, work, data, weights, threads):
            made.append(weights[0][0, 0])
            return super().trainer(work, data, weights, threads)

        def forget_compiled(self):
            made.append("forgotten")

    monkeypatch.setitem(peers.PEERS, "NumPy by hand", Recorded())
    at_work = LibraryAtWork("NumPy by hand", 1)
    at_work.prepare(MANY)
    assert made[0] == "forgotten"
    assert made[1] != made[2]
    assert at_work.seconds(2) > 0.0
    assert made == made[:3] * 3


def test_counts_of_samples_and_operations():
    network = Network((4, 3, 2))
    training = Training(network, 5, "sgd", 0.1, rows=50)
    # Three products of each layer but the first, which has no input gradient.
    assert training.flops_per_sample == 2 * 2 * 12 + 3 * 2 * 6
    assert Inference(network, 5, calls=2).flops_per_sample == 2 * (12 + 6)
    assert training.samples == 50
    assert Inference(network, 5, calls=2).samples == 10
    assert ManyNetworks(training, count=3, epochs=2).samples == 300


def test_names_and_sizes_of_the_work():
    names = [work.name for work in (*harness.WORKLOADS, *harness.SPARSE)]
    assert len(set(names)) == len(names)
    assert set(harness.QUICK) <= set(harness.WORKLOADS)
    for work in (*harness.WORKLOADS, *harness.SPARSE):
        assert 0 < work.quick().samples <= work.samples


def test_density():
    x, _ = replace(SPARSE, rows=1000).data()
    assert np.mean(x > 0) == pytest.approx(0.19, abs=0.01)
    x, _ = TABLE.data()
    assert np.all(x > 0)
