# SPDX-License-Identifier: Apache-2.0
"""PyTorch modules with functions between their children are followed, or named."""

from __future__ import annotations

import numpy as np
import pytest
from torch_modules import outputs, randomised

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference

torch = pytest.importorskip("torch")
nn = torch.nn

torch.set_num_threads(1)


class Own(nn.Module):
    """Two linear layers and a function between or around them."""

    def __init__(self, function):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


class Opaque(Own):
    """One that asks what is in its rows, so that nothing can be followed without them."""

    def forward(self, x):
        assert x.isfinite().all()
        return super().forward(x)


FOLLOWED = {
    "method": lambda m, x: m.second(m.first(x).relu()),
    "function": lambda m, x: m.second(nn.functional.leaky_relu(m.first(x), 0.2)),
    "options": lambda m, x: m.second(nn.functional.gelu(m.first(x), approximate="tanh")),
    "last": lambda m, x: torch.softmax(m.second(torch.tanh(m.first(x))), dim=-1),
    "other order": lambda m, x: m.first(m.second(x)),
    "skipped": lambda m, x: m.second(x),
    "numbers": lambda m, x: m.second(1 - 2 * m.first(x / 3) - 0.5) * 4 + 1,
    "negative": lambda m, x: -m.second(m.first(x) * 0.5),
    "shapes": lambda m, x: m.second(m.first(x.flatten(1)).view(x.size(0), -1)),
    "dropout": lambda m, x: m.second(nn.functional.dropout(m.first(x), 0.5, m.training)),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_functions_are_followed(name, rng):
    module = randomised(Own(FOLLOWED[name]))
    net = cr.from_torch(module)
    x = rng.normal(size=(30, 4)).astype(np.float32)
    assert largest_relative_difference(net.predict(x), outputs(module, x)) <= 1e-6
    assert len([layer for layer in net.layers if layer.kind == "dense"]) == 2 - (name == "skipped")


def test_a_module_that_is_called_twice(rng):
    module = randomised(Own(lambda m, x: m.second(torch.relu(m.first(m.first(x))))))
    net = cr.from_torch(module)
    assert net.count_params() == 40
    x = rng.normal(size=(30, 4)).astype(np.float32)
    assert largest_relative_difference(net.predict(x), outputs(module, x)) <= 1e-6


def test_a_siamese_module(rng):
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.tower = nn.Sequential(nn.Linear(6, 5), nn.PReLU(), nn.LayerNorm(5))
            self.head = nn.Linear(5, 1)

        def forward(self, a, b):
            return self.head(self.tower(a) - self.tower(b))

    module = randomised(Siamese())
    net = cr.from_torch(module)
    assert net.count_params() == 6 * 5 + 5 + 5 + 10 + 6
    a, b = (rng.normal(size=(30, 6)).astype(np.float32) for _ in range(2))
    with torch.no_grad():
        expected = module(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    assert largest_relative_difference(net.predict({"a": a, "b": b}), expected) <= 1e-5
    again = cr.to_torch(net)
    assert sum(parameter.numel() for parameter in again.parameters()) == net.count_params()


def hooked(kind):
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    if kind == "before":
        module[2].register_forward_pre_hook(lambda part, args: (args[0] + 1,))
    elif kind == "after":
        module[2].register_forward_hook(lambda part, args, y: 2 * y)
    else:
        module[2].forward = lambda x: -x
    return module


class Squared(nn.Sequential):
    def forward(self, x):
        return super().forward(x) ** 2


class NoRelu(nn.ReLU):
    def forward(self, x):
        return x


def zero_headed():
    """What is between shows in no output until the last layer is trained."""
    module = Opaque(lambda m, x: m.second(torch.tanh(m.first(x))))
    with torch.no_grad():
        module.second.weight.zero_()
    return module


def shifted_neutral():
    module = Own(lambda m, x: m.second(m.first(x)) * m.gain)
    module.gain = nn.Parameter(torch.ones(4))
    return module


DIFFERENT = {
    "functional": (
        Opaque(lambda m, x: m.second(m.first(x).relu())),
        r"the module \(Opaque\) computes something else than its children in the order",
    ),
    "other residual": (
        nn.Sequential(nn.Linear(4, 4), Own(lambda m, x: x.roll(1, 1) + m.second(m.first(x)))),
        r"1 \(Own\)",
    ),
    "other order": (Opaque(lambda m, x: m.first(m.second(x))), r"the module \(Opaque\)"),
    "skipped": (Opaque(lambda m, x: m.second(x)), r"the module \(Opaque\)"),
    "twice": (Opaque(lambda m, x: m.second(m.first(m.first(x)))), r"the module \(Opaque\)"),
    "over 50": (Opaque(lambda m, x: m.second(m.first(x)).clamp(-50, 50)), r"module \(Opaque\)"),
    "large alone": (Own(lambda m, x: m.second(m.first(x)).fmod(50)), r"the module \(Own\)"),
    "over rows": (Own(lambda m, x: m.second(m.first(x)).softmax(0)), r"the module \(Own\)"),
    "random": (Own(lambda m, x: m.second(nn.functional.dropout(m.first(x), 0.5))), "the module"),
    "shape": (Opaque(lambda m, x: m.second(m.first(x)).reshape(-1)), r"outputs have shape"),
    "reshape": (Own(lambda m, x: m.second(m.first(x)).reshape(-1)), r"\(Own\): reshape: there is"),
    "container": (nn.Sequential(Squared(nn.Linear(4, 4)), nn.ReLU()), r"0 \(Squared\)"),
    "zero head": (zero_headed(), r"the module \(Opaque\)"),
    "neutral gain": (shifted_neutral(), r"the module \(Own\)"),
    "hook before": (hooked("before"), r"2 \(Linear\)"),
    "hook after": (hooked("after"), r"2 \(Linear\)"),
    "forward": (hooked("forward"), r"2 \(Linear\)"),
    "subclass": (nn.Sequential(nn.Linear(4, 4), NoRelu()), r"1 \(NoRelu\): there is no such layer"),
    "threshold": (nn.Sequential(nn.Linear(4, 4), nn.Softplus(threshold=1)), r"1 \(Softplus\)"),
    "list": (nn.ModuleList([nn.Linear(4, 4), nn.ReLU()]), "the module fails on rows of 4 columns"),
    "tuple": (Own(lambda m, x: (m.second(m.first(x)),)), "the module gives a tuple"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_computes_more_than_its_children_is_named(name):
    module, text = DIFFERENT[name]
    with pytest.raises(ValueError, match=text):
        cr.from_torch(module)


PARAMETERLESS = {
    "softmax": lambda: nn.Softmax(1),
    "selu": nn.SELU,
    "hardswish": nn.Hardswish,
    "layer norm": lambda: nn.LayerNorm(9, elementwise_affine=False),
    "several": lambda: nn.Sequential(nn.GELU(), nn.Softmax(1), nn.Dropout(0.1)),
    "pool": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 3, 3)), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
}


class InSingle(nn.Module):
    """One that calls for a precision by name."""

    def forward(self, x):
        return torch.softmax(x.float(), 1)


@pytest.mark.parametrize("make", [*PARAMETERLESS.values(), InSingle], ids=[*PARAMETERLESS, "own"])
def test_modules_without_parameters(make, rng):
    module = make().eval()
    x = rng.normal(size=(5, 9)).astype(np.float32)
    net = cr.from_torch(module, input_shape=(9,))
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=1e-5, atol=1e-6)


def test_small_changes_of_modules_without_parameters_are_found():
    module = nn.Softmax(1)
    module.register_forward_hook(lambda module, x, y: y * 1.000001)
    with pytest.raises(ValueError, match="computes something else than its class does"):
        cr.from_torch(nn.Sequential(module), input_shape=(9,))
