# SPDX-License-Identifier: Apache-2.0
"""Pictures of a network of images: the map of each channel that a layer gives, and kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.explanation.details import largest
from chainrule.explanation.page import Places, colors, number, numbers
from chainrule.explanation.trace import Step, Trace

__all__ = ["kernel_data", "map_data"]

_PIXELS = 50_000  # of all maps together, with two characters for each
_WEIGHTS = 4_000  # of all kernels together, as numbers
_DIGITS = 5  # as many as the page shows


def map_data(trace: Trace, chosen: list[Places], notes: list[str]) -> list[dict[str, Any] | None]:
    """Return the maps of each vector of shape (height, width, channels), None for other vectors.

    A vector that is on the page as a whole says which maps it has. Of others there are characters
    for values and gradients, channel by channel: of all channels if the page can hold them, else of
    those with the largest gradients. `notes` gets what is left out.
    """
    images = [len(shape) == 3 for shape in trace.shapes]
    packed = [
        values.size
        for values, image, at in zip(trace.values, images, chosen, strict=True)
        if image and at is not None
    ]
    most = _PIXELS if sum(packed) <= _PIXELS else _PIXELS // len(packed)
    return [
        _maps(trace, k, at, most, notes) if image else None
        for k, (image, at) in enumerate(zip(images, chosen, strict=True))
    ]


def _maps(
    trace: Trace, vector: int, at: Places, most: int, notes: list[str]
) -> dict[str, Any] | None:
    height, width, channels = trace.shapes[vector]
    if at is None:
        return {"size": [height, width], "channels": [*range(channels)]}
    maker = trace.maker(vector)
    name = "The row" if maker is None else maker.name
    by_channel = trace.values[vector].reshape(-1, channels)
    gradient = trace.gradients[vector]
    slopes = None if gradient is None else gradient.reshape(-1, channels)
    count = min(channels, most // (height * width))
    if count == 0:
        notes.append(f"{name}: maps of {height} x {width} are too large for the page.")
        return None
    if count < channels:
        notes.append(
            f"{name}: the {count} maps with the largest gradients are shown, of {channels}."
        )
    shown = largest(_norms(by_channel if slopes is None else slopes, (0,)), count)
    return {
        "size": [height, width],
        "channels": shown.tolist(),
        "values": colors(by_channel[:, shown].T),
        "gradient": None if slopes is None else colors(slopes[:, shown].T),
    }


def kernel_data(trace: Trace, notes: list[str]) -> list[dict[str, Any] | None]:
    """Return the kernels of each step that convolves images, with their gradients.

    Of each there are those of the outputs whose kernels have the largest gradients, and for these
    the inputs likewise, as many as the page can hold. None for other steps.
    """
    most = _WEIGHTS // max(1, sum(step.convolves for step in trace.steps))
    return [_kernels(step, most, notes) if step.convolves else None for step in trace.steps]


def _kernels(step: Step, most: int, notes: list[str]) -> dict[str, Any]:
    weight = _by_output(step, step.own["weight"])
    gradient = _by_output(step, step.gradients["weight"])
    outputs, inputs, height, width = weight.shape
    from_each = min(inputs, max(1, most // (height * width)))
    to = largest(
        _norms(gradient, (1, 2, 3)),
        max(1, most // (from_each * height * width)),
    )
    read = largest(_norms(gradient[to], (0, 2, 3)), from_each)
    if len(to) < outputs or len(read) < inputs:
        notes.append(
            f"{step.name}: the {len(to)} x {len(read)} kernels with the largest gradients are "
            f"shown, of {outputs} x {inputs}."
        )
    chosen = np.ix_(to, read)
    biases = None
    if "bias" in step.own:
        pairs = np.stack([step.own["bias"], step.gradients["bias"]], axis=1)
        biases = [[number(value, _DIGITS) for value in pairs[j]] for j in to]
    return {
        "size": [height, width],
        "to": to.tolist(),
        "from": None if step.kind == "depthwise_conv2d" else read.tolist(),
        "values": numbers(weight[chosen].ravel(), _DIGITS),
        "gradient": numbers(gradient[chosen].ravel(), _DIGITS),
        "bias": biases,
    }


def _norms(array: NDArray[np.float64], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the Euclidean norms over some axes."""
    return np.asarray(np.sqrt(np.square(array).sum(axis=axes)))


def _by_output(step: Step, array: NDArray[Any]) -> NDArray[np.float64]:
    """Return kernels as (outputs, inputs, height, width); a depthwise one has one input."""
    array = np.asarray(array, dtype=np.float64)
    if array.ndim == 3:
        array = array[:, :, None, :]
    elif step.kind == "conv2d_transpose":
        array = array.swapaxes(2, 3)
    return array.transpose(3, 2, 0, 1)
