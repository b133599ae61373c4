# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, which predicts only."""

from __future__ import annotations

import importlib
from typing import Any

from harness.peers.library import Data, Library, Predictor, Trainer, Weights
from harness.workloads import Inference, Network, Training

# Old enough for every version of the runtime that is in use.
_OPSET = 13
_IR_VERSION = 8


class OnnxRuntime(Library):
    """ONNX Runtime on its CPU provider."""

    name = "ONNX Runtime"
    packages = ("onnxruntime", "onnx")
    workloads = (Inference,)

    def trainer(self, work: Training, data: Data, weights: Weights, threads: int) -> Trainer:
        """Not among its `workloads`."""
        raise NotImplementedError

    def predictor(self, work: Inference, weights: Weights, threads: int) -> Predictor:
        """Return a session that takes and returns NumPy arrays."""
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = runtime.InferenceSession(
            _model(work.network, weights), options, providers=["CPUExecutionProvider"]
        )
        run = session.run
        return Predictor(work.batches(), lambda x: run(None, {"x": x})[0])


def _model(network: Network, weights: Weights) -> bytes:
    """Return the network as an ONNX file: Gemm, Relu, ..., Gemm."""
    onnx: Any = importlib.import_module("onnx")
    make = onnx.helper
    element = make.np_dtype_to_tensor_dtype(weights[0].dtype)
    last = len(network.sizes) - 2
    nodes: list[Any] = []
    constants: list[Any] = []
    value = "x"
    for layer, (weight, bias) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        names = [f"w{layer}", f"b{layer}"]
        for name, array in zip(names, (weight, bias), strict=True):
            constants.append(onnx.numpy_helper.from_array(array, name))
        z = "y" if layer == last else f"z{layer}"
        nodes.append(make.make_node("Gemm", [value, *names], [z]))
        if layer < last:
            value = f"h{layer}"
            nodes.append(make.make_node("Relu", [z], [value]))
    graph = make.make_graph(
        nodes,
        "network",
        [make.make_tensor_value_info("x", element, ["rows", network.sizes[0]])],
        [make.make_tensor_value_info("y", element, ["rows", network.sizes[-1]])],
        constants,
    )
    model = make.make_model(
        graph, opset_imports=[make.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    serialized: bytes = model.SerializeToString()
    return serialized
