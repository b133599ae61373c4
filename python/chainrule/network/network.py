# SPDX-License-Identifier: Apache-2.0
"""The network that users hold: what it is made of, and all that it does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from numpy.typing import ArrayLike, NDArray

from chainrule import _core, optimizers
from chainrule.layers import Layer
from chainrule.names import names_arguments, unknown_name
from chainrule.network import (
    adaptation,
    composing,
    copying,
    describing,
    examining,
    fitting,
    freezing,
    manual_backprop,
    predicting,
    predictor,
    second_order,
    sharing,
    single_steps,
    weights,
)
from chainrule.network.compiled import Compiled
from chainrule.network.core_network import make_core
from chainrule.network.first_layers import FirstLayers, first_layers
from chainrule.network.fitting import AnyLoss, AnyMetrics
from chainrule.network.graph import Graph, Inputs, Outputs, trace
from chainrule.network.measuring import resolve_metrics
from chainrule.network.saved_training import training_state

if TYPE_CHECKING:
    from chainrule.optimizers import Optimizer

__all__ = ["Network"]

N = TypeVar("N", bound="Network")


class Network(Compiled):
    """A graph of layers, which leads from one or more inputs to one or more outputs.

    Layers, called with what `Input` and other layers give, say what the graph is. A layer that is
    called several times is one set of parameters that is used several times; its gradient is the
    sum over the calls. A network can be called in the same way: the new network then shares the
    parameters of the old one.

    Parameters
    ----------
    inputs : Input, or sequence or mapping of them
        What the network reads; a mapping names them.
    outputs : SymbolicTensor, or sequence or mapping of them
        What it gives; a mapping names them.
    seed : int, optional
        Decides initial weights, the order of rows and dropout. The same seed and data give the
        same bits for any number of threads and any instruction set. None: a random seed, which
        `seed` tells. Networks within this one keep their weights, whatever their seeds.
    dtype : {"float32", "float64"}, default "float32"
        Precision of parameters and arithmetic.
    name : str, optional
        What its nodes' names begin with within another network.

    Attributes
    ----------
    layers : list of Layer
        The layers in the order in which they were called, without `Input`.
    history : History
        What every epoch of training so far gave.
    target_name : str or None
        What the targets are called, such as their column in a file; kept in model files.
    table : dict or None
        What a `chainrule.sklearn.TabularClassifier` or `TabularRegressor` that has saved the
        network knows of its table: columns, categories, labels.

    Raises
    ------
    TypeError
        If something else than symbolic tensors is given.
    ValueError
        If an output needs an input that is not given, an input leads to no output, two nodes have
        one name, or shapes do not fit. The text names the node.

    Notes
    -----
    A node is called as its layer's `name` says, or after the layer's kind with a number from the
    second on: "dense", "dense_1". Parameters are called after their nodes: "dense.weight". The
    second call of "tower" is the node "tower/1", and "encoder/dense" is the node "dense" of a
    network `encoder` within this one.

    Parameters live in the layout that the kernels want, so the arrays that `parameters`,
    `get_weights` and `gradients` give are copies of shape (inputs, units) and (units,).

    Any number of threads may predict, evaluate, copy and save a network at once. What changes it
    (`fit`, `train_on_batch`, `forward`, `set_weights` and the like) needs it alone: meanwhile other
    threads get a `RuntimeError`; between two epochs of a `fit` they may predict. `copy.deepcopy`
    gives a thread a network of its own. Copies and pickles are of the network's own class
    and keep the attributes that a subclass adds; `copy.copy` shares these with the copy, and
    nothing else.

    Networks that share parameters have memory of their own all the same: each takes over what
    another changed when it is used next. So they are trained one after the other, not by two
    threads at once. Each has an optimizer of its own. Copies and model files share nothing.

    Examples
    --------
    A residual connection:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = cr.Input(4)
    >>> h = cr.Dense(8, activation="relu")(x)
    >>> h = h + cr.Dense(8, activation="relu")(h)
    >>> net = cr.Network(inputs=x, outputs=cr.Dense(1, name="y")(h), seed=0)
    >>> net.predict(np.ones((3, 4))).shape
    (3, 1)
    >>> list(net.parameters)[-2:]
    ['y.weight', 'y.bias']
    """

    @names_arguments
    def __init__(
        self,
        inputs: Inputs,
        outputs: Outputs,
        *,
        seed: int | None = None,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        graph = trace(inputs, outputs)
        super().__init__(graph.layers, graph, seed, dtype, name)
        owners = ((node, owner.network, owner.node) for node, owner in graph.owners.items())
        sharing.share(self, owners)

    @classmethod
    def _of(cls, graph: Graph, seed: int, dtype: str) -> Network:
        """Return the network of a graph, whose core the caller has."""
        net = cls.__new__(cls)
        Compiled.__init__(net, graph.layers, None, seed, dtype, None)
        return net

    @staticmethod
    def _made(graph: Graph, seed: int, dtype: str) -> Network:
        """Return a new network of a graph."""
        net = Network._of(graph, seed, dtype)
        net._core, net._graph = make_core(graph, seed, dtype), graph
        return net

    def subnetwork(self, outputs: str | Sequence[str]) -> Network:
        """Return the part that leads to some nodes, as a network that shares the parameters.

        Parameters
        ----------
        outputs : str or sequence of str
            Names of nodes, which become its outputs.

        Returns
        -------
        Network
            It can predict, be trained, and be called as a layer, as in transfer learning.

        Raises
        ------
        ValueError
            If there is no such node.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> trained = cr.Sequential([cr.Input(4), cr.Dense(3), cr.Dense(2)], seed=0)
        >>> features = trained.subnetwork("0")
        >>> features.predict(np.ones((5, 4))).shape
        (5, 3)
        >>> x = cr.Input(4)
        >>> net = cr.Network(inputs=x, outputs=cr.Dense(7)(features(x)), seed=0)
        >>> list(net.parameters)
        ['network/0.weight', 'network/0.bias', 'dense.weight', 'dense.bias']
        """
        self._built_core()
        assert self._graph is not None
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        nodes = [node.name for node in self._graph.nodes if node.layer is not None]
        for name in names:
            if name not in nodes:
                raise ValueError(unknown_name("node", name, nodes))
        graph = self._graph.leading_to(names)
        net = Network._made(graph, self.seed, self.dtype)
        # A node may have been the second call of a layer whose first one is left out.
        own = ((n.name, self, self._graph[n.name].shares or n.name) for n in graph.nodes)
        sharing.share(net, own)
        return net

    @overload
    def __getitem__(self, name: str) -> Layer: ...
    @overload
    def __getitem__(self, name: slice) -> FirstLayers: ...
    def __getitem__(self, name: str | slice) -> Layer | FirstLayers:
        """Return the layer of the node of this name, or for ``net[:k]`` what leads to the k-th.

        Nodes count without inputs.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> x = cr.Input(4)
        >>> h = cr.Dense(3, activation="relu")(x)
        >>> net = cr.Network(inputs=x, outputs=cr.Dense(2, name="y")(h))
        >>> net["y"]
        Dense(2, name='y')
        >>> net[:1].predict(np.ones((5, 4))).shape
        (5, 3)
        """
        if isinstance(name, slice):
            assert self._graph is not None
            count = sum(node.layer is not None for node in self._graph.nodes)
            return first_layers(self, name, count)
        if not isinstance(name, str):
            raise TypeError(f"nodes have names, got {name!r:.80}")
        nodes = {} if self._graph is None else {n.name: n for n in self._graph.nodes if n.layer}
        if name not in nodes:
            raise KeyError(unknown_name("node", name, nodes))
        layer = nodes[name].layer
        assert layer is not None
        return layer

    def __len__(self) -> int:
        """Return the number of layers, without `Input`."""
        return len(self.layers)

    __call__ = composing.compose
    diagnose = examining.diagnose
    explain = examining.explain
    freeze = freezing.freeze
    unfreeze = freezing.unfreeze
    summary = describing.summary
    plot = describing.plot
    plan = describing.plan
    get_weights = weights.get_weights
    set_weights = weights.set_weights
    count_params = weights.count_params
    _best_weights = weights.best_weights
    adapt = adaptation.adapt
    fit = fitting.fit
    train_on_batch = single_steps.train_on_batch
    evaluate = fitting.evaluate
    predict = predicting.predict
    predict_proba = predicting.predict_proba
    quantize = predictor.quantize
    forward = manual_backprop.forward
    backward = manual_backprop.backward
    interpolate = manual_backprop.interpolate
    hessian_vector = second_order.hessian_vector
    hessian = second_order.hessian
    hessian_eigenvalues = second_order.hessian_eigenvalues
    laplace = second_order.laplace

    @property
    def gradients(self) -> dict[str, NDArray[Any]]:
        """Copies of the gradients by parameter name: the last `backward`'s, or what was set.

        Set, all of them or some by name, they are what an optimizer's next step takes: gradients
        that were added up over several batches, clipped, or worked out elsewhere. Those that are
        not given stay; where there were none yet, they are 0.

        Raises
        ------
        RuntimeError
            If there are none.
        TypeError, ValueError
            When set, if a name is not that of a trained parameter, a shape differs, or a value is
            no finite real number; no gradient has changed then.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1, use_bias=False)], seed=0)
        >>> net.set_weights([[[0.0], [0.0]]])
        >>> net.gradients = {"0.weight": [[2.0], [4.0]]}
        >>> cr.SGD(0.5).step(net)
        >>> net.parameters["0.weight"]
        array([[-1.],
               [-2.]], dtype=float32)
        """
        return manual_backprop.gradients(self)

    @gradients.setter
    def gradients(self, gradients: Mapping[str, ArrayLike]) -> None:
        manual_backprop.set_gradients(self, gradients, others_zero=False)

    def _hand_over(self, gradients: Mapping[str, ArrayLike]) -> None:
        """Set all gradients, those that are not given to 0; `Optimizer.step` calls it."""
        manual_backprop.set_gradients(self, gradients, others_zero=True)

    @property
    def activations(self) -> list[NDArray[Any] | None]:
        """Copies of what each layer gave in the last `forward`, of shape (rows, units).

        None stands for a `CategoryEncoding`, of which the next layer reads the categories alone.

        Raises
        ------
        RuntimeError
            If there was no `forward`.

        Examples
        --------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="relu"), cr.Dense(1)], seed=0)
        >>> outputs = net.forward(np.ones((4, 2)))
        >>> [a.shape for a in net.activations]
        [(4, 3), (4, 1)]
        """
        return self._built_core().activations()

    def compile(
        self,
        *,
        loss: AnyLoss = None,
        loss_weights: Mapping[str, float] | Sequence[float] | None = None,
        optimizer: str | Optimizer | None = None,
        metrics: AnyMetrics = None,
    ) -> None:
        """Give once what `fit`, `train_on_batch` and `evaluate` otherwise take each time.

        Parameters
        ----------
        loss, loss_weights, optimizer, metrics
            As in `fit`; what is None stays as it is.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
        >>> net.compile(loss="mse", optimizer=cr.SGD(0.1))
        """
        if loss is not None or loss_weights is not None:
            self.loss = self._chosen_loss(loss, loss_weights)
        if optimizer is not None:
            self._use_optimizer(optimizers.get(optimizer))
        if metrics is not None:
            self.metrics = resolve_metrics(metrics, self.loss)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network with its training state to a safetensors file.

        The file is written under a temporary name and renamed, so an interruption leaves the old
        file or the new one. What is a function of the caller's, such as a learning rate or a
        metric, cannot be kept; of a learning rate its first value is.

        A file that a callback writes after a batch says so: the next `fit` of the network that is
        loaded from it, on as many rows with the same `batch_size` and `shuffle`, does the epoch's
        other batches first, to the bits of a training without the break. Metrics of the training
        rows are then, for that epoch, those of the rows since. Another ``fit`` begins an epoch.

        Parameters
        ----------
        path : path-like
            Customarily ending in ``.safetensors``.

        Examples
        --------
        >>> import tempfile
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
        >>> net.save(f"{tempfile.mkdtemp()}/net.safetensors")
        """
        _core.save_model(os.fsencode(path), self._built_core(), training_state(self))

    def __getstate__(self) -> Any:
        """Return the attributes: a dict, or with slots a pair of dicts, as Python 3.11 does."""
        return copying.attributes_of(self)

    def __copy__(self: N) -> N:
        """Copy the network; what a subclass has added is shared."""
        return copying.copied(self)

    def __deepcopy__(self: N, memo: dict[int, Any]) -> N:
        """Copy the network with its parameters and the state of its training."""
        return copying.deeply_copied(self, memo)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the compiled network as the bytes of a model file."""
        return copying.pickled(self)

    def __repr__(self) -> str:
        """Return inputs, outputs and the number of layers."""
        assert self._graph is not None
        inputs = ", ".join(node.name for node in self._graph.inputs)
        outputs = ", ".join(self._graph.outputs)
        return f"<{type(self).__name__} of {len(self)} layers: {inputs} -> {outputs}>"
