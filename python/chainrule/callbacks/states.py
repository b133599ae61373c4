# SPDX-License-Identifier: Apache-2.0
"""What callbacks remember, as a part of the state of a network's training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.callbacks.callback import Callback

__all__ = ["CallbackStates"]


class CallbackStates:
    """The states of the callbacks of a training, those of the present ``fit`` included.

    Parameters
    ----------
    saved : mapping of str to mapping, optional
        What `states` returned before the network was saved. The next callbacks of the same keys go
        on from it, unless they have been in use already.
    """

    def __init__(self, saved: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._saved = {key: dict(state) for key, state in (saved or {}).items()}
        self._pending = set(self._saved)
        self._live: dict[str, Callback] = {}

    def begin(self, callbacks: Iterable[Callback]) -> None:
        """Hand saved states to callbacks that are used for the first time, and follow them."""
        live = _keyed(callbacks)
        for key, callback in live.items():
            if key in self._pending and not callback._used:
                callback.load_state_dict(self._saved[key])
        for key, callback in live.items():
            _plain_state(key, callback)
        self._pending -= live.keys()
        self._live = live
        for callback in live.values():
            callback._used = True

    def end(self) -> None:
        """Keep the states as they are now."""
        self._saved, self._live = self.states(), {}

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the states by the callbacks' keys, without those that remember nothing."""
        states = {key: state for key, state in self._saved.items() if key not in self._live}
        for key, callback in self._live.items():
            state = _plain_state(key, callback)
            if state:
                states[key] = state
        return states

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the states, not the callbacks."""
        return CallbackStates, (self.states(),)

    def __deepcopy__(self, memo: dict[int, Any]) -> CallbackStates:
        """Copy the states, not the callbacks, which go on with the original."""
        import json  # here, since it would make `import chainrule` slower

        copied = CallbackStates(json.loads(json.dumps(self.states())))
        copied._pending &= self._pending
        return copied


def _plain_state(key: str, callback: Callback) -> dict[str, Any]:
    """Return a callback's state; TypeError unless a model file can hold it."""
    import json  # here, since it would make `import chainrule` slower

    state = callback.state_dict()
    try:
        json.dumps(state)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"state_dict of {key} must return plain data, as JSON has it: {error}"
        ) from None
    if not isinstance(state, dict):
        raise TypeError(f"state_dict of {key} must return a dict, got {state!r:.80}")
    return dict(state)


def _keyed(callbacks: Iterable[Callback]) -> dict[str, Callback]:
    """Return the callbacks by class and what they watch; a second one of a kind gets a number."""
    keyed: dict[str, Callback] = {}
    for callback in callbacks:
        key, number = callback.state_key, 2
        while key in keyed:
            key, number = f"{callback.state_key} {number}", number + 1
        keyed[key] = callback
    return keyed
