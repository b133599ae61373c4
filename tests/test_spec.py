# SPDX-License-Identifier: Apache-2.0
"""What holds for the descriptions of every family: configs, copies, texts and errors."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest
from spec_cases import CHANGED

from chainrule import activations, augment, initializers, layers, losses, optimizers, schedules
from chainrule.spec import Spec

FAMILIES: list[type[Spec]] = [
    activations.Activation,
    augment.Augmentation,
    initializers.Initializer,
    layers.Layer,
    losses.Loss,
    optimizers.Optimizer,
    schedules.Schedule,
]
REQUIRED: dict[str, dict[str, Any]] = {
    "dense": {"units": 3},
    "simple_rnn": {"units": 3},
    "gru": {"units": 3},
    "lstm": {"units": 3},
    "activation": {"activation": "relu"},
    "parametric_activation": {"activation": "relu"},
    "category_encoding": {"num_tokens": 3},
    "embedding": {"num_embeddings": 3, "units": 2},
    "reshape": {"target_shape": [3, -1]},
    "permute": {"dims": [2, 1]},
    "take": {"columns": [1, 0]},
    "conv1d": {"filters": 4, "kernel_size": 3},
    "conv2d": {"filters": 4, "kernel_size": [3, 2]},
    "conv2d_transpose": {"filters": 4, "kernel_size": 3},
    "conv1d_transpose": {"filters": 4, "kernel_size": 3},
    "depthwise_conv1d": {"kernel_size": 3},
    "depthwise_conv2d": {"kernel_size": 3},
    "repeat_vector": {"n": 3},
    "clip": {"min_value": -1.0, "max_value": 1.0},
    "gaussian_noise": {"stddev": 0.1},
    "random_shift": {"x": 2},
    "random_rotation": {"degrees": [15]},
    "random_zoom": {"low": 0.8, "high": 1.2},
    "random_brightness": {"factor": 0.2},
    "cut_out": {"size": 4},
    "pixel_noise": {"stddev": 0.1},
    "cosine": {"epochs": 4},
    "one_cycle": {"epochs": 4},
    "coslog": {"epochs": 4},
    "flat_cosine": {"epochs": 4},
    "piecewise": {"boundaries": [1], "values": [0.1, 0.2]},
}
CASES = [
    pytest.param(family, kind, id=f"{family.__name__}-{kind}")
    for family in FAMILIES
    for kind in family._core_type.kinds()
]
CHANGED_CASES = [pytest.param(described, text, id=text[:40]) for described, text in CHANGED]
NAMESPACE = {
    name: value
    for module in (layers, activations, augment, losses, optimizers, schedules, initializers)
    for name, value in vars(module).items()
    if isinstance(value, type) and name not in ("Activation", "Constant")
}


def make(family: type[Spec], kind: str) -> Spec:
    return family.from_config({"kind": kind, **REQUIRED.get(kind, {})})


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_every_kind_of_the_core_has_a_class(family: type[Spec], kind: str) -> None:
    described = make(family, kind)
    assert type(described) is not family
    assert isinstance(described, family)
    assert described.config["kind"] == kind


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_defaults_in_signatures_are_the_cores(family: type[Spec], kind: str) -> None:
    described = make(family, kind)
    for name, parameter in inspect.signature(type(described)).parameters.items():
        if parameter.default is inspect.Parameter.empty or name in REQUIRED.get(kind, {}):
            continue
        value = getattr(described, name)
        if isinstance(value, Spec):
            value = value.kind
        if kind == "gelu_tanh":
            assert (name, value) == ("approximate", "tanh")
        else:
            assert value == parameter.default, name


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_constructors_take_exactly_the_cores_options(family: type[Spec], kind: str) -> None:
    described = make(family, kind)
    options = set(described.config) - {"kind"}
    if kind in ("gelu", "gelu_tanh"):
        options = {"approximate"}
    options |= {
        "dense": {"weight_initializer"},
        "conv1d": {"weight_initializer"},
        "conv2d": {"weight_initializer"},
        "conv2d_transpose": {"weight_initializer"},
        "conv1d_transpose": {"weight_initializer"},
        "depthwise_conv1d": {"weight_initializer"},
        "depthwise_conv2d": {"weight_initializer"},
        "embedding": {"columns"},
        "dropout": {"rate_schedule", "per_channel"},
        "scale": {"scale_initializer"},
        "average": {"independent"},
        "average_pooling": {"strides"},
        "max_pooling": {"strides"},
        "random_shift": {"y"},
    }.get(kind, set())
    if kind == "normalization":  # whose defaults no config holds
        options |= {"method", "clip", "missing", "columns", "indicator_columns", "invert"}
    if kind in ("category_encoding", "embedding"):  # likewise
        options |= {"columns", "unknown", "missing"}
    if kind == "category_encoding":
        options.add("binary_as_sign")
    if family is layers.Layer:
        options.add("name")  # which no config holds
    if family is augment.Augmentation:
        options.add("input")  # which a config holds only where it is given
    if family is optimizers.Optimizer:
        # Which a config holds only where they are given.
        options |= {"lazy", "weight_decay_schedule"}
    if kind in ("adam", "adamw"):
        options.add("epsilon_hat")  # likewise
    if isinstance(described, layers.TrainedLayer):  # which a config holds only where they are not 1
        options |= {"learning_rate_factor", "weight_decay_factor"}
    if kind in ("cross_entropy", "binary_cross_entropy", "poisson"):
        options.add("from_logits")  # likewise
    assert set(inspect.signature(type(described)).parameters) == options


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_classes_and_public_parts_are_documented(family: type[Spec], kind: str) -> None:
    cls = type(make(family, kind))
    assert "__doc__" in vars(cls)
    for name in inspect.signature(cls).parameters:
        assert name in (cls.__doc__ or ""), name


@pytest.mark.parametrize(("described", "text"), CHANGED_CASES)
def test_repr_shows_what_differs_from_the_defaults(described: Spec, text: str) -> None:
    assert repr(described) == text


@pytest.mark.parametrize(("described", "text"), CHANGED_CASES)
def test_repr_makes_an_equal_description(described: Spec, text: str) -> None:
    names = {
        **NAMESPACE,
        "Activation": layers.Activation,
        "Constant": (
            initializers.Constant if isinstance(described, layers.Layer) else schedules.Constant
        ),
    }
    assert eval(text, names) == described


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda described: pickle.loads(pickle.dumps(described)),
        lambda described: type(described).from_config(described.config),
        lambda described: type(described).get(described.config),
    ],
    ids=["copy", "deepcopy", "pickle", "from_config", "get"],
)
@pytest.mark.parametrize(("described", "text"), CHANGED_CASES)
def test_copies_are_equal(described: Spec, text: str, copied: Any) -> None:
    other = copied(described)
    assert other is not described
    assert type(other) is type(described)
    assert other == described
    assert hash(other) == hash(described)
    assert other.config == described.config
    assert repr(other) == text


def test_descriptions_differ_by_class_and_options() -> None:
    assert len({described for described, _ in CHANGED}) == len(CHANGED)
    assert losses.Huber(1.0) != losses.Huber(2.0)
    assert losses.MSE() != losses.MAE()
    assert losses.MSE() != "mse"
    assert activations.Gelu("tanh") != activations.Gelu()


@pytest.mark.parametrize("family", FAMILIES)
def test_get_resolves_names_configs_and_instances(family: type[Spec]) -> None:
    kind = next(kind for kind in family._core_type.kinds() if kind not in REQUIRED)
    described = family.get(kind)
    assert family.get({"kind": kind}) == described
    assert family.get(described) is described


def test_configs_may_hold_descriptions() -> None:
    config = {"kind": "dense", "units": 2, "activation": activations.Elu(0.5)}
    assert layers.get(config) == layers.Dense(2, activations.Elu(0.5))
    schedule = schedules.Cosine(0.1, 3)
    assert optimizers.get({"kind": "sgd", "learning_rate": schedule}) == optimizers.SGD(schedule)


def test_modules_have_get() -> None:
    assert losses.get("mse") == losses.MSE()
    assert layers.get({"kind": "dropout", "rate": 0.1}) == layers.Dropout(0.1)
    assert optimizers.get("lion") == optimizers.Lion()
    assert schedules.get("constant") == schedules.Constant(0.01)
    assert activations.get("relu") == activations.Relu()
    assert initializers.get("zeros") == initializers.Zeros()


@pytest.mark.parametrize(
    ("family", "given", "error", "text"),
    [
        (
            losses.Loss,
            "crossentropy",
            ValueError,
            "unknown loss 'crossentropy'; did you mean "
            "'cross_entropy'? valid: binary_cross_entropy, cross_entropy, hinge, ",
        ),
        (layers.Layer, "dens", ValueError, "unknown layer 'dens'; did you mean 'dense'?"),
        (optimizers.Optimizer, "adm", ValueError, "unknown optimizer 'adm'; did you mean 'adam'?"),
        (
            schedules.Schedule,
            "cosin",
            ValueError,
            "unknown schedule 'cosin'; did you mean 'cosine'",
        ),
        (
            activations.Activation,
            "rel",
            ValueError,
            "unknown activation 'rel'; did you mean 'relu'",
        ),
        (initializers.Initializer, "henormal", ValueError, "did you mean 'he_normal'?"),
        (
            losses.Loss,
            {"kind": "huber", "dleta": 1},
            ValueError,
            "unknown huber option 'dleta'; did you mean 'delta'? valid: delta",
        ),
        (losses.Loss, {}, ValueError, "a description needs a 'kind', got {}"),
        (losses.Loss, {"kind": ["mse"]}, ValueError, "a description needs a 'kind', got "),
        (losses.Loss, 3, TypeError, "expected a loss by its name or config, got 3"),
        (
            optimizers.Optimizer,
            losses.MSE(),
            TypeError,
            "expected an optimizer by its name or config, got MSE()",
        ),
        (losses.Huber, "mse", ValueError, "expected a config of kind 'huber', got kind 'mse'"),
    ],
)
def test_bad_configs(family: type[Spec], given: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        family.get(given)


def test_options_are_read_only() -> None:
    loss = losses.Huber(2.0)
    with pytest.raises(AttributeError, match=r"Huber\.delta cannot be set; make a new Huber"):
        loss.delta = 3.0  # type: ignore[misc]
    assert loss.delta == 2.0


def test_none_is_no_option() -> None:
    with pytest.raises(TypeError, match="dropout: rate must not be None"):
        layers.Dropout(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.Dropout(), "Dropout(): missing a required argument: 'rate'"),  # type: ignore[call-arg]
        (lambda: schedules.Step(0.1, 0.5), "Step(): too many positional arguments"),  # type: ignore[misc]
        (lambda: optimizers.Adam(0.1, 0.9), "Adam(): too many positional arguments"),  # type: ignore[misc]
        (lambda: losses.MSE(1), "MSE(): too many positional arguments"),  # type: ignore[call-arg]
        (lambda: losses.Huber(dleta=1), "Huber() has no argument 'dleta'; did you mean 'delta'?"),  # type: ignore[call-arg]
    ],
)
def test_constructors_of_fields_refuse_other_arguments(make: Any, text: str) -> None:
    with pytest.raises(TypeError, match=re.escape(text)):
        make()


def test_the_options_of_a_family_come_last() -> None:
    parameters = inspect.signature(optimizers.AdamW).parameters
    assert list(parameters) == [
        "learning_rate", "beta1", "beta2", "epsilon", "amsgrad", "epsilon_hat",
        "weight_decay", "clip_value", "clip_norm", "lazy", "weight_decay_schedule",
    ]  # fmt: skip
    keyword_only = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert keyword_only == list(parameters)[1:]
    assert (parameters["weight_decay"].default, parameters["learning_rate"].default) == (0.01, 1e-3)


def test_annotations_of_a_callers_subclass_are_no_options() -> None:
    class Named(losses.Huber):
        title: str = "mine"

    class Fixed(Named):
        def __init__(self) -> None:
            super().__init__(2.0)

    assert list(inspect.signature(Named).parameters) == ["delta"]
    assert list(inspect.signature(Fixed).parameters) == []
    assert (Named(0.5).delta, Named().title, Fixed().delta) == (0.5, "mine", 2.0)
