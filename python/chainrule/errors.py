# SPDX-License-Identifier: Apache-2.0
"""Exceptions that callers may want to catch by name."""

from __future__ import annotations

__all__ = ["DataFileError", "DivergenceError", "ExportError", "ModelFileError"]


class ModelFileError(ValueError):
    """A model file is truncated, altered, of a newer version or not a model file at all.

    A file that does not exist raises `FileNotFoundError` instead.

    Examples
    --------
    >>> import chainrule as cr
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> _ = path.write_text("something else")
    >>> try:
    ...     cr.load(path)
    ... except cr.ModelFileError:
    ...     print("no model")
    no model
    """


class DataFileError(ValueError):
    """A data file does not hold what its format promises.

    Raised for corrupt compression, truncation, wrong checksums and unreadable entries; the text
    names the file and, where the format has them, the line and column. A file that does not exist
    raises `FileNotFoundError` instead.

    Examples
    --------
    >>> import chainrule as cr
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "pixels.idx"
    >>> _ = path.write_text("something else")
    >>> try:
    ...     cr.data.load_idx(path)
    ... except cr.DataFileError:
    ...     print("no IDX file")
    no IDX file
    """


class ExportError(RuntimeError):
    """What a network was exported to does not predict what the network predicts.

    Examples
    --------
    >>> issubclass(ExportError, RuntimeError)
    True
    """


class DivergenceError(ArithmeticError):
    """Training stopped because the loss became NaN or infinite.

    The network is as it was when the epoch began; or, where that gives numbers that are not finite,
    as an epoch before began, whose entry `Sequential.history` then lacks.

    Parameters
    ----------
    text : str
        What happened and what to try.
    epoch : int
        Epoch in which it happened, counted from 1.
    batch : int
        Batch of that epoch, counted from 1.
    layer : str
        First layer whose output was not finite.
    loss : float
        The value of the loss: NaN or an infinity.

    Attributes
    ----------
    epoch, batch, layer, loss
        As given.

    Examples
    --------
    >>> DivergenceError("too fast", epoch=2, batch=17, layer="1 (dense)", loss=float("nan")).batch
    17
    """

    def __init__(self, text: str, *, epoch: int, batch: int, layer: str, loss: float) -> None:
        super().__init__(text)
        self.epoch = epoch
        self.batch = batch
        self.layer = layer
        self.loss = loss

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by keyword arguments, so that the error crosses process boundaries."""
        return _divergence_error, (str(self), self.epoch, self.batch, self.layer, self.loss)


def _divergence_error(
    text: str, epoch: int, batch: int, layer: str, loss: float
) -> DivergenceError:
    return DivergenceError(text, epoch=epoch, batch=batch, layer=layer, loss=loss)
