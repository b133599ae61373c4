# SPDX-License-Identifier: Apache-2.0
"""An exported ONNX file against its network: the same rows through both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ExportError
from chainrule.interop.affine import affine_of
from chainrule.interop.categories import WHOLE_NUMBERS, put_whole_numbers
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.nodes import nodes_of, predictions

if TYPE_CHECKING:
    from chainrule.network.network import Network

__all__ = ["ExportReport", "onnxruntime_outputs", "self_check"]

_ROWS = 64


@dataclass(frozen=True)
class ExportReport:
    """What `to_onnx` wrote.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    size : int
        Its bytes.
    max_relative_difference : float or None
        Between the network's predictions and those of onnxruntime, as
        `largest_relative_difference`; None where they were not compared.
    """

    path: Path
    size: int
    max_relative_difference: float | None


def self_check(
    net: Network, content: bytes, output: str, input_dtype: str, tolerance: float
) -> float | None:
    """Return the largest relative difference of onnxruntime's predictions on random rows.

    None without onnxruntime; ExportError if the difference is above the tolerance.
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be a number >= 0, got {tolerance!r:.80}")
    try:
        import onnxruntime  # noqa: F401  # only whether it is there
    except ImportError:
        return None
    rows = _random_rows(net, input_dtype)
    expected = predictions(net, [*rows.values()], probabilities=output != "raw")
    outputs = onnxruntime_outputs(content, *rows.values())
    outputs = outputs if isinstance(outputs, list) else [outputs]
    difference = float(np.max([*map(largest_relative_difference, outputs, expected)]))
    if not difference <= tolerance:
        raise ExportError(
            f"onnxruntime's predictions differ by {difference:.2g} of the largest output, the "
            f"tolerance is {tolerance:.2g}; no file was written"
        )
    return difference


def onnxruntime_outputs(content: bytes, *rows: NDArray[Any]) -> Any:
    """Return the output of an ONNX model for rows of its inputs, a list of several."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            'running ONNX files needs onnxruntime: pip install "chainrule[onnx]"'
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(content, options, providers=providers)
    names = [value.name for value in session.get_inputs()]
    outputs = session.run(None, dict(zip(names, rows, strict=True)))
    return outputs if len(outputs) > 1 else outputs[0]


def _random_rows(net: Network, input_dtype: str) -> dict[str, NDArray[Any]]:
    """Return rows that a scaling at the front makes standard normal, or pixels, or categories."""
    inputs, nodes, _ = nodes_of(net)
    rng = np.random.default_rng(0)
    made = {}
    for name, shape in inputs.items():
        rows = rng.normal(size=(_ROWS, *shape))
        if input_dtype == "uint8":
            rows = rng.integers(0, 256, size=(_ROWS, *shape)).astype(np.float64)
        readers = [node for node in nodes if node.inputs == [name]]
        if len(shape) == 1:
            most, unseen = WHOLE_NUMBERS[input_dtype], input_dtype != "uint8"
            put_whole_numbers(rows, name, nodes, most, rng, unseen)
        for node in readers:
            affine = affine_of(node.layer, node.arrays, net.dtype)
            if affine is not None and input_dtype != "uint8":
                rows = (rows - affine[1]) / np.where(affine[0], affine[0], 1.0)
        made[name] = rows.astype(input_dtype)
    return made
