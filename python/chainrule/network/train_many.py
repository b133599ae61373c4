# SPDX-License-Identifier: Apache-2.0
"""Many trainings at once, as tasks of one team of threads."""

from __future__ import annotations

import contextlib
import copy
import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chainrule import _core
from chainrule.arguments import thread_count
from chainrule.callbacks.callback import Callback, LambdaCallback
from chainrule.inputs.dataset import Dataset
from chainrule.names import check_arguments
from chainrule.network import fit_loop
from chainrule.network.compiled import Compiled
from chainrule.network.fit_call import FitCall
from chainrule.network.history import History
from chainrule.network.observer import Observer
from chainrule.schedules import ReduceOnPlateau

__all__ = ["fit_options", "raise_first", "run_many", "train_many", "training_call"]

_OWN = ("network", "rows", "validation_rows")
_OF_ALL = ("num_threads", "verbose")


def train_many(
    trainings: Iterable[Compiled | Mapping[str, Any]],
    x: object = None,
    y: object = None,
    *,
    num_threads: int | None = None,
    errors: str = "raise",
    **options: Any,
) -> list[History | Exception]:
    """Train many networks at once, each to the bits of its own ``fit``.

    The trainings are tasks of one team of threads. Each runs on a thread of its own, where the
    threads of a single small training would wait for each other at every step.

    Parameters
    ----------
    trainings : iterable of Network, or of dict
        The networks; or what one is to be trained by: ``"network"``, any of the options of `fit`
        in the place of those for all, and ``"rows"`` and ``"validation_rows"``, which rows of `x`
        and `y` it is trained on and validated by, as in `Dataset.select`. They are read where they
        lie.
    x : array_like of shape (rows, inputs), or mapping or sequence of such, or Dataset
        As in `fit`, in memory; for all trainings that have no x of their own.
    y : array_like, or mapping or sequence of such, optional
        The targets.
    num_threads : int, optional
        Of all trainings together. Default: `default_num_threads()`. It never changes a result.
    errors : {"raise", "return"}, default "raise"
        What becomes of the exceptions of trainings, such as a divergence: the first one is raised
        when all others have ended, or each is in the list in the place of the history.
    **options
        Other options of `fit`, for all trainings. An optimizer and callbacks are copied for each.

    Returns
    -------
    list of History
        For each training that of its network. After Ctrl-C, which ends all, ``interrupted`` is
        True for those that were not at their end.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, before any training begins; or a network is given twice, shares
        parameters with another, or has another dtype; or dicts share a callback of the library or a
        `ReduceOnPlateau` schedule, which remember one training.
    Exception
        What a training has raised. The others have been trained.

    Notes
    -----
    Python's own functions, such as callbacks, metrics and custom losses, are called by the thread
    that trains, one of them at a time.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> nets = [cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(10)], seed=seed) for seed in range(3)]
    >>> histories = cr.train_many(nets, x, y, loss="cross_entropy", epochs=2)
    >>> [len(history["loss"]) for history in histories]
    [2, 2, 2]

    Options that are compared:

    >>> trials = [
    ...     {"network": net, "optimizer": cr.Adam(rate)}
    ...     for net, rate in zip(nets, (1e-3, 1e-2, 1e-1))
    ... ]
    >>> histories = cr.train_many(trials, x, y, loss="cross_entropy", epochs=2)
    """
    if errors not in ("raise", "return"):
        raise ValueError(f'errors must be "raise" or "return", got {errors!r}')
    check_arguments("train_many", options, fit_options())
    calls = _calls(trainings, x, y, options)
    ended = run_many(calls, num_threads)
    if any(call.net.history.interrupted for call in calls):
        warnings.warn(
            "the trainings were interrupted; weights and histories are kept", stacklevel=2
        )
    if errors == "raise":
        raise_first(ended)
    return [
        call.net.history if error is None else error
        for call, error in zip(calls, ended, strict=True)
    ]


def raise_first(errors: list[Exception | None]) -> None:
    """Raise the first of the trainings' exceptions, saying whose it is."""
    for index, error in enumerate(errors):
        if error is not None:
            if hasattr(error, "add_note"):  # from Python 3.11 on
                error.add_note(f"(of training {index}, counted from 0; the others have ended)")
            raise error


def run_many(calls: list[FitCall], num_threads: int | None) -> list[Exception | None]:
    """Train by all of these calls at once, and return the exception that ended each."""
    threads = thread_count(num_threads)
    if not calls:
        return []
    _check_networks([call.net for call in calls])
    locks = [call.net._training for call in calls]
    errors: list[Exception | None] = _core.TrainingLock.run_all(
        locks, lambda: _train(calls, threads)
    )
    return errors


def _train(calls: list[FitCall], threads: int) -> list[Exception | None]:
    """Train, while all networks are held."""
    with contextlib.ExitStack() as rollbacks:
        for index, call in enumerate(calls):
            with _named(f"training {index}"):
                rollbacks.enter_context(call.rolled_back())
                call.check()
                if call.reads_lazily:
                    raise ValueError("x must be in memory, since many trainings read it at once")
    observers: list[Observer] = []
    ends: list[BaseException | None] = [None] * len(calls)
    of_all: BaseException | None = None
    try:
        observers.extend(call.begin() for call in calls)
        nets = [call.net._built_core() for call in calls]
        given = [(net, *o.core_call()) for net, o in zip(nets, observers, strict=True)]
        *found, stopped = type(nets[0]).train_many(given, threads, None)
        ends, of_all = [_error_of(outcome) for outcome in found], _error_of(stopped)
    finally:
        errors = [_end(*each) for each in zip(calls, observers, ends, strict=False)]
    if of_all is not None and not isinstance(of_all, KeyboardInterrupt):
        raise of_all
    return errors


def _error_of(outcome: _core.FitOutcome) -> BaseException | None:
    """Return what ended a training; an interrupt for one that was stopped."""
    try:
        outcome.check()
    except BaseException as error:
        return error
    return None if outcome.finished else KeyboardInterrupt()


def _end(call: FitCall, observer: Observer, error: BaseException | None) -> Exception | None:
    """Have a network take over how its training has ended; an error that is no ordinary end."""
    try:
        observer.end()
        if fit_loop.end(call.net, call.plan, error):
            return None
    except Exception as late:
        error = error or late
    if error is not None:
        call.failed(error)
    return error if isinstance(error, Exception) else None


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """Say in what is raised what it is about."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from error


def fit_options() -> list[str]:
    """Return the names of the options that trainings may have."""
    names = inspect.signature(FitCall).parameters
    return [name for name in names if name not in ("net", "x", "y", *_OF_ALL)]


def _calls(
    trainings: Iterable[Any], x: object, y: object, options: dict[str, Any]
) -> list[FitCall]:
    """Return what is to be done for each training."""
    if isinstance(trainings, Compiled | Mapping | str) or not isinstance(trainings, Iterable):
        raise TypeError(f"trainings must be a list of networks or dicts, got {trainings!r:.80}")
    options, trainings = dict(options), list(trainings)
    _check_memories(trainings)
    if x is not None and y is not None and not isinstance(x, Dataset):
        # Once, so that all selections of rows share it.
        weights = [options.pop(name, None) for name in ("sample_weight", "class_weight")]
        first = trainings[0] if trainings else None
        first = first.get("network") if isinstance(first, Mapping) else first
        if isinstance(first, Compiled):
            x = first._marked_sequences(x)
        x, y = Dataset(x, y, *weights), None
    return [
        training_call(f"trainings[{i}]", each, x, y, options) for i, each in enumerate(trainings)
    ]


def training_call(what: str, training: Any, x: Any, y: Any, options: dict[str, Any]) -> FitCall:
    """Return what one training is to do."""
    own = {"network": training} if isinstance(training, Compiled) else training
    if not isinstance(own, Mapping):
        raise TypeError(f"{what} must be a network or a dict, got {training!r:.80}")
    own = dict(own)
    check_arguments(what, own, ["x", "y", *_OWN, *fit_options()])
    net = own.pop("network", None)
    if not isinstance(net, Compiled):
        raise TypeError(f'{what}["network"] must be a network, got {net!r:.80}')
    rows, held_back = own.pop("rows", None), own.pop("validation_rows", None)
    given = {name: _own_copy(name, value) for name, value in options.items()}
    if "x" in own:
        x, y = own.pop("x"), own.pop("y", None)
    elif x is None:
        raise TypeError(f"{what} has no x, and there is none for all trainings")
    given.update(own)
    weights = [given.pop(name, None) for name in ("sample_weight", "class_weight")]
    with _named(what):
        if any(weight is not None for weight in weights) and isinstance(x, Dataset):
            x = x._weighted(*weights)
        elif not isinstance(x, Dataset) and y is not None:
            x, y = Dataset(net._marked_sequences(x), y, *weights), None
        if held_back is not None:
            if given.get("validation_data") is not None:
                raise ValueError("give validation_data or validation_rows, not both")
            with _named("validation_rows"):
                given["validation_data"] = x.select(held_back)
        if rows is not None:
            with _named("rows"):
                x = x.select(rows)
        return FitCall(net, x, y, **given, verbose=0)


def _own_copy(name: str, value: Any) -> Any:
    """Return an option for one training, of what remembers something a copy."""
    if name == "callbacks" and isinstance(value, list | tuple):
        return [copy.deepcopy(callback) for callback in value]
    return copy.deepcopy(value) if name == "optimizer" else value


def _check_memories(trainings: list[Any]) -> None:
    """Raise ValueError where several dicts have something that remembers one training."""
    seen: dict[int, int] = {}
    for index, own in enumerate(trainings):
        for one in _remembering(own) if isinstance(own, Mapping) else ():
            if seen.setdefault(id(one), index) != index:
                raise ValueError(
                    f"trainings {seen[id(one)]} and {index} share a {type(one).__name__}, which "
                    "remembers one training: give each its own, or give it for all trainings, of "
                    "which each then has a copy"
                )


def _remembering(own: Mapping[str, Any]) -> list[Any]:
    schedule = getattr(own.get("optimizer"), "schedule", None)
    callbacks = own.get("callbacks")
    return [
        *([schedule] if isinstance(schedule, ReduceOnPlateau) else ()),
        *(
            callback
            for callback in (callbacks if isinstance(callbacks, list | tuple) else ())
            if any(
                base.__module__.startswith("chainrule.") and base not in (Callback, LambdaCallback)
                for base in type(callback).__mro__
            )
        ),
    ]


def _check_networks(networks: list[Compiled]) -> None:
    """Raise ValueError unless each network can be trained beside the others."""
    seen: dict[int, int] = {}
    for index, net in enumerate(networks):
        if id(net) in seen:
            raise ValueError(
                f"trainings {seen[id(net)]} and {index} are of one network; copy.deepcopy gives "
                "another one"
            )
        seen[id(net)] = index
        if net._shared is not None:
            raise ValueError(f"the network of training {index} shares parameters with others")
        if net.dtype != networks[0].dtype:
            raise ValueError(
                f"the networks of trainings 0 and {index} have the dtypes {networks[0].dtype} and "
                f"{net.dtype}; train those of each by themselves"
            )
