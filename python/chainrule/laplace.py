# SPDX-License-Identifier: Apache-2.0
"""What data leave uncertain of a regression network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import NDArray

from chainrule import _core
from chainrule.arguments import thread_count
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.names import names_arguments
from chainrule.network.output_losses import OutputLosses
from chainrule.network.training_data import make_dataset

if TYPE_CHECKING:
    from chainrule.network.compiled import Compiled

__all__ = ["Laplace", "laplace"]


class Laplace:
    """The Laplace approximation of a network's posterior; made by ``net.laplace``.

    Attributes
    ----------
    prior_precision : float
        Inverse variance of the parameters beforehand.
    noise : float
        Standard deviation of targets about the outputs.
    effective_parameters : float
        How many parameters the data determine.
    log_evidence : float
        Logarithm of the data's probability, by which networks can be compared.
    """

    def __init__(self, net: Compiled, core: _core.Laplace) -> None:
        self._net = net
        self._core = core
        self.prior_precision = core.prior_precision
        self.noise = core.noise
        self.effective_parameters = core.effective_parameters
        self.log_evidence = core.log_evidence

    @overload
    def predict(self, x: object, *, return_std: Literal[False] = False) -> NDArray[Any]: ...
    @overload
    def predict(
        self, x: object, *, return_std: Literal[True]
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    @names_arguments
    def predict(
        self, x: object, *, return_std: bool = False
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any]]:
        """Return the outputs for rows, and how far targets may lie from them.

        Parameters
        ----------
        x : array_like of shape (rows, inputs)
            As for the network's ``predict``.
        return_std : bool, default False
            Return standard deviations too.

        Returns
        -------
        ndarray of float64 of shape (rows, outputs), or two of them
            Means, and standard deviations of targets: what is uncertain of the parameters with the
            noise. About 90 % of targets lie within 1.645 of them.
        """
        means, deviations = self._core.predict(core_rows(self._net._as_rows(x)))
        return (means, deviations) if return_std else means

    def __repr__(self) -> str:
        """Return a line about it."""
        return (
            f"<Laplace: noise {self.noise:.3g}, prior precision {self.prior_precision:.3g}, "
            f"{self.effective_parameters:.1f} effective parameters>"
        )


def laplace(
    net: Compiled,
    x: object,
    y: object,
    prior_precision: float | None,
    noise: float | None,
    sample_weight: object,
    num_threads: int | None,
) -> Laplace:
    """Return intervals; see `Network.laplace`."""
    from chainrule import losses

    loss = losses.get("mse")
    if isinstance(net._chosen_loss(loss), OutputLosses):
        raise ValueError("laplace needs a network of one output")
    with net._rollback_build():
        data = make_dataset(net, x, y, loss, sample_weight)
    if isinstance(data.x, LazyRows):
        raise ValueError("laplace needs all rows in memory: pass x[:]")
    core = _core.Laplace.of(
        net._built_core(),
        core_rows(data.x),
        core_rows(data.y),
        prior_precision,
        noise,
        thread_count(num_threads),
        data.sample_weight,
    )
    return Laplace(net, core)
