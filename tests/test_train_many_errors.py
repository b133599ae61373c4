# SPDX-License-Identifier: Apache-2.0
"""What `train_many` refuses."""

import numpy as np
import pytest
from test_train_many import network, regression

import chainrule as cr


@pytest.mark.parametrize(
    ("rows", "error", "text"),
    [
        ([], ValueError, "rows: rows is empty"),
        (np.zeros(400, bool), ValueError, "the mask chooses no row"),
        (np.zeros(3, bool), ValueError, "a mask of 3 rows, expected one of 400"),
        ([0, 400], ValueError, r"rows\[1\] is 400, which is no row: those are 0..399"),
        ([-1], ValueError, r"rows\[0\] is -1, which is no row"),
        ([[1, 2]], ValueError, "1 dimension"),
        ([0.5], TypeError, "whole numbers or a mask"),
        (["a"], TypeError, "whole numbers or a mask"),
        (7, ValueError, "1 dimension"),
    ],
)
def test_bad_rows(rows, error, text):
    x, y = regression()
    net = network()
    with pytest.raises(error, match=text) as raised:
        cr.train_many([network(1), {"network": net, "rows": rows}], x, y, loss="mse")
    assert "trainings[1]" in str(raised.value)
    assert not net.built


def test_bad_arguments_change_nothing():
    x, y = regression()
    nets = [network(seed) for seed in range(2)]
    cases = [
        (lambda: cr.train_many(nets[0], x, y), TypeError, "list of networks or dicts"),
        (
            lambda: cr.train_many([3], x, y),
            TypeError,
            "a network or a dict",
        ),
        (lambda: cr.train_many([{"rows": [1]}], x, y), TypeError, r'trainings\[0\]\["network"\]'),
        (lambda: cr.train_many(nets), TypeError, "has no x"),
        (lambda: cr.train_many(nets, x, y, epoch=3), TypeError, "epochs"),
        (lambda: cr.train_many([{"network": nets[0], "row": [1]}], x, y), TypeError, "rows"),
        (lambda: cr.train_many([nets[0], nets[0]], x, y, loss="mse"), ValueError, "of one network"),
        (lambda: cr.train_many(nets, x, y, loss="mse", errors="no"), ValueError, "errors"),
        (lambda: cr.train_many(nets, x, y, loss="mse", epochs=0), ValueError, "epochs"),
        (lambda: cr.train_many(nets, x, y[:9], loss="mse"), ValueError, "rows"),
        (
            lambda: cr.train_many([nets[0], network(dtype="float64")], x, y, loss="mse"),
            ValueError,
            "dtypes float32 and float64",
        ),
        (
            lambda: cr.train_many(
                [nets[0], {"network": nets[1], "loss": "cross_entropy"}], x, y, loss="mse"
            ),
            (TypeError, ValueError),
            "training 1",
        ),
    ]
    for call, error, text in cases:
        with pytest.raises(error, match=text):
            call()
    assert not any(net.built for net in nets)
    assert cr.train_many([], x, y) == []


def test_a_network_that_trains_already_is_refused():
    x, y = regression()
    nets = [network(seed) for seed in range(2)]
    raised = []

    def train_again(epoch, logs):
        with pytest.raises(RuntimeError, match="trained already") as error:
            cr.train_many(nets, x, y, loss="mse")
        raised.append(error)

    nets[1].fit(x, y, loss="mse", callbacks=[train_again], verbose=0)
    assert len(raised) == 1
    cr.train_many(nets, x, y, loss="mse")  # neither lock is held


def test_rows_that_are_not_in_memory_are_refused():
    x, y = regression()

    def batches():
        yield x, y

    data = cr.Dataset.from_generator(batches, rows=400)
    with pytest.raises(ValueError, match="in memory"):
        cr.train_many([network()], data, loss="mse")
    with pytest.raises(ValueError, match="in memory"):
        data.select([1])
