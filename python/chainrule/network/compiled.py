# SPDX-License-Identifier: Apache-2.0
"""What a network consists of: its graph, the compiled core, and what it is trained by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core, optimizers
from chainrule.arguments import seed_number
from chainrule.callbacks.states import CallbackStates
from chainrule.inputs.several import by_name
from chainrule.layers import Activation, Average, Dense, Layer
from chainrule.layers.layer import checked_name
from chainrule.names import unknown_name
from chainrule.network.core_network import CORE_NETWORKS, CoreNetwork, make_core
from chainrule.network.graph import Graph
from chainrule.network.history import History
from chainrule.network.output_losses import OutputLosses, chosen_loss, is_by_output
from chainrule.network.reading import Reading
from chainrule.network.sharing import SharedParameters

if TYPE_CHECKING:
    from chainrule.network.epoch_under_way import EpochUnderWay
    from chainrule.optimizers import AnyOptimizer
    from chainrule.schedules import Schedule

__all__ = ["Compiled"]


class Compiled(Reading):
    """What `Network` holds, and the checks that its methods have in common.

    Parameters
    ----------
    layers : sequence of Layer
        Those of the graph.
    graph : Graph, optional
        The graph, unless the shape of the input is not known yet.
    seed, dtype, name
        As for `Network`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        graph: Graph | None,
        seed: int | None,
        dtype: str,
        name: str | None,
    ) -> None:
        self.layers = list(layers)
        self.dtype = _dtype_name(dtype)
        self.seed = seed_number(seed)
        self.name = checked_name(type(self).__name__, name)
        self.history = History()
        self.loss: Any = None  # Loss, or OutputLosses
        self._lost_loss: str | None = None  # a function that the network's file could not hold
        self.optimizer: AnyOptimizer | None = None
        self.metrics: Any = None  # a list of Metric, or one for each output
        self.target_name: str | None = None
        self.table: dict[str, Any] | None = None
        self._schedule_origin = 0
        # Of learning rate and weight decay, which the origin is for.
        self._schedules: tuple[Schedule | None, Schedule | None] = None, None
        self._callback_states = CallbackStates()
        self._under_way: EpochUnderWay | None = None
        self._training = _core.TrainingLock()
        self._core: CoreNetwork | None = None
        self._graph = graph
        self._known_shapes: dict[str, tuple[int, ...]] = {}
        self._gives_table = False  # known to have one output, of one axis
        self._shared: SharedParameters | None = None
        if graph is not None:
            self._core = make_core(graph, self.seed, self.dtype)

    @property
    def built(self) -> bool:
        """Whether the number of inputs is known and the parameters exist."""
        return self._core is not None

    @property
    def inputs(self) -> int | None:
        """Columns of x, or None while unknown."""
        return None if self._core is None else self._core.inputs

    @property
    def outputs(self) -> int:
        """Columns of the output."""
        return self._built_core().outputs

    @property
    def parameters(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters by name, "<node>.<array>": ``{"0.weight": (in, out), ...}``.

        Examples
        --------
        >>> import chainrule as cr
        >>> list(cr.Sequential([cr.Input(2), cr.Dense(1)]).parameters)
        ['0.weight', '0.bias']
        """
        core = self._built_core()
        return {p.name: core.get_parameter(p.name) for p in core.parameters}

    def build(self, inputs: int) -> None:
        """Raise ValueError unless the network reads `inputs` columns; a subclass may create it."""
        expected = self._built_core().inputs
        if inputs != expected:
            raise ValueError(f"x has {inputs} columns; the network expects {expected}")

    def _built_core(self) -> CoreNetwork:
        """Return the compiled network, with what others made of parameters that it shares."""
        if self._core is None:
            raise RuntimeError(
                "the number of inputs is not known yet: begin the layers with Input(n), "
                "call build(n) or fit"
            )
        if self._shared is not None:
            self._shared.update(self)
        return self._core

    def _changing(self) -> None:
        """Say that the parameters change now, to those who share them."""
        if self._shared is not None and self._core is not None:
            self._shared.update(self)
            self._shared.take_over(self)

    def _use_optimizer(self, optimizer: AnyOptimizer) -> None:
        schedules = optimizer.schedule, optimizer.weight_decay_schedule
        # A new schedule counts its steps from here; the same ones go on.
        pairs = zip(schedules, self._schedules, strict=True)
        begins = any(new is not None and new != old for new, old in pairs)
        if begins and self._core is not None:
            self._schedule_origin = self._core.total_steps
        self._schedules = schedules
        self.optimizer = optimizer

    def _step(self, optimizer: _core.Optimizer, learning_rate: float) -> None:
        """One optimizer step from the last gradients; `Optimizer.step` calls it."""
        # The optimizer that owns the state has to be known, or a model file could not keep it.
        owner = self.optimizer
        stepping = isinstance(owner, optimizers.Optimizer)
        if not stepping or not owner._core.remembers_as(optimizer):  # type: ignore[union-attr]
            owner = optimizers.get(optimizer.config)
        self._built_core().step(optimizer, learning_rate)
        self._changing()
        if owner is not self.optimizer:
            assert owner is not None
            self._use_optimizer(owner)

    def _chosen_loss(self, given: Any, weights: Any = None) -> Any:
        """Return the loss to use, of several outputs `OutputLosses`."""
        names = () if self._graph is None else self._graph.outputs
        if len(names) > 1:
            chosen = self.loss if given is None else given
            if chosen is None:
                raise ValueError(self._no_loss(f"one for each output ({', '.join(names)})"))
            columns = [math.prod(self._output_shapes[name]) for name in names]
            return OutputLosses(names, columns, chosen, weights, self.loss)
        if weights is not None:
            raise ValueError("loss_weights needs a network of several outputs")
        if given is None:
            if self.loss is None:
                raise ValueError(self._no_loss('one, such as loss="cross_entropy"'))
            return self.loss
        if isinstance(given, Mapping) and names and is_by_output(given, names):
            (given,) = by_name("loss", "output", given, names)
        return chosen_loss(given, self.loss)

    def _no_loss(self, wanted: str) -> str:
        if self._lost_loss is None:
            return f"the network has no loss yet: give {wanted}"
        return (
            f"the network was trained with the function {self._lost_loss} as its loss, which its "
            f"file could not hold: give loss={self._lost_loss} again"
        )

    @property
    def _adapted(self) -> bool:
        """Whether all layers that adapt to data have done so."""
        return self._core is not None and self._core.adapted

    @property
    def _frozen(self) -> set[str]:
        """The nodes that training leaves as they are."""
        return {
            node["name"] for node in self._built_core().nodes if not node.get("trainable", True)
        }

    def _unadapted(self) -> bool:
        """Whether a layer waits for what it takes from data."""
        return not self._adapted and any(layer.adapts for layer in self.layers)

    def _ends_with(self, link: str | None, output: int = 0) -> bool:
        """Whether the last activation of an output is already the loss's link."""
        graph = self._graph
        last: list[Layer | None] = [self.layers[-1]]
        if graph is not None:
            node = graph[graph.outputs[output]]
            last = [node.layer]
            if isinstance(node.layer, Average) and node.layer.independent:
                last = [graph[name].layer for name in node.inputs]
        return all(
            isinstance(layer, Dense | Activation) and layer.activation.config["kind"] == link
            for layer in last
        )

    def _link_to_apply(self, output: int = 0) -> str:
        """Return what makes probabilities of an output: "linear" if they are such already."""
        # Several outputs are left as they are, too.
        loss = self._chosen_loss(None)
        if isinstance(loss, OutputLosses):
            loss = loss.losses[output]
        elif loss._core.link == "identity":
            raise ValueError(f"{loss.kind} has no link to probabilities; use predict")
        link = str(loss._core.link)
        own = self._ends_with(link, output) and not loss.from_logits
        return "linear" if own or link == "identity" else link

    def _shaped(self, outputs: NDArray[Any]) -> Any:
        """Return the core's outputs in their shapes, several by name."""
        return outputs if self._gives_table else _parts(outputs, self._output_shapes)

    def _shaped_inputs(self, dx: NDArray[Any]) -> Any:
        """Return the core's gradients of inputs in their shapes, several by name."""
        assert self._graph is not None
        inputs = self._graph.inputs
        if len(inputs) == 1 and len(inputs[0].shape) == 1:
            return dx
        return _parts(dx, {node.name: node.shape for node in inputs})

    @property
    def _output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of a row of each output."""
        if not self._known_shapes:
            assert self._graph is not None
            shapes = self._shapes
            self._known_shapes = {name: shapes[name] for name in self._graph.outputs}
            self._gives_table = [len(shape) for shape in self._known_shapes.values()] == [1]
        return self._known_shapes

    def _output_shape(self, name: str | None = None) -> tuple[int, ...]:
        """Return the shape of a row of an output, by default the only one."""
        shapes = self._output_shapes
        return next(iter(shapes.values())) if name is None else shapes[name]

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of a row of each node."""
        assert self._graph is not None
        names = (node.name for node in self._graph.nodes)
        return dict(zip(names, self._built_core().shapes, strict=True))

    def _rollback_build(self, *data: object) -> _BuildRollback:
        """Forget parameters and names that were made for data which turned out not to fit."""
        return _BuildRollback(self, data)


class _BuildRollback:
    """The context of `_rollback_build`; one made by a generator would be slower."""

    __slots__ = ("_before", "_net", "unnamed")

    def __init__(self, net: Compiled, data: tuple[object, ...]) -> None:
        self._net = net
        self._before = net._core, net._graph
        self.unnamed = net._unnamed(data)

    def __enter__(self) -> None:
        """Nothing has to be done before."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Put back what was there, if something was raised."""
        if kind is not None:
            self._net._core, self._net._graph = self._before
            if self._net._core is not None:
                self._net._forget_names(self.unnamed)


def _parts(columns: NDArray[Any], shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """Return columns that stand side by side in shapes, by name where there are several."""
    if len(shapes) == 1:
        (shape,) = shapes.values()
        return columns if len(shape) == 1 else columns.reshape(len(columns), *shape)
    parts, first = {}, 0
    for name, shape in shapes.items():
        end = first + math.prod(shape)
        parts[name] = np.ascontiguousarray(columns[:, first:end]).reshape(len(columns), *shape)
        first = end
    return parts


def _dtype_name(dtype: object) -> str:
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    if name not in CORE_NETWORKS:
        raise ValueError(unknown_name("dtype", dtype, CORE_NETWORKS))
    return name
