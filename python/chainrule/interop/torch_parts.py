# SPDX-License-Identifier: Apache-2.0
"""What a PyTorch module's code takes of the tensors that a recurrent module gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.interop.torch_modules import module_of
from chainrule.interop.torch_recurrence import directions_of

__all__ = ["RecurrentPart", "index_of"]


@dataclass(frozen=True, eq=False)
class RecurrentPart:
    """What a recurrent module gives, or a part of it that is no tensor of rows first.

    `outputs` are the names of the sequences of each direction. `path` says what has been taken:
    nothing of (sequences, states), (1,) the states, of an LSTM those with the cells.
    """

    module: Any
    outputs: list[str]
    path: tuple[int, ...] = ()

    def taken(self, function: str, arguments: Sequence[Any]) -> RecurrentPart | tuple[Any, Any]:
        """Return what a function of this makes: a part again, or a call's target and inputs.

        What is not known becomes a call of a function that there is not.
        """
        from torch import nn

        place = arguments[0] if arguments else None
        if function == "squeeze" and self._is_states and place == 0 and self._count == 1:
            function = "getitem"
        if function != "getitem" or not isinstance(place, int):
            return f"{function} of its {'states' if self.path else 'outputs'}", self.outputs
        if self._is_states:
            return self._state(place)
        if not self.path and place == 0:
            both = len(self.outputs) > 1
            return "cat" if both else nn.Identity(), self.outputs
        cells = self._has_cells and place == 1 and bool(self.path)
        if place not in (0, 1) or cells:
            return "its cells", self.outputs
        return RecurrentPart(self.module, self.outputs, (*self.path, place))

    @property
    def _is_states(self) -> bool:
        """Whether it is the last states, of (layers * directions, rows, units)."""
        return self.path == ((1, 0) if self._has_cells else (1,))

    @property
    def _has_cells(self) -> bool:
        return any(base.__name__ == "LSTM" for base in type(self.module).__mro__)

    @property
    def _count(self) -> int:
        return int(self.module.num_layers) * directions_of(self.module)

    def _state(self, place: int) -> tuple[Any, Any]:
        """Return the last state of a direction, which is at the end that it comes to."""
        directions = len(self.outputs)
        direction = place % self._count - (self._count - directions)
        if not -self._count <= place < self._count or direction < 0:
            return "the states of its lower layers", self.outputs
        return module_of("Step", -1 if direction == 0 else 0), [self.outputs[direction]]


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
