# SPDX-License-Identifier: Apache-2.0
"""Names of Keras, PyTorch and scikit-learn: taken where they mean the same, explained where not."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.names import names_arguments, unknown_name
from chainrule.synonyms import ADVICE, ALIASES, ATTRIBUTES

FAMILIES: dict[str, Any] = {
    "activation": cr.activations,
    "initializer": cr.initializers,
    "loss": cr.losses,
    "metric": cr.metrics,
    "optimizer": cr.optimizers,
    "schedule": cr.schedules,
}
MODULES = [
    cr,
    cr.activations,
    cr.callbacks,
    cr.data,
    cr.initializers,
    cr.layers,
    cr.losses,
    cr.metrics,
    cr.optimizers,
    cr.plots,
    cr.schedules,
]


@pytest.mark.parametrize(
    ("family", "given", "name"),
    [(family, *pair) for family, pairs in ALIASES.items() for pair in pairs.items()],
)
def test_aliases_stand_for_names_that_there_are(family: str, given: str, name: str) -> None:
    assert FAMILIES[family].get(given) == FAMILIES[family].get(name)


@pytest.mark.parametrize(
    ("family", "given"), [(family, name) for family, names in ADVICE.items() for name in names]
)
def test_what_has_no_name_is_explained(family: str, given: str) -> None:
    with pytest.raises(ValueError, match=f"unknown {family} '{given}': "):
        FAMILIES[family].get(given)


@pytest.mark.parametrize(
    ("family", "given", "name"),
    [
        ("loss", "MSELoss", "mse"),
        ("loss", "SparseCategoricalCrossentropy", "cross_entropy"),
        ("loss", "MAE", "mae"),
        ("optimizer", "Adam", "adam"),
        ("optimizer", "SGD", "sgd"),
        ("activation", "ReLU", "relu"),
        ("metric", "AUC", "auc"),
    ],
)
def test_capitals_do_not_matter(family: str, given: str, name: str) -> None:
    assert FAMILIES[family].get(given) == FAMILIES[family].get(name)


def test_aliases_inside_layers_and_configs() -> None:
    assert cr.Dense(3, activation="swish") == cr.Dense(3, activation="silu")
    assert cr.Dense(3, weight_initializer="kaiming_normal").config == (
        cr.Dense(3, weight_initializer="he_normal").config
    )
    assert cr.losses.get({"kind": "bce"}) == cr.losses.BinaryCrossEntropy()
    with pytest.raises(ValueError, match="unknown activation 'prelu': it is a layer, PReLU"):
        cr.Dense(3, activation="prelu")


def test_aliases_train_as_what_they_stand_for() -> None:
    x, y = np.eye(4), np.array([0, 1, 1, 0])
    nets = [cr.Sequential([cr.Dense(2)], seed=0) for _ in range(2)]
    history = nets[0].fit(
        x, y, loss="sparse_categorical_crossentropy", optimizer="Adam", metrics=["acc"], verbose=0
    )
    expected = nets[1].fit(x, y, loss="cross_entropy", verbose=0)
    assert history == expected
    assert list(history) == ["loss", "accuracy"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: cr.Dense(3, bias=False), r"Dense\(\) has no argument 'bias': it is use_bias"),
        (lambda: cr.Dense(3, kernel_initializer="zeros"), "it is weight_initializer"),
        (lambda: cr.Dense(3, kernel_regularizer="l2"), "penalties are l1= and l2="),
        (lambda: cr.Dense(3, in_features=4), "the number of inputs is learnt"),
        (lambda: cr.Dense(3, input_shape=(4,)), "the number of inputs is learnt"),
        (lambda: cr.Dropout(p=0.5), r"Dropout\(\) has no argument 'p': it is rate"),
        (lambda: cr.Adam(lr=0.1), r"Adam\(\) has no argument 'lr': it is learning_rate"),
        (
            lambda: cr.LSTM(3, stateful=True),
            "give return_state=True, and initial_state= next time",
        ),
        (lambda: cr.Conv2D(3, 3, groups=2), "a Take and a convolution each"),
        (lambda: cr.Adam(betas=(0.9, 0.999)), "give beta1= and beta2="),
        (lambda: cr.Adam(eps=1e-8), "it is epsilon"),
        (lambda: cr.SGD(clipnorm=1.0), "it is clip_norm"),
        (lambda: cr.SGD(momentun=1.0), "did you mean 'momentum'"),
        (lambda: cr.EarlyStopping(tol=1.0), "it is min_delta"),
        (lambda: cr.ModelCheckpoint(filepath="x"), "it is path"),
        (lambda: cr.Sequential([], random_state=0), r"Sequential\(\) has no argument"),
        (lambda: cr.schedules.ReduceOnPlateau(0.1, factor=0.5), "it is gamma"),
        (lambda: cr.losses.Huber(foo=1), r"Huber\(\) has no argument 'foo'; it has delta"),
        (lambda: cr.losses.MSE(foo=1), r"MSE\(\) "),
    ],
)
def test_keywords_of_classes(call: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call()


@pytest.mark.parametrize(
    ("method", "options", "text"),
    [
        ("fit", {"nb_epoch": 3}, r"fit\(\) has no argument 'nb_epoch': it is epochs"),
        ("fit", {"max_iter": 3}, "it is epochs"),
        ("fit", {"lr": 3}, "the learning rate belongs to the optimizer"),
        ("fit", {"eval_set": ()}, "it is validation_data"),
        ("fit", {"bach_size": 3}, "did you mean 'batch_size'"),
        ("evaluate", {"n_jobs": 1}, "it is num_threads"),
        ("train_on_batch", {"lr": 1}, "belongs to the optimizer"),
    ],
)
def test_keywords_of_methods(method: str, options: dict[str, Any], text: str) -> None:
    net = cr.Sequential([cr.Dense(2)])
    with pytest.raises(TypeError, match=text):
        getattr(net, method)(np.eye(2), [0, 1], loss="cross_entropy", **options)
    assert not net.built


def test_the_signature_stays() -> None:
    assert "use_bias" in inspect.signature(cr.Dense).parameters
    assert list(inspect.signature(cr.Sequential.fit).parameters)[:3] == ["net", "x", "y"]


def test_keywords_that_a_function_takes_anyway() -> None:
    def anything(**options: Any) -> Any:
        return options

    assert names_arguments(anything) is anything


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_attributes_of_other_libraries_are_explained(name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(cr, name)
    text = f"module 'chainrule' has no attribute '{name}': {ATTRIBUTES[name]}"
    assert str(caught.value) == text
    assert not hasattr(cr, name)


@pytest.mark.parametrize(
    ("module", "name", "text"),
    [
        (cr, "Linear", "it is Dense"),
        (cr, "ReLU", 'activation="relu"'),
        (cr, "Sequental", "did you mean 'Sequential'"),
        (cr.losses, "MSELoss", "it is losses.MSE"),
        (cr.losses, "CrosEntropy", "did you mean 'CrossEntropy'"),
        (cr.schedules, "StepLR", "it is schedules.Step"),
        (cr.callbacks, "TensorBoard", "CSVLogger"),
        (cr.data, "load_cvs", "did you mean 'load_csv'"),
    ],
)
def test_attributes_of_modules(module: Any, name: str, text: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert text in str(caught.value)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_modules_list_public_names_only(module: Any) -> None:
    assert dir(module) == sorted(module.__all__)
    for name in dir(module):
        getattr(module, name)


@pytest.mark.parametrize("given", ["banana", "score", "velocity", "acc", "tree", "nn", "a", ""])
def test_words_that_are_not_near_suggest_nothing(given: str) -> None:
    for valid in (cr.metrics.METRICS, cr.losses.Loss._core_type.kinds()):
        if given == "acc" and "accuracy" in valid:
            continue  # a part of that
        assert "did you mean" not in unknown_name("name", given, valid)


@pytest.mark.parametrize("family", ["activation", "initializer", "loss", "optimizer"])
def test_the_core_suggests_nothing_that_is_something_else(family: str) -> None:
    valid = getattr(_core, family.title()).kinds()
    for word in [*ADVICE[family], *ALIASES.get(family, {})]:
        near = _core.nearest_name(word, valid)
        assert near in ("", ALIASES.get(family, {}).get(word)), (word, near)
