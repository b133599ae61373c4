# SPDX-License-Identifier: Apache-2.0
"""Second derivatives of the loss: products with the Hessian, its eigenvalues, all of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule import _core
from chainrule.arguments import positive_integer, thread_count
from chainrule.inputs.containers import as_array
from chainrule.inputs.several import core_rows
from chainrule.names import names_arguments, unknown_name
from chainrule.network.compiled import Compiled
from chainrule.network.output_losses import loss_weights_of
from chainrule.network.training_data import make_dataset

if TYPE_CHECKING:
    from chainrule.inputs.targets import ClassWeight
    from chainrule.laplace import Laplace
    from chainrule.network.fitting import AnyLoss

__all__ = ["core_hessian", "hessian", "hessian_eigenvalues", "hessian_vector", "laplace"]

_MOST = 5000  # parameters of a whole matrix, which then takes 200 MB


def hessian_vector(
    net: Compiled,
    x: object,
    y: object,
    v: Any,
    *,
    loss: AnyLoss = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight = None,
    num_threads: int | None = None,
) -> Any:
    """Return the product of the loss's Hessian with a vector.

    The Hessian H holds the second derivatives of the mean loss of these rows with respect to all
    parameters that training changes. H v is the derivative of the gradient along v. It takes about
    as long as four gradients, whatever the number of parameters, and no matrix is made: the
    forward and the backward pass are carried out in dual numbers, whose second part is a
    derivative along v.

    Parameters
    ----------
    x, y
        Rows and targets as for `fit`, in memory; all of them are one batch.
    v : mapping of str to array_like, or array_like of shape (parameters,)
        A direction: arrays by name, of the shapes of `gradients`, 0 where none is given; or the
        entries of all trained parameters, one array after the other in the order of `gradients`.
    loss : str or Loss, optional
        Default: the network's own.
    sample_weight, class_weight, num_threads
        As in `fit`.

    Returns
    -------
    dict of str to ndarray, or ndarray of shape (parameters,)
        H v, of the form of `v`; float64, whatever the network's dtype.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or there is no such derivative: of functions of the caller's,
        and of a recurrent layer with ``truncate_gradient``, whose gradient is that of no function.

    Notes
    -----
    All is worked out in float64, from a float32 network's parameters too, and has the same bits
    for any number of threads and any instruction set. The network is differentiated as in
    predictions: dropout and noise do nothing, and `BatchNormalization` uses its running
    statistics. Penalties do not count. Where a function has a kink, H takes what `gradients` takes
    for its derivative as constant on both sides: relu, mae and hinge have no curvature.

    References
    ----------
    Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.

    Examples
    --------
    For a linear model and the mean squared error, H is 2 / n times the rows' products:

    >>> import numpy as np, chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1, use_bias=False)], seed=0)
    >>> x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.0, 1.0])
    >>> net.hessian_vector(x, y, [1.0, 0.0], loss="mse")
    array([10., 14.])
    >>> net.hessian_vector(x, y, {"0.weight": [[0.0], [1.0]]}, loss="mse")
    {'0.weight': array([[14.],
           [20.]])}
    """
    core = core_hessian(net, x, y, loss, sample_weight, class_weight, num_threads)
    shapes = _trained(net)
    if not isinstance(v, Mapping):
        direction = _checked("v", v)
        if direction.shape != (core.size,):
            raise ValueError(
                f"v has shape {direction.shape}; the network has {core.size} trained parameters, "
                f"so it should be ({core.size},), or a mapping of their names to arrays"
            )
        return core.multiply(direction)
    for name in v:
        if name not in shapes:
            raise ValueError(f"v: {unknown_name('trained parameter', name, list(shapes))}")
    parts = []
    for name, shape in shapes.items():
        part = _checked(f"v[{name!r}]", v[name]) if name in v else np.zeros(shape)
        if part.shape != shape:
            raise ValueError(f"v[{name!r}] has shape {part.shape}, expected {shape}")
        parts.append(part.ravel())
    product = core.multiply(np.concatenate(parts))
    ends = np.cumsum([part.size for part in parts])[:-1]
    return {
        name: part.reshape(shape)
        for (name, shape), part in zip(shapes.items(), np.split(product, ends), strict=True)
    }


def hessian(
    net: Compiled,
    x: object,
    y: object,
    *,
    loss: AnyLoss = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight = None,
    num_threads: int | None = None,
) -> NDArray[np.float64]:
    """Return the matrix of the loss's second derivatives, for networks of few parameters.

    Parameters
    ----------
    x, y, loss, sample_weight, class_weight, num_threads
        As for `hessian_vector`, which says what is differentiated; a product for each parameter.

    Returns
    -------
    ndarray of shape (parameters, parameters)
        Symmetric. Rows and columns are the entries of all trained parameters, one array after the
        other in the order of `gradients`.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or there are more than 5,000 parameters.

    Examples
    --------
    >>> import numpy as np, chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1, use_bias=False)], seed=0)
    >>> net.hessian(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.0, 1.0]), loss="mse")
    array([[10., 14.],
           [14., 20.]])
    """
    core = core_hessian(net, x, y, loss, sample_weight, class_weight, num_threads)
    if core.size > _MOST:
        raise ValueError(
            f"the network has {core.size} trained parameters, and a matrix of more than {_MOST} is "
            "not made: take hessian_vector for products with it, or hessian_eigenvalues"
        )
    return core.matrix()


def hessian_eigenvalues(
    net: Compiled,
    x: object,
    y: object,
    k: int = 1,
    *,
    loss: AnyLoss = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight = None,
    tolerance: float = 1e-6,
    max_iterations: int = 200,
    seed: int = 0,
    num_threads: int | None = None,
) -> NDArray[np.float64]:
    """Return the eigenvalues of the loss's Hessian that are largest in magnitude.

    The method of Lanczos finds them from products with the Hessian, with full
    reorthogonalisation, so that rounding does not repeat eigenvalues. The largest says how large
    a step plain gradient descent can make: learning rates above 2 / eigenvalue diverge along its
    eigenvector.

    Parameters
    ----------
    x, y
        As for `hessian_vector`, which says what is differentiated.
    k : int, default 1
        How many.
    loss, sample_weight, class_weight, num_threads
        As for `hessian_vector`.
    tolerance : float, default 1e-6
        It ends when each residual ``|H u - value u|`` is at most this times the largest magnitude.
        An eigenvalue's error is at most its residual, and mostly near its square.
    max_iterations : int, default 200
        Products at most. As many vectors of all parameters are kept.
    seed : int, default 0
        Of the vector to start from.

    Returns
    -------
    ndarray of shape (k,)
        With their signs, by falling magnitude.

    Warns
    -----
    RuntimeWarning
        If the iterations end before that.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or a product is not finite.

    Notes
    -----
    Of a network of at most 100 parameters all eigenvalues are worked out, each as often as it
    occurs; of larger ones an eigenvalue that occurs several times may come once.

    References
    ----------
    Golub and Van Loan, "Matrix computations", 4th ed., 2013, ch. 10.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(16, "tanh"), cr.Dense(10)], seed=0)
    >>> largest, second = net.hessian_eigenvalues(x[:200], y[:200], 2, loss="cross_entropy")
    >>> bool(largest > second > 0.0)
    True
    """
    count = positive_integer("k", k)
    iterations = positive_integer("max_iterations", max_iterations)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float | np.floating):
        raise TypeError(f"tolerance must be a number, got {tolerance!r:.80}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer, got {seed!r:.80}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be in 0..2**64-1, got {seed}")
    core = core_hessian(net, x, y, loss, sample_weight, class_weight, num_threads)
    values, residuals, done, converged = core.eigenvalues(
        count, float(tolerance), iterations, int(seed)
    )
    if not converged:
        warnings.warn(
            f"after {done} iterations the eigenvalues are off by up to {max(residuals):.1e}: "
            "allow more by max_iterations, or a larger tolerance",
            RuntimeWarning,
            stacklevel=2,
        )
    return np.array(values)


def core_hessian(
    net: Compiled,
    x: object,
    y: object,
    loss: AnyLoss = None,
    sample_weight: object = None,
    class_weight: ClassWeight = None,
    num_threads: int | None = None,
) -> _core.Hessian:
    """Return the core's Hessian of these rows."""
    threads = thread_count(num_threads)
    if loss is None and net.loss is None:
        raise ValueError('give the loss to differentiate, such as loss="mse"')
    chosen: Any = net._chosen_loss(net.loss if loss is None else loss)
    with net._rollback_build(x):
        net._features(x)  # tables alone
        data = make_dataset(net, x, y, chosen, sample_weight, class_weight)
        return _core.Hessian(
            net._built_core(),
            core_rows(data.x),
            core_rows(data.y),
            chosen._core,
            threads,
            data.sample_weight,
            data.class_weight,
            loss_weights_of(chosen),
        )


def _trained(net: Compiled) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters that training changes, by name."""
    return {
        p.name: tuple(p.shape)
        for p in net._built_core().parameters
        if p.trainable and p.name.rpartition(".")[0] not in net._frozen
    }


def _checked(name: str, values: object) -> NDArray[np.float64]:
    """Return finite numbers as float64."""
    array = as_array(values, name=name)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}, expected numbers")
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity")
    return array


@names_arguments
def laplace(
    net: Compiled,
    /,
    x: object,
    y: object,
    *,
    prior_precision: float | None = None,
    noise: float | None = None,
    sample_weight: object = None,
    num_threads: int | None = None,
) -> Laplace:
    """Return intervals for a regression network that has been trained on these rows.

    The parameters are taken for normally distributed about the trained ones, with the precision
    that the Gauss-Newton matrix of the squared errors gives (MacKay, 1992): no other network
    has to be trained. The matrix is worked out and kept in float64, so at most 5,000 parameters
    may be trained.

    Parameters
    ----------
    x, y, sample_weight, num_threads
        As for `fit`.
    prior_precision : float, optional
        Inverse variance of each parameter beforehand. Default: that of the greatest evidence.
    noise : float, optional
        Standard deviation of targets about the outputs. Default: that of the greatest evidence.

    Returns
    -------
    Laplace
        Whose ``predict(x, return_std=True)`` gives means and standard deviations. It is a copy,
        which later training leaves as it is.

    Raises
    ------
    ValueError, TypeError
        If something does not fit, the network has too many parameters or several outputs, or
        the data cannot tell its parameters from the noise.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-2, 2, (200, 1))
    >>> y = np.sin(2 * x) + rng.normal(0, 0.1, x.shape)
    >>> net = cr.Sequential([cr.Dense(8, activation="tanh"), cr.Dense(1)], seed=0)
    >>> _ = net.fit(x, y, loss="mse", optimizer="levenberg_marquardt", epochs=50, verbose=0)
    >>> around = net.laplace(x, y)
    >>> 0.09 < around.noise < 0.11
    True
    >>> mean, std = around.predict([[0.0], [6.0]], return_std=True)
    >>> bool(std[1, 0] > 3 * std[0, 0])
    True
    """
    from chainrule.laplace import laplace as approximate

    return approximate(net, x, y, prior_precision, noise, sample_weight, num_threads)
