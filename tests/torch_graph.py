# SPDX-License-Identifier: Apache-2.0
"""The nodes of networks in PyTorch's words."""

from __future__ import annotations

from typing import Any

import pytest

import chainrule as cr

torch = pytest.importorskip("torch")
F = torch.nn.functional
torch.set_num_threads(1)

ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "silu": F.silu,
}


class TorchGraph:
    """The nodes of a network, each worked out by PyTorch."""

    def __init__(self, net: cr.Network) -> None:
        self.graph = net._graph
        self.dtype = getattr(torch, net.dtype)
        self.parameters = {
            name: torch.tensor(values, dtype=self.dtype, requires_grad=True)
            for name, values in net.parameters.items()
        }

    def __call__(self, x: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs by name."""
        tensors = {name: torch.as_tensor(values, dtype=self.dtype) for name, values in x.items()}
        for node in self.graph.nodes:
            if node.layer is not None:
                read = [tensors[name] for name in node.inputs]
                owner = node.shares or node.name
                p = {
                    name.rpartition(".")[2]: tensor
                    for name, tensor in self.parameters.items()
                    if name.rpartition(".")[0] == owner
                }
                tensors[node.name] = self._value(node.layer, p, read)
        return {name: tensors[name] for name in self.graph.outputs}

    @staticmethod
    def _value(layer: Any, p: dict[str, Any], read: list[Any]) -> Any:
        c = layer.config
        match c["kind"], read:
            case "dense", [x]:
                z = x @ p["weight"] + p.get("bias", 0)
                return ACTIVATIONS[c["activation"]["kind"]](z)
            case "layer_normalization", [x]:
                return F.layer_norm(x, x.shape[-1:], p["gamma"], p["beta"], c["epsilon"])
            case "add", _:
                return sum(read[1:], read[0])
            case "subtract", [a, b]:
                return a - b
            case "multiply", _:
                return torch.stack(read).prod(0)
            case "average", _:
                return torch.stack(read).mean(0)
            case "maximum", _:
                return torch.stack(read).amax(0)
            case "concatenate", _:
                return torch.cat(read, dim=-1)
            case "dot", [a, b]:
                return (a * b).sum(-1, keepdim=True)
            case "rescaling", [x]:
                return x * c["scale"] + c["offset"]
            case "scale", [x]:
                return x * p["scale"]
            case "clip", [x]:
                return torch.clamp(x, layer.min_value, layer.max_value)
            case "reshape", [x]:
                return x.reshape(len(x), *layer.target_shape)
            case "flatten", [x]:
                return x.reshape(len(x), -1)
            case "permute", [x]:
                return x.permute(0, *layer.dims)
            case "take", [x]:
                return x[..., list(layer.columns)]
            case "repeat_vector", [x]:
                return x[:, None, :].expand(-1, layer.n, -1)
            case "global_average_pooling", [x]:
                return x.reshape(len(x), -1, x.shape[-1]).mean(1)
        raise AssertionError(c)
