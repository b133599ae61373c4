# SPDX-License-Identifier: Apache-2.0
"""What a PyTorch module computes, as calls of its parts and of functions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chainrule.interop.torch_functions import as_module
from chainrule.interop.torch_layers import call_merge, merge_of, row_of
from chainrule.interop.torch_modules import module_of
from chainrule.interop.torch_parts import RecurrentPart, index_of, states_given
from chainrule.interop.torch_recurrence import call_on, directions_of, final_states

__all__ = ["Call", "ModuleGraph", "graph_of", "in_order"]


# Functions that give sizes of tensors, and states for recurrent modules to begin with.
_NO_ROWS = frozenset({"getattr", "getitem", "new_zeros", "size", "zeros"})


@dataclass(frozen=True, eq=False)
class Call:
    """A module, or a function by its name, called on tensors by their names.

    `where` is how errors call it, and `path` where the module is within the whole one. `states` are
    the names of the final states of a recurrent module that others read.
    """

    name: str
    where: str
    target: Any
    inputs: list[str]
    path: str = ""
    states: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return how errors call it."""
        return f"{self.where}: {self.target}" if isinstance(self.target, str) else self.where

    @property
    def outputs(self) -> list[str]:
        """The names of what it gives: of a recurrent module the sequences of each direction."""
        directions = directions_of(self.target)
        if not directions:
            return [self.name]
        return [*(f"{self.name}_{i}" for i in range(directions)), *self.states]

    @property
    def is_part(self) -> bool:
        """Whether it gives a part of rows as they are."""
        return type(self.target).__name__ == "Index"

    @property
    def reads_categories(self) -> bool:
        """Whether its numbers are integers, which stand for what it gives."""
        from torch import nn

        return isinstance(self.target, nn.Embedding) or type(self.target).__name__ == "OneHot"

    def run(self, *tensors: Any) -> list[Any]:
        """Return what it gives."""
        if isinstance(self.target, str):
            return [call_merge(merge_of(self.target) or "", *tensors)]
        directions = directions_of(self.target)
        if not directions:
            return [self.target(*tensors)]
        made = call_on(self.target, *tensors)
        states = final_states(self.target, made) if self.states else []
        return [*made[0].chunk(directions, -1), *states]

    @property
    def objection(self) -> str | None:
        """Why it has no form here, or None."""
        if isinstance(self.target, str):
            known = merge_of(self.target) is not None and len(self.inputs) > 1
            return None if known else "there is no such layer"
        row = row_of(self.target)
        return "there is no such layer" if row is None else row.objection(self.target)


@dataclass
class ModuleGraph:
    """Calls in order, from inputs to outputs, which are the names of what calls give.

    `followed` tells whether they are what was called, or the module's parts in order, and
    `output_names` what a module calls its outputs that gives several.
    """

    inputs: list[str]
    calls: list[Call]
    outputs: list[str]
    followed: bool = True
    output_names: list[str] = field(default_factory=list)

    @property
    def of_integers(self) -> list[bool]:
        """Which inputs must be integers, as categories are read from them or a part of them."""
        read: set[str] = set()
        for call in reversed(self.calls):
            if call.reads_categories or (call.is_part and call.name in read):
                read.update(call.inputs)
        return [name in read for name in self.inputs]

    @property
    def readers(self) -> Counter[str]:
        """How often each tensor is read, outputs included."""
        return Counter([*self.outputs, *(name for call in self.calls for name in call.inputs)])


def graph_of(module: Any) -> ModuleGraph:
    """Return what a module computes."""
    from torch import fx

    if _is_leaf(module):
        return in_order(module)
    tracer: Any = fx.Tracer()
    tracer.is_leaf_module = lambda part, name: _is_leaf(part)
    try:
        traced = tracer.trace(module)
    # A module may do with the stand-in for its input whatever it likes.
    except Exception:
        return in_order(module)
    graph = ModuleGraph([], [], [])
    parts: dict[Any, RecurrentPart] = {}
    known: set[Any] = set()
    for node in traced.nodes:
        read: list[Any] = []
        fx.node.map_arg((node.args, node.kwargs), read.append)
        inputs = [each.name for each in read if each in known]
        if node.op == "call_function" and not node.users and _function(node) == "getitem":
            continue  # as of (sequences, states), of which one is read
        if node.op == "placeholder":
            graph.inputs.append(node.name)
        elif node.op == "output":
            given = node.args[0]
            made = [*given.values()] if isinstance(given, dict) else [given]
            graph.output_names = [*map(str, given)] if isinstance(given, dict) else []
            if not all(isinstance(each, fx.Node) and each in known for each in made):
                raise ValueError(f"the module gives a {type(given).__name__}, expected a tensor")
            graph.outputs += [each.name for each in made]
        elif node.op == "call_module":
            part = module.get_submodule(node.target)
            label = _label(node.target, part)
            begin: list[str] | None = []
            if not parts.keys().isdisjoint(read):
                given = [*node.args[1:], *node.kwargs.values()]
                is_one = directions_of(part) and len(given) == 1 and len(inputs) == 1
                begin = states_given(part, given[0], parts) if is_one else None
            target = part if begin is not None else "something of a recurrent module's states"
            made_by = Call(node.name, label, target, [*inputs, *(begin or [])], node.target)
            graph.calls.append(made_by)
            if directions_of(target):
                parts[node] = RecurrentPart(target, made_by.outputs, made_by.states)
                continue
        elif node.op != "get_attr" and not parts.keys().isdisjoint(read):
            part = parts[next(each for each in read if each in parts)]
            found = part.taken(_function(node) if len(read) == 1 else "several", node.args[1:])
            if isinstance(found, RecurrentPart):
                parts[node] = found
                continue
            target, inputs = found
            where = f"{node.name} (of a {type(part.module).__name__})"
            graph.calls.append(Call(node.name, where, target, inputs))
        else:
            name = _function(node)
            index = index_of(name, node.args)
            of_rows = name == "getitem" and node.args[0] in known
            if node.op == "get_attr" or (name in _NO_ROWS and not of_rows):
                continue  # constants, states to begin with, or sizes of tensors
            stack = [*(node.meta.get("nn_module_stack") or {"": ("", type(module))}).values()]
            where = f"{stack[-1][0] or 'the module'} ({stack[-1][1].__name__})"
            if of_rows:
                target = name if index is None else module_of("Index", index)
            else:
                target = as_module(name, node.args, node.kwargs, known) or name
            axis = node.kwargs.get("dim", [*node.args, 0, 0][1]) if name == "cat" else 1
            if axis not in (1, -1) or (name != "cat" and node.kwargs and isinstance(target, str)):
                target = f"{name} with other options"
            graph.calls.append(Call(node.name, where, target, inputs))
        known.add(node)
    return graph


def _function(node: Any) -> str:
    """Return the name of the function or method that a node calls."""
    return node.target if isinstance(node.target, str) else str(node.target.__name__)


def in_order(module: Any) -> ModuleGraph:
    """Return a module's parts in the order in which they were made."""
    leaves = [(name, part) for name, part in _leaves(module, "")]
    for name, part in leaves:
        if directions_of(part):
            raise ValueError(
                f"{_label(name, part)} gives sequences and states, and which of them the module "
                "goes on with cannot be followed"
            )
    names = ["x", *(f"y{index}" for index in range(len(leaves)))]
    calls = [
        Call(names[i + 1], _label(name, part), part, [names[i]], name)
        for i, (name, part) in enumerate(leaves)
    ]
    return ModuleGraph(["x"], calls, [names[-1]], followed=_is_leaf(module))


def _leaves(part: Any, name: str) -> list[tuple[str, Any]]:
    if _is_leaf(part):
        return [(name, part)]
    prefix = f"{name}." if name else ""
    children = ((prefix + child, each) for child, each in part._modules.items() if each is not None)
    return [leaf for child, each in children for leaf in _leaves(each, child)]


def _is_leaf(part: Any) -> bool:
    """Whether a module is one of PyTorch's, or of a class that is derived from one, or of ours."""
    from torch import nn

    if isinstance(part, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return False
    bases = (base for base in type(part).__mro__ if base is not nn.Module)
    return any(base.__module__.startswith(("torch.nn.modules.", "chainrule.")) for base in bases)


def _label(name: str, part: Any) -> str:
    return f"{name or 'the module'} ({type(part).__name__})"
