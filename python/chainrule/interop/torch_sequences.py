# SPDX-License-Identifier: Apache-2.0
"""Modules over sequences that PyTorch itself lacks, for `chainrule.interop.torch_modules`."""

from __future__ import annotations

__all__ = ["sequence_classes"]


def sequence_classes() -> list[type]:
    """Return the classes, which need PyTorch."""
    import torch
    from torch.nn.utils import rnn

    class Recurrent(torch.nn.Module):
        """A recurrent layer as `chainrule.layers.RecurrentLayer`, around one of PyTorch's.

        Parameters
        ----------
        recurrence : torch.nn.RNN, torch.nn.GRU or torch.nn.LSTM
            With one layer of one direction, and ``batch_first``.
        return_sequences : bool
            Whether it gives the state behind each step, and not behind the last one alone.
        go_backwards : bool
            Whether steps go from the last position to the first.
        return_state : bool
            Whether it gives its final states as positions behind the sequence, or alone.
        """

        def __init__(
            self,
            recurrence: torch.nn.RNNBase,
            return_sequences: bool,
            go_backwards: bool,
            return_state: bool = False,
        ) -> None:
            super().__init__()
            self.recurrence = recurrence
            self.return_sequences, self.go_backwards = return_sequences, go_backwards
            self.return_state = return_state

        def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
            """Return (rows, time, units), or (rows, units), of (rows, time, features).

            `others` are what the layer reads besides: lengths of shape (rows, 1), behind which
            sequences are zeros, and the states that the first step begins with, (rows, units).
            """
            has_lengths = len(others) > 0 and others[0].shape[1] == 1
            lengths, first = others[:1] if has_lengths else (), others[has_lengths:]
            time = x.shape[1]
            steps = torch.arange(time, device=x.device).expand(len(x), -1)
            length = lengths[0].to(steps.dtype) if lengths else steps[:, :1] * 0 + time
            inside = steps < length
            # Each row's steps in reverse order, and what is behind its length where it was.
            places = torch.where(inside, length - 1 - steps, steps) if self.go_backwards else steps
            given = tuple(state[None].contiguous() for state in first)
            state = (given if len(given) > 1 else given[0]) if given else None
            x = _taken(x, places)
            if not lengths:
                y, final = self.recurrence(x, state)
            else:
                packed = rnn.pack_padded_sequence(x, length[:, 0].cpu(), True, False)
                y, final = self.recurrence(packed, state)
                y, _ = rnn.pad_packed_sequence(y, True, 0.0, time)
            both: tuple[torch.Tensor, ...] = final if isinstance(final, tuple) else (final,)
            states = [each[0] for each in both]
            if not (self.return_sequences or self.return_state):
                return states[0]
            behind = [torch.stack(states, 1)] if self.return_state else []
            return torch.cat([*[_taken(y, places)] * self.return_sequences, *behind], 1)

        def extra_repr(self) -> str:
            """Return the options."""
            names = ("return_sequences", "go_backwards", "return_state")
            return ", ".join(f"{name}={getattr(self, name)}" for name in names)

    class Step(torch.nn.Module):
        """One position of sequences: (rows, time, columns) becomes (rows, columns)."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Return the position of each row."""
            return x[:, self.place]

    def _taken(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return each row's numbers at places of its own."""
        return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))

    return [Recurrent, Step]
