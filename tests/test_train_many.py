"""Many trainings at once, each to the bits of its own fit."""

import copy
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest

import chainrule as cr


def regression(rows=400, columns=6, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).astype(dtype)
    return x, (np.sin(x[:, 0]) + x @ np.linspace(-1, 1, columns)).astype(dtype)


def network(seed=0, **options):
    layers = [
        cr.Normalization(),
        cr.Dense(24, activation="relu"),
        cr.Dropout(0.2),
        cr.Dense(16, activation="tanh"),
        cr.Dense(1),
    ]
    return cr.Sequential(layers, seed=seed, **options)


def classifier(seed=0):
    return cr.Sequential(
        [cr.Rescaling(1 / 16), cr.Dense(16, activation="relu"), cr.Dense(10)], seed
    )


def assert_same(first, second):
    assert first.history == second.history
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_each_has_the_bits_of_its_own_fit(threads):
    x, y = regression()
    options = {"loss": "mse", "epochs": 4, "batch_size": 32, "metrics": ["mae"]}
    together = [network(seed) for seed in range(5)]
    histories = cr.train_many(together, x, y, num_threads=threads, **options)
    for seed, (net, history) in enumerate(zip(together, histories, strict=True)):
        alone = network(seed)
        alone.fit(x, y, verbose=0, **options)
        assert_same(net, alone)
        assert history is net.history


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_rows_that_overlap_and_repeat_are_those_of_a_copy(dtype, offset):
    x, y = regression(dtype=np.float64)
    x += offset
    rng = np.random.default_rng(1)
    picks = [rng.permutation(400)[:250], rng.integers(0, 400, 300), np.arange(399, 100, -1)]
    held_back = [rng.permutation(400)[:50] for _ in picks]
    weight = rng.uniform(0.5, 2.0, 400)
    nets = [network(seed, dtype=dtype) for seed in range(3)]
    jobs = [
        {"network": net, "rows": rows, "validation_rows": others, "shuffle": place != 2}
        for place, (net, rows, others) in enumerate(zip(nets, picks, held_back, strict=True))
    ]
    options = {"loss": "huber", "epochs": 3, "optimizer": cr.AdamW(1e-2), "metrics": ["mae"]}
    cr.train_many(jobs, x, y, sample_weight=weight, num_threads=2, **options)
    for seed, (net, rows, others) in enumerate(zip(nets, picks, held_back, strict=True)):
        alone = network(seed, dtype=dtype)
        alone.fit(
            x[rows],
            y[rows],
            sample_weight=weight[rows],
            validation_data=(x[others], y[others], weight[others]),
            shuffle=seed != 2,
            verbose=0,
            **options,
        )
        assert_same(net, alone)


def test_selected_rows_of_sparse_and_of_several_inputs():
    sparse = pytest.importorskip("scipy.sparse")
    x, y = cr.data.load_digits()
    rows = np.random.default_rng(0).permutation(len(x))[:600]
    table = sparse.csr_matrix(x.astype(np.float32))
    nets = [classifier() for _ in range(2)]
    options = {"loss": "cross_entropy", "epochs": 2}
    cr.train_many([{"network": nets[0], "rows": rows}], table, y, **options)
    nets[1].fit(table[rows], y[rows], verbose=0, **options)
    assert_same(*nets)
    assert np.array_equal(
        nets[0].predict(cr.Dataset(table).select(rows)), nets[0].predict(table[rows])
    )

    def joined():
        left, right = cr.Input(32, name="left"), cr.Input(32, name="right")
        both = cr.Concatenate()([cr.Dense(8, activation="relu")(left), right])
        return cr.Network([left, right], cr.Dense(10)(both), seed=0)

    parts = {"left": x[:, :32], "right": x[:, 32:]}
    nets = [joined() for _ in range(2)]
    cr.train_many([{"network": nets[0], "rows": rows}], parts, y, **options)
    nets[1].fit({n: part[rows] for n, part in parts.items()}, y[rows], verbose=0, **options)
    assert_same(*nets)


def test_class_weights_are_balanced_for_the_selected_rows():
    x, y = cr.data.load_digits()
    rows = np.flatnonzero((y < 5) | (np.arange(len(y)) % 7 == 0))
    nets = [classifier() for _ in range(2)]
    options = {"loss": "cross_entropy", "epochs": 2}
    job = {"network": nets[0], "rows": rows, "class_weight": "balanced"}
    cr.train_many([job], x, y, **options)
    nets[1].fit(x[rows], y[rows], class_weight="balanced", verbose=0, **options)
    assert_same(*nets)


def test_callbacks_schedules_losses_and_metrics_of_python():
    x, y = regression()
    seen = []

    def cube(y_true, y_pred):
        difference = y_pred - y_true
        return np.abs(difference[:, 0]) ** 3, 3 * difference * np.abs(difference)

    def bias(y_true, y_pred):
        return float(np.mean(y_pred - y_true))

    def options():
        return {
            "loss": cr.losses.Custom(cube, name="cube"),
            "optimizer": cr.Adam(cr.schedules.ReduceOnPlateau(0.01, patience=1, gamma=0.3)),
            "metrics": [cr.metrics.Metric("bias", bias)],
            "callbacks": [
                cr.EarlyStopping(patience=2),
                lambda epoch, logs: seen.append((threading.get_ident(), epoch)),
            ],
            "validation_split": 0.25,
            "epochs": 12,
        }

    nets = [network(seed) for seed in range(4)]
    cr.train_many(nets, x, y, num_threads=2, **options())
    assert len({thread for thread, _ in seen}) == 2
    for seed, net in enumerate(nets):
        alone = network(seed)
        alone.fit(x, y, verbose=0, **options())
        assert_same(net, alone)


def test_options_of_one_training_take_the_place_of_those_for_all():
    x, y = regression()
    nets = [network() for _ in range(3)]
    rates = (1e-3, 1e-2, 1e-1)
    jobs = [{"network": n, "optimizer": cr.SGD(r)} for n, r in zip(nets, rates, strict=True)]
    jobs[2].update(epochs=1, batch_size=100)
    histories = cr.train_many(jobs, x, y, loss="mse", epochs=2)
    assert [len(history["loss"]) for history in histories] == [2, 2, 1]
    alone = network()
    alone.fit(x, y, loss="mse", optimizer=cr.SGD(0.1), epochs=1, batch_size=100, verbose=0)
    assert_same(nets[2], alone)


@pytest.mark.parametrize(
    "own",
    [
        {"callbacks": [print, cr.EarlyStopping("loss")]},
        {"optimizer": cr.Adam(cr.schedules.ReduceOnPlateau(0.01, monitor="loss"))},
    ],
)
def test_what_remembers_one_training_is_not_shared(own):
    x, y = regression()
    nets = [network(seed) for seed in range(2)]
    with pytest.raises(ValueError, match=r"trainings 0 and 1 share a (Early|Reduce)\w+, which"):
        cr.train_many([{"network": net, **own} for net in nets], x, y, loss="mse")
    assert all(not net.history.history for net in nets)


def test_callbacks_of_the_program_may_be_shared():
    class Counts(cr.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, net, epoch, logs):
            self.epochs += 1

    x, y = regression()
    counts = Counts()
    jobs = [{"network": network(), "callbacks": [counts]} for _ in range(2)]
    cr.train_many(jobs, x, y, loss="mse", epochs=2)
    assert counts.epochs == 4


def test_full_batch_optimizers_of_selected_rows():
    x, y = regression()
    rows = np.arange(0, 400, 3)
    nets = [cr.Sequential([cr.Dense(4, activation="tanh"), cr.Dense(1)], 0) for _ in range(2)]
    job = {"network": nets[0], "rows": rows}
    cr.train_many([job], x, y, loss="mse", optimizer="lbfgs", epochs=5)
    nets[1].fit(x[rows], y[rows], loss="mse", optimizer="lbfgs", epochs=5, verbose=0)
    assert_same(*nets)


def test_one_that_diverges_leaves_the_others_alone():
    x, y = regression()
    nets = [network(seed) for seed in range(4)]
    jobs = [{"network": net} for net in nets]
    jobs[1]["optimizer"] = cr.SGD(1e30)
    options = {"loss": "mse", "epochs": 3}
    found = cr.train_many(jobs, x, y, errors="return", **options)
    assert isinstance(found[1], cr.DivergenceError)
    assert [len(found[i]["loss"]) for i in (0, 2, 3)] == [3, 3, 3]
    again = [network(seed) for seed in range(4)]
    for job, net in zip(jobs, again, strict=True):
        job["network"] = net
    with pytest.raises(cr.DivergenceError) as raised:
        cr.train_many(jobs, x, y, **options)
    if hasattr(raised.value, "__notes__"):
        assert "training 1" in raised.value.__notes__[0]
    for one, other in zip(nets, again, strict=True):
        assert_same(one, other)
    assert len(again[1].history.epochs) == 0


def test_one_whose_callback_raises_leaves_the_others_alone():
    x, y = regression()

    def refuse(epoch, logs):
        raise ZeroDivisionError("no more")

    nets = [network(seed) for seed in range(3)]
    jobs = [{"network": nets[0], "callbacks": [refuse]}, *nets[1:]]
    found = cr.train_many(jobs, x, y, loss="mse", epochs=2, errors="return")
    assert isinstance(found[0], ZeroDivisionError)
    assert [len(net.history.epochs) for net in nets] == [1, 2, 2]


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="signals")
@pytest.mark.parametrize("in_python", [False, True])
def test_an_interrupt_stops_all(default_signals, in_python):
    x, y = regression(4000, 20)
    begun = threading.Event()

    def watch(epoch, logs):
        begun.set()
        if in_python and threading.current_thread() is threading.main_thread():
            time.sleep(0.2)

    def interrupt():
        begun.wait(20)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    nets = [network(seed) for seed in range(4)]
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.warns(UserWarning, match="the trainings were interrupted"):
        histories = cr.train_many(
            nets, x, y, loss="mse", epochs=100_000, callbacks=[watch], num_threads=2
        )
    thread.join()
    assert all(history.interrupted for history in histories)
    for net in nets:
        assert all(np.isfinite(w).all() for w in net.get_weights())
    net = nets[0]
    net.fit(x, y, epochs=1, verbose=0)  # the locks are free again
    assert not net.history.interrupted


def test_no_training_has_a_copy_of_x():
    rows, columns = 20_000, 100
    x = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    y = x[:, 0] > 0
    nets = [cr.Sequential([cr.Dense(2, activation="relu"), cr.Dense(1)], seed=s) for s in range(4)]
    picks = [np.arange(s, rows, 2) for s in range(4)]
    jobs = [{"network": n, "rows": r} for n, r in zip(nets, picks, strict=True)]
    gc.collect()
    tracemalloc.start()
    cr.train_many(jobs, x, y, loss="binary_cross_entropy", epochs=1, metrics=[])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 4  # one copy of half of the rows would be half of it


def test_selections_of_a_dataset():
    x, y = regression()
    weight = np.linspace(1, 2, 400)
    data = cr.Dataset(x, y, weight)
    even = data.select(slice(0, None, 2))
    some = even.select([3, 0, 3])
    assert len(even) == 200
    assert np.array_equal(some.x, x[[6, 0, 6]])
    assert np.array_equal(some.y, y[[6, 0, 6]])
    assert np.array_equal(some.sample_weight, weight[[6, 0, 6]])
    for other in (copy.copy(some), copy.deepcopy(some)):
        assert np.array_equal(other.y, some.y)
    net = network()
    net.fit(even, loss="mse", epochs=2, verbose=0)
    alone = network()
    alone.fit(x[::2], y[::2], sample_weight=weight[::2], loss="mse", epochs=2, verbose=0)
    assert_same(net, alone)
    assert net.evaluate(some) == net.evaluate(some.x, some.y, sample_weight=some.sample_weight)
    assert np.array_equal(net.predict(some), net.predict(some.x))
    net.train_on_batch(some)
    alone.train_on_batch(some.x, some.y, sample_weight=some.sample_weight)
    assert_same(net, alone)


def test_batches_seen_by_a_callback_of_selected_rows():
    x, y = regression()
    rows = np.random.default_rng(3).permutation(400)[:130]

    class Batches(cr.Callback):
        def on_batch_end(self, net, epoch, batch, logs):
            net.predict(x[:1])

    nets = [network() for _ in range(2)]
    options = {"loss": "mse", "epochs": 2, "callbacks": [Batches()], "verbose": 0}
    nets[0].fit(cr.Dataset(x, y).select(rows), **options)
    nets[1].fit(x[rows], y[rows], **options)
    assert_same(*nets)


@pytest.mark.parametrize("layer", ["pool", "openmp", "serial"])
def test_threading_layers_give_the_same_bits(layer):
    if layer not in cr.threading_layers():
        pytest.skip("not built")
    code = """
import numpy as np, chainrule as cr
x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
nets = [cr.Sequential([cr.Dense(8, activation="relu"), cr.Dense(1)], seed=s) for s in range(3)]
cr.train_many(nets, x, x[:, 0], loss="mse", epochs=3, num_threads=2)
print([float(n.get_weights()[0].sum()) for n in nets])
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CHAINRULE_THREADING_LAYER": layer},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    sums = []
    for seed in range(3):
        net = cr.Sequential([cr.Dense(8, activation="relu"), cr.Dense(1)], seed=seed)
        net.fit(x, x[:, 0], loss="mse", epochs=3, verbose=0)
        sums.append(float(net.get_weights()[0].sum()))
    assert found.strip() == str(sums)


def test_nothing_is_warned_of():
    x, y = regression()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cr.train_many([network()], x, y, loss="mse")
