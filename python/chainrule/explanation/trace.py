# SPDX-License-Identifier: Apache-2.0
"""One row's way through a network and back: all numbers on it, as the core works them out.

Every layer is run as a network of its own, a dense layer apart from its activation, so that what is
between them can be seen. The stages are those of the whole network, and so are the bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import activations, layers
from chainrule.network.core_network import make_core
from chainrule.network.graph import Graph, Node

if TYPE_CHECKING:
    from chainrule.explanation.row import Row
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled

__all__ = ["Behind", "Step", "Trace", "by_node"]

Numbers = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

_NOT_FINITE = "gives numbers that are not finite for this row; diagnose says what to try"
# Each output of these depends on the inputs of the same column alone.
_ELEMENTWISE = (
    *("activation", "prelu", "parametric_activation", "dropout", "gaussian_noise", "clip", "scale"),
    *("rescaling", "normalization", "batch_normalization"),
)
_MERGES = ("add", "subtract", "multiply", "average", "maximum")


@dataclass
class Step:
    """What one layer, or a dense layer's activation, makes of what it reads, for one row.

    Vectors are numbered: first those of the inputs, then what each step makes.
    """

    layer: int
    node: str
    name: str
    part: layers.Layer
    reads: list[int]
    makes: int
    shape: tuple[int, ...]
    """Of what it makes."""
    own: Arrays
    """Its parameters by name."""
    slopes: list[Numbers] = field(default_factory=list)
    """d made / d read, for each that it reads, where each output depends on one column alone."""
    weight: Numbers | None = None
    bias: Numbers | None = None
    """Those of a dense layer with one position: (inputs, units) and (units,)."""
    gradients: Arrays = field(default_factory=dict)
    """d loss / d each of its parameters, by name, where it convolves."""

    @property
    def kind(self) -> str:
        """The kind of its layer."""
        return self.part.kind

    @property
    def convolves(self) -> bool:
        """Whether it goes over images with kernels."""
        return len(self.shape) == 3 and "weight" in self.own and self.own["weight"].ndim > 2


class Trace:
    """The steps of a network for one row, and the loss.

    Parameters
    ----------
    net : Compiled
        The network.
    parameters : dict of str to dict of str to ndarray
        Those of each node, as `by_node` returns them.
    row : Row
        What goes through it.

    Attributes
    ----------
    steps : list of Step
    values, gradients : list of ndarray
        Of each vector, flat; a gradient is None where the loss takes over what is behind.
    inputs : int
        How many vectors are the network's inputs.
    outputs : list of int
        The vectors of its outputs.
    loss : float
    taken_over : list of str
        The last activations that losses are differentiated together with.

    Raises
    ------
    ValueError
        If a layer gives numbers that are not finite; the text names it.
    """

    def __init__(self, net: Compiled, parameters: Mapping[str, Arrays], row: Row) -> None:
        assert net._graph is not None
        self.row = row
        self.steps: list[Step] = []
        self.values: list[Numbers] = [np.asarray(x, np.float64).reshape(-1) for x in row.x]
        self.shapes = [node.shape for node in net._graph.inputs]
        self.inputs = len(self.values)
        self._cores: list[Any] = []
        vectors = {node.name: place for place, node in enumerate(net._graph.inputs)}
        nodes = [node for node in net._graph.nodes if node.layer is not None]
        for index, node in enumerate(nodes):
            reads = [vectors[name] for name in node.inputs]
            for part in _parts(node.layer):
                reads = [self._step(index, node, part, reads, parameters)]
            (vectors[node.name],) = reads
        self.outputs = [vectors[name] for name in net._graph.outputs]
        self.gradients: list[Numbers | None] = [None] * len(self.values)
        self.taken_over: list[str] = []
        self.loss = 0.0
        for place, output in enumerate(self.outputs):
            self.loss += self._loss(place, output)
        if not np.isfinite(self.loss):
            raise ValueError(f"the loss {_NOT_FINITE}")
        for step, core in reversed([*zip(self.steps, self._cores, strict=True)]):
            self._backward(step, core)

    def maker(self, vector: int) -> Step | None:
        """Return the step that makes a vector; None for a row."""
        return None if vector < self.inputs else self.steps[vector - self.inputs]

    def readers(self, vector: int) -> list[Step]:
        """Return the steps that read a vector."""
        return [step for step in self.steps if vector in step.reads]

    def unit(self, place: int, index: int) -> Any:
        """Return one unit of a dense step as a network of the core."""
        step = self.steps[place]
        assert step.weight is not None
        own = {"weight": step.weight[:, index : index + 1]}
        if step.bias is not None:
            own["bias"] = step.bias[index : index + 1]
        columns = (step.weight.shape[0],)
        return _core_of(layers.Dense(1, use_bias=step.bias is not None), [columns], own)

    def _step(
        self,
        index: int,
        node: Node,
        part: layers.Layer,
        reads: list[int],
        parameters: Mapping[str, Arrays],
    ) -> int:
        """Run a part of a layer; return the vector that it makes."""
        own = parameters.get(node.shares or node.name, {})
        shapes = [self.shapes[vector] for vector in reads]
        core = _core_of(part, shapes, own)
        rows = [self.values[vector][None] for vector in reads]
        y = core.forward(rows if len(rows) > 1 else rows[0], False, 1)[0]
        if not np.isfinite(y).all():
            raise ValueError(f"layer {node.name}, {part!r}, {_NOT_FINITE}")
        shape = tuple(core.shapes[-1])
        made = len(self.values)
        step = Step(index, node.name, repr(part), part, reads, made, shape, own)
        if isinstance(part, layers.Dense) and len(shape) == 1:
            step.weight = np.asarray(own["weight"], dtype=np.float64)
            if part.use_bias:
                step.bias = np.asarray(own["bias"], dtype=np.float64)
        self.steps.append(step)
        self._cores.append(core)
        self.values.append(y)
        self.shapes.append(shape)
        return made

    def _loss(self, place: int, output: int) -> float:
        """Return the weighted loss of an output, and begin the way back with its gradient."""
        loss, weight = self.row.losses[place], self.row.weights[place]
        head, at = taken_over(self.maker(output), loss), output
        if head.kind != "linear":
            self.taken_over.append(head.kind)
            at = self.steps[output - self.inputs].reads[0]
        core = _core_of(layers.Activation(head), [self.shapes[output]], {})
        raw = self.values[at][None]
        value, gradient = core.compute_gradients(raw, self.row.y[place], loss._core, False, 1)
        self._add(at, gradient[0] if weight == 1.0 else weight * gradient[0])
        return weight * float(value)

    def _add(self, vector: int, gradient: Numbers) -> None:
        known = self.gradients[vector]
        self.gradients[vector] = gradient if known is None else known + gradient

    def _backward(self, step: Step, core: Any) -> None:
        dy = self.gradients[step.makes]
        if dy is None:  # the loss has taken it over
            return
        sizes = [self.values[vector].size for vector in step.reads]
        ends = np.cumsum(sizes)[:-1]
        if _is_elementwise(step):
            step.slopes = np.split(core.backward(np.ones_like(dy)[None])[0], ends)
        for vector, gradient in zip(
            step.reads, np.split(core.backward(dy[None])[0], ends), strict=True
        ):
            self._add(vector, gradient)
        if step.convolves:
            step.gradients = {name: core.get_gradient(f"y.{name}") for name in step.own}


class Behind:
    """What is behind a step, as a network of the core: the loss is a function of what it gives."""

    def __init__(self, trace: Trace, place: int) -> None:
        start = trace.steps[place].makes
        reached, parts = {start}, []
        for step in trace.steps[place + 1 :]:
            if not reached.isdisjoint(step.reads):
                reached.add(step.makes)
                parts.append(step)
        beside = sorted({vector for step in parts for vector in step.reads} - reached)
        nodes = [Node(_name(v), None, (), trace.shapes[v]) for v in (start, *beside)]
        nodes += [Node(_name(s.makes), s.part, tuple(map(_name, s.reads))) for s in parts]
        chosen = [i for i, vector in enumerate(trace.outputs) if vector in reached]
        ends = []
        for output in chosen:
            vector = trace.outputs[output]
            name = _name(vector)
            if vector == start or name in ends:  # which is no end of its own
                nodes.append(Node(f"end{output}", layers.Activation("linear"), (name,)))
                name = f"end{output}"
            ends.append(name)
        self._core = make_core(Graph(tuple(nodes), tuple(ends), {}), 0, "float64")
        owners = {_name(step.makes): step.own for step in parts}
        for info in self._core.parameters:
            node, _, short = info.name.rpartition(".")
            self._core.set_parameter(info.name, np.ascontiguousarray(owners[node][short], float))
        self._beside = [trace.values[vector][None] for vector in beside]
        self._y = [trace.row.y[i] for i in chosen]
        self._losses = [trace.row.losses[i]._core for i in chosen]
        self._weights = [trace.row.weights[i] for i in chosen]

    def loss(self, values: Numbers) -> float:
        """Return the loss of the outputs that depend on the step, where it gives these values."""
        rows: Any = [values[None], *self._beside] if self._beside else values[None]
        if len(self._y) > 1:
            value, _ = self._core.compute_gradients(
                rows, self._y, self._losses, False, 1, None, None, self._weights
            )
            return float(value)
        value, _ = self._core.compute_gradients(rows, self._y[0], self._losses[0], False, 1)
        return float(value) * self._weights[0]


def _name(vector: int) -> str:
    return f"v{vector}"


def _parts(layer: layers.Layer | None) -> list[layers.Layer]:
    """Return a dense layer and its activation apart."""
    assert layer is not None
    if isinstance(layer, layers.Dense) and layer.activation.kind != "linear":
        plain = layers.Dense(layer.units, use_bias=layer.use_bias)
        return [plain, layers.Activation(layer.activation)]
    return [layer]


def _core_of(layer: layers.Layer, shapes: Sequence[tuple[int, ...]], own: Arrays) -> Any:
    """Return a layer with its parameters as a network of the core that reads such shapes."""
    inputs = [Node(f"x{i}", None, (), shape) for i, shape in enumerate(shapes)]
    made = Node("y", layer, tuple(node.name for node in inputs))
    core: Any = make_core(Graph((*inputs, made), ("y",), {}), 0, "float64")
    for info in core.parameters:
        array = own[info.name.rpartition(".")[2]]
        core.set_parameter(info.name, np.ascontiguousarray(array, np.float64))
    return core


def taken_over(last: Step | None, loss: Loss) -> activations.Activation:
    """Return a last activation if the loss is differentiated together with it, else none."""
    if last is None or not isinstance(last.part, layers.Activation):
        return activations.Linear()
    activation = last.part.activation
    own = activation.kind == loss._core.link and not loss.from_logits
    return activation if own or activation.kind == "softmax" else activations.Linear()


def _is_elementwise(step: Step) -> bool:
    softmax = isinstance(step.part, layers.Activation) and step.part.activation.kind == "softmax"
    return step.kind in (*_ELEMENTWISE, *_MERGES) and not softmax


def by_node(net: Compiled, arrays: Sequence[NDArray[Any]] | None = None) -> dict[str, Arrays]:
    """Return each node's parameters by their own names, "weight" and the like.

    Parameters
    ----------
    net : Compiled
        The network.
    arrays : sequence of ndarray, optional
        Values in the order of its parameters; by default the present ones.
    """
    core = net._built_core()
    values = [core.get_parameter(p.name) for p in core.parameters] if arrays is None else arrays
    found: dict[str, Arrays] = {}
    for info, array in zip(core.parameters, values, strict=True):
        node, _, short = info.name.rpartition(".")
        found.setdefault(node, {})[short] = array
    return found
