# SPDX-License-Identifier: Apache-2.0
"""Networks over sequences as networks over one frame after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chainrule.interop.merges import MERGES
from chainrule.interop.nodes import NetworkNode, Shape
from chainrule.interop.windows import per_axis

__all__ = ["frames_of"]

_RECURRENT = frozenset({"gru", "lstm", "simple_rnn"})
_CONVOLUTIONS = frozenset({"conv1d", "depthwise_conv1d"})
# What works on each position of a sequence by itself.
_OF_POSITIONS = frozenset(
    {
        *MERGES,
        "activation",
        "batch_normalization",
        "category_encoding",
        "clip",
        "dense",
        "dropout",
        "embedding",
        "gaussian_noise",
        "layer_normalization",
        "normalization",
        "parametric_activation",
        "periodic_embedding",
        "piecewise_linear_embedding",
        "prelu",
        "rescaling",
        "scale",
        "take",
    }
)


def frames_of(
    inputs: dict[str, Shape], nodes: Sequence[NetworkNode]
) -> tuple[frozenset[str], list[str]]:
    """Make the shapes of inputs and nodes those of one frame, without their time axis.

    Return the names of nodes that go on from the frames before, and why there can be none.
    """
    reasons = [
        f"input {name} has rows of shape {shape}, not (time, features)"
        for name, shape in inputs.items()
        if len(shape) != 2
    ]
    if not reasons and len({shape[0] for shape in inputs.values()}) > 1:
        reasons = ["its inputs have time axes of different length"]
    # What has a frame at each time; behind the last state of a sequence there is only one row.
    of_frames, remembering = {*inputs}, set()
    for node in [] if reasons else nodes:
        if of_frames.isdisjoint(node.inputs):
            continue
        if reason := _reason(node, of_frames):
            reasons.append(f"{node} {reason}")
            continue
        node.reads = tuple((1, *shape[1:]) for shape in node.reads)
        if node.layer.kind in {*_CONVOLUTIONS, *_RECURRENT}:
            remembering.add(node.name)
        if node.layer.kind not in _RECURRENT or node.layer.return_sequences:
            node.shape = (1, *node.shape[1:])
            of_frames.add(node.name)
    inputs.update({name: shape[1:] for name, shape in inputs.items()})
    return frozenset(remembering), reasons


def _reason(node: NetworkNode, of_frames: Collection[str]) -> str:
    """Return why a node does not go through a sequence frame by frame, if it does not."""
    layer = node.layer
    if layer.kind in _RECURRENT:
        if len(node.inputs) > 1:
            lengths = layer._core.reads_lengths(node.reads)
            return "takes the lengths of rows" if lengths else "begins with a state that is given"
        if layer.return_state:
            return "gives the final state of whole sequences"
        return "goes backwards, from later frames" if layer.go_backwards else ""
    if layer.kind in _CONVOLUTIONS:
        if per_axis(layer.strides, 1) != (1,):
            return f"skips frames with strides of {layer.strides}"
        reads_later = layer.padding != "causal" and per_axis(layer.kernel_size, 1) != (1,)
        return f"reads later frames with padding {layer.padding!r}" if reads_later else ""
    if layer.kind not in _OF_POSITIONS or not {*node.inputs} <= {*of_frames}:
        return "uses several frames at once"
    return ""
