# SPDX-License-Identifier: Apache-2.0
"""Convolutions of PyTorch modules that others have written."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference

FIRST, LAST = ((1, 0), (1, 0)), ((0, 1), (0, 1))
RNG = np.random.default_rng(11)


def test_modules_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional

    class Own(nn.Module):
        """Padding by module, by option and by function."""

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3, padding=1)
            self.second = nn.Conv2d(4, 5, (1, 3), padding="same", dilation=(1, 2), bias=False)
            self.third = nn.Conv2d(5, 3, 3, stride=2, padding=1)
            self.drop = nn.Dropout(0.2)
            self.causal = nn.Conv1d(12, 4, 3, dilation=2)
            self.last = nn.Linear(20, 2)

        def forward(self, x):
            x = functional.max_pool2d(torch.relu(self.first(x)), 2)
            x = self.third(self.drop(torch.tanh(self.second(x))))
            x = x.flatten(1, 2)
            x = functional.pad(x, (4, 0))
            return self.last(torch.sigmoid(self.causal(x)).flatten(1))

    module = Own().double().eval()
    net = cr.from_torch(module, input_shape=(3, 16, 20))
    convolutions = [layer for layer in net.layers if layer.kind in ("conv1d", "conv2d")]
    assert convolutions == [
        cr.Conv2D(4, 3, padding="same", activation="relu"),
        cr.Conv2D(5, (1, 3), padding="same", dilation=(1, 2), activation="tanh", use_bias=False),
        cr.Conv2D(3, 3, 2),
        cr.Conv1D(4, 3, padding="causal", dilation=2, activation="sigmoid"),
    ]
    x = RNG.normal(size=(6, 3, 16, 20))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-12


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"padding": 1, "output_padding": 1}, [cr.Conv2DTranspose(4, 3, 2), cr.Cropping(FIRST)]),
        ({"padding": 1, "output_padding": (1, 0)},
         [cr.Conv2DTranspose(4, 3, 2), cr.Cropping(((1, 0), (1, 1)))]),
        ({"kernel_size": 4, "padding": 1}, [cr.Conv2DTranspose(4, 4, 2, "same")]),
        ({"output_padding": 1, "bias": False},
         [cr.ZeroPadding(LAST), cr.Conv2DTranspose(4, 3, 2, "same", use_bias=False)]),
        ({"kernel_size": 1, "output_padding": 1}, [cr.Conv2DTranspose(4, 1, 2)]),
        ({"dilation": (2, 3), "output_padding": (0, 2)},
         [cr.ZeroPadding(((0, 0), (0, 1))), cr.Conv2DTranspose(4, 3, 2, dilation=(2, 3))]),
    ],
    ids=str,
)  # fmt: skip
def test_transposed_modules_of_pytorch(options, expected) -> None:
    torch = pytest.importorskip("torch")
    given = {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "stride": 2, **options}
    check_module(torch.nn.Sequential(torch.nn.ConvTranspose2d(**given)), expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [cr.DepthwiseConv2D(3)]),
        ({"stride": (1, 2), "dilation": 2}, [cr.DepthwiseConv2D(3, (1, 2), dilation=2)]),
        ({"padding": "same", "bias": False},
         [cr.DepthwiseConv2D(3, padding="same", use_bias=False)]),
        ({"padding": (0, 1)}, [cr.ZeroPadding((0, 1)), cr.DepthwiseConv2D(3)]),
        ({"out_channels": 6}, [cr.DepthwiseConv2D(3, depth_multiplier=2)]),
    ],
    ids=str,
)  # fmt: skip
def test_modules_of_pytorch_with_a_group_for_each_channel(options, expected) -> None:
    torch = pytest.importorskip("torch")
    given = {"in_channels": 3, "out_channels": 3, "kernel_size": 3, "groups": 3, **options}
    check_module(torch.nn.Sequential(torch.nn.Conv2d(**given)), expected)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("Conv1d", {"groups": 3}, cr.DepthwiseConv1D(3, depth_multiplier=2)),
        ("Conv1d", {"groups": 3, "padding": "same"},
         cr.DepthwiseConv1D(3, padding="same", depth_multiplier=2)),
        ("ConvTranspose1d", {}, cr.Conv1DTranspose(6, 3)),
        ("ConvTranspose1d", {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False},
         cr.Conv1DTranspose(6, 4, 2, "same", use_bias=False)),
    ],
)  # fmt: skip
def test_modules_of_pytorch_over_time(name, options, expected) -> None:
    torch = pytest.importorskip("torch")
    given = {"in_channels": 3, "out_channels": 6, "kernel_size": 3, **options}
    check_module(torch.nn.Sequential(getattr(torch.nn, name)(**given)), [expected], (3, 8))


@pytest.mark.parametrize(
    ("name", "options", "kinds"),
    [
        ("Conv2d", {"groups": 2}, [cr.Conv2D(3, 3)]),
        ("Conv2d", {"groups": 3, "padding": "same", "stride": 1, "bias": False},
         [cr.Conv2D(2, 3, padding="same", use_bias=False)]),
        ("Conv2d", {"groups": 2, "stride": 2, "padding": 1}, [cr.Conv2D(3, 3, 2, "same")]),
        ("ConvTranspose2d", {"groups": 3, "stride": 2, "output_padding": 1},
         [cr.Conv2DTranspose(2, 3, 2)]),
        ("ConvTranspose2d", {"groups": 6}, [cr.Conv2DTranspose(1, 3)]),
    ],
    ids=str,
)  # fmt: skip
def test_modules_of_pytorch_with_a_few_groups(name, options, kinds) -> None:
    torch = pytest.importorskip("torch")
    given = {"in_channels": 6, "out_channels": 6, "kernel_size": 3, **options}
    behind = [torch.nn.BatchNorm2d(6), torch.nn.Tanh()]
    module = torch.nn.Sequential(getattr(torch.nn, name)(**given), *behind).double().eval()
    net = cr.from_torch(module, input_shape=(6, 5, 7))
    layers = [layer for layer in net.layers if layer.kind.startswith("conv2d")]
    assert layers == kinds * options["groups"]
    x = RNG.normal(size=(6, 6, 5, 7))
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
        again = cr.to_torch(net)(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), y) <= 1e-12
    assert largest_relative_difference(again, y) <= 1e-12


def check_module(module, expected, shape=(3, 6, 7)) -> None:
    """Hold that a module of images, or sequences, of 3 channels is these layers."""
    import torch

    module.double().eval()
    net = cr.from_torch(module, input_shape=shape)
    assert [layer for layer in net.layers if layer.kind != "permute"] == expected
    x = RNG.normal(size=(6, *shape))
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), y) <= 1e-12


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("Conv2d", {"padding": 1, "padding_mode": "reflect"}, "'reflect'"),
        ("Conv1d", {}, "convolves 1 axes"),
        ("Conv2d", {"dilation": 9}, "span 19 of 6"),
        ("Conv3d", {}, "no such layer"),
        ("ConvTranspose1d", {}, "convolves 1 axes"),
        ("ConvTranspose3d", {}, "no such layer"),
        ("ConvTranspose2d", {"padding": 9}, "leaves out all"),
    ],
)
def test_modules_that_are_no_layer_are_refused(name, options, text) -> None:
    torch = pytest.importorskip("torch")
    given = {"in_channels": 3, "out_channels": 6, "kernel_size": 3, **options}
    module = torch.nn.Sequential(getattr(torch.nn, name)(**given))
    with pytest.raises(ValueError, match=text):
        cr.from_torch(module, input_shape=(3, 6, 8))


def test_pytorch_does_not_tell_the_extents_of_images() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match="input_shape"):
        cr.from_torch(module)
