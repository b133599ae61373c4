# SPDX-License-Identifier: Apache-2.0
"""What all layers have in common, and the symbolic tensors that they make."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule import _core
from chainrule.spec import Field, Spec

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["Layer", "SymbolicTensor", "checked_name"]

_COUNTER = itertools.count()


class _Name(Field[Any]):
    """The name, which is no part of the config: equal layers may have different names."""

    def __init__(self) -> None:
        super().__init__(default=None)

    def __get__(self, described: Spec | None, owner: type[Spec]) -> Any:
        """Return the name, or of the class the field itself."""
        return self if described is None else vars(described)["_name"]


class Layer(Spec):
    """Base class of layers.

    A layer is called with a symbolic tensor, or a list of them, and returns another: so a
    `chainrule.Network` is written down. A layer that is called twice uses the same parameters
    twice.

    Parameters
    ----------
    name : str, optional
        What its node in a network is called.

    Examples
    --------
    >>> import chainrule as cr
    >>> x = cr.Input(4)
    >>> h = cr.Dense(4, activation="relu", name="hidden")(x)
    >>> net = cr.Network(inputs=x, outputs=x + h, seed=0)
    >>> list(net.parameters)
    ['hidden.weight', 'hidden.bias']
    """

    _core_type = _core.Layer
    _reads_axes: ClassVar[bool] = False  # rows of a shape with several axes, such as images
    _: KW_ONLY
    name: str | None = _Name()  # type: ignore[assignment]

    @property
    def adapts(self) -> bool:
        """Whether `Network.adapt` takes something of it from data."""
        return False

    if TYPE_CHECKING:  # for subclasses that write their constructor out

        def __init__(self, *, name: str | None = None, **options: Any) -> None: ...

    def _take(self, config: dict[str, Any], **attributes: object) -> None:
        name = checked_name(type(self).__name__, config.pop("name", None))
        super()._take(config, _name=name, **attributes)

    def __call__(self, inputs: SymbolicTensor | Sequence[SymbolicTensor]) -> SymbolicTensor:
        """Return what the layer makes of these tensors.

        Parameters
        ----------
        inputs : SymbolicTensor or sequence of SymbolicTensor
            One, or for layers that merge several of them.

        Returns
        -------
        SymbolicTensor

        Raises
        ------
        TypeError
            If `inputs` holds something else; arrays of numbers go through a network.
        """
        given: list[Any] = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        for tensor in given:
            if not isinstance(tensor, SymbolicTensor):
                raise TypeError(
                    f"{self!r} takes symbolic tensors, as Input makes them, got "
                    f"{type(tensor).__name__}; numbers go through a network that has the layer"
                )
        return SymbolicTensor(self, given, self.name, self)

    def outputs(self, inputs: int) -> int:
        """Return the number of columns that the layer makes of `inputs` columns.

        Parameters
        ----------
        inputs : int
            Columns of its input.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If it cannot take that many.
        """
        return int(self._core.outputs(inputs))

    def categories(self, inputs: int) -> list[int]:
        """Return how many categories each column of x may have, for a layer that reads some.

        Parameters
        ----------
        inputs : int
            Columns of x.

        Returns
        -------
        list of int
            0 for a column of any numbers; empty for a layer that reads no categories.

        Raises
        ------
        ValueError
            If it cannot take that many columns.

        Examples
        --------
        >>> from chainrule.layers import CategoryEncoding, Dense
        >>> CategoryEncoding((2, 3)).categories(2), Dense(4).categories(2)
        ([2, 3], [])
        """
        categories: list[int] = self._core.categories(inputs)
        return categories


class SymbolicTensor:
    """What a layer will give of others: a node of a graph that `chainrule.Network` is made of.

    It holds no numbers. ``a + b``, ``a - b`` and ``a * b`` are layers `Add`, `Subtract` and
    `Multiply` on two tensors, and `Rescaling` on a tensor and a number.

    Parameters
    ----------
    layer : Layer, optional
        What makes it; None for an input.
    inputs : sequence of SymbolicTensor
        What the layer reads.
    name : str, optional
        The node's name.
    parameters : object, optional
        What stands for the layer's parameters: nodes with the same object share theirs.

    Attributes
    ----------
    layer, inputs, name
        As given.

    Examples
    --------
    >>> import chainrule as cr
    >>> x = cr.Input(4, name="x")
    >>> cr.Dense(2)(x)
    <SymbolicTensor of Dense(2)>
    >>> (x + x).layer, (2 * x).layer
    (Add(), Rescaling(2.0))
    """

    def __init__(
        self,
        layer: Layer | None,
        inputs: Sequence[SymbolicTensor] = (),
        name: str | None = None,
        parameters: object = None,
    ) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.name = name
        self._parameters = parameters
        self._order = next(_COUNTER)  # nodes stand in the order in which they were written down

    def __add__(self, other: object) -> SymbolicTensor:
        """Return the sum, of Add or of Rescaling."""
        return self._merged("add", other, 1.0, 1.0)

    def __radd__(self, other: object) -> SymbolicTensor:
        """Return a number plus this."""
        return self._merged("add", other, 1.0, 1.0)

    def __sub__(self, other: object) -> SymbolicTensor:
        """Return the difference, of Subtract or of Rescaling."""
        return self._merged("subtract", other, 1.0, -1.0)

    def __rsub__(self, other: object) -> SymbolicTensor:
        """Return a number minus this."""
        return self._merged("subtract", other, -1.0, 1.0)

    def __mul__(self, other: object) -> SymbolicTensor:
        """Return the product, of Multiply or of Rescaling."""
        return self._merged("multiply", other, 1.0, 1.0)

    def __rmul__(self, other: object) -> SymbolicTensor:
        """Return a number times this."""
        return self * other

    def __truediv__(self, other: object) -> SymbolicTensor:
        """Return a tenth for ``tensor / 10``."""
        if not _is_number(other):
            return NotImplemented
        return self._merged("multiply", 1.0 / float(other), 1.0, 1.0)  # type: ignore[arg-type]

    def __neg__(self) -> SymbolicTensor:
        """Return the negative."""
        return self * -1.0

    def __repr__(self) -> str:
        """Return what makes it."""
        return f"<SymbolicTensor of {self.layer!r}>"

    def _merged(self, kind: str, other: object, scale: float, sign: float) -> SymbolicTensor:
        """Return this with another tensor by a layer, or with a number by Rescaling."""
        if isinstance(other, SymbolicTensor):
            return _layer(kind)([self, other])
        if _is_number(other):
            number = float(other)  # type: ignore[arg-type]
            if kind == "multiply":
                return _layer("rescaling", scale=number)(self)
            return _layer("rescaling", scale=scale, offset=sign * number)(self)
        return NotImplemented  # type: ignore[no-any-return]

    # An array of numbers plus a tensor would otherwise be an array of tensors.
    __array_ufunc__ = None


def checked_name(what: str, name: object) -> str | None:
    """Return a name for a node as the core takes it; TypeError or ValueError unless it is text."""
    if name is None:
        return None
    if not isinstance(name, str):
        raise TypeError(f"{what}: name must be a string, got {name!r:.80}")
    if not name:
        raise ValueError(f"{what}: name is empty; None leaves it to the network")
    return name


def _layer(kind: str, **options: float) -> Layer:
    return Layer.from_config({"kind": kind, **options})


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating)
    return number and not isinstance(value, bool)
