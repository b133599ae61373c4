# SPDX-License-Identifier: Apache-2.0
"""A PyTorch module against the network on its other side: the same rows through both."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ExportError
from chainrule.interop.categories import WHOLE_NUMBERS, put_whole_numbers
from chainrule.interop.difference import relative_differences, sample_rows
from chainrule.interop.nodes import Shape, nodes_of, predictions
from chainrule.interop.torch_graph import ModuleGraph

if TYPE_CHECKING:
    from chainrule.network.network import Network

__all__ = ["check_export", "check_outputs", "evaluation_copy"]

Array = NDArray[Any]

_ROWS = 24
# Of the largest output. In double, what differs at all differs by more, but for a softplus, which
# PyTorch rounds to x where that is above 20.
_DOUBLE, _TOLERANCES = 1e-7, {"float64": 1e-7, "float32": 1e-4, "float16": 2e-2, "bfloat16": 0.1}
_SPREAD = 0.5


Build = Callable[[ModuleGraph, str, Sequence[Shape]], "Network"]


def evaluation_copy(module: Any) -> Any:
    """Return a copy in evaluation mode, in the main memory, so that running it changes nothing."""
    import torch

    # What older parametrisations keep beside the parameters would stop the copy.
    worked_out: dict[int, Any] = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }
    try:
        return copy.deepcopy(module, worked_out).cpu().eval()
    except Exception as error:
        raise ValueError(
            f"the module cannot be copied, without which it is not checked: {error}"
        ) from error


def check_outputs(module: Any, graph: ModuleGraph, net: Network, build: Build) -> None:
    """Raise ValueError, naming the part, unless a module computes what its graph does.

    Rows are random, small and large and zero. The module, a copy that this may change, runs in
    double where it can, and a second time with other parameters, since some that are zero or one
    hide what is between. `build` returns the network of a graph.
    """
    import torch

    shapes = [*nodes_of(net)[0].values()]
    pairs = zip(_rows(net), graph.of_integers, strict=True)
    rows = [np.rint(each) if integers else each for each, integers in pairs]

    def compare(rows: list[Array], network: Network | None, tolerance: float, dtype: Any) -> None:
        # First, since older parametrisations work out weights as the module is called.
        outputs = _outputs_of(module, _given(module, rows, graph.of_integers, dtype))
        expected = predictions(network or build(graph, "float64", shapes), rows)
        difference = max(map(_difference, outputs, expected))
        # Some call for a precision by name.
        if difference <= max(tolerance, *(_tolerance_of(each.dtype) for each in outputs)):
            return
        how = f"outputs differ by {difference:.2g}"
        if tuple(outputs[0].shape) != expected[0].shape:
            both = f"{tuple(outputs[0].shape)}, those of its parts {expected[0].shape}"
            how = f"its outputs have shape {both}"
        found = _culprit(module, graph, build, rows)
        raise _OtherOutputsError(f"{found}: {how}; pass a torch.nn.Sequential of its parts")

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        few = [each[:_ROWS] for each in rows]
        compare(few, net, _tolerance(module, net), torch.float32)
        for change in (module.double, lambda: _give_other_parameters(module)):
            try:
                change()
                compare(rows, None, _DOUBLE, torch.float64)
            except _OtherOutputsError:
                raise
            except ValueError:
                # It calls for a precision by name, or its parametrisation takes not any numbers,
                # and was compared before that.
                return


def check_export(module: Any, net: Network) -> None:
    """Raise ExportError unless a module gives what the network does that it was made of.

    For the rows of `check_outputs`, in the network's precision.
    """
    import torch

    rows = _rows(net)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        given = [torch.tensor(each).to(getattr(torch, net.dtype)) for each in rows]
        made = [each.numpy() for each in _outputs_of(module, given)]
    # Between large logits a softmax shows what rounding does to them.
    tolerances = (1e-4, 1e-2, 1e-4, 1e-4) if net.dtype == "float32" else (_DOUBLE,) * 4
    for outputs, expected in zip(made, predictions(net, rows), strict=True):
        found = relative_differences(outputs, expected, _ROWS, overflows=True)
        for difference, tolerance in zip(found, tolerances, strict=False):
            if not difference <= tolerance:
                raise ExportError(
                    f"the module's outputs differ from the network's by {difference:.2g} of the "
                    f"largest, the tolerance is {tolerance:.2g}; this PyTorch "
                    f"({torch.__version__}) computes something else by the same names"
                )


def _rows(net: Network) -> list[Array]:
    """Return random rows of each input: ordinary, large, small and zero ones, or categories."""
    rng = np.random.default_rng(0)
    inputs, nodes, _ = nodes_of(net)
    made = []
    for name, shape in inputs.items():
        rows = sample_rows(math.prod(shape), (1.0, 1e3, 1e-3, 0.0), _ROWS, rng)
        if len(shape) == 1:
            put_whole_numbers(rows, name, nodes, WHOLE_NUMBERS[net.dtype], rng, True)
        made.append(rows.reshape(-1, *shape))
    return made


def _tolerance(module: Any, net: Network) -> float:
    found = [_tolerance_of(tensor.dtype) for tensor in module.state_dict().values()]
    return max(found, default=0.0) or _TOLERANCES[net.dtype]


def _tolerance_of(dtype: Any) -> float:
    return _TOLERANCES.get(str(dtype).removeprefix("torch."), 0.0)


def _given(
    module: Any, rows: Sequence[Array], of_integers: Sequence[bool], dtype: Any
) -> list[Any]:
    """Return new tensors, as some modules overwrite theirs, in the precision of the parameters.

    Where there are none it is `dtype`.
    """
    import torch

    floating = [t.dtype for t in module.state_dict().values() if t.dtype.is_floating_point]
    own = floating[0] if floating else dtype
    types = [torch.int64 if integers else own for integers in of_integers]
    return [torch.tensor(each).to(dtype) for each, dtype in zip(rows, types, strict=True)]


def _outputs_of(module: Any, given: Sequence[Any]) -> list[Any]:
    """Return what a module gives for rows."""
    import torch

    try:
        outputs = module(*given)
    except Exception as error:
        widths = " and ".join(" x ".join(map(str, each.shape[1:])) for each in given)
        raise ValueError(f"the module fails on rows of {widths} columns: {error}") from error
    made = [*outputs.values()] if isinstance(outputs, dict) else [outputs]
    if not all(isinstance(each, torch.Tensor) for each in made):
        raise ValueError(f"the module gives a {type(outputs).__name__}, expected a tensor")
    return made


def _difference(outputs: Any, expected: Array) -> float:
    """Return the largest relative difference within rows of one scale."""
    # Large rows must not hide what small ones show.
    theirs = outputs.detach().double().numpy()
    return float(np.max(relative_differences(theirs, expected, _ROWS)))


def _give_other_parameters(module: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        if parameter.dtype.is_floating_point and parameter.numel():
            spread = _SPREAD if parameter.ndim < 2 else parameter.shape[-1] ** -0.5
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(spread * noise)


def _culprit(module: Any, graph: ModuleGraph, build: Build, rows: Sequence[Array]) -> str:
    """Return what the first part that is not what it seems to be does."""
    import torch

    entries = _given(module, rows, graph.of_integers, torch.float64)
    values: dict[str, Any] = dict(zip(graph.inputs, entries, strict=True))
    for call in graph.calls:
        # Copies: some modules overwrite what they are given.
        given = [values[name].clone() for name in call.inputs]
        try:
            made = call.run(*given)
        # The outputs differ anyway; here it matters only where.
        except Exception:
            break
        values |= zip(call.outputs, made, strict=True)
        if isinstance(call.target, str):
            continue
        part = ModuleGraph(call.inputs, [call], call.outputs)
        alone = build(part, "float64", [tuple(x.shape[1:]) for x in given])
        expected = predictions(alone, [values[name].double().numpy() for name in call.inputs])
        if not max(map(_difference, made, expected)) <= _tolerance(module, alone):
            return (
                f"{call} computes something else than its class does: it has a hook, a "
                "parametrisation or a forward of its own"
            )
    order = "its children in the order in which they were made"
    known = "what was followed of it" if graph.followed else order
    return f"the module ({type(module).__name__}) computes something else than {known}"


class _OtherOutputsError(ValueError):
    """A module is not what its graph is."""
