# SPDX-License-Identifier: Apache-2.0
"""Modules over sequences that PyTorch itself lacks, for `chainrule.interop.torch_modules`."""

from __future__ import annotations

__all__ = ["sequence_classes"]


def sequence_classes() -> list[type]:
    """Return the classes, which need PyTorch."""
    import torch

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
        """

        def __init__(
            self, recurrence: torch.nn.RNNBase, return_sequences: bool, go_backwards: bool
        ) -> None:
            super().__init__()
            self.recurrence = recurrence
            self.return_sequences, self.go_backwards = return_sequences, go_backwards

        def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
            """Return (rows, time, units), or (rows, units), of (rows, time, features).

            Lengths are of shape (rows, 1); behind them sequences are zeros.
            """
            time = x.shape[1]
            steps = torch.arange(time, device=x.device).expand(len(x), -1)
            length = steps[:, :1] * 0 + time if lengths is None else lengths.to(steps.dtype)
            inside = steps < length
            # Each row's steps in reverse order, and what is behind its length where it was.
            places = torch.where(inside, length - 1 - steps, steps) if self.go_backwards else steps
            y = self.recurrence(_taken(x, places))[0]
            if not self.return_sequences:
                return _taken(y, length - 1)[:, 0]
            return _taken(torch.where(inside[..., None], y, 0.0), places)

        def extra_repr(self) -> str:
            """Return the options."""
            return f"return_sequences={self.return_sequences}, go_backwards={self.go_backwards}"

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
