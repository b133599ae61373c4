# SPDX-License-Identifier: Apache-2.0
"""Layers that make one tensor of several."""

from __future__ import annotations

from chainrule.layers.layer import Layer

__all__ = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Multiply", "Subtract"]


class Add(Layer):
    """The sum of its inputs, which have one shape; ``a + b`` of symbolic tensors.

    The numbers are added from the first input to the last. Nothing is broadcast.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> a, b = cr.Input(2), cr.Input(2)
    >>> net = cr.Network(inputs=[a, b], outputs=cr.Add()([a, b]))
    >>> net.predict([[[1.0, 5.0]], [[3.0, 2.0]]])
    array([[4., 7.]], dtype=float32)
    """

    kind = "add"


class Subtract(Layer):
    """The first input minus the second, of one shape; ``a - b`` of symbolic tensors.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> a, b = cr.Input(2), cr.Input(2)
    >>> net = cr.Network(inputs=[a, b], outputs=a - b)
    >>> net.predict([[[1.0, 5.0]], [[3.0, 2.0]]])
    array([[-2.,  3.]], dtype=float32)
    """

    kind = "subtract"


class Multiply(Layer):
    """The product of its inputs, element by element; ``a * b`` of symbolic tensors.

    They have one shape: nothing is broadcast.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> a, b = cr.Input(2), cr.Input(2)
    >>> net = cr.Network(inputs=[a, b], outputs=a * b)
    >>> net.predict([[[1.0, 5.0]], [[3.0, 2.0]]])
    array([[ 3., 10.]], dtype=float32)
    """

    kind = "multiply"


class Average(Layer):
    """The mean of its inputs, which have one shape.

    Parameters
    ----------
    independent : bool, default False
        As an output: train each input by its own loss, and not their mean by one, so that they
        learn as the members of an ensemble do; see `chainrule.ensemble`.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> a, b = cr.Input(2), cr.Input(2)
    >>> net = cr.Network(inputs=[a, b], outputs=cr.Average()([a, b]))
    >>> net.predict([[[1.0, 5.0]], [[3.0, 2.0]]])
    array([[2. , 3.5]], dtype=float32)
    """

    kind = "average"
    independent: bool = False


class Maximum(Layer):
    """The largest of its inputs, element by element; they have one shape.

    Where several are equal, the first of them gets the whole gradient. NaN counts as larger than
    any number.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> a, b = cr.Input(2), cr.Input(2)
    >>> net = cr.Network(inputs=[a, b], outputs=cr.Maximum()([a, b]))
    >>> net.predict([[[1.0, 5.0]], [[3.0, 2.0]]])
    array([[3., 5.]], dtype=float32)
    """

    kind = "maximum"


class Concatenate(Layer):
    """Its inputs beside each other: the columns of the first, then those of the second, and so on.

    Their shapes may differ in the last extent only.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> a, b = cr.Input(2), cr.Input(2)
    >>> net = cr.Network(inputs=[a, b], outputs=cr.Concatenate()([a, b]))
    >>> net.predict([[[1.0, 5.0]], [[3.0, 2.0]]])
    array([[1., 5., 3., 2.]], dtype=float32)
    """

    kind = "concatenate"


class Dot(Layer):
    """Sums of products over the columns of two inputs.

    Of (features,) and (features,) it gives a single number; of (n, features) and (m, features) each
    row of the first with each row of the second, (n, m). That is Keras' ``Dot(axes=-1)``.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> a, b = cr.Input(2), cr.Input(2)
    >>> net = cr.Network(inputs=[a, b], outputs=cr.Dot()([a, b]))
    >>> net.predict([[[1.0, 5.0]], [[3.0, 2.0]]])
    array([[13.]], dtype=float32)
    """

    kind = "dot"
