# SPDX-License-Identifier: Apache-2.0
"""Networks from and to PyTorch modules."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections import Counter, OrderedDict
from collections.abc import Collection, Container, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from chainrule.interop.assembly import Assembly
from chainrule.interop.merges import MERGES
from chainrule.interop.nodes import NetworkNode, Shape, is_chain, nodes_of, refuse_missing
from chainrule.interop.torch_check import check_export, check_outputs, evaluation_copy
from chainrule.interop.torch_graph import Call, ModuleGraph, graph_of
from chainrule.interop.torch_kinds import KINDS, modules_of
from chainrule.interop.torch_layers import (
    call_merge,
    input_columns,
    merge_of,
    row_of,
    tells_no_extents,
)
from chainrule.layers import Input, Layer

if TYPE_CHECKING:
    import torch

    from chainrule.network.network import Network

__all__ = ["from_torch", "to_torch"]


def from_torch(
    module: torch.nn.Module,
    *,
    input_shape: int | Sequence[int] | Sequence[Sequence[int]] | None = None,
) -> Network:
    """Return a network with copies of a PyTorch module's weights.

    Parameters
    ----------
    module : torch.nn.Module
        What it computes is followed by `torch.fx`, or where that cannot, it must be its children in
        the order in which they were made. Known are Linear, Conv1d, Conv2d, ConvTranspose1d and
        ConvTranspose2d (groups of several channels become layers beside each other), RNN, GRU and
        LSTM with ``batch_first`` (their sequences and the final states, also as those that another
        begins with), pools and padding, Embedding and ``one_hot`` of columns of an input,
        BatchNorm1d to 3d, LayerNorm, Dropout, Dropout1d to 3d, Flatten, Unflatten, Identity, the
        activations that the library has, as modules and as functions, arithmetic with numbers,
        parts of rows (``x[:, 2]``, ``x[:, 3:]``, ``x[:, [0, 4]]``), what only moves numbers
        (reshape, permute, transpose), means over positions, and the modules of
        `chainrule.interop.torch_modules`. Weights under a parametrisation, such as
        `torch.nn.utils.parametrizations.weight_norm`, are taken as they are in evaluation mode.

        Whether this is all that the module does is checked on random rows, for which a copy of it
        runs in evaluation mode. The module itself stays as it is; but hooks on it, which the copy
        has too, are called.

    Returns
    -------
    Sequential
        Of the weights' dtype. Its `predict` gives what the module in evaluation mode does, up to
        rounding. Its nodes are called after the module's parts, "block.linear" as "block/linear",
        and those are frozen all of whose parameters need no gradients. It has no loss yet.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If `module` is no module.
    ValueError
        If it has modules or calls functions that are not supported, all of which the text lists
        with the reasons; if shapes do not fit together; or if a part computes something else than
        its class does: the text names it.

    Warns
    -----
    UserWarning
        If modules share a parameter, of which each layer of the network gets a copy of its own. A
        module that is called several times is one layer. Also if some parameters of a part need
        gradients and others do not.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> import chainrule as cr
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())  # doctest: +SKIP
    >>> cr.from_torch(module)  # doctest: +SKIP
    Sequential([Input(2), Dense(3, activation='relu')], seed=0, dtype='float32')
    """
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    copied = evaluation_copy(module)
    graph = graph_of(copied)
    unsupported = [f"{call}: {call.objection}" for call in graph.calls if call.objection]
    if unsupported:
        listed = "".join(f"\n  {text}" for text in unsupported)
        raise ValueError(f"these modules are not supported:{listed}")
    shapes = _given_shapes(graph, input_shape) or _declared_shapes(graph)
    _refresh(copied, graph, shapes)
    net = _network(graph, _dtype(copied), shapes)
    check_outputs(copied, graph, net, _network)
    _warn_of_ties(module)
    _warn_of_parts_frozen(graph)
    return net


def to_torch(net: Network) -> torch.nn.Module:
    """Return a PyTorch module with copies of the weights, in evaluation mode.

    Of a chain it is a `torch.nn.Sequential`, else a `torch.fx.GraphModule`, which gives a dict of
    several outputs. Its parts have the names of the nodes, or numbers where these have none, and
    the parameters of frozen nodes need no gradients. Its outputs are those of `predict`, which is
    checked on random rows. Penalties of the weights are not part of it, and what PyTorch lacks, as
    `Normalization`, `CategoryEncoding`, an `Embedding` with its options or a recurrent layer by
    itself, becomes a module of `chainrule.interop.torch_modules`.

    Parameters
    ----------
    net : Network
        A built network.

    Returns
    -------
    torch.nn.Module
        A module of the network's dtype.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    ValueError
        If a layer has no form in PyTorch.
    chainrule.ExportError
        If the module's outputs differ from the network's.
    RuntimeError
        If the number of inputs is not known yet.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="relu")], seed=0)
    >>> cr.to_torch(net)  # doctest: +SKIP
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """
    library = _torch()
    inputs, nodes, outputs = nodes_of(net)
    refuse_missing(nodes, {*KINDS, *MERGES}, "PyTorch")
    # New modules draw weights, which are then overwritten.
    with library.random.fork_rng(devices=[]):
        module: torch.nn.Module = _module(inputs, nodes, outputs, net.dtype)
    module = module.to(getattr(library, net.dtype)).eval()
    check_export(module, net)
    return module


def _module(
    inputs: Collection[str], nodes: Sequence[NetworkNode], outputs: Sequence[str], dtype: str
) -> Any:
    """Return a module that computes what nodes do."""
    from torch import fx, nn

    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    values: dict[str, Any] = {name: tracer.proxy(_argument(graph, name)) for name in inputs}
    modules: dict[str, Any] = {}
    made: dict[int, list[str]] = {}
    called: list[str] = []
    for node in nodes:
        value = values[node.inputs[0]]
        if node.layer.kind in MERGES:
            value = call_merge(node.layer.kind, *(values[name] for name in node.inputs))
            if MERGES[node.layer.kind].mean:
                value = value / len(node.inputs)
        else:
            # Nodes that share a layer's parameters share the modules.
            names = made.get(id(node.arrays)) if node.arrays else None
            if names is None:
                beside = {each.name for each in nodes} - {node.name}
                new = _named_modules(node, modules_of(node, dtype), modules, beside)
                names = [*new]
                modules |= new
                made[id(node.arrays)] = names
            called += names
            others = tuple(values[name].node for name in node.inputs[1:])
            for name in names:
                value = tracer.proxy(graph.call_module(name, (value.node, *others)))
        values[node.name] = value
    if is_chain(inputs, nodes, outputs):
        parts: OrderedDict[str, Any] = OrderedDict()
        for name in called:  # a layer may be called again
            calls = sum(part is modules[name] for part in parts.values())
            parts[f"{name}/{calls}" if calls else name] = modules[name]
        return nn.Sequential(parts)
    several = {name: values[name].node for name in outputs}
    graph.output(several if len(several) > 1 else several[outputs[0]])
    return fx.GraphModule(modules, graph)


def _argument(graph: Any, name: str) -> Any:
    """Return an argument of the module's code, by its name if that is free there."""
    # A graph gives its nodes names that are no keywords, built-ins or names of other nodes, but
    # leaves arguments theirs, which then might stand for another node, or PyTorch itself.
    argument = graph.placeholder(re.sub(r"\W|^self$", "_", name))
    argument.target = argument.name
    return argument


def _named_modules(
    node: NetworkNode, modules: Sequence[Any], taken: Mapping[str, Any], nodes: Container[str]
) -> dict[str, Any]:
    """Return modules by names, none `taken` or that of other nodes; the main one has the node's."""
    # Nodes without a name of their own have numbers, which PyTorch gives modules in a row.
    named: dict[str, Any] = {}
    numbered = node.name.isdecimal()
    # What has parameters.
    main = next((i for i, each in enumerate(modules) if [*each.parameters()]), 0)
    for index, module in enumerate(modules):
        if node.frozen:
            module.requires_grad_(False)
        kind = type(module).__name__.lower()
        name = node.name if index == main else f"{node.name}_{kind}"
        if numbered:
            name = str(len(taken) + index)
        elsewhere = () if numbered else nodes
        while any(name in each for each in (taken, named, elsewhere, dir(_reserved()))):
            name += "_"
        named[name] = module
    return named


@cache
def _reserved() -> Any:
    """Return a module without parts, whose attributes no part can be called after."""
    from torch import fx, nn

    return fx.GraphModule(nn.Sequential(), fx.Graph())


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("PyTorch is not installed: pip install torch") from error
    return torch


def _network(graph: ModuleGraph, dtype: str, shapes: Sequence[Shape]) -> Network:
    """Return the network of calls that have a form here."""
    assembly = Assembly(dtype)
    several = len(graph.inputs) > 1
    tensors = {
        name: assembly.input(shape, name if several else "x")
        for name, shape in zip(graph.inputs, shapes, strict=True)
    }
    readers = graph.readers
    counts = Counter(id(call.target) for call in graph.calls if [*_parameters(call.target)])
    first: dict[int, list[Layer]] = {}
    assembly.frozen = _frozen(graph)
    for call in graph.calls:
        operands = [tensors[name] for name in call.inputs]
        assembly.origin = _node_name(call)
        try:
            row = row_of(call.target)
            several = counts[id(call.target)] > 1
            if row is not None:
                # Called several times, it is one layer, which nothing else becomes a part of.
                operands = [assembly.share(x) for x in operands] if several else operands
                before = assembly.count
                more = {"gives_states": True} if call.states else {}
                made = row.read(assembly, *operands[: row.inputs], call.target, **more)
                if several:
                    first[id(call.target)] = assembly.same(before, first.get(id(call.target)))
            else:
                made = assembly.layer(Layer.get(merge_of(call.target) or ""), {}, *operands)
                if not any(x.shape for x in operands):
                    made = assembly.reshape(made, ())
        except ValueError as error:
            raise ValueError(f"{call}: {error}") from error
        for name, x in zip(call.outputs, made if isinstance(made, list) else [made], strict=True):
            tensors[name] = assembly.share(x) if several or readers[name] > 1 else x
    names = graph.output_names or graph.outputs
    return assembly.network(
        {name: tensors[made] for name, made in zip(names, graph.outputs, strict=True)}
    )


def _node_name(call: Call) -> str:
    """Return what the node is called that a part of a module becomes; nothing of functions."""
    return call.path.replace(".", "/")


def _frozen(graph: ModuleGraph) -> set[str]:
    """Return the names of nodes all of whose parameters need no gradients."""
    return {
        _node_name(call)
        for call in graph.calls
        if any(True for _ in _parameters(call.target))
        and not any(parameter.requires_grad for parameter in _parameters(call.target))
    }


def _refresh(module: Any, graph: ModuleGraph, shapes: Sequence[Shape]) -> None:
    """Bring weights up to date that older parametrisations work out as the module is called."""
    torch = _torch()
    if not any("weight" in getattr(call.target, "__dict__", ()) for call in graph.calls):
        return
    dtype = next(module.parameters()).dtype
    # Where that fails the check tells why.
    with contextlib.suppress(Exception), torch.no_grad(), torch.random.fork_rng(devices=[]):
        module(*(torch.zeros(1, *shape, dtype=dtype) for shape in shapes))


def _warn_of_ties(module: Any) -> None:
    # A module that is called several times is one layer, but of several modules each is its own.
    owners = Counter(p.data_ptr() for part in module.modules() for p in part.parameters(False))
    sharing: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if parameter.numel() and owners[parameter.data_ptr()] > 1:
            sharing.setdefault(parameter.data_ptr(), []).append(name)
    ties = [" and ".join(names) for names in sharing.values()]
    if ties:
        warnings.warn(
            f"the module shares parameters ({'; '.join(ties)}), of which the network has copies: "
            "its training will change them apart",
            stacklevel=3,
        )


def _warn_of_parts_frozen(graph: ModuleGraph) -> None:
    for call in {id(call.target): call for call in graph.calls}.values():
        needs = {parameter.requires_grad for parameter in _parameters(call.target)}
        if len(needs) > 1:
            warnings.warn(
                f"{call}: some of its parameters need gradients and others do not; layers are "
                "trained as a whole, and this one is",
                stacklevel=3,
            )


def _parameters(target: Any) -> Any:
    return () if isinstance(target, str) else target.parameters()


def _given_shapes(graph: ModuleGraph, given: Any) -> list[Shape] | None:
    """Return the shapes of the inputs as the caller says them."""
    if given is None:
        return None
    one = isinstance(given, int) or all(isinstance(extent, int) for extent in given)
    shapes = [Input(shape).shape for shape in ([given] if one else given)]
    if len(shapes) != len(graph.inputs):
        raise ValueError(
            f"input_shape has {len(shapes)} shapes, the module {len(graph.inputs)} inputs"
        )
    return shapes


def _declared_shapes(graph: ModuleGraph) -> list[Shape]:
    """Return the shapes of flat inputs, by the first module behind each that tells the columns."""
    declared: dict[str, int] = {}
    entry = {name: name for name in graph.inputs}
    for call in graph.calls:
        columns = input_columns(call.target)
        if tells_no_extents(call.target) and not entry.keys().isdisjoint(call.inputs):
            raise ValueError(f"{call} tells not all extents of its rows; pass input_shape")
        for name in call.inputs:
            if name in entry and columns is not None:
                declared.setdefault(entry[name], columns)
            elif name in entry and not (call.is_part or call.reads_categories):
                # It leaves their number as it is.
                entry[call.name] = entry[name]
    if not all(name in declared for name in graph.inputs):
        raise ValueError("no module tells the number of inputs; pass input_shape")
    return [(declared[name],) for name in graph.inputs]


def _dtype(module: Any) -> str:
    double = any(str(tensor.dtype) == "torch.float64" for tensor in module.state_dict().values())
    return "float64" if double else "float32"
