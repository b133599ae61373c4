# SPDX-License-Identifier: Apache-2.0
"""A look at a network that is to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.network.compiled import Compiled
from chainrule.network.fitting import AnyLoss

if TYPE_CHECKING:
    from chainrule.diagnosis.diagnose import Diagnosis
    from chainrule.optimizers import Optimizer

__all__ = ["diagnose"]


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
    descent at the rate against the largest curvature.

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

    return diagnosed(
        net, x, y, loss=loss, optimizer=optimizer, batch_size=batch_size, max_rows=max_rows
    )
