# SPDX-License-Identifier: Apache-2.0
"""What a PyTorch module's code takes of the tensors that a recurrent module gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.interop.torch_modules import module_of
from chainrule.interop.torch_recurrence import directions_of, has_cells

__all__ = ["RecurrentPart", "index_of", "states_given"]


@dataclass(frozen=True, eq=False)
class RecurrentPart:
    """What a recurrent module gives, or a part of it that is no tensor of rows first.

    `outputs` are the names of the sequences of each direction, `states` of its final states, once
    they are asked for: h of each layer and direction, and of an LSTM then c of each. `path` says
    what has been taken: nothing of (sequences, states), (1,) the states, of an LSTM (1, 0) its h
    and (1, 1) its c.
    """

    module: Any
    outputs: list[str]
    states: list[str]
    path: tuple[int, ...] = ()

    def taken(self, function: str, arguments: Sequence[Any]) -> RecurrentPart | tuple[Any, Any]:
        """Return what a function of this makes: a part again, or a call's target and inputs.

        What is not known becomes a call of a function that there is not.
        """
        from torch import nn

        place = arguments[0] if arguments else None
        is_states = len(self.path) == 1 + self._has_cells
        if function == "squeeze" and is_states and place == 0 and self._count == 1:
            function = "getitem"
        if function != "getitem" or not isinstance(place, int):
            return f"{function} of its {'states' if self.path else 'outputs'}", self.outputs
        if is_states:
            return self._state(place)
        if not self.path and place == 0:
            both = len(self.outputs) > 1
            return "cat" if both else nn.Identity(), self.outputs
        if place not in (0, 1):
            return f"number {place} of what it gives", self.outputs
        return RecurrentPart(self.module, self.outputs, self.states, (*self.path, place))

    @property
    def _has_cells(self) -> bool:
        return has_cells(self.module)

    @property
    def _count(self) -> int:
        return int(self.module.num_layers) * directions_of(self.module)

    def _state(self, place: int) -> tuple[Any, Any]:
        """Return the final state of a direction of a layer."""
        from torch import nn

        if not -self._count <= place < self._count:
            return f"number {place} of its states", self.outputs
        directions = len(self.outputs)
        direction = place % self._count - (self._count - directions)
        is_cell = self.path == (1, 1)
        if direction < 0 or is_cell:
            place = place % self._count + self._count * is_cell
            return nn.Identity(), [self.final_states()[place]]
        # That of h of the last layer is at the end of the sequence that it comes to.
        return module_of("Step", -1 if direction == 0 else 0), [self.outputs[direction]]

    def final_states(self) -> list[str]:
        """Return the names of all final states, which the module gives from now on."""
        if not self.states:
            base = self.outputs[0].removesuffix("_0")
            kinds = "hc" if self._has_cells else "h"
            names = (f"{base}_{kind}{i}" for kind in kinds for i in range(self._count))
            self.states.extend(names)
        return self.states


def states_given(
    module: Any, argument: Any, parts: Mapping[Any, RecurrentPart]
) -> list[str] | None:
    """Return the names of the states that a recurrent module begins with; None if unknown.

    They are all that another one ends with, as it gives them: states, or of an LSTM (h, c).
    """
    each = [*argument] if isinstance(argument, tuple | list) else [argument]
    found = [parts[one] for one in each if one in parts]
    paths = [part.path for part in found]
    if paths != [(1,)] and paths != [(1, 0), (1, 1)]:
        return None
    names = found[0].final_states()
    same = all(part.states is found[0].states for part in found) and len(found) == len(each)
    count = int(module.num_layers) * directions_of(module) * (1 + has_cells(module))
    return names if same and len(names) == count else None


def index_of(function: str, arguments: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return the i of a part x[:, *i] of rows; None if that is something else.

    It may have an ellipsis, and where it has a list no other place.
    """
    if function != "getitem" or len(arguments) != 2:
        return None
    index = arguments[1] if isinstance(arguments[1], tuple) else (arguments[1],)
    if not all(map(_is_part, index)):
        return None
    chosen = [each for each in index if isinstance(each, int | list)]
    if len(chosen) > 1 and any(isinstance(each, list) for each in chosen):
        return None
    if index[:1] == (Ellipsis,):
        return index
    return index[1:] if index[:1] == (slice(None),) else None


def _is_part(each: Any) -> bool:
    """Whether something says which places of an axis are meant, and no tensor is among it."""
    if isinstance(each, slice):
        ends = (each.start, each.stop, each.step)
        return all(end is None or type(end) is int for end in ends) and (each.step or 1) > 0
    if isinstance(each, list):
        return all(type(place) is int for place in each)
    return each is None or each is Ellipsis or type(each) is int
