# SPDX-License-Identifier: Apache-2.0
"""Outputs for rows, in inference mode."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.arguments import AUTO, boolean, positive_integer, sparsity_name, thread_count
from chainrule.inputs.arrays import check_output
from chainrule.inputs.dataset import Dataset
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.network.compiled import Compiled
from chainrule.network.lazy_training import predict_lazily
from chainrule.network.measuring import INFERENCE_ROWS
from chainrule.network.output_losses import OutputLosses
from chainrule.network.training_data import rows_of

__all__ = ["linked", "predict", "predict_proba"]


def predict(
    net: Compiled,
    x: object,
    *,
    batch_size: int = INFERENCE_ROWS,
    num_threads: int | None = None,
    input_sparsity: str = AUTO,
    out: NDArray[Any] | None = None,
    squeeze: bool = False,
) -> Any:
    """Return the last layer's outputs; each row's bits are independent of the other rows.

    Parameters
    ----------
    x : array_like of shape (rows, inputs), or mapping or sequence of such
        As in `fit`, a `Dataset` too; one row may be given as (inputs,). What is not in memory is
        read a batch at a time.
    batch_size : int, default 256
        Rows worked on at a time.
    num_threads : int, optional
        As in `fit`.
    input_sparsity : {"auto", "dense", "sparse"}, default "auto"
        As in `fit`.
    out : ndarray of shape (rows, outputs), optional
        C-contiguous, of the network's dtype; filled and returned.
    squeeze : bool, default False
        Leave out the second axis where there is one output.

    Returns
    -------
    ndarray of shape (rows, outputs), or dict
        Of the network's dtype; several outputs by name. A single output is a column, (rows, 1):
        ``y - net.predict(x)`` with y of shape (rows,) would be all pairs of rows, (rows, rows).
        ``squeeze=True`` gives (rows,), which shares memory with `out`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.set_weights([[[3.0], [1.0]], [0.5]])
    >>> net.predict([[1.0, 2.0], [0.0, 0.0]])
    array([[5.5],
           [0.5]], dtype=float32)
    """
    if squeeze is not False:
        alone = boolean("squeeze", squeeze)
        whole = predict(
            net,
            x,
            batch_size=batch_size,
            num_threads=num_threads,
            input_sparsity=input_sparsity,
            out=out,
        )
        if isinstance(whole, dict):
            return {name: _squeezed(part, alone) for name, part in whole.items()}
        return _squeezed(whole, alone)
    core = net._core
    nothing_given = num_threads is None and input_sparsity is AUTO
    if nothing_given and core is not None and net._shared is None:
        outputs: NDArray[Any] | None = core.predict_in_place(x, batch_size, out)
        if outputs is not None:
            return outputs if net._gives_table else net._shaped(outputs)
    rows = positive_integer("batch_size", batch_size)
    threads = thread_count(num_threads)
    path = sparsity_name(input_sparsity)
    with net._rollback_build():
        if isinstance(x, Dataset):
            features = rows_of(net, x)
        else:
            features = net._rows_wherever(x, allow_single=True)
        if out is not None and len(net._output_shapes) > 1:
            raise ValueError("out needs a network of one output")
        if out is not None:
            check_output(out, (len(features), net.outputs), net.dtype)
        if isinstance(features, LazyRows):
            if out is None:
                out = np.empty((len(features), net.outputs), net.dtype)
            try:
                outputs = predict_lazily(net._built_core(), features, out, rows, threads, path)
            finally:
                if isinstance(x, Dataset):
                    x._end_passes()
            return net._shaped(outputs)
    return net._shaped(net._built_core().predict(core_rows(features), rows, threads, path, out))


def _squeezed(outputs: NDArray[Any], alone: bool) -> NDArray[Any]:
    return outputs[:, 0] if alone and outputs.shape[1] == 1 else outputs


def predict_proba(
    net: Compiled, x: object, *, batch_size: int = INFERENCE_ROWS, num_threads: int | None = None
) -> Any:
    """Return probabilities: `predict` through the loss's link (softmax, sigmoid, exp).

    A network whose last activation is already that link is not changed twice.

    Raises
    ------
    ValueError
        If the network has no loss yet or its loss has no link.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.compile(loss="binary_cross_entropy")
    >>> net.set_weights([[[3.0], [1.0]], [0.0]])
    >>> net.predict_proba([[0.0, 0.0]])
    array([[0.5]], dtype=float32)
    """
    net._link_to_apply()  # raises where there is none
    return linked(net, predict(net, x, batch_size=batch_size, num_threads=num_threads))


def linked(net: Compiled, outputs: Any) -> Any:
    """Return outputs, of several by name, which become probabilities in place."""
    loss = net._chosen_loss(None)
    losses = loss.losses if isinstance(loss, OutputLosses) else [loss]
    parts = outputs.values() if isinstance(outputs, dict) else [outputs]
    for index, (part, one) in enumerate(zip(parts, losses, strict=True)):
        if net._link_to_apply(index) != "linear":
            _core.apply_link(one._core, part.reshape(-1, part.shape[-1]))
    return outputs
