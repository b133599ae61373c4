# SPDX-License-Identifier: Apache-2.0
r"""
Sparse input
============

A text as a bag of words is a row with a column for each word of the language, and nearly all of it is
zero. The first layer computes

.. math:: z_j = b_j + \sum_k x_k W_{kj},

where every term with :math:`x_k = 0` adds nothing. The gradient :math:`dW_{kj} = x_k \, dz_j` of such a
term is zero too. Leaving the zeros out changes no number. It only changes the time and the memory.
"""

# sphinx_gallery_parallel = False
import time

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse

import chainrule as cr

# %%
# Made-up texts of 40 words out of 20,000, on one of four subjects. Each subject has words that it likes.

WORDS, TEXTS, LENGTH = 20_000, 4000, 40
rng = np.random.default_rng(0)
subjects = rng.integers(0, 4, TEXTS)
common = rng.zipf(1.2, size=(TEXTS, LENGTH)) % WORDS
liked = rng.integers(0, 500, size=(TEXTS, LENGTH)) + 1000 * (1 + subjects[:, np.newaxis])
words = np.where(rng.random((TEXTS, LENGTH)) < 0.1, liked, common)
texts = scipy.sparse.csr_array(
    (np.ones(words.size, np.float32), (np.repeat(np.arange(TEXTS), LENGTH), words.ravel())),
    shape=(TEXTS, WORDS),
)
texts.sum_duplicates()
sparse_bytes = texts.data.nbytes + texts.indices.nbytes + texts.indptr.nbytes
print(f"{texts.nnz / TEXTS:.0f} words in each text: {texts.nnz / TEXTS / WORDS:.2%} of the columns")
print(
    f"{sparse_bytes / 1e6:.1f} MB as a sparse matrix, {TEXTS * WORDS * 4 / 1e6:.0f} MB as a table"
)

# %%
# A SciPy matrix goes into ``fit`` as any table does. The lazy variant of Adam leaves the weights of words
# that are in no text of the batch alone.


def train(x, path, width=32):
    """Return a trained network and the seconds that it took."""
    net = cr.Sequential([cr.Dense(width, activation="relu"), cr.Dense(4)], seed=0)
    begun = time.perf_counter()
    net.fit(
        x,
        subjects[: x.shape[0]],
        loss="cross_entropy",
        optimizer=cr.SGD(0.5),
        epochs=2,
        input_sparsity=path,
        verbose=0,
    )
    return net, time.perf_counter() - begun


net = cr.Sequential([cr.Dense(32, activation="relu"), cr.Dense(4)], seed=0)
begun = time.perf_counter()
net.fit(
    texts[:3000],
    subjects[:3000],
    loss="cross_entropy",
    optimizer=cr.Adam(3e-3, lazy=True),
    epochs=5,
    verbose=0,
)
took = time.perf_counter() - begun
print(
    f"5 epochs of 3000 texts in {took:.2f} s: {net.evaluate(texts[3000:], subjects[3000:])['accuracy']:.1%}"
)

# %%
# The same bits
# -------------
# Write 500 texts out as a table, train on both, and compare the weights with ``==``:

few = texts[:500]
by_sparse, _ = train(few, "auto")
by_table, _ = train(few.toarray(), "dense")
same = all(
    (by_sparse.parameters[name] == array).all() for name, array in by_table.parameters.items()
)
print("equal in every bit:", same)

# %%
# When is it worth it?
# --------------------
# Tables of 2000 columns of which more and more are not zero. Where zeros are few, looking for them costs
# more than multiplying by them; the library looks at a sample of the rows and chooses by itself.

shares = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
times = {"dense": [], "sparse": [], "auto": []}
for share in shares:
    table = rng.normal(size=(2000, 2000)).astype(np.float32)
    table *= rng.random(table.shape) < share
    for path, found in times.items():
        found.append(min(train(table, path, width=128)[1] for _ in range(3)))
fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
for (path, found), (color, style) in zip(
    times.items(), [("#c8501e", "o-"), ("#1f6fb2", "o-"), ("#222222", "x:")], strict=True
):
    ax.loglog([100 * share for share in shares], found, style, color=color, label=path)
ax.set(xlabel="% of the entries that are not zero", ylabel="seconds for two epochs")
ax.grid(alpha=0.3)
ax.legend(title="input_sparsity")
plt.show()
