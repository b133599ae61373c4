# SPDX-License-Identifier: Apache-2.0
"""What ``fit`` shows while it trains: nothing, one line per epoch, or a bar and then the line."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

REFRESH_SECONDS = 0.1


class Progress:
    """Shows nothing; the base of those that do, and the order of calls they all expect."""

    def epoch_begin(self, epoch: int) -> None:
        """Start epoch number `epoch`, counted from 1."""

    def batch(self, done_batches: int, loss: float) -> None:
        """Report the batches done in this epoch and a loss; cheap enough for every batch."""

    def epoch_end(self, epoch: int, logs: Mapping[str, Any], seconds: float) -> None:
        """Report the metrics of the epoch and how long it took."""

    def close(self) -> None:
        """Leave the stream in order, also in the middle of an epoch."""

    def __enter__(self) -> Progress:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


class EpochLines(Progress):
    """One plain line per epoch."""

    def __init__(self, epochs: int, stream: TextIO) -> None:
        self.epochs = epochs
        self.stream = stream

    def epoch_end(self, epoch: int, logs: Mapping[str, Any], seconds: float) -> None:
        """Write the line."""
        line = epoch_line(epoch, self.epochs, logs, seconds)
        print(line, file=self.stream, flush=True)


class EpochBars(EpochLines):
    """A tqdm bar over the batches of each epoch, which gives way to the line."""

    def __init__(
        self, epochs: int, total_batches: int, stream: TextIO, tqdm: Any, bar_stream: TextIO | None
    ) -> None:
        super().__init__(epochs, stream)
        self.total_batches = total_batches
        self._tqdm = tqdm
        self._bar_stream = bar_stream
        self._bar: Any = None
        self._next_refresh = 0.0

    def epoch_begin(self, epoch: int) -> None:
        """Open the bar."""
        self.close()
        self._bar = self._tqdm(
            total=self.total_batches,
            desc=f"epoch {epoch}/{self.epochs}",
            unit="batch",
            file=self._bar_stream,
            leave=False,
            dynamic_ncols=True,
            delay=REFRESH_SECONDS,
            mininterval=0,
            miniters=1,
        )

    def batch(self, done_batches: int, loss: float) -> None:
        """Move the bar, a few times a second at most."""
        now = time.monotonic()
        if now < self._next_refresh or self._bar is None:
            return
        self._next_refresh = now + REFRESH_SECONDS
        self._bar.set_postfix_str(f"loss {format_value(loss)}", refresh=False)
        self._bar.update(done_batches - self._bar.n)

    def epoch_end(self, epoch: int, logs: Mapping[str, Any], seconds: float) -> None:
        """Remove the bar and write the line."""
        self.close()
        super().epoch_end(epoch, logs, seconds)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def format_value(value: float) -> str:
    """Return a metric's value with four decimals, or in scientific notation where these fail.

    Examples
    --------
    >>> from chainrule.network.progress import format_value
    >>> format_value(0.12345), format_value(0.0000123), format_value(123456.0)
    ('0.1235', '1.230e-05', '1.235e+05')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return f"{value:.4f}"
    return f"{value:.3e}"


def epoch_line(epoch: int, epochs: int, logs: Mapping[str, Any], seconds: float) -> str:
    """Return the line for an epoch; metrics that are not single numbers are left out.

    Examples
    --------
    >>> from chainrule.network.progress import epoch_line
    >>> epoch_line(3, 10, {"loss": 0.1234, "accuracy": 0.9712}, 1.23)
    'epoch 3/10  1.2 s  loss 0.1234  accuracy 0.9712'
    """
    fields = [f"epoch {epoch}/{epochs}", f"{seconds:.1f} s"]
    for name, value in logs.items():
        if getattr(value, "ndim", 0) == 0 and not isinstance(value, list | tuple):
            fields.append(f"{name} {format_value(float(value))}")
    return "  ".join(fields)


def make_progress(
    verbose: int, epochs: int, total_batches: int, stream: TextIO | None = None
) -> Progress:
    """Return what shows the progress of a ``fit``.

    Parameters
    ----------
    verbose : {0, 1, 2}
        0: nothing; 1: a bar while an epoch runs, where tqdm is installed and the output is shown (a
        terminal or a notebook), and a line after it; 2: the lines alone.
    epochs : int
        Number of the last epoch.
    total_batches : int
        Batches per epoch.
    stream : text file, optional
        Where both go; by default lines to ``sys.stdout`` and the bar to ``sys.stderr``.

    Returns
    -------
    Progress
        A context manager with ``epoch_begin(epoch)``, ``batch(done_batches, loss)``,
        ``epoch_end(epoch, logs, seconds)`` and ``close()``.

    Raises
    ------
    ValueError
        If `verbose` is none of these.

    Examples
    --------
    >>> import sys
    >>> from chainrule.network.progress import make_progress
    >>> with make_progress(2, epochs=10, total_batches=4, stream=sys.stdout) as progress:
    ...     progress.epoch_begin(1)
    ...     progress.epoch_end(1, {"loss": 0.5}, seconds=0.25)
    epoch 1/10  0.2 s  loss 0.5000
    """
    if verbose not in (0, 1, 2):
        raise ValueError(f"verbose must be 0, 1 or 2, got {verbose!r}")
    lines = sys.stdout if stream is None else stream
    # A windowed program has no standard streams.
    if verbose == 0 or lines is None:
        return Progress()
    bar_stream = sys.stderr if stream is None else stream
    tqdm = _tqdm_class(bar_stream) if verbose == 1 else None
    if tqdm is not None:
        return EpochBars(epochs, total_batches, lines, tqdm, bar_stream)
    return EpochLines(epochs, lines)


def _tqdm_class(stream: TextIO | None) -> Any:
    """Return tqdm's bar, or None if it is not installed or would not be seen on the stream."""
    try:
        # Without ipywidgets tqdm.auto warns, and is the bar of text.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tqdm import asyncio, auto
    except ImportError:
        return None
    # Where tqdm finds a notebook, its bar is a widget.
    is_text = auto.tqdm is asyncio.tqdm
    if is_text and (stream is None or not stream.isatty()):
        return None
    return auto.tqdm
