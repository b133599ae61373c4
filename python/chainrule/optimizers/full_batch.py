# SPDX-License-Identifier: Apache-2.0
"""Optimizers that see all rows before each step: L-BFGS, Levenberg and Marquardt's method."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainrule import _core
from chainrule.spec import Spec

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["LBFGS", "LevenbergMarquardt"]


class FullBatchOptimizer(Spec):
    """Base class of optimizers that take all rows at once, for ``fit`` alone.

    Each iteration is an epoch: it has its entry in the history, whose loss and metrics are those
    behind it, and callbacks run after it. ``fit``'s `epochs` is the most iterations, in the place
    of `max_iterations`, and its `batch_size` the rows that are worked on at a time, by default
    1024, which changes results by rounding alone. ``net.history.end`` says why the training ended.

    There is no learning rate, and nothing is remembered from one ``fit`` to the next. All rows must
    be in memory. Layers must give the same for a row each time: Dropout and GaussianNoise are
    refused, and BatchNormalization unless it is not trained.

    Examples
    --------
    >>> from chainrule import optimizers
    >>> isinstance(optimizers.get("lbfgs"), optimizers.FullBatchOptimizer)
    True
    """

    _core_type = _core.FullBatchOptimizer
    if TYPE_CHECKING:
        max_iterations: int  # of all subclasses
    schedule: ClassVar[None] = None
    """None, as there is no learning rate."""
    weight_decay_schedule: ClassVar[None] = None
    """None, as there is no weight decay."""
    reports: ClassVar[tuple[str, ...]] = ("gradient_norm",)
    """What the history has of each iteration, beside the loss and metrics."""


class LBFGS(FullBatchOptimizer):
    """Quasi-Newton steps, each of a length that fulfils the strong Wolfe conditions.

    The direction is that of Newton's method with an approximation of the Hessian by the last
    changes of the gradient. For networks and data of some thousand parameters and rows it often
    needs ten times fewer passes over the data than the best first-order optimizer, has no learning
    rate to tune and ends by itself. Penalties of layers (``l2``) are part of the loss that it
    minimises; the loss that it reports is without them. Gradients are worked out in the network's
    dtype and added up in float64. Another ``fit`` begins anew, without the changes of the last.

    Parameters
    ----------
    memory : int, default 10
        Changes that are kept.
    max_iterations : int, default 200
        The most iterations, where ``fit`` is given no `epochs`.
    tolerance : float, default 1e-5
        The training ends where no entry of the gradient is greater.
    max_evaluations : int, optional
        The most passes over the data, of which an iteration needs one or a few.

    References
    ----------
    Nocedal & Wright, "Numerical Optimization", 2nd edition, 2006, algorithms 7.4, 7.5, 3.5 and 3.6;
    Hager & Zhang, "A new conjugate gradient method with guaranteed descent and an efficient line
    search", SIAM J. Optim. 16, 2005, for steps whose change of the loss is within rounding.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(10, l2=1e-4)], seed=0)
    >>> history = net.fit(x, y, loss="cross_entropy", optimizer=cr.LBFGS(tolerance=1e-3), verbose=0)
    >>> history.end
    'the gradient is within the tolerance'
    """

    kind = "lbfgs"
    memory: int = 10
    _: KW_ONLY
    max_iterations: int = 200
    tolerance: float = 1e-5
    max_evaluations: int | None = None


class LevenbergMarquardt(FullBatchOptimizer):
    """Gauss-Newton steps with a damping that grows where the loss does not fall.

    With the Jacobian J of all errors e and the damping mu::

        w = w - (J^T J + mu I)^-1 J^T e         if that makes the loss smaller: mu = mu * decrease
                                                otherwise w stays, and        mu = mu * increase

    For regression by small networks: the loss is mse, and at most 5,000 parameters may be trained,
    as a system of as many equations is solved in each iteration. There it reaches errors that
    first-order optimizers do not come near. The formulas are those of MATLAB's trainlm, with
    errors that are scaled so that their squares' sum is the loss; its factors of the damping, 0.1
    and 10, often jump over the best one, and those here do not. It works in float64; a float32
    network gets the parameters rounded after each iteration. Another ``fit`` begins anew, with the
    first damping.

    Parameters
    ----------
    damping : float, default 1e-3
        The first mu.
    decrease, increase : float, default 0.3 and 3.0
        Below and above 1.
    max_damping : float, default 1e10
        The training ends where mu would be greater.
    max_iterations : int, default 200
        The most iterations, where ``fit`` is given no `epochs`.
    tolerance : float, default 1e-7
        The training ends where the gradient's 2-norm is not greater.
    goal : float, default 0.0
        The training ends where the loss is not greater.
    acceleration : bool, default False
        Take steps along a parabola, which follows the curvature of the errors, instead of a line;
        and let mu fall by less where the loss has fallen by less than was predicted, and grow
        faster with each step that fails. An iteration takes a tenth or a fifth longer, and the
        loss after equal time is often a tenth or less.
    bayesian : bool, default False
        MacKay's regularisation, MATLAB's trainbr: minimise beta * sum(e**2) + alpha * sum(w**2),
        with both weights found from the data in each iteration, so that a network with too many
        units does not overfit. The history then has ``effective_parameters``, the number of
        parameters that the data determine, ``alpha`` and ``beta``; `tolerance` is for the gradient
        of this sum.

    References
    ----------
    Hagan & Menhaj, "Training feedforward networks with the Marquardt algorithm", IEEE Trans. Neural
    Networks 5, 1994; MacKay, "Bayesian interpolation", Neural Computation 4, 1992; Foresee & Hagan,
    "Gauss-Newton approximation to Bayesian learning", ICNN 1997; Transtrum & Sethna, "Improvements
    to the Levenberg-Marquardt algorithm for nonlinear least-squares minimization", arXiv 1201.5885,
    2012; Nielsen, "Damping parameter in Marquardt's method", report IMM-REP-1999-05, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.linspace(-3, 3, 100)[:, None]
    >>> net = cr.Sequential([cr.Dense(8, activation="tanh"), cr.Dense(1)], seed=0, dtype="float64")
    >>> history = net.fit(x, np.sinc(x), loss="mse", optimizer="levenberg_marquardt", verbose=0)
    >>> history["loss"][-1] < 1e-6
    True
    """

    kind = "levenberg_marquardt"
    damping: float = 1e-3
    _: KW_ONLY
    decrease: float = 0.3
    increase: float = 3.0
    max_damping: float = 1e10
    max_iterations: int = 200
    tolerance: float = 1e-7
    goal: float = 0.0
    acceleration: bool = False
    bayesian: bool = False

    @property
    def reports(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the history has of each iteration, beside the loss and metrics."""
        more = ("effective_parameters", "alpha", "beta") if self.bayesian else ()
        return ("gradient_norm", "damping", *more)
