# SPDX-License-Identifier: Apache-2.0
"""A look at a network that is to learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.network.compiled import Compiled
from chainrule.network.fitting import AnyLoss

if TYPE_CHECKING:
    from chainrule.callbacks import Record
    from chainrule.diagnosis.diagnose import Diagnosis
    from chainrule.explanation.explain import Explanation
    from chainrule.optimizers import Optimizer

__all__ = ["diagnose", "explain"]


def diagnose(
    net: Compiled,
    x: object,
    y: object,
    *,
    loss: AnyLoss = None,
    optimizer: str | Optimizer | None = None,
    batch_size: int = 32,
    max_rows: int = 1000,
) -> Diagnosis:
    """Return a report on what keeps the network from learning, with advice.

    It looks at the network as it is, before, after or between trainings, and changes nothing:
    at dead and saturated units, gradients that vanish or explode, scales of inputs and targets,
    imbalanced classes, at what 20 steps at the learning rate do to the loss, and for plain gradient
    descent at the rate against the largest curvature. Of sequences and images it looks at features
    and channels over all positions, of sequences of different length up to their ends.

    Parameters
    ----------
    x, y
        As for `fit`; but NaN and infinity are reported, and rows without them looked at.
    loss : str or Loss, or mapping or sequence of them for several outputs, optional
        Default: the one last used.
    optimizer : str or Optimizer, optional
        Default: the one last used, at first ``Adam()``.
    batch_size : int, default 32
        Rows of a step.
    max_rows : int, default 1000
        Look at this many rows at most, drawn from all.

    Returns
    -------
    Diagnosis
        Prints as a report; its ``findings`` are empty where nothing is wrong.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> layers = [cr.Dense(20, activation="sigmoid") for _ in range(20)]
    >>> deep = cr.Sequential([cr.Rescaling(1 / 16), *layers, cr.Dense(10)], seed=0)
    >>> [finding.kind for finding in deep.diagnose(x, y, loss="cross_entropy").findings]
    ['vanishing_gradients']
    """
    from chainrule.diagnosis.diagnose import diagnose as diagnosed

    return diagnosed(net, x, y, loss, optimizer, batch_size, max_rows)


def explain(
    net: Compiled,
    row: object,
    target: object,
    *,
    loss: AnyLoss = None,
    optimizer: str | Optimizer | None = None,
    record: Record | None = None,
    image_shape: Sequence[int] | None = None,
) -> Explanation:
    """Return a page on one row's way through the network and back: every value and gradient.

    All numbers are the core's, of a float64 copy: sums spelt out term by term, local
    derivatives, gradients beside finite differences, and what the optimizer would do next.
    Images of several channels have a picture for each, convolutions have those of their kernels.

    Parameters
    ----------
    row : array_like of shape (inputs,) or (height, width), or mapping or sequence of such
        One row, or one image; of several inputs one for each.
    target : int, str, float or array_like, or mapping or sequence of such
        Its label or its target, as `fit` takes them; of several outputs one for each.
    loss : str or Loss, or mapping or sequence of them for several outputs, optional
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
        For notebooks, or with ``save("page.html")``: one file, which loads nothing else. Of a
        large network it shows what has the largest gradients, and says what it leaves out.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="tanh"), cr.Dense(1)], seed=0)
    >>> net.explain([0.5, -1.0], [0.25], loss="mse")
    <Explanation: mse = 0.0299, 4 units, ... kB>
    """
    from chainrule.explanation.explain import explain

    return explain(net, row, target, loss, optimizer, record, image_shape)
