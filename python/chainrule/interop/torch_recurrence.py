# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers from and to PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.interop.assembly import Assembly
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.recurrence import LAYERS, recurrent, reordered
from chainrule.interop.tensor import Tensor
from chainrule.interop.torch_modules import array_of, fill, module_of
from chainrule.layers import Concatenate, Cropping, Dropout, Position

__all__ = ["RECURRENT_KINDS", "RECURRENT_MODULES", "call_on", "directions_of", "final_states"]
__all__ += ["has_cells"]

# Gate i of a layer is PyTorch's gate of the i-th number.
_ORDERS = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 1, 2, 3)}


def _recurrent_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    layer, arrays = node.layer, node.arrays
    name = next(name for name, kind in LAYERS.items() if isinstance(layer, kind))
    options = {}
    if name == "RNN":
        if layer.activation.kind not in ("relu", "tanh"):
            raise ValueError(f"PyTorch cannot hold {node}: its RNN has no {layer.activation.kind}")
        options["nonlinearity"] = layer.activation.kind
    recurrence = getattr(nn, name)(
        columns, layer.units, bias=layer.use_bias, batch_first=True, **options
    )
    theirs = tuple(int(gate) for gate in np.argsort(_ORDERS[name]))
    names = {"weight": "weight_ih_l0", "recurrent_weight": "weight_hh_l0"}
    fill(recurrence, **{names[n]: reordered(arrays[n], theirs).T for n in names})
    if layer.use_bias:
        beside = arrays.get("recurrent_bias", np.zeros_like(arrays["bias"]))
        biases = {"bias_ih_l0": arrays["bias"], "bias_hh_l0": beside}
        fill(recurrence, **{n: reordered(each, theirs) for n, each in biases.items()})
    given = (layer.return_sequences, layer.go_backwards, layer.return_state)
    return [module_of("Recurrent", recurrence, *given)]


def directions_of(module: Any) -> int:
    """Return how many directions a recurrent module of PyTorch has, 0 of another one."""
    from torch import nn

    return 1 + module.bidirectional if isinstance(module, nn.RNNBase) else 0


def has_cells(module: Any) -> bool:
    """Return whether a recurrent module of PyTorch has two states, h and c."""
    return any(base.__name__ == "LSTM" for base in type(module).__mro__)


def final_states(module: Any, made: Any) -> list[Any]:
    """Return the final states that a module gave: h of each layer and direction, then c of each."""
    states = made[1] if has_cells(module) else [made[1]]
    return [state for each in states for state in each]


def call_on(module: Any, x: Any, *states: Any) -> Any:
    """Return what a module makes of sequences and of states in the order of `final_states`."""
    import torch

    if not states:
        return module(x)
    given = tuple(torch.stack(part) for part in _halves(module, states))
    return module(x, given if len(given) > 1 else given[0])


def _halves(module: Any, states: Sequence[Any]) -> list[list[Any]]:
    """Return states of h, and of an LSTM those of c beside."""
    half = len(states) // (1 + has_cells(module))
    return [[*states[i : i + half]] for i in range(0, len(states), half)]


def _read(assembly: Assembly, x: Tensor, *others: Any, gives_states: bool = False) -> list[Tensor]:
    """Return the sequences that a module makes of others, for each of its directions."""
    # With `gives_states` also the final states, in the order of `final_states`.
    *begin, module = others
    first = [*zip(*_halves(module, begin), strict=True)] if begin else []
    count = 1 + has_cells(module)
    directions = [False, True][: directions_of(module)]
    made, final = [x], []
    for place in range(module.num_layers):
        x = made[0] if len(made) == 1 else assembly.layer(Concatenate(), {}, *made)
        if place and module.dropout:
            x = assembly.layer(Dropout(module.dropout), {}, x)
        x = assembly.share(x) if len(directions) > 1 else x
        read, made = x, []
        for direction, back in enumerate(directions):
            given = first[place * len(directions) + direction] if first else ()
            options = {"go_backwards": back, "return_state": gives_states}
            y = _layer(assembly, read, module, place, given, **options)
            if gives_states:
                y = assembly.share(y)
                states = (assembly.layer(Position(i - count), {}, y) for i in range(count))
                final.append([assembly.share(state) for state in states])
                y = assembly.layer(Cropping((0, count)), {}, y)
            made.append(y)
    return [*made, *(states[i] for i in range(count) for states in final)]


def _read_own(assembly: Assembly, x: Tensor, *others: Any) -> Tensor:
    """Return what a `Recurrent` makes of sequences and perhaps their lengths and first states."""
    *given, module = others
    names = ("return_sequences", "go_backwards", "return_state")
    options = {name: getattr(module, name) for name in names}
    return _layer(assembly, x, module.recurrence, 0, given, **options)


def _layer(
    assembly: Assembly,
    x: Tensor,
    module: Any,
    place: int,
    others: Sequence[Tensor] = (),
    *,
    go_backwards: bool,
    return_sequences: bool = True,
    return_state: bool = False,
) -> Tensor:
    """Add one direction of one of a module's layers."""
    name = next(n for n in (base.__name__ for base in type(module).__mro__) if n in LAYERS)
    reverse = "_reverse" if go_backwards and module.bidirectional else ""

    def array(what: str) -> Any:
        return array_of(getattr(module, f"{what}_l{place}{reverse}"))

    options: dict[str, Any] = {"return_sequences": return_sequences, "go_backwards": go_backwards}
    options["return_state"] = return_state
    if name == "RNN":
        options["activation"] = module.nonlinearity
    layer = LAYERS[name](module.hidden_size, use_bias=bool(module.bias), **options)
    biases = (array("bias_ih"), array("bias_hh")) if module.bias else None
    weights = (array("weight_ih"), array("weight_hh"))
    return recurrent(assembly, x, layer, *weights, biases, _ORDERS[name], others)


def _objection(module: Any) -> str | None:
    if not module.batch_first:
        return "time comes before the rows; make it with batch_first=True"
    return "it projects its states (proj_size)" if module.proj_size else None


def _own_objection(module: Any) -> str | None:
    inner = module.recurrence
    if inner.num_layers > 1 or inner.bidirectional:
        return "its recurrence has several layers"
    return _objection(inner)


RECURRENT_KINDS = {kind.kind: _recurrent_modules for kind in LAYERS.values()}
"""The modules, one after the other, that a recurrent layer is."""

RECURRENT_MODULES: dict[str, tuple[Any, ...]] = {name: (_read, _objection, None) for name in LAYERS}
RECURRENT_MODULES["Recurrent"] = (_read_own, _own_objection, 4)
"""What reads a module, what says why it cannot be read, and how many tensors it may read.

None stands for any number: sequences, and the states of each layer to begin with.
"""
