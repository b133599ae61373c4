# SPDX-License-Identifier: Apache-2.0
"""The package's own exceptions."""

from __future__ import annotations

import math
import pickle

import pytest

from chainrule.errors import DataFileError, DivergenceError, ModelFileError


@pytest.mark.parametrize("kind", [DataFileError, ModelFileError])
def test_file_errors_are_value_errors(kind):
    assert issubclass(kind, ValueError)


def test_divergence_names_epoch_batch_and_layer():
    error = DivergenceError(epoch=3, batch=12, layer="dense_1", loss=math.inf)
    assert isinstance(error, ArithmeticError)
    assert str(error).startswith("loss became inf in epoch 3, batch 12, first seen in layer 'dense")
    assert "layer" not in str(DivergenceError(epoch=1, batch=1, layer=None, loss=math.nan))


def test_divergence_survives_pickling():
    error = DivergenceError(epoch=3, batch=12, layer="dense_1", loss=math.inf)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.epoch, copy.batch, copy.layer, copy.loss) == (3, 12, "dense_1", math.inf)
    assert str(copy) == str(error)
