# SPDX-License-Identifier: Apache-2.0
"""What layers, losses, optimizers, schedules, activations and initializers have in common."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from inspect import Parameter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar, overload

import numpy as np

from chainrule import _core
from chainrule.names import also_known, check_arguments, known_name, names_arguments

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:  # Python 3.10 has none, and at run time it does nothing.

    def dataclass_transform() -> Callable[[type], type]:
        return lambda cls: cls


__all__ = ["Field", "Spec", "check_no_class", "plain"]

_FAMILIES_OF_OPTIONS = ("activation", "initializer")

T = TypeVar("T")
D = TypeVar("D", bound="Spec")


class _Signature:
    """The signature of a constructor that is made of fields; made when it is asked for."""

    def __get__(self, described: object, cls: Any) -> inspect.Signature:
        if described is not None or cls.__init__ is not _from_arguments:
            raise AttributeError("__signature__")
        return _signature(cls)


@dataclass_transform()
class Spec:
    """A description that the compiled core has checked: a kind and its options.

    The core knows every option's default and range, so subclasses hold names, types and
    documentation only. Equal options make equal descriptions. Descriptions do not change, but for
    the learning rate of an optimizer.

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
    ``_core_type``. Its subclasses are found by their kind. As of a data class, annotated attributes
    are the constructor's parameters, those behind ``_: KW_ONLY`` by keyword only. A class whose
    parameters are of other types than its attributes writes both out, the attributes as `Field`.
    """

    kind: ClassVar[str]
    _core: Any
    _core_type: ClassVar[type[Any]]
    _classes: ClassVar[dict[str, type[Spec]]]
    _parameters: ClassVar[dict[str, dict[str, Any]]]
    _optional: ClassVar[tuple[str, ...]] = ()
    _modules: ClassVar[tuple[str, ...]] = ()  # that are imported at the first use of a kind
    __signature__ = _Signature()

    def __init_subclass__(cls) -> None:
        """Make a family's subclasses known by their kind, and their fields their parameters."""
        super().__init_subclass__()
        if Spec in cls.__bases__:
            cls._classes = {}
            cls._parameters = _parameters(cls)
        elif "kind" in vars(cls):
            cls._classes[cls.kind] = cls
            if torch_class := vars(cls).get("torch_module"):
                also_known(cls._family().__name__.lower(), torch_class, cls.kind)
            cls._parameters = cls._parameters | _parameters(cls)
            if "__init__" not in vars(cls):
                cls.__init__ = _from_arguments  # type: ignore[method-assign]
                return
        elif not hasattr(cls, "kind"):  # the base class of some of the family
            cls._parameters = cls._parameters | _parameters(cls)
        if "__init__" in vars(cls):
            cls.__init__ = names_arguments(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, **options: Any) -> None:
        config: dict[str, Any] = {"kind": self.kind}
        for name, value in options.items():
            if value is None and not self._may_be_none(name):
                raise TypeError(f"{self.kind}: {name} must not be None")
            check_no_class(value, f"{self.kind}: {name}: ")
            config[name] = _known_option(name, value)
        self._take(config)

    @classmethod
    def _may_be_none(cls, name: str) -> bool:
        known = cls._parameters.get(name)
        return name in cls._optional or (known is not None and known["default"] is None)

    def _take(self, config: dict[str, Any], **attributes: object) -> None:
        """Make the core's description of a kind with its options, and set more attributes."""
        core = self._core_type({name: plain(value) for name, value in config.items()})
        # At once, so that an interrupt leaves all old or all new ones.
        vars(self).update(_core=core, **attributes)

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
        family = cls._family().__name__.lower()
        if not isinstance(config, Mapping):
            raise TypeError(
                f"expected {'an' if family[0] in 'aio' else 'a'} {family} by its name or config, "
                f"got {config!r:.80}"
            )
        kind = config.get("kind")
        if isinstance(kind, str):
            if kind not in cls._classes:
                for module in cls._modules:
                    importlib.import_module(module)
            kind = known_name(family, kind, cls._classes)
            config = {**config, "kind": kind}
        # Of an unknown kind the core makes an error with the nearest known one.
        owner = cls._classes.get(kind, cls) if isinstance(kind, str) else cls
        described = owner.__new__(owner)
        described._take(dict(config))
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

        Examples
        --------
        >>> import chainrule as cr
        >>> cr.losses.get("mse"), cr.schedules.get({"kind": "constant", "learning_rate": 0.1})
        (MSE(), Constant(0.1))
        """
        # from_config itself refuses what is no configuration.
        return value if isinstance(value, cls) else cls.from_config(value)  # type: ignore[arg-type]

    @classmethod
    def _family(cls) -> type[Spec]:
        return next(c for c in cls.__mro__ if Spec in c.__bases__)

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


def _parameters(cls: type[Spec]) -> dict[str, dict[str, Any]]:
    """Return the parameters that a class's own annotations stand for, and make them fields."""
    kind: Any = Parameter.POSITIONAL_OR_KEYWORD
    found = {}
    for name, annotation in inspect.get_annotations(cls).items():
        if name == "_":
            kind = Parameter.KEYWORD_ONLY
        elif not str(annotation).startswith("ClassVar"):
            field: Any = vars(cls).get(name, Parameter.empty)
            if not hasattr(type(field), "__set__"):
                field = Field(default=field)
                field.__set_name__(cls, name)
                setattr(cls, name, field)
            annotation = field.takes or annotation
            found[name] = {"kind": kind, "default": field.default, "annotation": annotation}
    return found


@cache
def _signature(cls: Any) -> inspect.Signature:
    """Return the signature of a constructor of fields; those of base classes come last."""
    inherited = cls.__base__._parameters
    family = cls._family()._parameters
    parameters = [Parameter(name, **known) for name, known in cls._parameters.items()]
    parameters.sort(key=lambda p: (p.kind, p.name in family, p.name in inherited))
    return inspect.Signature(parameters, return_annotation="None")


def _from_arguments(self: Spec, *args: Any, **options: Any) -> None:
    """Be the constructor of a class of fields."""
    cls: Any = type(self)
    check_arguments(cls.__name__, options, cls._parameters)
    try:
        bound = _signature(cls).bind(*args, **options)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}(): {error}") from None
    bound.apply_defaults()
    Spec.__init__(self, **bound.arguments)


class Field(Generic[T]):
    """A read-only attribute: an option of a description, as the core holds it.

    Parameters
    ----------
    convert : callable, optional
        Makes the attribute's value of the config's.
    default : object, optional
        The constructor's default, and the value where the config lacks the option.
    """

    takes: ClassVar[str] = ""  # type of the parameter, where it is not that of the attribute

    def __init__(
        self, convert: Callable[[Any], T] | None = None, default: Any = Parameter.empty
    ) -> None:
        self._convert = convert
        self.default = default

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
        default = None if self.default is Parameter.empty else self.default
        value: Any = described.config.get(self._name, default)
        if value is not None and self._convert is not None:
            return self._convert(value)
        if self.default is None:  # in whose place a config may have 0
            return value or None  # type: ignore[return-value]
        return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]

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
