"""Cross-validation: the bits of five fits, and folds as scikit-learn has them."""

import copy
import os
import signal
import threading

import numpy as np
import pytest

import chainrule as cr


def digits():
    x, y = cr.data.load_digits()
    return x[:500], y[:500]


def classifier(seed=0):
    return cr.Sequential(
        [cr.Rescaling(1 / 16), cr.Dense(16, activation="relu"), cr.Dense(10)], seed
    )


def regressor(seed=0):
    return cr.Sequential([cr.Normalization(), cr.Dense(8, activation="relu"), cr.Dense(1)], seed)


def regression(rows=300):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 5))
    return x, x[:, 0] * x[:, 1] + 0.1 * rng.normal(size=rows)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_each_fold_is_a_fit_and_an_evaluation(threads):
    x, y = regression()
    net = regressor()
    options = {"loss": "mse", "epochs": 3, "metrics": ["mae", "r2"]}
    found = cr.cross_validate(
        net,
        x,
        y,
        folds=4,
        num_threads=threads,
        return_networks=True,
        return_predictions=True,
        **options,
    )
    assert not net.built
    assert sorted(np.concatenate([test for _, test in found.folds])) == list(range(300))
    assert list(found) == ["loss", "mae", "r2"]
    for index, (train, test) in enumerate(found.folds):
        assert len(test) == 75
        assert np.array_equal(np.union1d(train, test), np.arange(300))
        alone = copy.deepcopy(net)
        history = alone.fit(x[train], y[train], verbose=0, **options)
        assert history == found.histories[index]
        scores = alone.evaluate(x[test], y[test])
        assert scores == {name: values[index] for name, values in found.items()}
        assert np.array_equal(found.predictions[test], alone.predict(x[test]))
        for a, b in zip(alone.get_weights(), found.networks[index].get_weights(), strict=True):
            assert np.array_equal(a, b)


def test_stratified_folds_share_out_each_class():
    x, y = digits()
    found = cr.cross_validate(
        classifier(), x, y, folds=3, loss="cross_entropy", epochs=1, return_predictions=True
    )
    counts = np.array([np.bincount(y[test], minlength=10) for _, test in found.folds])
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp([len(test) for _, test in found.folds]) <= 1
    assert np.allclose(found.predictions.sum(axis=1), 1, atol=1e-5)  # probabilities
    names = np.array(["no", "yes"])[(y > 4).astype(int)]
    binary = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(1)], 0)
    found = cr.cross_validate(binary, x, names, folds=2, loss="binary_cross_entropy")
    first, second = ((names[test] == "yes").sum() for _, test in found.folds)
    assert abs(first - second) <= 1
    again = cr.cross_validate(binary, x, names, folds=2, loss="binary_cross_entropy")
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(found.folds, again.folds, strict=True))
    other = cr.cross_validate(binary, x, names, folds=2, seed=1, loss="binary_cross_entropy")
    assert not np.array_equal(found.folds[0][1], other.folds[0][1])
    loose = cr.cross_validate(
        binary, x, names, folds=2, stratify=False, loss="binary_cross_entropy"
    )
    assert not np.array_equal(found.folds[0][1], loose.folds[0][1])


def test_folds_of_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    x, y = digits()
    splitter = selection.StratifiedKFold(3, shuffle=True, random_state=0)
    found = cr.cross_validate(
        classifier(), x, y, folds=splitter.split(x, y), loss="cross_entropy", epochs=2
    )
    for (train, test), (theirs_train, theirs_test) in zip(
        found.folds, splitter.split(x, y), strict=True
    ):
        assert np.array_equal(train, theirs_train)
        assert np.array_equal(test, theirs_test)
    masks = [(np.arange(500) >= 100, np.arange(500) < 100)]
    found = cr.cross_validate(
        classifier(), x, y, folds=masks, loss="cross_entropy", return_predictions=True
    )
    assert np.isfinite(found.predictions[:100]).all()
    assert np.isnan(found.predictions[100:]).all()


def test_grid_searches_go_on_working():
    selection = pytest.importorskip("sklearn.model_selection")
    from chainrule.sklearn import MLPRegressor

    x, y = regression(120)
    search = selection.GridSearchCV(
        MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0),
        {"learning_rate_init": [1e-3, 1e-2]},
        n_jobs=2,
        cv=3,
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(x, y)
    assert set(search.cv_results_["rank_test_score"]) == {1, 2}


def test_validation_in_each_epoch_and_early_stopping():
    x, y = regression()
    options = {"loss": "mse", "epochs": 30, "callbacks": [cr.EarlyStopping(patience=1)]}
    found = cr.cross_validate(regressor(), x, y, folds=3, validation_split=0.2, **options)
    for history, (train, _) in zip(found.histories, found.folds, strict=True):
        alone = regressor()
        own = {**options, "callbacks": [cr.EarlyStopping(patience=1)]}
        assert alone.fit(x[train], y[train], validation_split=0.2, verbose=0, **own) == history
    found = cr.cross_validate(regressor(), x, y, folds=3, validate=True, loss="mse", epochs=4)
    for index, history in enumerate(found.histories):
        assert history["val_loss"][-1] == found["loss"][index]


def test_a_fold_that_diverges():
    x, y = regression()
    far = x.copy()
    far[:10] = 1e30
    pairs = [(np.arange(100, 300), np.arange(100)), (np.arange(200), np.arange(200, 300))]
    net = cr.Sequential([cr.Dense(1)], 0)
    options = {"loss": "mse", "optimizer": cr.SGD(0.01), "folds": pairs}
    found = cr.cross_validate(net, far, y, errors="return", **options)
    assert found.errors[0] is None
    assert isinstance(found.errors[1], cr.DivergenceError)
    assert np.isnan(found["loss"]).tolist() == [False, True]
    with pytest.raises(cr.DivergenceError):
        cr.cross_validate(net, far, y, **options)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_is_raised(default_signals):
    x, y = regression(3000)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        cr.cross_validate(regressor(), x, y, loss="mse", epochs=1_000_000)
    timer.join()


def test_what_it_prints():
    x, y = regression()
    found = cr.cross_validate(regressor(), x, y, folds=2, loss="mse")
    assert repr(found).startswith("<CrossValidation of 2 folds: loss ")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"folds": 1}, ValueError, r"folds must lie in 2..300"),
        ({"folds": 301}, ValueError, r"folds must lie in 2..300"),
        ({"folds": "5"}, TypeError, "pairs of rows"),
        ({"folds": True}, TypeError, "pairs of rows"),
        ({"folds": []}, ValueError, "folds is empty"),
        ({"folds": [3]}, TypeError, r"folds\[0\] must be a pair"),
        ({"folds": [([0], [])]}, ValueError, r"the test rows of folds\[0\] is empty"),
        ({"folds": [([0, 300], [1])]}, ValueError, "is 300, which is no row"),
        ({"stratify": True}, ValueError, "a class for each row"),
        ({"validate": True, "validation_split": 0.1}, ValueError, "give no others"),
        ({"epoch": 3}, TypeError, "epochs"),
        ({"errors": "ignore"}, ValueError, "errors"),
    ],
)
def test_bad_arguments(options, error, text):
    x, y = regression()
    net = regressor()
    with pytest.raises(error, match=text):
        cr.cross_validate(net, x, y, **{"loss": "mse", **options})
    assert not net.built


def test_a_network_that_was_trained_is_refused():
    x, y = regression()
    net = regressor()
    net.fit(x, y, loss="mse", verbose=0)
    with pytest.raises(ValueError, match="trained for 10 steps"):
        cr.cross_validate(net, x, y, loss="mse")
    with pytest.raises(TypeError, match="net must be a network"):
        cr.cross_validate("net", x, y)
