# SPDX-License-Identifier: Apache-2.0
"""A stack of layers: its structure and its parameters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.arguments import positive_integer, seed_number, sparsity_name, thread_count
from chainrule.inputs.arrays import as_features
from chainrule.inputs.column_names import shown_columns
from chainrule.inputs.compressed_rows import Rows, as_rows
from chainrule.inputs.containers import as_array, is_plain
from chainrule.inputs.data_names import Named
from chainrule.inputs.lazy_rows import LazyRows, is_lazy
from chainrule.layers import Activation, Dense, Input, Layer, Normalization
from chainrule.names import unknown_name
from chainrule.network.core_network import CORE_NETWORKS, CoreNetwork
from chainrule.network.lazy_training import adapt_lazily
from chainrule.network.plan import Plan
from chainrule.network.summary import summary_table

__all__ = ["Stack"]

AnyRows = TypeVar("AnyRows", NDArray[Any], Rows)


class Stack(Named):
    """The part of `Sequential` that knows nothing of losses and optimizers.

    Parameters
    ----------
    layers, seed, dtype
        As for `Sequential`.
    """

    def __init__(
        self, layers: Sequence[Layer | Input], seed: int | None = None, dtype: str = "float32"
    ) -> None:
        inputs, self.layers = _split_input(layers)
        self.dtype = _dtype_name(dtype)
        self.seed = seed_number(seed)
        self._core: CoreNetwork | None = None
        if inputs is not None:
            self.build(inputs)

    def build(self, inputs: int) -> None:
        """Create the parameters for rows of `inputs` columns, where that has not happened yet.

        Parameters
        ----------
        inputs : int
            Columns of x.

        Raises
        ------
        ValueError
            If the network is already built for another number of inputs.
        """
        inputs = positive_integer("inputs", inputs)
        if self._core is not None:
            if inputs != self._core.inputs:
                raise ValueError(f"x has {inputs} columns; the network expects {self._core.inputs}")
            return
        kind = CORE_NETWORKS[self.dtype]
        self._core = kind([layer.config for layer in self.layers], inputs, self.seed)

    @property
    def built(self) -> bool:
        """Whether the number of inputs is known and the parameters exist."""
        return self._core is not None

    @property
    def inputs(self) -> int | None:
        """Columns of x, or None while unknown."""
        return None if self._core is None else self._core.inputs

    @property
    def outputs(self) -> int:
        """Columns of the output."""
        return self._built_core().outputs

    @property
    def parameters(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters by name, "<layer>.<array>": ``{"0.weight": (in, out), ...}``."""
        core = self._built_core()
        return {p.name: core.get_parameter(p.name) for p in core.parameters}

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of all parameters in the order of `parameters`."""
        return list(self.parameters.values())

    def set_weights(self, weights: Sequence[ArrayLike] | Mapping[str, ArrayLike]) -> None:
        """Set parameters, all in the order of `parameters` or some by name.

        Parameters
        ----------
        weights : sequence of array_like or mapping of str to array_like
            Arrays of the parameters' own shapes.

        Raises
        ------
        TypeError, ValueError
            If a name is unknown, a shape differs, the number of arrays is wrong, or a value is not
            a finite real number; no parameter has changed then.
        """
        core = self._built_core()
        names = [p.name for p in core.parameters]
        if not isinstance(weights, Mapping):
            if len(weights) != len(names):
                raise ValueError(
                    f"expected {len(names)} arrays ({', '.join(names)}), got {len(weights)}"
                )
            weights = dict(zip(names, weights, strict=True))
        shapes = {p.name: p.shape for p in core.parameters}
        for name, array in self._checked_arrays(weights, shapes, "values").items():
            core.set_parameter(name, array)

    def count_params(self, *, trainable_only: bool = False) -> int:
        """Return the number of parameters, with or without those that are not trained."""
        return sum(
            int(np.prod(p.shape))
            for p in self._built_core().parameters
            if p.trainable or not trainable_only
        )

    def summary(self, file: TextIO | None = None) -> None:
        """Print a table of the layers, their output widths and numbers of parameters.

        Before the number of inputs is known, what depends on it is shown as "?".

        Parameters
        ----------
        file : text stream, optional
            Where to print; default: standard output.
        """
        table = summary_table(self._core, self.layers, self.dtype)
        print(table, file=file or sys.stdout)

    def plan(
        self,
        batch_size: int = 32,
        num_threads: int | None = None,
        *,
        x: object = None,
        input_sparsity: str = "auto",
    ) -> Plan:
        """Return the stages that a training step runs through, with what they cost.

        Parameters
        ----------
        batch_size : int, default 32
            Rows of the step.
        num_threads : int, optional
            As in `fit`; the plan may use fewer.
        x : array_like of shape (rows, inputs), optional
            The rows to train on, or some of them (what is not in memory is read whole), which
            decide whether the first layer leaves out zeros. Without them the plan tells what the
            last training decided, if that had the same batch size and number of threads.
        input_sparsity : {"auto", "dense", "sparse"}, default "auto"
            As in `fit`, for `x`.

        Returns
        -------
        Plan
            Prints as a table. Its times are the least that this machine could need, from a short
            measurement of its multiply-adds and copies.

        Examples
        --------
        >>> import chainrule as cr
        >>> x, y = cr.data.load_digits()
        >>> net = cr.Sequential([cr.Input(64), cr.Dense(256), cr.Dense(10)], seed=0)
        >>> plan = net.plan(64, x=x * (x > 14))
        >>> plan.input.path, round(plan.input.density, 1)
        ('sparse', 0.1)
        """
        core = self._built_core()
        rows = positive_integer("batch_size", batch_size)
        path = sparsity_name(input_sparsity)
        features = None if x is None else self._as_rows(x)
        return Plan.of(core, rows, thread_count(num_threads), features, path)

    def adapt(self, x: object) -> None:
        """Set the mean and variance of every `Normalization` layer from data.

        The first `fit` does so with its x unless this has been called before.

        Parameters
        ----------
        x : array_like of shape (rows, inputs)
            The data as it enters the network. What is not in memory, such as a dataset of h5py, is
            read in pieces: once to check it and twice for each of the layers.
        """
        with self._rollback_build(x):
            if is_lazy(x):
                rows = self._unread(x)
                adapt_lazily(self._built_core(), rows)
            else:
                features = self._features(x)
                self._built_core().adapt(features)
            self._learn_feature_names(x)

    def __repr__(self) -> str:
        """Return the constructor call, with the number of inputs once it is known."""
        layers: list[object] = [*([Input(self._core.inputs)] if self._core else []), *self.layers]
        listed = ", ".join(repr(layer) for layer in layers)
        return f"{type(self).__name__}([{listed}], seed={self.seed}, dtype={self.dtype!r})"

    @property
    def _adapted(self) -> bool:
        """Whether all `Normalization` layers have their statistics from data."""
        return self._core is not None and self._core.adapted

    def _unadapted(self) -> bool:
        """Whether a `Normalization` layer waits for its statistics."""
        return not self._adapted and any(isinstance(layer, Normalization) for layer in self.layers)

    def _ends_with(self, link: str | None) -> bool:
        """Whether the last activation is already the loss's link."""
        last = self.layers[-1]
        return isinstance(last, Dense | Activation) and last.activation.config["kind"] == link

    def _checked_arrays(
        self, given: Mapping[str, ArrayLike], shapes: Mapping[str, tuple[int, ...]], what: str
    ) -> dict[str, NDArray[Any]]:
        """Return arrays of these shapes for the core; `what` they are is for the error's text."""
        checked = {}
        for name, values in given.items():
            if name not in shapes:
                raise ValueError(unknown_name("parameter", name, list(shapes)))
            array = as_array(values, name=name)
            if array.dtype.kind not in "biuf":
                raise TypeError(f"{name} has dtype {array.dtype}, expected numbers")
            if array.shape != shapes[name]:
                raise ValueError(f"{name} has shape {shapes[name]}, got {array.shape}")
            with np.errstate(over="ignore"):
                checked[name] = np.ascontiguousarray(array, dtype=self.dtype)
            if not np.isfinite(checked[name]).all():
                raise ValueError(f"the {what} for {name} contain NaN or infinity")
        return checked

    def _built_core(self) -> CoreNetwork:
        if self._core is None:
            raise RuntimeError(
                "the number of inputs is not known yet: begin the layers with Input(n), "
                "call build(n) or fit"
            )
        return self._core

    def _features(self, x: object) -> NDArray[Any]:
        """Return a table that fits the network, which is built for it if it is not yet.

        The caller forgets what was built where this raises; see `_rollback_build`.
        """
        return self._checked_rows(*self._in_order(x, as_features))

    def _as_rows(self, x: object, *, allow_single: bool = False) -> Rows:
        """Return the same, or compressed sparse rows."""
        return self._checked_rows(*self._in_order(x, as_rows, allow_single=allow_single))

    def _rows_wherever(self, x: object, *, allow_single: bool = False) -> Rows | LazyRows:
        """Return the same, or rows that are read when they are needed."""
        return self._unread(x) if is_lazy(x) else self._as_rows(x, allow_single=allow_single)

    def _unread(self, x: object) -> LazyRows:
        rows = LazyRows(x)
        self._check_columns(rows.shape[1])
        return rows

    def _in_order(
        self, x: object, convert: Callable[..., AnyRows], **options: bool
    ) -> tuple[AnyRows, list[str]]:
        """Return `x` by `convert`, a frame's columns in the order of the features' names.

        And what error texts call them.
        """
        if is_plain(x):  # has no names
            return convert(x, **options), []
        order = self._column_order(x, **options)
        rows = convert(x, **options)
        if order is not None:
            rows = np.asarray(rows)[:, order]
        return rows, shown_columns(x, order=order, **options)

    def _checked_rows(self, features: AnyRows, columns: list[str]) -> AnyRows:
        self._check_columns(features.shape[1])
        self._built_core().check_takes(features, columns)
        return features

    def _check_columns(self, columns: int) -> None:
        """Build the network for `columns` columns, or raise ValueError if it is for others."""
        if self._core is None or columns != self._core.inputs:
            self.build(columns)

    def _rollback_build(self, *data: object) -> _BuildRollback:
        """Forget parameters that were created for data which turned out not to fit.

        And the names that were learnt from `data`.
        """
        return _BuildRollback(self, data)


class _BuildRollback:
    """The context of `Stack._rollback_build`; one made by a generator would be slower."""

    __slots__ = ("_before", "_net", "_unnamed")

    def __init__(self, net: Stack, data: tuple[object, ...]) -> None:
        self._net = net
        self._before = net._core
        self._unnamed = () if net._core is None else net._unnamed(data)

    def __enter__(self) -> None:
        """Nothing has to be done before."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Put back what was there, if something was raised."""
        if kind is not None:
            self._net._core = self._before
            self._net._forget_names(self._unnamed)


def _split_input(layers: Sequence[Layer | Input]) -> tuple[int | None, list[Layer]]:
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of layers, got {layers!r}")
    items = list(layers)
    first = items[0] if items else None
    inputs = first.units if isinstance(first, Input) else None
    stack: list[Layer] = []
    start = int(inputs is not None)
    for index, layer in enumerate(items[start:], start):
        if isinstance(layer, Input):
            raise ValueError(f"{layer!r} must be the first of the layers, and the only Input")
        if not isinstance(layer, Layer):
            raise TypeError(f"layers[{index}] must be a Layer, got {layer!r}")
        stack.append(layer)
    if not stack:
        raise ValueError("a network needs at least one layer")
    return inputs, stack


def _dtype_name(dtype: object) -> str:
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    if name not in CORE_NETWORKS:
        raise ValueError(unknown_name("dtype", dtype, CORE_NETWORKS))
    return name
