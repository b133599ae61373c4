# SPDX-License-Identifier: Apache-2.0
"""The chain rule by hand: forward, backward, gradients, and soft updates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.arguments import boolean, thread_count
from chainrule.inputs.arrays import as_features
from chainrule.inputs.several import by_name, core_rows
from chainrule.network.compiled import Compiled
from chainrule.network.weights import checked_arrays

__all__ = ["backward", "forward", "gradients", "interpolate", "set_gradients"]


def forward(
    net: Compiled, x: object, *, training: bool = True, num_threads: int | None = None
) -> Any:
    """Run the layers and keep what `backward` needs.

    Parameters
    ----------
    x : array_like of shape (rows, inputs)
        One batch.
    training : bool, default True
        Whether dropout drops and batch normalisation uses (and tracks) the batch's statistics.
    num_threads : int, optional
        As in `fit`.

    Returns
    -------
    ndarray of shape (rows, outputs), or dict
        The outputs; several by name.

    Raises
    ------
    ValueError
        If `x` does not fit, or has one row in training where there is a `BatchNormalization`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.set_weights([[[3.0], [1.0]], [0.5]])
    >>> net.forward([[1.0, 2.0]])
    array([[5.5]], dtype=float32)
    """
    threads = thread_count(num_threads)
    if net._takes_in_place(x):  # there is nothing to build or to learn from it
        return _forward(net, x, training, threads)
    with net._rollback_build(x):
        features = net._features(x)
        if training:
            net._learn_feature_names(x)
        return _forward(net, core_rows(features), training, threads)


def _forward(net: Compiled, rows: Any, training: bool, threads: int) -> Any:
    """Run the layers on rows as the core takes them."""
    outputs = net._built_core().forward(rows, boolean("training", training), threads)
    if training:  # which moves running statistics
        net._changing()
    return net._shaped(outputs)


def backward(net: Compiled, dy: Any) -> Any:
    """Carry the gradient of a loss from the outputs back to the inputs.

    Parameters
    ----------
    dy : array_like of shape (rows, outputs), or mapping or sequence of such
        d loss / d outputs of the last `forward`.

    Returns
    -------
    ndarray of shape (rows, inputs), or dict
        d loss / d x; of several inputs by name. The parameters' gradients are in `gradients`.

    Raises
    ------
    RuntimeError
        If there was no `forward` since the weights last changed.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.set_weights([[[3.0], [1.0]], [0.5]])
    >>> y = net.forward([[1.0, 2.0]])
    >>> net.backward([[1.0]])
    array([[3., 1.]], dtype=float32)
    >>> net.gradients["0.weight"].ravel()
    array([1., 2.], dtype=float32)
    """
    core = net._built_core()
    assert net._graph is not None
    names = net._graph.outputs
    if len(names) == 1:
        return net._shaped_inputs(core.backward(as_features(dy, name="dy")))
    parts: list[NDArray[Any]] = []
    for name, given in zip(names, by_name("dy", "output", dy, names), strict=True):
        part = as_features(given, name=f"dy[{name!r}]")
        columns = math.prod(net._shapes[name])
        if part.shape[1] != columns:
            raise ValueError(f"dy[{name!r}] has {part.shape[1]} columns, expected {columns}")
        if parts and len(part) != len(parts[0]):
            raise ValueError(f"dy[{name!r}] has {len(part)} rows, dy[{names[0]!r}] {len(parts[0])}")
        parts.append(part)
    return net._shaped_inputs(core.backward(np.concatenate(parts, axis=1, dtype=net.dtype)))


def gradients(net: Compiled) -> dict[str, NDArray[Any]]:
    """Return copies of the gradients by parameter name."""
    core = net._built_core()
    return {p.name: core.get_gradient(p.name) for p in core.parameters if p.trainable}


def set_gradients(net: Compiled, gradients: Mapping[str, ArrayLike], *, others_zero: bool) -> None:
    """Set gradients; those that are not given become 0, or stay."""
    net._built_core().set_gradients(_checked_gradients(net, gradients), others_zero)


def _checked_gradients(net: Compiled, gradients: object) -> dict[str, NDArray[Any]]:
    """Return gradients as the core takes them."""
    if not isinstance(gradients, Mapping):
        raise TypeError(f"gradients must map names of parameters to arrays, got {gradients!r:.80}")
    parameters = net._built_core().parameters
    shapes = {p.name: p.shape for p in parameters if p.trainable}
    return checked_arrays(net, gradients, shapes, "gradients")


def interpolate(net: Compiled, source: Compiled, tau: float) -> None:
    """Move all parameters towards those of another network: a target network's soft update.

    Each parameter p, and each running statistic, becomes ``p + tau * (q - p)`` with the other
    network's q, worked out in the networks' dtype; for ``tau=1`` exactly q. The optimizer's
    state stays.

    Parameters
    ----------
    source : Sequential
        A network of the same layers and dtype.
    tau : float
        From 0, which changes nothing, to 1, which copies.

    Raises
    ------
    TypeError, ValueError
        If `source` is no such network or `tau` no number from 0 to 1.

    Examples
    --------
    >>> import copy
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> target = copy.deepcopy(net)
    >>> net.set_weights([[[1.0], [1.0]], [1.0]])
    >>> target.interpolate(net, 0.25)
    >>> target.parameters["0.bias"]
    array([0.25], dtype=float32)
    """
    if not isinstance(source, Compiled):
        raise TypeError(f"source must be a network, got {source!r:.80}")
    if isinstance(tau, bool) or not isinstance(tau, int | float | np.integer | np.floating):
        raise TypeError(f"tau must be a number, got {tau!r:.80}")
    if net.dtype != source.dtype:
        raise ValueError(f"source has dtype {source.dtype}, this network has {net.dtype}")
    core: Any = net._built_core()
    core.interpolate(source._built_core(), float(tau))
    net._changing()
