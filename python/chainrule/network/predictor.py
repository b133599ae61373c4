# SPDX-License-Identifier: Apache-2.0
"""Predictions from a copy of a network's weights, in smaller numbers where asked for."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.arguments import boolean
from chainrule.inputs.arrays import check_output
from chainrule.inputs.compressed_rows import as_table
from chainrule.inputs.several import Several, core_rows
from chainrule.names import names_arguments
from chainrule.network.measuring import measure_predictions, metrics_for
from chainrule.network.predicting import predict
from chainrule.network.saved_training import training_state
from chainrule.network.training_data import make_dataset

if TYPE_CHECKING:
    from chainrule.network.compiled import Compiled

__all__ = ["Predictor", "quantize"]

_PREDICTORS: dict[str, Any] = {"float32": _core.Predictor32, "float64": _core.Predictor64}


class Predictor:
    """A copy of a network's weights that predicts, with small weights if asked for.

    A prediction of one row is mostly the reading of weights, so smaller ones make it quicker. A
    row's outputs have the same bits on every processor, alone or in any batch. C++'s class of the
    same name makes the same predictions without waiting or allocating.

    Parameters
    ----------
    net : Sequential or Network
        Built, without `Lambda` layers. It is not changed and may be trained on.
    weights : {"bf16", "int8"}, optional
        What the weights of dense layers become; the network must be of float32. Biases, embeddings
        and all other layers stay as they are. By default nothing is rounded, and predictions
        are those of the network.

        - ``"bf16"``: the upper 16 bits of a float32, rounded to nearest even. Predictions are those
          of a network with weights so rounded, to the bit.
        - ``"int8"``: q from -127 to 127 for a weight of s_j q, with a scale s_j for each column, as
          in [1]_. What enters a dense layer becomes an integer from 0 to 127 too, sums of products
          are exact, and biases are added in float32.
    calibration : array_like of shape (rows, inputs), optional
        With "int8", and needed there: rows like those that will be predicted. The range of what
        enters each dense layer is taken from them, but for one value of 10,000 at either end; what
        lies beyond it counts as its limit. Of many rows some are taken, at even distances.

    Raises
    ------
    ValueError
        If an argument does not fit, the network is of float64, a dense layer has more than 65,536
        inputs (int8), or a weight is not finite (int8).

    References
    ----------
    .. [1] Jacob et al., "Quantization and training of neural networks for efficient
       integer-arithmetic-only inference", CVPR 2018.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential([cr.Dense(64, activation="relu"), cr.Dense(10)], seed=0)
    >>> history = net.fit(x, y, loss="cross_entropy", epochs=5, verbose=0)
    >>> small = cr.Predictor(net, weights="int8", calibration=x)
    >>> bool((small.predict(x).argmax(1) == net.predict(x).argmax(1)).mean() > 0.99)
    True
    """

    @names_arguments
    def __init__(
        self, net: Compiled, weights: str | None = None, *, calibration: object = None
    ) -> None:
        core = net._built_core()
        if weights not in (None, "bf16", "int8"):
            raise ValueError(f"weights is {weights!r}, expected 'bf16', 'int8' or None")
        if (calibration is not None) != (weights == "int8"):
            raise ValueError(
                "weights='int8' needs calibration: rows like those that will be predicted"
                if weights == "int8"
                else f"calibration is for weights='int8', got weights={weights!r}"
            )
        made = _PREDICTORS[net.dtype]
        ranges = []
        if calibration is not None:
            ranges = made.calibrate(core, core_rows(net._as_rows(calibration)))
        self._keep(net, weights or "unchanged", ranges)

    def _keep(self, net: Compiled, weights: str, ranges: list[tuple[float, float]]) -> None:
        self._net = net
        self._ranges = ranges
        self._core: Any = _PREDICTORS[net.dtype](net._built_core(), weights, ranges)
        self.weights = None if weights == "unchanged" else weights

    @classmethod
    def _kept(cls, net: Compiled, weights: str, ranges: list[tuple[float, float]]) -> Predictor:
        """Return one that needs no calibration."""
        predictor = cls.__new__(cls)
        predictor._keep(net, weights, ranges)
        return predictor

    @names_arguments
    def predict(self, x: object, *, out: NDArray[Any] | None = None) -> Any:
        """Return the outputs of rows, worked out on the calling thread.

        Parameters
        ----------
        x : array_like of shape (rows, inputs), or mapping or sequence of such
            As for the network's ``predict``; one row may be given as (inputs,). Numbers are rounded
            to the network's dtype first.
        out : ndarray of shape (rows, outputs), optional
            C-contiguous, of the network's dtype; filled and returned.

        Returns
        -------
        ndarray of shape (rows, outputs), or dict
            Of the network's dtype; several outputs by name.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit, or a number is not finite.

        Examples
        --------
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
        >>> net.set_weights([[[3.0], [1.01]], [0.5]])
        >>> cr.Predictor(net, weights="bf16").predict([1.0, 2.0])
        array([[5.515625]], dtype=float32)
        """
        net = self._net
        rows = net._as_rows(x, allow_single=True)
        parts = [as_table(part) for part in (rows.parts if isinstance(rows, Several) else [rows])]
        table = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        values = np.ascontiguousarray(table, dtype=net.dtype)
        if out is not None:
            check_output(out, (len(values), net.outputs), net.dtype)
        return net._shaped(self._core.predict(values, out))

    def update(self) -> None:
        """Take over the network's present weights; the calibration stays."""
        self._core.update(self._net._built_core())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file of the weights as they are kept, after an `update`.

        It has a half (bf16) or a quarter (int8) of the size. `load_predictor` makes the same
        predictor of it, and C++ by what `load_model` gives; `load` makes a network of the rounded
        weights as float32, whose training begins with a fresh optimizer.

        Parameters
        ----------
        path : path-like
            Customarily ending in ``.safetensors``.

        Raises
        ------
        ValueError
            If a weight is not finite, or beyond what bf16 has.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
        >>> net.set_weights([[[3.0], [1.01]], [0.5]])
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "small.safetensors"
        >>> cr.Predictor(net, weights="bf16").save(path)
        >>> cr.load_predictor(path).predict([1.0, 2.0])
        array([[5.515625]], dtype=float32)
        >>> cr.load(path).get_weights()[0].tolist()
        [[3.0], [1.0078125]]
        """
        self.update()
        core, training = self._net._built_core(), training_state(self._net)
        weights = self.weights or "unchanged"
        _core.save_model(os.fsencode(path), core, training, weights, self._ranges)

    def __reduce__(self) -> Any:
        """Refuse to be copied: its weights may be older than the network's."""
        raise TypeError("a Predictor cannot be copied or pickled: make another of its network")


@names_arguments
def quantize(
    net: Compiled, x: object, y: object = None, *, weights: str = "int8", verbose: bool = True
) -> Predictor:
    """Return a `Predictor` with small weights, and print what that does to the metrics.

    Parameters
    ----------
    x : array_like of shape (rows, inputs), or mapping or sequence of such
        Rows like those that will be predicted, by which int8 is calibrated.
    y : array_like, optional
        Their targets, for the metrics before and after: those of the network, or the customary
        ones of its loss. Without them the largest change of an output is printed alone.
    weights : {"int8", "bf16"}, default "int8"
        As for `Predictor`.
    verbose : bool, default True
        Print.

    Returns
    -------
    Predictor

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.set_weights([[[3.0], [1.01]], [0.5]])
    >>> small = net.quantize([[1.0, 2.0]], weights="bf16")
    bf16: outputs change by up to 0.00437 (0.079 % of the largest)
    """
    say = boolean("verbose", verbose)
    made = Predictor(net, weights, calibration=x if weights == "int8" else None)
    if say:
        compare(net, made, x, y)
    return made


def compare(net: Compiled, small: Predictor, x: object, y: object) -> None:
    """Print how outputs change, and where there are targets the metrics before and after."""
    weights = small.weights
    before, after = _table(predict(net, x)), _table(small.predict(x))
    change, largest = float(np.abs(after - before).max()), float(np.abs(before).max())
    share = 100 * change / largest if largest else math.nan
    print(f"{weights}: outputs change by up to {change:.3g} ({share:.2g} % of the largest)")
    if y is None:
        return
    loss = net._chosen_loss(None, None)
    data = make_dataset(net, x, y, loss, None, None)
    metrics = metrics_for(loss, net.outputs, net.metrics, data.y)
    logs = [measure_predictions(net, loss, data, metrics, told) for told in (before, after)]
    for name, value in logs[0].items():
        if np.ndim(value) == 0:
            print(f"{weights}: {name} {value:.4f} -> {logs[1][name]:.4f}")


def _table(outputs: Any) -> NDArray[Any]:
    """Return the core's outputs again, side by side."""
    parts = list(outputs.values()) if isinstance(outputs, dict) else [outputs]
    flat = [np.reshape(part, (len(part), -1)) for part in parts]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
