# SPDX-License-Identifier: Apache-2.0
"""The network that users hold: what is trained predicts, is saved and is copied."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.arguments import boolean, positive_integer, sparsity_name, thread_count
from chainrule.inputs.arrays import check_output
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.network.copied import Copied
from chainrule.network.lazy_training import predict_lazily
from chainrule.network.saved_training import training_state
from chainrule.network.training import INFERENCE_ROWS

if TYPE_CHECKING:
    from chainrule.callbacks import Record
    from chainrule.explanation.explain import Explanation
    from chainrule.losses import Loss
    from chainrule.optimizers import Optimizer

__all__ = ["Sequential"]


class Sequential(Copied):
    """A stack of layers, each fed by the one before.

    Parameters
    ----------
    layers : sequence of Layer
        May begin with `Input`, which fixes the number of inputs; without it they are learnt from
        the first data.
    seed : int, optional
        Decides initial weights, the order of rows and dropout. The same seed and data give the
        same bits for any number of threads and any instruction set. None: a random seed, which
        `seed` tells.
    dtype : {"float32", "float64"}, default "float32"
        Precision of parameters and arithmetic.

    Attributes
    ----------
    layers : list of Layer
        The layers, without `Input`.
    history : History
        What every epoch of training so far gave.
    target_name : str or None
        What the targets are called, such as their column in a file; kept in model files.

    Notes
    -----
    Parameters live in the layout that the kernels want, so the arrays that `parameters`,
    `get_weights` and `gradients` give are copies of shape (inputs, units) and (units,).

    Any number of threads may predict, evaluate, copy and save a network at once. What changes it
    (`fit`, `train_on_batch`, `forward`, `set_weights` and the like) needs it alone: meanwhile other
    threads get a `RuntimeError`; between two epochs of a `fit` they may predict. `copy.deepcopy`
    gives a thread a network of its own. Copies and pickles are of the network's own class
    and keep the attributes that a subclass adds; `copy.copy` shares these with the copy, and
    nothing else.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential(
    ...     [cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0
    ... )
    >>> history = net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=5, verbose=0)
    >>> net.evaluate(x, y)["accuracy"] > 0.95
    True
    """

    def predict(
        self,
        x: object,
        *,
        batch_size: int = INFERENCE_ROWS,
        num_threads: int | None = None,
        input_sparsity: str = "auto",
        out: NDArray[Any] | None = None,
        squeeze: bool = False,
    ) -> NDArray[Any]:
        """Return the last layer's outputs; each row's bits are independent of the other rows.

        Parameters
        ----------
        x : array_like of shape (rows, inputs)
            As in `fit`; one row may be given as (inputs,). What is not in memory is read a batch
            at a time.
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
        ndarray of shape (rows, outputs)
            Of the network's dtype. A single output is a column, (rows, 1): ``y - net.predict(x)``
            with y of shape (rows,) would be all pairs of rows, (rows, rows). ``squeeze=True`` gives
            (rows,), which shares memory with `out`.
        """
        if squeeze is not False:
            alone = boolean("squeeze", squeeze)
            whole = self.predict(
                x,
                batch_size=batch_size,
                num_threads=num_threads,
                input_sparsity=input_sparsity,
                out=out,
            )
            return whole[:, 0] if alone and whole.shape[1] == 1 else whole
        usual = num_threads is None and input_sparsity == "auto" and type(batch_size) is int
        if self._core is not None and usual:
            outputs: NDArray[Any] | None = self._core.predict_in_place(x, batch_size, out)
            if outputs is not None:
                return outputs
        rows = positive_integer("batch_size", batch_size)
        threads = thread_count(num_threads)
        path = sparsity_name(input_sparsity)
        with self._rollback_build():
            features = self._rows_wherever(x, allow_single=True)
            if out is not None:
                check_output(out, (len(features), self.outputs), self.dtype)
            if isinstance(features, LazyRows):
                if out is None:
                    out = np.empty((len(features), self.outputs), self.dtype)
                core = self._built_core()
                return predict_lazily(core, features, out, rows, threads, path)
        return self._built_core().predict(features, rows, threads, path, out)

    def predict_proba(
        self, x: object, *, batch_size: int = INFERENCE_ROWS, num_threads: int | None = None
    ) -> NDArray[Any]:
        """Return probabilities: `predict` through the loss's link (softmax, sigmoid, exp).

        A network whose last activation is already that link is not changed twice.

        Raises
        ------
        ValueError
            If the network has no loss yet or its loss has no link.
        """
        loss = self._chosen_loss(None)
        link = self._link_to_apply()
        outputs = self.predict(x, batch_size=batch_size, num_threads=num_threads)
        if link != "linear":
            _core.apply_link(loss._core, outputs)
        return outputs

    def _link_to_apply(self) -> str:
        """Return what makes probabilities of the outputs: "linear" if they are such already."""
        loss = self._chosen_loss(None)
        link = str(loss._core.link)
        if link == "identity":
            raise ValueError(f"{loss.kind} has no link to probabilities; use predict")
        own = self._ends_with(link) and not loss.from_logits
        return "linear" if own else link

    def explain(
        self,
        row: object,
        target: object,
        *,
        loss: str | Loss | None = None,
        optimizer: str | Optimizer | None = None,
        record: Record | None = None,
        image_shape: Sequence[int] | None = None,
    ) -> Explanation:
        """Return a page on one row's way through the network and back: every value and gradient.

        All numbers are the core's, of a float64 copy: sums spelt out term by term, local
        derivatives, gradients beside finite differences, and what the optimizer would do next.

        Parameters
        ----------
        row : array_like of shape (inputs,) or (height, width)
            One row, or one image.
        target : int, str, float or array_like
            Its label or its target, as `fit` takes them.
        loss : str or Loss, optional
            Default: the one last used.
        optimizer : str or Optimizer, optional
            Whose first step, from this row alone, is shown. Default: the one last used, else Adam.
        record : chainrule.callbacks.Record, optional
            Steps of the training, which a slider goes through.
        image_shape : (height, width), optional
            How to draw a row that is an image; by default a square, if its length is one.

        Returns
        -------
        Explanation
            For notebooks, or with ``save("page.html")``: one file, which loads nothing else.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit, or the network is too large for a page.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="tanh"), cr.Dense(1)], seed=0)
        >>> net.explain([0.5, -1.0], [0.25], loss="mse")
        <Explanation: mse = 0.0299, 4 units, ... kB>
        """
        from chainrule.explanation.explain import explain

        return explain(
            self,
            row,
            target,
            loss=loss,
            optimizer=optimizer,
            record=record,
            image_shape=image_shape,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network with its training state to a safetensors file.

        The file is written under a temporary name and renamed, so an interruption leaves the old
        file or the new one. What is a function of the caller's, such as a learning rate or a
        metric, cannot be kept; of a learning rate its first value is.

        Parameters
        ----------
        path : path-like
            Customarily ending in ``.safetensors``.
        """
        _core.save_model(os.fsencode(path), self._built_core(), training_state(self))
