# SPDX-License-Identifier: Apache-2.0
"""Made-up sparse data: the laws that the docstrings state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_cases import CLICKS, WORDS

from harness.workloads import Network
from harness.workloads import categorical_training as categorical
from harness.workloads import sparse_training as words
from harness.workloads.zipf import Zipf

TEXTS = replace(WORDS, network=Network((2000, 8, 2)), rows=3000, nonzeros=100)
LOG = replace(CLICKS, network=Network((1000, 8, 1)), rows=20_000, columns=8)


@pytest.fixture(scope="module")
def texts():
    pytest.importorskip("scipy")
    return TEXTS.data()


@pytest.fixture(scope="module")
def log():
    return LOG.data()


def slope(counts, ranks):
    """Return the exponent that counts fall by over some ranks."""
    ordered = np.sort(counts)[::-1][ranks - 1]
    return -np.polyfit(np.log(ranks), np.log(ordered), 1)[0]


@pytest.mark.parametrize("exponent", [0.8, 1.1])
def test_zipf(rng, exponent):
    law = Zipf(500, exponent, rng)
    expected = np.arange(1, 501) ** -exponent
    ordered = np.sort(law.probabilities)[::-1]
    np.testing.assert_allclose(ordered, expected / expected.sum(), atol=2**-19)
    counts = np.bincount(law.draw(200_000, rng), minlength=500)
    np.testing.assert_allclose(counts / 200_000, law.probabilities, atol=0.004)
    assert law.probabilities.argmax() != 0


def test_same_data_each_time(texts, log):
    x, y = TEXTS.data()
    assert (x != texts[0]).nnz == 0
    np.testing.assert_array_equal(y, texts[1])
    for one, other in zip(LOG.data(), log, strict=True):
        np.testing.assert_array_equal(one, other)


def test_words_of_texts(texts, monkeypatch):
    x, _ = texts
    assert x.shape == (3000, 2000)
    assert x.dtype == np.float32
    assert x.has_canonical_format
    lengths = np.diff(x.indptr)
    assert lengths.mean() == pytest.approx(100, rel=0.03)
    assert lengths.min() >= 1
    assert 0.3 < np.log(lengths).std() < 0.5
    np.testing.assert_allclose(np.sqrt((x.multiply(x)).sum(axis=1)), 1, rtol=1e-5)
    # Rows that have a word are as many as the draws of it only where it is rare.
    assert slope(np.bincount(x.indices), np.arange(200, 1500)) == pytest.approx(1.0, abs=0.15)
    monkeypatch.setattr(words, "_BLOCK_ROWS", len(lengths))
    at_once, _ = TEXTS.data()
    assert (at_once != x).nnz == 0


def test_values_are_those_of_scikit_learn(monkeypatch):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    monkeypatch.setattr(words, "_BLOCK_ROWS", 7)
    counts = []
    weigh = words.SparseTraining._weigh

    def recorded(work, x):
        counts.append(x.copy())
        weigh(work, x)

    monkeypatch.setattr(words.SparseTraining, "_weigh", recorded)
    x, _ = WORDS.data()
    assert counts[0].max() > 1
    expected = text.TfidfTransformer(sublinear_tf=True).fit_transform(counts[0])
    np.testing.assert_allclose(x.toarray(), expected.toarray(), rtol=1e-5)


def test_labels_of_texts_follow_a_linear_rule(texts):
    x, y = texts
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [1500, 1500]
    linear = pytest.importorskip("sklearn.linear_model")
    model = linear.LogisticRegression(C=10.0).fit(x[:2000], y[:2000])
    # The noise leaves 1 - arctan(0.5) / pi = 0.85 to the rule itself.
    assert 0.65 < model.score(x[2000:], y[2000:]) < 0.88


def test_sizes_of_columns():
    work = replace(CLICKS, network=Network((100_000, 256, 1)), columns=26)
    sizes = work.column_sizes
    assert (len(sizes), sum(sizes), min(sizes)) == (26, 100_000, 3)
    assert list(sizes) != sorted(sizes)
    ratios = np.diff(np.log(np.sort(sizes)[8:]))
    np.testing.assert_allclose(ratios, ratios[-1], atol=0.03)
    assert work.offsets.tolist() == [sum(sizes[:k]) for k in range(26)]


def test_values_of_columns(log):
    x, _ = log
    assert x.shape == (20_000, 8)
    assert x.dtype == np.int32
    assert x.min() == 0
    assert (x.max(axis=0) == np.array(LOG.column_sizes) - 1).all()
    widest = x[:, np.argmax(LOG.column_sizes)]
    assert slope(np.bincount(widest), np.arange(1, 100)) == pytest.approx(1.1, abs=0.1)
    assert abs(np.corrcoef(x.T)[np.triu_indices(8, 1)]).max() < 0.05


def test_one_hot_matrix():
    pytest.importorskip("scipy")
    x, y = CLICKS.data()
    matrix, same = CLICKS.matrix()
    np.testing.assert_array_equal(y, same)
    sizes = CLICKS.column_sizes
    expected = np.hstack([np.eye(n)[column] for n, column in zip(sizes, x.T, strict=True)])
    np.testing.assert_array_equal(matrix.toarray(), expected)


def test_targets_of_clicks_follow_the_rule(log):
    pytest.importorskip("scipy")
    linear = pytest.importorskip("sklearn.linear_model")
    matrix, y = LOG.matrix()
    assert y.shape == (20_000, 1)
    assert y.dtype == np.float32
    assert y.mean() == pytest.approx(categorical._POSITIVE)
    model = linear.LogisticRegression(max_iter=1000).fit(matrix[:15_000], y[:15_000, 0])
    assert 0.82 < model.score(matrix[15_000:], y[15_000:, 0]) < 0.95
