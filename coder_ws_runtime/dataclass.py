"""Dataclasses that cost next to nothing until an instance is made.

Every start of a workspace waits for `home-persist resolve`, and most of its time is imports. The standard
library's `dataclasses` loads inspect, ast, dis and tokenize, and compiles some six functions for each class,
half a millisecond each, most of them for classes of which a run makes no instance. This module has the part
that this package uses, with the same names and results. The one function that is compiled, `__init__`, is
compiled when the first instance is made. Type checkers see the standard library's.
"""

from __future__ import annotations

import operator

TYPE_CHECKING = False  # typing's own would load typing
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass, replace
else:
    _FIELDS = "__dataclass_fields__"
    _ORDER = (operator.lt, operator.le, operator.gt, operator.ge)

    class _Missing:
        """There is no default."""

    MISSING = _Missing()

    class Field:
        """A field of a class: name and type, the value if none is given, and what readers are to know."""

        __slots__ = ("default", "default_factory", "metadata", "name", "type")

        def __init__(
            self, default: object, default_factory: object = MISSING, metadata: object = None
        ) -> None:
            self.name = ""
            self.type: object = None
            self.default = default
            self.default_factory = default_factory
            self.metadata = metadata or {}

        __class_getitem__ = classmethod(lambda cls, _kind: cls)

    def field(
        *, default: object = MISSING, default_factory: object = MISSING, metadata: object = None
    ) -> Field:
        """Say more of a field than its default."""
        return Field(default, default_factory, metadata)

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, order: bool = False
    ) -> object:
        """Make a class whose annotations are its fields."""

        def make(cls: type) -> type:
            return _make(cls, frozen=frozen, slots=slots, order=order)

        return make if cls is None else make(cls)

    def fields(kind: object) -> tuple[Field, ...]:
        """The fields of a class or an instance, in order."""
        return tuple(getattr(kind, _FIELDS).values())

    def is_dataclass(value: object) -> bool:
        """Whether a value is such a class, or an instance of one."""
        return hasattr(value, _FIELDS)

    def replace(instance: object, /, **changes: object) -> object:
        """A copy of an instance with other values."""
        for name in getattr(instance, _FIELDS):
            if name not in changes:
                changes[name] = getattr(instance, name)
        return type(instance)(**changes)

    def asdict(value: object) -> object:
        """An instance as a dictionary, with the instances, lists and dictionaries in it."""
        if is_dataclass(value):
            return {one.name: asdict(getattr(value, one.name)) for one in fields(value)}
        if isinstance(value, (list, tuple)):
            return type(value)(asdict(item) for item in value)
        if isinstance(value, dict):
            return {asdict(key): asdict(inner) for key, inner in value.items()}
        return value

    def _make(cls: type, *, frozen: bool, slots: bool, order: bool) -> type:
        own = {one.name: one for one in _own_fields(cls)}
        known: dict[str, Field] = {}
        for base in reversed(cls.__mro__[1:]):
            known.update(getattr(base, _FIELDS, {}))
        known.update(own)
        made = _with_slots(cls, own) if slots else cls
        setattr(made, _FIELDS, known)
        made.__match_args__ = tuple(known)
        made.__init__ = _compiled_at_first_use(made, known, frozen=frozen)
        if "__repr__" not in made.__dict__:
            made.__repr__ = _repr
        if frozen:
            made.__setattr__ = made.__delattr__ = _refuse
        values = operator.attrgetter(*known) if known else type
        if "__eq__" not in made.__dict__:
            made.__eq__ = _compare_with(operator.eq, values)
            made.__hash__ = (lambda self: hash(values(self))) if frozen else None
        if slots and frozen:  # otherwise pickle would set each value of an instance
            made.__reduce__ = lambda self: (made, tuple(getattr(self, name) for name in known))
        for compare in _ORDER if order else ():
            setattr(made, f"__{compare.__name__}__", _compare_with(compare, values))
        return made

    def _own_fields(cls: type) -> Iterator[Field]:
        for name, kind in cls.__annotations__.items():
            given = cls.__dict__.get(name, MISSING)
            one = given if isinstance(given, Field) else Field(given)
            one.name = name
            one.type = kind
            if one.default is not MISSING:
                setattr(cls, name, one.default)
            elif one is given:
                delattr(cls, name)
            yield one

    def _with_slots(cls: type, own: Mapping[str, Field]) -> type:
        """The class, made a second time: slots cannot be given to one that exists."""
        left_out = {*own, "__dict__", "__weakref__"}
        namespace = {name: value for name, value in cls.__dict__.items() if name not in left_out}
        return type(cls)(cls.__name__, cls.__bases__, {**namespace, "__slots__": tuple(own)})

    def _compiled_at_first_use(cls: type, known: Mapping[str, Field], *, frozen: bool) -> Callable[..., None]:
        def __init__(self: object, *args: object, **values: object) -> None:  # noqa: N807 - it is the class's
            cls.__init__ = _compile_init(known, frozen=frozen)
            cls.__init__(self, *args, **values)

        return __init__

    def _compile_init(known: Mapping[str, Field], *, frozen: bool) -> Callable[..., None]:
        names: dict[str, object] = {"_missing": MISSING, "_set": object.__setattr__}
        words, lines = ["self"], []
        for name, one in known.items():
            value, default = name, ""
            if one.default_factory is not MISSING:
                names[f"_new_{name}"] = one.default_factory
                value, default = f"_new_{name}() if {name} is _missing else {name}", "=_missing"
            elif one.default is not MISSING:
                names[f"_default_{name}"] = one.default
                default = f"=_default_{name}"
            words.append(f"{name}{default}")
            # A frozen class refuses the plain way.
            lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
        text = f"def __init__({', '.join(words)}):\n  " + "\n  ".join(lines or ["pass"])
        exec(text, names)  # noqa: S102 - made of names in this package's own classes
        return names["__init__"]

    def _compare_with(
        compare: Callable[[object, object], object], values: Callable[[object], object]
    ) -> Callable[[object, object], object]:
        def method(self: object, other: object) -> object:
            return compare(values(self), values(other)) if type(other) is type(self) else NotImplemented

        return method

    def _repr(self: object) -> str:
        shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _refuse(self: object, name: str, *_: object) -> None:
        raise AttributeError(f"{type(self).__qualname__} is frozen: {name!r} keeps its value")


__all__ = ["MISSING", "Field", "asdict", "dataclass", "field", "fields", "is_dataclass", "replace"]
