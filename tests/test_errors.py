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


def test_divergence_tells_epoch_batch_layer_and_loss():
    error = DivergenceError("too fast", epoch=3, batch=12, layer="1 (dense)", loss=math.inf)
    assert isinstance(error, ArithmeticError)
    assert str(error) == "too fast"
    assert (error.epoch, error.batch, error.layer, error.loss) == (3, 12, "1 (dense)", math.inf)


def test_divergence_survives_pickling():
    error = DivergenceError("too fast", epoch=3, batch=12, layer="1 (dense)", loss=math.inf)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.epoch, copy.batch, copy.layer, copy.loss) == (3, 12, "1 (dense)", math.inf)
    assert str(copy) == str(error)
