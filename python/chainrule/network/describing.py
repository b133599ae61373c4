# SPDX-License-Identifier: Apache-2.0
"""A network for people to read: its table of layers, its drawing, and the plan of a step."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from chainrule.arguments import positive_integer, sparsity_name, thread_count
from chainrule.inputs.several import core_rows
from chainrule.network.compiled import Compiled
from chainrule.network.summary import graph_table, summary_table

if TYPE_CHECKING:
    from chainrule.network.plan import Plan

__all__ = ["plan", "plot", "summary"]


def summary(net: Compiled, file: TextIO | None = None) -> None:
    """Print a table of the layers, their output widths and numbers of parameters.

    Before the number of inputs is known, what depends on it is shown as "?".

    Parameters
    ----------
    file : text stream, optional
        Where to print; default: standard output.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Input(2), cr.Dense(1)]).summary()
    layer     output  parameters
    ----------------------------
    Input          2           0
    Dense(1)       1           3
    ----------------------------
    3 parameters in float32, 12 bytes
    """
    graph = net._graph
    flat = graph is None or (graph.chained is not None and len(graph.inputs[0].shape) == 1)
    if net._core is None or graph is None or flat:
        table = summary_table(net._core, net.layers, net.dtype)
    else:
        table = graph_table(net._core, graph, net.dtype)
    print(table, file=file or sys.stdout)


def plot(net: Compiled, path: str | os.PathLike[str] | None = None) -> str:
    """Draw the graph, with the shape of what each node gives for a row.

    Parameters
    ----------
    path : path-like, optional
        Where to write a drawing by Graphviz, in the format that the ending names, such as
        ``.svg``, ``.pdf`` and ``.png``; ``.dot`` gives Graphviz' language, and ``.txt`` plain
        text.

    Returns
    -------
    str
        The drawing in plain text: ``o`` is a node, ``+`` is where it reads what others read
        too, and ``'`` where it is the last to read it.

    Raises
    ------
    ImportError
        If the format needs Graphviz, and it is not installed.
    RuntimeError
        If the number of inputs is not known yet.
    ValueError
        If the path has no ending, or Graphviz does not know it.

    Examples
    --------
    >>> import chainrule as cr
    >>> x = cr.Input(4, name="x")
    >>> net = cr.Network(inputs=x, outputs=x + cr.Dense(4, activation="relu")(x))
    >>> print(net.plot())
    o    x      (4,)  Input
    +-o  dense  (4,)  Dense(4, activation='relu')
    o-'  add    (4,)  Add()
    """
    from chainrule.network.drawing import Drawn, draw, write_drawing

    net._built_core()
    assert net._graph is not None
    shapes = net._shapes
    nodes = [Drawn(n.name, str(shapes[n.name]), n.text, n.inputs) for n in net._graph.nodes]
    if path is not None:
        write_drawing(path, nodes)
    return draw(nodes)


def plan(
    net: Compiled,
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
    from chainrule.network.plan import Plan

    core = net._built_core()
    rows = positive_integer("batch_size", batch_size)
    path = sparsity_name(input_sparsity)
    features = None if x is None else net._as_rows(x)
    return Plan.of(core, rows, thread_count(num_threads), core_rows(features), path)
