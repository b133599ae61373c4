# SPDX-License-Identifier: Apache-2.0
"""What a callback is, and how several of them or plain functions act as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

from chainrule.names import names_arguments

Logs = Mapping[str, Any]


class BestWeights(Protocol):
    """Where a network keeps the weights of its best epoch, and from where it takes them back."""

    @property
    def held(self) -> bool:
        """Whether there are any."""

    def take(self) -> None:
        """Keep the present ones."""

    def put_back(self) -> None:
        """Make those that are kept the network's, and keep none."""

    def arrays(self) -> Any:
        """Return copies of those that are kept."""

    def hold(self, weights: Any) -> None:
        """Keep what `arrays` returned."""


class Network(Protocol):
    """What callbacks ask of a network."""

    def get_weights(self) -> Any:
        """Return copies of all weights."""

    def set_weights(self, weights: Any) -> None:
        """Take over what `get_weights` returned."""

    def save(self, path: str) -> None:
        """Write the network to a file."""

    def _best_weights(self) -> BestWeights: ...


class StopTraining(Exception):  # noqa: N818 - like StopIteration
    """Raised by a callback to end ``fit`` in good order after the epoch or batch at hand.

    Examples
    --------
    >>> import chainrule as cr
    >>> def enough(epoch, logs):
    ...     if epoch == 2:
    ...         raise cr.callbacks.StopTraining
    >>> net = cr.Sequential([cr.Dense(1)], seed=0)
    >>> options = dict(loss="mse", epochs=9, callbacks=[enough], verbose=0)
    >>> history = net.fit([[0.0], [1.0]], [0.0, 1.0], **options)
    >>> history.epochs
    [1, 2]
    """


class Callback:
    """Base class of callbacks; each method does nothing unless overridden.

    Each but `on_train_end` may raise `StopTraining`. Epochs and batches are counted from 1; `logs`
    maps metric names to the values of the epoch, or of the batch.

    Examples
    --------
    >>> from chainrule.callbacks import Callback, StopTraining
    >>> class StopWhenGood(Callback):
    ...     def on_epoch_end(self, net, epoch, logs):
    ...         if logs["accuracy"] > 0.99:
    ...             raise StopTraining

    What a callback has to remember when a training goes on from a file, it gives and takes back:

    >>> class Patience(Callback):
    ...     waited = 0
    ...
    ...     def state_dict(self):
    ...         return {"waited": self.waited}
    ...
    ...     def load_state_dict(self, state):
    ...         self.waited = state["waited"]

    One that saves the network is called behind all that remember, whatever their order:

    >>> class Save(Callback):
    ...     saves_network = True
    ...
    ...     def on_epoch_end(self, net, epoch, logs):
    ...         net.save("latest.safetensors")
    """

    def __init_subclass__(cls) -> None:
        """Make the TypeErrors for wrong keywords name the right ones."""
        super().__init_subclass__()
        if "__init__" in vars(cls):
            cls.__init__ = names_arguments(cls.__init__)  # type: ignore[method-assign]

    saves_network: ClassVar[bool] = False
    """Whether it writes the network to a file after an epoch, with the states of all callbacks."""

    _used = False

    @property
    def remembers(self) -> bool:
        """Whether `state_dict` may have something to tell."""
        return type(self).state_dict is not Callback.state_dict

    @property
    def state_key(self) -> str:
        """The name that `state_dict` has in a model file: that of the class, if not overridden."""
        return type(self).__name__

    @property
    def wants_batches(self) -> bool:
        """Whether `on_batch_end` is to be called; without it an epoch runs uninterrupted."""
        return type(self).on_batch_end is not Callback.on_batch_end

    def check(self, logs: Logs) -> None:
        """Raise before anything is trained what an epoch with such logs would make it raise.

        ``fit`` calls it before it changes anything. `logs` has the names of an epoch to come; the
        values are those of a few rows and an untrained network, or NaN.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what the callback remembers from epoch to epoch, for the model file.

        Returns
        -------
        dict
            Plain data, as JSON has it; empty for a callback that remembers nothing.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, before `on_train_begin` of the next ``fit``."""

    def on_train_begin(self, net: Network) -> None:
        """Run before the first epoch of a ``fit``."""

    def on_train_end(self, net: Network) -> None:
        """Run after the last epoch of a ``fit``, also when it was stopped."""

    def on_epoch_begin(self, net: Network, epoch: int) -> None:
        """Run before each epoch."""

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Run after each epoch, validation included."""

    def on_batch_end(self, net: Network, epoch: int, batch: int, logs: Logs) -> None:
        """Run after each batch."""


class CallbackList(Callback):
    """Several callbacks as one, run in order.

    When one of them stops the training, the others still get their turn, so that for example a log
    has the last epoch too. After an epoch, those that remember something come before those that
    save the network.

    Parameters
    ----------
    callbacks : iterable
        Whatever `as_callback` takes.

    Examples
    --------
    >>> import chainrule as cr
    >>> seen = []
    >>> several = cr.callbacks.CallbackList([lambda epoch, logs: seen.append(epoch), cr.Callback()])
    >>> several.on_epoch_end(None, 1, {})
    >>> seen
    [1]
    """

    def __init__(self, callbacks: Iterable[Callback | Callable[[int, Logs], object]] = ()) -> None:
        self.callbacks = [as_callback(callback) for callback in callbacks]
        self._after_epochs = _remembering_before_saving(self.callbacks)

    @property
    def wants_batches(self) -> bool:
        """Whether any of the callbacks wants batches."""
        return any(callback.wants_batches for callback in self.callbacks)

    def check(self, logs: Logs) -> None:
        """Run that of each callback."""
        for callback in self.callbacks:
            callback.check(logs)

    def on_train_begin(self, net: Network) -> None:
        """Run that of each callback."""
        self._run(self.callbacks, lambda callback: callback.on_train_begin(net))

    def on_train_end(self, net: Network) -> None:
        """Run that of each callback."""
        self._run(self.callbacks, lambda callback: callback.on_train_end(net))

    def on_epoch_begin(self, net: Network, epoch: int) -> None:
        """Run that of each callback."""
        self._run(self.callbacks, lambda callback: callback.on_epoch_begin(net, epoch))

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Run that of each callback."""
        self._run(self._after_epochs, lambda callback: callback.on_epoch_end(net, epoch, logs))

    def on_batch_end(self, net: Network, epoch: int, batch: int, logs: Logs) -> None:
        """Run that of each callback that wants batches."""
        wanting = [callback for callback in self.callbacks if callback.wants_batches]
        self._run(wanting, lambda callback: callback.on_batch_end(net, epoch, batch, logs))

    @staticmethod
    def _run(callbacks: list[Callback], call: Callable[[Callback], None]) -> None:
        stop: StopTraining | None = None
        for callback in callbacks:
            try:
                call(callback)
            except StopTraining as request:
                stop = stop or request
        if stop is not None:
            raise stop


def _remembering_before_saving(callbacks: list[Callback]) -> list[Callback]:
    """Return the callbacks in their order, but none that remembers behind one that saves."""
    # A file that is written after an epoch then has what they all remember after that epoch.
    saving = [place for place, callback in enumerate(callbacks) if callback.saves_network]
    if not saving:
        return callbacks
    before, after = callbacks[: saving[0]], callbacks[saving[0] :]
    remembering = [callback for callback in after if callback.remembers]
    remembering.sort(key=lambda callback: callback.saves_network)
    return [*before, *remembering, *(callback for callback in after if not callback.remembers)]


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_train_begin, on_train_end : callable, optional
        Called as ``f()``.
    on_epoch_begin : callable, optional
        Called as ``f(epoch)``.
    on_epoch_end : callable, optional
        Called as ``f(epoch, logs)``.
    on_batch_end : callable, optional
        Called as ``f(epoch, batch, logs)``.

    Raises
    ------
    TypeError
        If one of them is no function.

    Examples
    --------
    >>> from chainrule.callbacks import LambdaCallback
    >>> report = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        *,
        on_train_begin: Callable[[], object] | None = None,
        on_train_end: Callable[[], object] | None = None,
        on_epoch_begin: Callable[[int], object] | None = None,
        on_epoch_end: Callable[[int, Logs], object] | None = None,
        on_batch_end: Callable[[int, int, Logs], object] | None = None,
    ) -> None:
        given = (on_train_begin, on_train_end, on_epoch_begin, on_epoch_end, on_batch_end)
        for function in given:
            if function is not None and not callable(function):
                raise TypeError(f"LambdaCallback takes functions, got {function!r:.80}")
        self._train_begin = on_train_begin
        self._train_end = on_train_end
        self._epoch_begin = on_epoch_begin
        self._epoch_end = on_epoch_end
        self._batch_end = on_batch_end

    @property
    def wants_batches(self) -> bool:
        """Whether `on_batch_end` was given."""
        return self._batch_end is not None

    def on_train_begin(self, net: Network) -> None:
        """Call the function given for it, if any."""
        if self._train_begin is not None:
            self._train_begin()

    def on_train_end(self, net: Network) -> None:
        """Call the function given for it, if any."""
        if self._train_end is not None:
            self._train_end()

    def on_epoch_begin(self, net: Network, epoch: int) -> None:
        """Call the function given for it, if any."""
        if self._epoch_begin is not None:
            self._epoch_begin(epoch)

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Call the function given for it, if any."""
        if self._epoch_end is not None:
            self._epoch_end(epoch, logs)

    def on_batch_end(self, net: Network, epoch: int, batch: int, logs: Logs) -> None:
        """Call the function given for it, if any."""
        if self._batch_end is not None:
            self._batch_end(epoch, batch, logs)


def as_callback(callback: Callback | Callable[[int, Logs], object]) -> Callback:
    """Return a callback as it is, and a function ``f(epoch, logs)`` as one run after each epoch.

    Parameters
    ----------
    callback : Callback or callable
        An entry of the list given to ``fit``.

    Returns
    -------
    Callback

    Raises
    ------
    TypeError
        If it is neither, or a class instead of an instance.

    Examples
    --------
    >>> import chainrule as cr
    >>> callback = cr.callbacks.as_callback(lambda epoch, logs: print(epoch, logs))
    >>> callback.on_epoch_end(None, 1, {"loss": 0.5})
    1 {'loss': 0.5}
    """
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type):
        name = callback.__name__
        raise TypeError(f"callbacks must be instances, got the class {name}; pass {name}(...)")
    if callable(callback):
        return LambdaCallback(on_epoch_end=callback)
    raise TypeError(f"callbacks must be Callback objects or functions, got {callback!r}")
