# SPDX-License-Identifier: Apache-2.0
"""A network called as a part of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.layers.layer import SymbolicTensor
from chainrule.names import unknown_name
from chainrule.network.compiled import Compiled
from chainrule.network.graph import embed

__all__ = ["compose"]


def compose(
    net: Compiled, inputs: SymbolicTensor | Sequence[SymbolicTensor] | Mapping[str, SymbolicTensor]
) -> Any:
    """Return what the network makes of tensors, as a part of another network.

    Parameters
    ----------
    inputs : SymbolicTensor, or sequence or mapping of them
        One for each of the network's inputs.

    Returns
    -------
    SymbolicTensor or dict of str to SymbolicTensor
        The output, or by name the outputs.

    Raises
    ------
    TypeError, ValueError
        If there is not a tensor for each input.
    RuntimeError
        If the number of inputs is not known yet.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.eye(4)
    >>> encoder = cr.Sequential([cr.Input(4), cr.Dense(2)], seed=0)
    >>> decoder = cr.Sequential([cr.Input(2), cr.Dense(4)], seed=1)
    >>> pixels = cr.Input(4)
    >>> autoencoder = cr.Network(
    ...     inputs=pixels, outputs=decoder(encoder(pixels)), seed=2
    ... )
    >>> _ = autoencoder.fit(x, x, loss="mse", epochs=5, verbose=0)
    >>> code = encoder.predict(x)
    >>> np.array_equal(decoder.predict(code), autoencoder.predict(x))
    True
    """
    net._built_core()
    assert net._graph is not None
    names = [node.name for node in net._graph.inputs]
    if isinstance(inputs, Mapping):
        for name in inputs:
            if name not in names:
                raise ValueError(unknown_name("input", name, names))
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(f"the input {missing[0]!r} is missing")
        given = [inputs[name] for name in names]
    else:
        given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]  # type: ignore[list-item]
    if len(given) != len(names):
        raise ValueError(
            f"the network has {len(names)} inputs ({', '.join(names)}), got {len(given)}"
        )
    for tensor in given:
        if not isinstance(tensor, SymbolicTensor):
            raise TypeError(
                f"a network is called with symbolic tensors, got {type(tensor).__name__}; "
                "predict takes numbers"
            )
    made = embed(net._graph, net, given)
    return made if len(made) > 1 else next(iter(made.values()))
