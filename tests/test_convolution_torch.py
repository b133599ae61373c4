# SPDX-License-Identifier: Apache-2.0
"""Convolutions and their gradients against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from convolutions import EXTENTS, KINDS, OPTIONS, pair, single, zeros_around

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_pytorch(kind, options, rng) -> None:
    net, channels, filters = single(kind, options, 5), 5, options["filters"]
    x = rng.normal(size=(2, *EXTENTS[kind], channels))
    kernel = pair(options["kernel_size"])
    strides, dilation = pair(options.get("strides", 1)), pair(options.get("dilation", 1))
    given = {"kernel_size": kernel, "stride": strides, "dilation": dilation, "dtype": torch.float64}
    given["bias"] = options.get("use_bias", True)
    more = [d * (k - 1) + 1 - s for k, s, d in zip(kernel, strides, dilation, strict=True)]
    weights = dict(net.parameters)
    weight = weights["0.weight"]
    transposed = (weight[:, :, None] if weight.ndim == 3 else weight).transpose(3, 2, 0, 1)
    if kind == "conv2d_transpose":
        beyond = [max(-m, 0) for m in more]
        module = torch.nn.ConvTranspose2d(channels, filters, output_padding=beyond, **given)
    elif kind == "conv2d":
        module = torch.nn.Conv2d(channels, filters, **given)
    else:
        module = torch.nn.Conv2d(channels, channels, groups=channels, **given)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(transposed.copy()))
        if "0.bias" in weights:
            module.bias.copy_(torch.from_numpy(weights["0.bias"]))
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    if kind == "conv2d_transpose":
        outputs = module(inputs)
        if options.get("padding") == "same":
            top, left = (max(m, 0) // 2 for m in more)
            height, width = (e * s for e, s in zip(EXTENTS[kind], strides, strict=True))
            outputs = outputs[:, :, top : top + height, left : left + width]
    else:
        around = zip(EXTENTS[kind], kernel, strides, dilation, strict=True)
        rows, columns = (zeros_around(*of, options.get("padding", "valid")) for of in around)
        outputs = module(torch.nn.functional.pad(inputs, (*columns, *rows)))
    expected = outputs.detach().numpy().transpose(0, 2, 3, 1)
    assert np.allclose(net.forward(x), expected, rtol=0, atol=1e-12)
    dy = rng.normal(size=expected.shape)
    outputs.backward(torch.from_numpy(dy.transpose(0, 3, 1, 2).copy()))
    dx = net.backward(dy).reshape(x.shape)
    assert np.allclose(dx, inputs.grad.numpy().transpose(0, 2, 3, 1), rtol=0, atol=1e-11)
    dw = module.weight.grad.numpy().transpose(2, 3, 1, 0).reshape(weight.shape)
    assert np.allclose(net.gradients["0.weight"], dw, rtol=0, atol=1e-10)
