# SPDX-License-Identifier: Apache-2.0
"""Activations that ONNX files have as several operators."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx_graphs import model, node
from test_onnx_import import check, written

import chainrule as cr
from chainrule.interop.onnx_check import onnxruntime_outputs

pytest.importorskip("onnxruntime")


SQRT_HALF = np.float32(math.sqrt(0.5))


# Each as the nodes from x to y, the constants, and what it is.
FORMULAS = {
    "relu by max": ("Max x zero y", cr.activations.Relu()),
    "relu by clip": ("Clip x zero y", cr.activations.Relu()),
    "leaky relu by max": ("Mul x fifth a;Max x a y", cr.activations.LeakyRelu(0.2)),
    "prelu": ("PRelu x fifth y", cr.activations.LeakyRelu(0.2)),
    "gelu, half first": (
        "Mul x half a;Mul x sqrt_half b;Erf b c;Add c one d;Mul a d y",
        cr.activations.Gelu(),
    ),
    "gelu, half last": (
        "Div x sqrt2 b;Erf b c;Add one c d;Mul d x e;Mul e half y",
        cr.activations.Gelu(),
    ),
    "gelu by a cube": (
        "Pow x three a;Mul a cubic b;Add x b c;Mul c sqrt_2_pi d;Tanh d e;Add e one f;"
        "Mul f half g;Mul x g y",
        cr.activations.Gelu(approximate="tanh"),
    ),
    "silu": ("Sigmoid x a;Mul a x y", cr.activations.Silu()),
    "silu by division": ("Neg x a;Exp a b;Add b one c;Div x c y", cr.activations.Silu()),
    "sigmoid": ("Neg x a;Exp a b;Add b one c;Reciprocal c y", cr.activations.Sigmoid()),
    "softplus": ("Exp x a;Add a one b;Log b y", cr.activations.Softplus()),
    "softplus with a threshold": (
        "Softplus x a;Greater x twenty m;Where m x a y",
        cr.activations.Softplus(),
    ),
    "tanh": ("Exp x a;Neg x n;Exp n b;Sub a b c;Add a b d;Div c d y", cr.activations.Tanh()),
    "elu": ("Min x zero a;Exp a b;Sub b one c;Max x zero d;Add c d y", cr.activations.Elu()),
    "selu": (
        "Min x zero a;Exp a b;Sub b one c;Mul c selu_alpha d;Max x zero e;Add d e f;"
        "Mul f selu_scale y",
        cr.activations.Selu(),
    ),
    "selu by its operator": ("Selu x y", cr.activations.Selu()),
    "mish": ("Softplus x a;Tanh a b;Mul x b y", cr.activations.Mish()),
    "hard sigmoid": (
        "Mul x fifth a;Add a half b;Clip b zero one y",
        cr.activations.HardSigmoid(0.2),
    ),
    "clip": ("Clip x zero one y", cr.activations.HardSigmoid(1.0, 0.0)),
    "hard sigmoid by its operator": ("HardSigmoid x y", cr.activations.HardSigmoid(0.2)),
    "hard swish": (
        "Add x three a;Clip a zero six b;Mul x b c;Div c six y",
        cr.activations.HardSwish(),
    ),
    "hard swish by its operator": ("HardSwish x y", cr.activations.HardSwish()),
    "relu6": ("Clip x zero six y", cr.activations.Relu6()),
    "softsign": ("Abs x a;Add a one b;Div x b y", cr.activations.Softsign()),
    "softsign by its operator": ("Softsign x y", cr.activations.Softsign()),
    "softmax": (
        "ReduceMax x a;Sub x a b;Exp b c;ReduceSum:axes c last d;Div c d y",
        cr.activations.Softmax(),
    ),
}


@pytest.mark.parametrize("case", FORMULAS)
def test_activations_of_several_operators(case, rng):
    formula, activation = FORMULAS[case]
    nodes, constants = written(formula)
    check(model(nodes, constants), [cr.Activation(activation)], rng)
    weight = rng.normal(size=(4, 3)).astype(np.float32)
    nodes, constants = written(formula.replace(" x", " z"))
    nodes = [node("MatMul", "x w", "z"), *nodes, node("MatMul", "y v", "out")]
    constants |= {"w": weight, "v": weight[:3].copy()}
    layers = [cr.Dense(3, activation, use_bias=False), cr.Dense(3, use_bias=False)]
    check(model(nodes, constants, output="out"), layers, rng)


@pytest.mark.parametrize(
    ("formula", "kind"),
    [
        ("Sigmoid x a;Mul a twenty b;Mul b x c;Exp c y", "Exp"),
        ("Exp x a;Add a half b;Log b y", "Log"),
        ("Abs x y", "Abs"),
        # The mean of softmax is the same number for all rows of one width.
        ("Exp x a;ReduceSum:axes a last b;Div a b c;ReduceMean c m;Sub c m y", "ReduceMean"),
    ],
)
def test_formulas_that_are_no_activation(formula, kind):
    nodes, constants = written(formula)
    with pytest.raises(cr.ModelFileError, match=rf"not supported:(.|\n)*{kind} "):
        cr.from_onnx(model(nodes, constants))


def test_selu_with_other_constants(rng):
    content = model([node("Selu", "x", "y", alpha=1.5, gamma=2.0)])
    net = cr.from_onnx(content)
    elu, rescaling = net.layers
    assert elu.activation.alpha == pytest.approx(1.5, abs=1e-7)
    assert rescaling.scale == pytest.approx(2.0, abs=1e-7)
    x = rng.normal(size=(20, 4)).astype(np.float32)
    expected = onnxruntime_outputs(content, x)
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5, atol=1e-7)
