# SPDX-License-Identifier: Apache-2.0
"""Networks from model files, which the compiled core writes and reads.

The core knows the format, which docs/model-format.md specifies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from chainrule import _core
from chainrule.errors import ModelFileError
from chainrule.names import names_arguments
from chainrule.network.graph import Graph
from chainrule.network.network import Network
from chainrule.network.predictor import Predictor
from chainrule.network.saved_training import model_bytes, parsed, restore_training
from chainrule.network.sequential import Sequential

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["FORMAT_VERSION", "description", "from_bytes", "load", "load_predictor", "to_bytes"]

FORMAT_VERSION: int = _core.MODEL_FORMAT_VERSION


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that `Sequential.save` or a C++ program has written.

    Parameters
    ----------
    path : path-like
        The model file.

    Returns
    -------
    Network
        A `Sequential` where the layers are a chain. With parameters, optimizer state and history;
        training goes on where it stopped, to the same bits. Small weights, of `Predictor.save`,
        become float32.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is truncated, altered, of a newer version or not a model file.

    Examples
    --------
    >>> import chainrule as cr
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.save(path)
    >>> bool((cr.load(path).predict([[1.0, 2.0]]) == net.predict([[1.0, 2.0]])).all())
    True
    """
    return _loaded(path)[0]


@names_arguments
def load_predictor(path: str | os.PathLike[str]) -> Predictor:
    """Read the model file that `Predictor.save` has written, or that of a network.

    Parameters
    ----------
    path : path-like
        The model file.

    Returns
    -------
    Predictor
        With the weights in the file, in the same numbers, and the very same outputs.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is truncated, altered, of a newer version or not a model file.

    Examples
    --------
    >>> import chainrule as cr
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "small.safetensors"
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> cr.Predictor(net, "int8", calibration=[[1.0, 2.0]]).save(path)
    >>> cr.load_predictor(path).weights
    'int8'
    """
    return Predictor._kept(*_loaded(path))


def _loaded(path: str | os.PathLike[str]) -> tuple[Network, str, list[tuple[float, float]]]:
    """Return the network, its small weights widened, their name and the ranges for int8."""
    core, state, weights, ranges = _core.load_model(os.fsencode(path))
    try:
        return _restored(core, state), weights, ranges
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error


def to_bytes(net: Network) -> bytes:
    """Return the content of a model file."""
    return model_bytes(net)


def from_bytes(content: bytes) -> Network:
    """Return the network that `to_bytes` has written; ModelFileError for anything else."""
    core, state, *_ = _core.read_model(content)
    return _restored(core, state)


def description(content: bytes) -> dict[str, Any]:
    """Return a file's description: format version, network and state of the training.

    Parameters
    ----------
    content : bytes
        A whole model file.

    Returns
    -------
    dict
        As in the file.

    Raises
    ------
    ModelFileError
        If the content is truncated, altered, of a newer version or not a model file.
    """
    found: dict[str, Any] = parsed(_core.read_model_description(content))
    return found


def _network(graph: Graph, seed: int, dtype: str) -> Network:
    """Return a network of this graph without parameters; of a chain a `Sequential`."""
    layers = graph.chained
    if layers is None:
        return Network._of(graph, seed, dtype)
    net = Sequential(layers, seed=seed, dtype=dtype)
    name = graph.inputs[0].name
    net._input_name = None if name == "x" else name
    return net


def _restored(core: CoreNetwork, state: _core.TrainingState) -> Network:
    """Return the network around a core that was read."""
    try:
        graph = Graph.of(core.nodes, core.output_names)
        dtype = "float32" if isinstance(core, _core.Network32) else "float64"
        net = _network(graph, core.seed, dtype)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelFileError(f"the description does not fit: {error}") from error
    net._core, net._graph = core, graph
    restore_training(net, state)
    return net
