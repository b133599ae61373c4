# SPDX-License-Identifier: Apache-2.0
"""Names that callers give: other libraries' names for the same, and the error texts for others."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from chainrule._core import nearest_name
from chainrule.synonyms import ADVICE, ALIASES, ARGUMENT_ADVICE, ARGUMENTS, ATTRIBUTES

F = TypeVar("F", bound=Callable[..., Any])

_TORCH_NAMES: dict[tuple[str, str], str] = {}


def also_known(family: str, torch_class: str, kind: str) -> None:
    """Let the name of a class of PyTorch, in any case, stand for a kind."""
    _TORCH_NAMES[family, torch_class.lower()] = kind


def known_name(family: str, given: str, valid: Collection[str]) -> str:
    """Return the name here of another library's name; unknown names as they are."""
    if given in valid:
        return given
    lower = given.lower()
    if lower in valid:
        return lower
    if (family, lower) in _TORCH_NAMES:
        return _TORCH_NAMES[family, lower]
    plain = lower.replace("_", "")
    if plain in ALIASES.get(family, {}):
        return ALIASES[family][plain]
    if plain in ADVICE.get(family, {}):
        raise ValueError(f"unknown {family} {given!r}: {ADVICE[family][plain]}")
    return given


def unknown_name(what: str, given: object, valid: Iterable[str]) -> str:
    """Return the error text for an unknown name, with the nearest valid name suggested."""
    names = list(valid)
    near = nearest(given, names) if isinstance(given, str) else None
    suggestion = f" did you mean {near!r}?" if near is not None else ""
    return f"unknown {what} {given!r};{suggestion} valid: {', '.join(names)}"


def near_name(given: str, valid: Iterable[str]) -> str | None:
    """Return the valid name that was probably meant, if one is near enough."""
    names = {_encodable(name): name for name in valid}
    near = nearest_name(_encodable(given), list(names))
    return names[near] if near else None


def nearest(given: str, valid: Iterable[str]) -> str | None:
    """Return the nearest name, or else one of which a part was given, such as loss of val_loss."""
    names, lower = list(valid), given.lower()
    near = near_name(given, names)
    if near is not None or len(given) < 3:
        return near
    parts = [n for n in names if len(n) >= 3 and (n.lower() in lower or lower in n.lower())]
    return max(parts, key=len, default=None)


def _encodable(name: str) -> str:
    """Return a name without lone surrogates, which the core takes for no text."""
    return name.encode(errors="replace").decode()


def names_arguments(function: F) -> F:
    """Decorate a function so that a wrong keyword's TypeError names the right one."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARKEYWORDS:
        return function
    # Quicker than a signature, which an import would have to make of every function.
    first = code.co_posonlyargcount
    valid = code.co_varnames[first : code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        if options:
            init = function.__name__ == "__init__"
            check_arguments(type(args[0]).__name__ if init else function.__name__, options, valid)
        return function(*args, **options)

    return checked  # type: ignore[return-value]


def check_arguments(called: str, options: Iterable[str], valid: Collection[str]) -> None:
    """Raise TypeError for the first keyword that is not valid, naming the right one."""
    for wrong in options:
        if wrong not in valid:
            raise TypeError(f"{called}() has no argument {wrong!r}{_right(wrong, valid)}")


def _right(wrong: str, parameters: Iterable[str]) -> str:
    valid = [name for name in parameters if name != "self"]
    for name in ARGUMENTS.get(wrong, ()):
        if name in valid:
            return f": it is {name}"
    if wrong in ARGUMENT_ADVICE:
        return f": {ARGUMENT_ADVICE[wrong]}"
    near = nearest(wrong, valid)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; it has {', '.join(valid) or 'none'}"


def module_attributes(
    module: str, public: Collection[str], lazy: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a module's ``__getattr__`` and ``__dir__``: its public names, and advice on others.

    `lazy` tells the modules of the names that are imported when they are first used; a submodule is
    its own.
    """

    def attribute(name: str) -> Any:
        if lazy is None or name not in lazy:
            refuse(name)
        import importlib

        home = importlib.import_module(lazy[name])
        value = home if lazy[name] == f"{module}.{name}" else getattr(home, name)
        setattr(sys.modules[module], name, value)  # so that the next use finds it at once
        return value

    def refuse(name: str) -> NoReturn:
        text = f"module {module!r} has no attribute {name!r}"
        if name in ATTRIBUTES:
            text += f": {ATTRIBUTES[name]}"
        elif not name.startswith("_"):
            near = nearest(name, public)
            text += "" if near is None else f"; did you mean {near!r}?"
        raise AttributeError(text, name=name, obj=sys.modules.get(module))

    return attribute, lambda: sorted(public)
