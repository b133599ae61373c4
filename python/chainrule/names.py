# SPDX-License-Identifier: Apache-2.0
"""The error text for a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(what: str, given: object, valid: Iterable[str]) -> str:
    """Return the error text for an unknown name, with the nearest valid name suggested.

    Parameters
    ----------
    what : str
        What the name stands for, such as ``"loss"``.
    given : object
        What the caller passed.
    valid : iterable of str
        The valid names, listed in the order given.

    Returns
    -------
    str
        One line, to be raised in a ``ValueError`` or ``KeyError``.

    Examples
    --------
    >>> from chainrule.names import unknown_name
    >>> unknown_name("loss", "crossentropy", ["mse", "cross_entropy"])
    "unknown loss 'crossentropy'; did you mean 'cross_entropy'? valid: mse, cross_entropy"
    >>> unknown_name("loss", 3, ["mse", "cross_entropy"])
    'unknown loss 3; valid: mse, cross_entropy'
    """
    names = list(valid)
    by_lower_case = {name.lower(): name for name in names}
    close: list[str] = []
    if isinstance(given, str):
        close = difflib.get_close_matches(given.lower(), by_lower_case, n=1, cutoff=0.5)
    suggestion = f" did you mean {by_lower_case[close[0]]!r}?" if close else ""
    return f"unknown {what} {given!r};{suggestion} valid: {', '.join(names)}"
