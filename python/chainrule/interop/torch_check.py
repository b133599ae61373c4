# SPDX-License-Identifier: Apache-2.0
"""A PyTorch module against the network on its other side: the same rows through both."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ExportError
from chainrule.interop.difference import largest_relative_difference

if TYPE_CHECKING:
    from chainrule.network.sequential import Sequential

__all__ = ["Leaf", "check_export", "check_outputs", "evaluation_copy"]

_ROWS = 24
# Of the largest output. In double, what differs at all differs by more, but for a softplus, which
# PyTorch rounds to x where that is above 20.
_DOUBLE, _TOLERANCES = 1e-7, {"float64": 1e-7, "float32": 1e-4, "float16": 2e-2, "bfloat16": 0.1}
_SPREAD = 0.5


class Leaf(NamedTuple):
    """A module that is a layer, by its name within the whole."""

    name: str
    module: Any

    def __str__(self) -> str:
        """Return how errors call it."""
        return f"{self.name or 'the module'} ({type(self.module).__name__})"


Walk = Callable[[Any], list[Leaf]]
Build = Callable[[Sequence[Leaf], str, int], "Sequential"]


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


def check_outputs(module: Any, walk: Walk, net: Sequential, build: Build) -> None:
    """Raise ValueError, naming the part, unless a module computes what its parts in order do.

    Rows are random, small and large and zero. The module, a copy that this may change, runs in
    double where it can, and a second time with other parameters, since some that are zero or one
    hide what is between. `walk` returns the parts of a module in order, `build` a network of
    leaves.
    """
    import torch

    inputs = net._built_core().inputs
    rows = _rows(inputs)
    normal = rows[:_ROWS]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        own = _outputs(module, normal)
        _compare(module, walk, build, normal, own, net.predict(normal), _tolerance(module, net))
        try:
            module.double()
            outputs = _outputs(module, rows)
        except ValueError:
            # It calls for a precision by name, and was compared in that.
            return
        expected = build(walk(module), "float64", inputs).predict(rows)
        _compare(module, walk, build, rows, outputs, expected, _DOUBLE)
        _give_other_parameters(module)
        try:
            outputs = _outputs(module, rows)
            expected = build(walk(module), "float64", inputs).predict(rows)
        except ValueError:
            # Not every parametrisation takes any numbers.
            return
        _compare(module, walk, build, rows, outputs, expected, _DOUBLE)


def check_export(module: Any, net: Sequential) -> None:
    """Raise ExportError unless a module gives what the network does that it was made of.

    For the rows of `check_outputs`, in the network's precision.
    """
    import torch

    single = net.dtype == "float32"
    rows = _rows(net._built_core().inputs)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        outputs = _outputs(module, rows).numpy()
    expected = net.predict(rows)
    # Between large logits a softmax shows what rounding does to them.
    tolerances = (1e-4, 1e-2, 1e-4) if single else (_DOUBLE,) * 3
    for start, tolerance in zip(range(0, len(rows), _ROWS), tolerances, strict=False):
        part = slice(start, start + _ROWS) if start < 2 * _ROWS else slice(start, None)
        # What overflows does so in both, but not for the same rows.
        finite = np.isfinite(expected[part]).all(axis=1) & np.isfinite(outputs[part]).all(axis=1)
        if not finite.any():
            continue
        difference = largest_relative_difference(outputs[part][finite], expected[part][finite])
        if not difference <= tolerance:
            raise ExportError(
                f"the module's outputs differ from the network's by {difference:.2g} of the "
                f"largest, the tolerance is {tolerance:.2g}; this PyTorch ({torch.__version__}) "
                "computes something else by the same names"
            )


def _rows(inputs: int) -> NDArray[np.float64]:
    """Return random rows: ordinary, large, small and zero ones."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(_ROWS, inputs))
    large = 1e3 * rng.normal(size=(_ROWS, inputs))
    return np.concatenate([normal, large, 1e-3 * normal, np.zeros((2, inputs))])


def _tolerance(module: Any, net: Sequential) -> float:
    names = {str(tensor.dtype).removeprefix("torch.") for tensor in module.state_dict().values()}
    found = [_TOLERANCES[name] for name in names if name in _TOLERANCES]
    return max(found, default=_TOLERANCES[net.dtype])


def _outputs(module: Any, rows: NDArray[Any]) -> Any:
    """Return what a module gives for rows in the precision of its parameters."""
    import torch

    floating = [t.dtype for t in module.state_dict().values() if t.dtype.is_floating_point]
    # A new tensor: some modules overwrite what they are given.
    given = torch.tensor(rows, dtype=floating[0] if floating else torch.float32)
    try:
        outputs = module(given)
    except Exception as error:
        raise ValueError(f"the module fails on rows of {rows.shape[1]} columns: {error}") from error
    if not isinstance(outputs, torch.Tensor):
        raise ValueError(f"the module gives a {type(outputs).__name__}, expected a tensor")
    return outputs


def _compare(
    module: Any,
    walk: Walk,
    build: Build,
    rows: NDArray[Any],
    outputs: Any,
    expected: NDArray[Any],
    tolerance: float,
) -> None:
    difference = _difference(outputs, expected)
    if difference <= tolerance:
        return
    found = _culprit(module, walk, build, rows)
    if tuple(outputs.shape) != expected.shape:
        how = f"its outputs have shape {tuple(outputs.shape)}, those of its parts {expected.shape}"
    else:
        how = f"outputs differ by {difference:.2g}"
    raise ValueError(f"{found}: {how}; pass a torch.nn.Sequential of its parts")


def _difference(outputs: Any, expected: NDArray[Any]) -> float:
    """Return the largest relative difference within rows of one scale."""
    theirs = outputs.detach().double().numpy()
    if theirs.shape != expected.shape:
        return float("inf")
    # Large rows must not hide what small ones show.
    starts = range(0, len(expected), _ROWS)
    parts = [(theirs[i : i + _ROWS], expected[i : i + _ROWS]) for i in starts]
    return float(np.max([largest_relative_difference(x, y) for x, y in parts]))


def _give_other_parameters(module: Any) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        if parameter.dtype.is_floating_point and parameter.numel():
            spread = _SPREAD if parameter.ndim < 2 else parameter.shape[-1] ** -0.5
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(spread * noise)


def _culprit(module: Any, walk: Walk, build: Build, rows: NDArray[Any]) -> str:
    """Return what the innermost part that is not what it seems to be does."""
    import torch

    recorder = _Recorder(module, walk)
    # The outputs differ anyway; here it matters only where.
    with contextlib.suppress(ValueError), recorder.recording():
        _outputs(module, rows)
    for leaf, x, y in recorder.calls:
        if not isinstance(x, torch.Tensor) or x.ndim != 2:
            continue
        alone = build([leaf], "float64", x.shape[1])
        tolerance = _tolerance(module, alone)
        if not _difference(y, alone.predict(x.double().numpy())) <= tolerance:
            return (
                f"{leaf} computes something else than its class does: it has a hook, a "
                "parametrisation or a forward of its own"
            )
    name = recorder.apart or f"the module ({type(module).__name__})"
    return f"{name} computes something else than its children in the order in which they were made"


class _Recorder:
    """Notes what the parts of a module are given and give, in the order of the calls."""

    def __init__(self, module: Any, walk: Walk) -> None:
        self.calls: list[tuple[Leaf, Any, Any]] = []
        self.apart: str | None = None  # the first container that is no chain of its parts
        self._module, self._walk = module, walk
        self._leaves = {id(leaf.module): leaf for leaf in walk(module)}
        self._begun: list[tuple[int, Any]] = []

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        handles = []
        for name, part in self._module.named_modules():
            handles.append(part.register_forward_pre_hook(self._enter, prepend=True))
            handles.append(part.register_forward_hook(self._leave(name or "the module")))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, part: Any, arguments: tuple[Any, ...]) -> None:
        self._begun.append((len(self.calls), _kept(arguments[0]) if arguments else None))

    def _leave(self, name: str) -> Callable[..., None]:
        def leave(part: Any, arguments: tuple[Any, ...], result: Any) -> None:
            first, x = self._begun.pop()
            if id(part) in self._leaves:
                del self.calls[first:]
                self.calls.append((self._leaves[id(part)], x, _kept(result)))
            elif self.apart is None and not self._is_chain(part, first, x, result):
                self.apart = f"{name} ({type(part).__name__})"

        return leave

    def _is_chain(self, part: Any, first: int, x: Any, result: Any) -> bool:
        """Whether the calls since `first` hand on x to the result, and nothing else is done."""
        import torch

        calls = self.calls[first:]
        if [id(leaf.module) for leaf, _, _ in calls] != [
            id(leaf.module) for leaf in self._walk(part)
        ]:
            return False
        given = [x, *(y for _, _, y in calls)]
        taken = [*(x for _, x, _ in calls), result]
        return all(
            isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and torch.equal(a, b)
            for a, b in zip(given, taken, strict=True)
        )


def _kept(value: Any) -> Any:
    """Return a tensor that no later module overwrites."""
    import torch

    return value.detach().clone() if isinstance(value, torch.Tensor) else value
