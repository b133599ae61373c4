# SPDX-License-Identifier: Apache-2.0
"""What layers, losses, optimizers, schedules, activations and initializers have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, overload

import numpy as np

from chainrule import _core
from chainrule.names import also_known, known_name, names_arguments

__all__ = ["Field", "Spec", "check_no_class", "plain"]

_FAMILIES_OF_OPTIONS = ("activation", "initializer")

T = TypeVar("T")
D = TypeVar("D", bound="Spec")


class Spec:
    """A description that the compiled core has checked: a kind and its options.

    The core knows every option's default and range, so subclasses hold names, types and
    documentation only. Equal options make equal descriptions. Descriptions do not change, but for
    the learning rate of an optimizer.

    Parameters
    ----------
    **options
        Options by name, passed on to the core. Those in ``_optional`` may be None, which leaves
        them at the core's default.

    Attributes
    ----------
    kind : str
        The name that stands for the class in configs and model files.

    Raises
    ------
    TypeError, ValueError
        If an option has a wrong type or value; the text names it.

    Notes
    -----
    Each direct subclass is a family, such as the losses, and names the core's class in
    ``_core_type``. Its subclasses are found by their kind.
    """

    kind: ClassVar[str]
    _core_type: ClassVar[type[Any]]
    _classes: ClassVar[dict[str, type[Spec]]]
    _optional: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Make a family's subclasses known by their kind."""
        super().__init_subclass__()
        if "__init__" in vars(cls):
            cls.__init__ = names_arguments(cls.__init__)  # type: ignore[method-assign]
        if Spec in cls.__bases__:
            cls._classes = {}
        elif "kind" in vars(cls):
            cls._classes[cls.kind] = cls
            if torch_class := vars(cls).get("torch_module"):
                also_known(cls._family_name(), torch_class, cls.kind)

    def __init__(self, **options: Any) -> None:
        config: dict[str, object] = {"kind": self.kind}
        for name, value in options.items():
            if value is None and name not in self._optional:
                raise TypeError(f"{self.kind}: {name} must not be None")
            check_no_class(value, f"{self.kind}: {name}: ")
            config[name] = plain(_known_option(name, value))
        self._core: Any = self._core_type(config)

    @property
    def config(self) -> dict[str, Any]:
        """The kind and all options as plain data, which `from_config` takes."""
        config: dict[str, Any] = self._core.config
        return config

    @classmethod
    def from_config(cls: type[D], config: str | Mapping[str, Any]) -> D:
        """Return the description that a config stands for.

        Parameters
        ----------
        config : str or mapping
            A kind, for its default options, or ``{"kind": ..., option: value, ...}``, where values
            may be descriptions.

        Returns
        -------
        Spec
            An instance of the class of that kind.

        Raises
        ------
        TypeError
            If `config` is no config.
        ValueError
            If the kind or an option is unknown, an option is missing or out of range, or the kind
            is not that of this class.
        """
        if isinstance(config, str):
            config = {"kind": config}
        check_no_class(config)
        if not isinstance(config, Mapping):
            raise TypeError(f"expected {cls._family()} by its name or config, got {config!r:.80}")
        kind = config.get("kind")
        if isinstance(kind, str):
            kind = known_name(cls._family_name(), kind, cls._classes)
            config = {**config, "kind": kind}
        # Of an unknown kind the core makes an error with the nearest known one.
        owner = cls._classes.get(kind, cls) if isinstance(kind, str) else cls
        described = owner._from_config(dict(config))
        if not isinstance(described, cls):
            raise ValueError(f"expected a config of kind {cls.kind!r}, got kind {kind!r}")
        return described

    @classmethod
    def get(cls: type[D], value: str | Mapping[str, Any] | D) -> D:
        """Return what a name, a config or a description stands for.

        Parameters
        ----------
        value : str, mapping or Spec
            A description is returned as it is.

        Returns
        -------
        Spec

        Raises
        ------
        TypeError, ValueError
            As `from_config`.
        """
        # from_config itself refuses what is no configuration.
        return value if isinstance(value, cls) else cls.from_config(value)  # type: ignore[arg-type]

    @classmethod
    def _from_config(cls, config: dict[str, Any]) -> Spec:
        described = cls.__new__(cls)
        described._core = cls._core_type({name: plain(value) for name, value in config.items()})
        return described

    @classmethod
    def _family_name(cls) -> str:
        return next(c for c in cls.__mro__ if Spec in c.__bases__).__name__.lower()

    @classmethod
    def _family(cls) -> str:
        name = cls._family_name()
        return f"{'an' if name[0] in 'aio' else 'a'} {name}"

    def _argument(self, name: str) -> object:
        """Return what the constructor's argument `name` was."""
        return getattr(self, name)

    def __repr__(self) -> str:
        """Return the constructor call that makes this description, without default options."""
        shown = []
        parameters = inspect.signature(type(self)).parameters
        if not all(hasattr(self, name) for name in parameters):
            # A subclass of the caller's, which does not keep its arguments.
            return f"<{type(self).__name__}: {self.config}>"
        for name, parameter in parameters.items():
            text = _short(self._argument(name))
            if parameter.default is parameter.empty:
                shown.append(text)
            elif text != repr(parameter.default):
                shown.append(f"{name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        """Whether kind and options are equal."""
        if not isinstance(other, Spec):
            return NotImplemented
        return type(self) is type(other) and self.config == other.config

    def __hash__(self) -> int:
        """Hash of the kind and the options."""
        return hash(repr(self.config))


class Field(Generic[T]):
    """A read-only attribute: an option of a description, as the core holds it.

    Parameters
    ----------
    convert : callable, optional
        Makes the attribute's value of the config's; an option that the config lacks is None.
    """

    def __init__(self, convert: Callable[[Any], T] | None = None) -> None:
        self._convert = convert

    def __set_name__(self, owner: type[Spec], name: str) -> None:
        """Learn the option's name."""
        self._name = name

    @overload
    def __get__(self, described: None, owner: type[Spec]) -> Field[T]: ...
    @overload
    def __get__(self, described: Spec, owner: type[Spec]) -> T: ...
    def __get__(self, described: Spec | None, owner: type[Spec]) -> Field[T] | T:
        """Return the option's value, or of the class the option itself."""
        if described is None:
            return self
        value: Any = described._core.config.get(self._name)
        return value if self._convert is None or value is None else self._convert(value)

    def __set__(self, described: Spec, value: object) -> NoReturn:
        """Refuse: descriptions do not change."""
        name = type(described).__name__
        raise AttributeError(f"{name}.{self._name} cannot be set; make a new {name}")


def _known_option(name: str, value: object) -> object:
    """Return an option that names an activation or initializer by the name that it has here."""
    if not isinstance(value, str):
        return value
    family = name.rpartition("_")[2]
    if family not in _FAMILIES_OF_OPTIONS:
        return value
    return known_name(family, value, getattr(_core, family.capitalize()).kinds())


def check_no_class(value: object, what: str = "") -> None:
    """Raise TypeError where a class stands for an instance of it."""
    if isinstance(value, type) and issubclass(value, Spec):
        name = value.__name__
        raise TypeError(f"{what}got the class {name}, expected an instance: pass {name}(...)")


def plain(value: object) -> object:
    """Return a value as plain data, which the core takes."""
    if isinstance(value, Spec):
        return value.config
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _short(value: object) -> str:
    """Return the text of an option; a description with default options only is just its kind."""
    text = repr(value)
    if isinstance(value, Spec) and text == f"{type(value).__name__}()":
        return repr(value.kind)
    return text
