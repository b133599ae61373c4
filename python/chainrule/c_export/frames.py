# SPDX-License-Identifier: Apache-2.0
"""Networks over sequences as networks over one frame after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

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
        "clip",
        "dense",
        "dropout",
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
    flat = _side_by_side(inputs, nodes)
    reasons = [
        f"input {name} has rows of shape {shape}, not (time, features)"
        for name, shape in inputs.items()
        if len(shape) != 2 and name not in flat
    ]
    lengths = {flat.get(name, shape[0]) for name, shape in inputs.items()}
    if not reasons and len(lengths) > 1:
        reasons = ["its inputs have time axes of different length"]
    # What has a frame at each time; behind the last state of a sequence there is only one row.
    of_frames, remembering = {*inputs}, set()
    for node in [] if reasons else nodes:
        if of_frames.isdisjoint(node.inputs):
            continue
        if reason := _reason(node, of_frames, flat):
            reasons.append(f"{node} {reason}")
            continue
        read = zip(node.reads, node.inputs, strict=True)
        node.reads = tuple(_of_one(shape, flat.get(name)) for shape, name in read)
        if node.layer.kind in {*_CONVOLUTIONS, *_RECURRENT}:
            remembering.add(node.name)
        if node.layer.kind not in _RECURRENT or node.layer.return_sequences:
            node.shape = _of_one(node.shape, flat.get(node.name))
            of_frames.add(node.name)
    for name, shape in inputs.items():
        inputs[name] = _of_one(shape, flat[name]) if name in flat else shape[1:]
    return frozenset(remembering), reasons


def _side_by_side(inputs: Mapping[str, Shape], nodes: Sequence[NetworkNode]) -> dict[str, int]:
    """Return how many frames lie side by side in rows of tokens or of what tables make of them."""
    # A Reshape to (time, columns) makes frames of what a table gives, which all tokens share.
    tables = {node.name: node for node in nodes if _is_table_of_tokens(node.layer)}
    flat: dict[str, int] = {}
    for node in nodes:
        table = tables.get(node.inputs[0])
        if node.layer.kind == "reshape" and len(node.shape) == 2 and table is not None:
            tokens = inputs.get(table.inputs[0], ())
            if len(tokens) == 1 and tokens[0] % node.shape[0] == 0:
                flat |= dict.fromkeys((table.name, table.inputs[0]), node.shape[0])
    return flat


def _is_table_of_tokens(layer: Any) -> bool:
    """Whether a layer makes the same columns of each category, wherever in a row that stands."""
    if layer.kind == "embedding":
        return layer.columns is None and isinstance(layer.num_embeddings, int)
    one_hot = layer.kind == "category_encoding" and layer.output_mode == "one_hot"
    return one_hot and layer.columns is None and isinstance(layer.num_tokens, int)


def _of_one(shape: Shape, frames: int | None) -> Shape:
    """Return the shape of one frame, of rows with a time axis or of `frames` side by side."""
    return (1, *shape[1:]) if frames is None else (shape[0] // frames,)


def _reason(node: NetworkNode, of_frames: Collection[str], flat: Mapping[str, int]) -> str:
    """Return why a node does not go through a sequence frame by frame, if it does not."""
    layer = node.layer
    if frames := max(flat.get(name, 0) for name in node.inputs):
        makes_frames = layer.kind == "reshape" and node.shape[:-1] == (frames,)
        table = _is_table_of_tokens(layer) and flat.get(node.name) == frames
        return "" if makes_frames or table else "reads the tokens of several frames at once"
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
