# SPDX-License-Identifier: Apache-2.0
"""One row's way through a network and back: all numbers on it, as the core works them out.

Every layer is run as a network of its own, a dense layer apart from its activation, so that what is
between them can be seen. The stages are those of the whole network, and so are the bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import activations, layers
from chainrule.network.core_network import CORE_NETWORKS
from chainrule.network.training_data import make_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled

__all__ = ["Row", "Step", "Trace", "by_layer", "checked_row", "core_copy"]

Numbers = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

_NOT_FINITE = "gives numbers that are not finite for this row; diagnose says what to try"
# Each output of these depends on the input of the same column alone.
_ELEMENTWISE = ("activation", "prelu", "dropout", "rescaling", "normalization")
_ELEMENTWISE_IN_INFERENCE = ("batch_normalization",)


@dataclass(frozen=True)
class Row:
    """One row and its target, as the core takes them: (1, inputs); (1,) labels or (1, columns)."""

    x: NDArray[Any]
    y: NDArray[Any]
    loss: Loss


@dataclass
class Step:
    """What one layer, or a dense layer's activation, makes of its input x, for one row."""

    layer: int
    name: str
    kind: str
    x: Numbers
    """What goes in."""
    y: Numbers
    """What comes out."""
    dx: Numbers | None = None
    dy: Numbers | None = None
    """d loss / d x and d loss / d y; None where the loss takes over what is between."""
    slope: Numbers | None = None
    """dy / dx, where each output depends on one input alone."""
    weight: Numbers | None = None
    bias: Numbers | None = None
    """Those of a dense layer: (inputs, units) and (units,)."""


class Trace:
    """The steps of a network for one row, and the loss.

    Parameters
    ----------
    net_layers : list of Layer
        The network's layers.
    parameters : list of dict of str to ndarray
        Those of each layer, as `by_layer` returns them.
    row : Row
        What goes through it.

    Attributes
    ----------
    steps : list of Step
    loss : float
    taken_over : str or None
        The last activation, where the loss is differentiated together with it.

    Raises
    ------
    ValueError
        If a layer gives numbers that are not finite; the text names it.
    """

    def __init__(self, net_layers: list[layers.Layer], parameters: list[Arrays], row: Row) -> None:
        self.steps: list[Step] = []
        self._parts: list[tuple[layers.Layer, Arrays]] = []
        cores = []
        x = np.asarray(row.x, dtype=np.float64)
        last: activations.Activation | None = None
        for index, layer in enumerate(net_layers):
            own = parameters[index]
            for part in _parts(layer):
                core = _single(part, x.shape[1], own)
                y = core.forward(x, False, 1)
                if not np.isfinite(y).all():
                    raise ValueError(f"layer {index}, {part!r}, {_NOT_FINITE}")
                step = Step(index, repr(part), part.kind, x[0], y[0])
                if isinstance(part, layers.Dense):
                    step.weight = np.asarray(own["weight"], dtype=np.float64)
                    if part.use_bias:
                        step.bias = np.asarray(own["bias"], dtype=np.float64)
                self.steps.append(step)
                self._parts.append((part, own))
                cores.append(core)
                last = part.activation if isinstance(part, layers.Activation) else None
                x = y
        folded = last is not None and _differentiated_together(last, row.loss)
        self.taken_over = last.kind if last is not None and folded else None
        head = last if last is not None and folded else activations.Linear()
        raw = self.steps[-1].x if folded else self.steps[-1].y
        loss_core = _single(layers.Activation(head), len(raw), {})
        self.loss, gradient = loss_core.compute_gradients(
            raw[None], row.y, row.loss._core, False, 1
        )
        if not np.isfinite(self.loss):
            raise ValueError(f"the loss {_NOT_FINITE}")
        self._backward(cores, gradient, folded=folded)

    def behind(self, place: int) -> Any:
        """Return what is behind a step as a network of the core: the loss is a function of it."""
        parts = self._parts[place + 1 :] or [(layers.Activation("linear"), {})]
        return _core_of(parts, self.steps[place].y.size)

    def unit(self, place: int, index: int) -> Any:
        """Return one unit of a dense step as a network of the core."""
        step = self.steps[place]
        assert step.weight is not None
        own = {"weight": step.weight[:, index : index + 1]}
        if step.bias is not None:
            own["bias"] = step.bias[index : index + 1]
        return _core_of([(layers.Dense(1, use_bias=step.bias is not None), own)], step.x.size)

    def _backward(self, cores: list[Any], gradient: Numbers, *, folded: bool) -> None:
        steps = list(zip(self.steps, cores, strict=True))
        if folded:
            step, _ = steps.pop()
            step.dx = gradient[0]
        for step, core in reversed(steps):
            step.dy = gradient[0]
            if _is_elementwise(step):
                step.slope = core.backward(np.ones_like(gradient))[0]
            gradient = core.backward(gradient)
            step.dx = gradient[0]


def _parts(layer: layers.Layer) -> list[layers.Layer]:
    """Return a dense layer and its activation apart."""
    if isinstance(layer, layers.Dense) and layer.activation.kind != "linear":
        plain = layers.Dense(layer.units, use_bias=layer.use_bias)
        return [plain, layers.Activation(layer.activation)]
    return [layer]


def _core_of(parts: list[tuple[layers.Layer, Arrays]], inputs: int) -> Any:
    """Return layers, each with its parameters, as a network of the core."""
    core = CORE_NETWORKS["float64"]([layer.config for layer, _ in parts], inputs, 0)
    for info in core.parameters:
        array = parts[info.layer][1][_short(info.name)]
        core.set_parameter(info.name, np.ascontiguousarray(array, np.float64))
    return core


def _single(layer: layers.Layer, inputs: int, parameters: Arrays) -> Any:
    return _core_of([(layer, parameters)], inputs)


def _differentiated_together(last: activations.Activation, loss: Loss) -> bool:
    own = last.kind == loss._core.link and not loss.from_logits
    return own or last.kind == "softmax"


def _is_elementwise(step: Step) -> bool:
    softmax = step.kind == "activation" and "softmax" in step.name
    return step.kind in (*_ELEMENTWISE, *_ELEMENTWISE_IN_INFERENCE) and not softmax


def checked_row(net: Compiled, row: object, target: object, loss: Loss) -> Row:
    """Return one row and its target; raise ValueError or TypeError if they do not fit the net.

    A network that is not built yet is built for the row.
    """
    shape = _shape(row)
    image = len(shape) == 2 and shape[0] != 1
    if image and net.inputs in (None, shape[0] * shape[1]):
        row = np.asarray(row).reshape(1, -1)
    features = net._as_rows(row, allow_single=True)
    if len(features) != 1:
        raise ValueError(f"row must be one row, got {len(features)}")
    data = make_dataset(net, features, [target], loss)
    return Row(np.asarray(data.x), np.asarray(data.y), loss)


def _shape(row: Any) -> tuple[int, ...]:
    return tuple(getattr(row, "shape", None) or np.shape(row))


def by_layer(net: Compiled, arrays: Sequence[NDArray[Any]] | None = None) -> list[Arrays]:
    """Return each layer's parameters by their own names, "weight" and the like.

    Parameters
    ----------
    net : Sequential
        The network.
    arrays : sequence of ndarray, optional
        Values in the order of its parameters; by default the present ones.
    """
    core = net._built_core()
    values = [core.get_parameter(p.name) for p in core.parameters] if arrays is None else arrays
    found: list[Arrays] = [{} for _ in net.layers]
    for info, array in zip(core.parameters, values, strict=True):
        found[info.layer][_short(info.name)] = array
    return found


def _short(name: str) -> str:
    """Return the name of a parameter within its layer."""
    return name.rpartition(".")[2]


def core_copy(net: Compiled) -> Any:
    """Return the network in float64, as a network of the core."""
    parts = list(zip(net.layers, by_layer(net), strict=True))
    return _core_of(parts, net._built_core().inputs)
