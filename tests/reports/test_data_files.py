# SPDX-License-Identifier: Apache-2.0
"""Reports about data: files, frames and what does not fit into memory."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataFileError


def test_damaged_header_of_npy(tmp_path):
    """open-ephys/plugin-GUI#378: a TokenError from NumPy's parser for a damaged file."""
    path = tmp_path / "channels.npy"
    np.save(path, np.arange(4))
    content = path.read_bytes()
    # What follows the magic is of another length than the header says.
    for header in (b"{'descr': '<i2', 'fortran_order': False, 'shape': (4", b"\n   {\n  'descr"):
        path.write_bytes(content[:10] + header.ljust(len(content) - 42) + content[-32:])
        for mmap in (False, True):
            with pytest.raises(DataFileError, match=r"channels\.npy: corrupt or truncated"):
                cr.data.load_npy(path, mmap=mmap)


def test_several_labels_and_one_dimension(tmp_path):
    """scikit-learn/scikit-learn#34661: writing a 1-D y as several labels crashed the interpreter.

    Here the shape of y says what is meant, and a column is refused, which may be either.
    """
    x, path = np.eye(3), tmp_path / "rows.svm"
    cr.data.save_svmlight(path, x, [0, 1, 2])
    assert path.read_text() == "0 1:1.0\n1 2:1.0\n2 3:1.0\n"
    with pytest.raises(ValueError, match="may be a label a row or an only class"):
        cr.data.save_svmlight(path, x, [[0], [1], [2]])
    cr.data.save_svmlight(path, x, [[0, 1], [1, 1], [1, 0]])
    labels = cr.data.load_svmlight(path, multilabel=True)[1]
    assert labels.toarray().tolist() == [[0, 1], [1, 1], [1, 0]]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_dates_as_features(library):
    """scikit-learn/scikit-learn#10590: dates were taken as numbers of nanoseconds."""
    frame = pytest.importorskip(library).DataFrame(
        {"date": [datetime.datetime(2017, 11, day) for day in (18, 19, 20)], "sales": [1.0, 2, 3]}
    )
    net = cr.Sequential([cr.Dense(1)], seed=0)
    with pytest.raises(TypeError, match=r"x has column 'date' of dtype .*, expected numbers"):
        net.fit(frame, frame["sales"], loss="mse", verbose=0)


def test_datasets_of_h5py(tmp_path):
    """keras-team/keras#628: fit on an HDF5 dataset, with validation_split, ran out of memory."""
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    x, y = rng.random((300, 5), np.float32), rng.integers(2, size=300)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = x, y
        nets = [cr.Sequential([cr.Dense(4, "relu"), cr.Dense(2)], seed=0) for _ in range(2)]
        options = {"loss": "cross_entropy", "validation_split": 0.3, "epochs": 2, "verbose": 0}
        nets[0].fit(x, y, **options)
        nets[1].fit(file["x"], file["y"], **options)
        for a, b in zip(nets[0].get_weights(), nets[1].get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(nets[1].predict(file["x"]), nets[0].predict(x))
