"""Frozen dataclasses, made cheaply while the function starts.

`@dataclass` writes the text of a class's methods and compiles it: four million instructions a class, and an eighth of
a start for ours. Here the methods of frozen classes are closures: they behave the same
(`tests/unit/handler/coldstart/test_frozen_dataclasses.py` holds every class of this package and of `otel` against the
real thing). Other classes are left to the real `dataclass`: theirs is the faster constructor.
"""

import dataclasses
from typing import Any

_real_dataclass: Any = dataclasses.dataclass


def dataclass(cls: Any = None, /, *, frozen: bool = False, slots: bool = False, **options: bool) -> Any:
    """`dataclasses.dataclass`, cheaper for classes with just `frozen=True, slots=True`."""
    if cls is None:
        return lambda cls: dataclass(cls, frozen=frozen, slots=slots, **options)
    if frozen and slots and not options:
        return _frozen(cls)
    cls.__doc__ = cls.__doc__ or cls.__name__  # otherwise it is the signature, by all of `inspect`
    return _real_dataclass(cls, frozen=frozen, slots=slots, **options)


def _frozen(cls: type) -> type:
    """A frozen class with slots; base classes that are dataclasses, and `field()`, are not provided for."""
    own = cls.__dict__
    names = tuple(own.get("__annotations__", ()))
    defaults = {name: own[name] for name in names if name in own}
    if any(isinstance(value, dataclasses.Field) for value in defaults.values()):
        raise TypeError(f"{cls.__name__}: a frozen class of a start has no field()")
    if any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:]):
        raise TypeError(f"{cls.__name__}: a frozen class of a start extends no other")
    methods = _methods(cls.__name__, names, defaults)
    kept = {name: value for name, value in own.items() if name not in {*defaults, "__dict__", "__weakref__"}}
    made = type(cls)(cls.__name__, cls.__bases__, {**methods, **kept, "__slots__": names})
    made.__qualname__ = cls.__qualname__
    return made


def _methods(  # noqa: C901 - six small ones
    kind: str, names: tuple[str, ...], defaults: dict[str, Any]
) -> dict[str, Any]:
    known = frozenset(names)
    put = object.__setattr__  # the class's own refuses

    def values(thing: Any) -> tuple[Any, ...]:
        return tuple([getattr(thing, name) for name in names])

    def __init__(self: Any, /, *given: Any, **named: Any) -> None:  # noqa: N807 - it becomes one
        if given:
            if len(given) > len(names):
                raise TypeError(f"{kind}() takes {len(names)} arguments but {len(given)} were given")
            placed = dict(zip(names, given, strict=False))
            if not named.keys().isdisjoint(placed):
                raise TypeError(f"{kind}() got arguments twice: {', '.join(named.keys() & placed)}")
            named = placed | named
        if len(named) < len(names):
            named = defaults | named
        if len(named) != len(names) or not known.issuperset(named):
            raise TypeError(f"{kind}() misses arguments or has others: {', '.join(sorted(named.keys() ^ known))}")
        for name, value in named.items():
            put(self, name, value)

    def __repr__(self: Any) -> str:  # noqa: N807
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    def __setattr__(_self: Any, name: str, _value: object) -> None:  # noqa: N807
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(_self: Any, name: str) -> None:  # noqa: N807
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    return {
        **{method.__name__: method for method in (__init__, __repr__, __eq__, __hash__, __setattr__, __delattr__)},
        "__match_args__": names,
    }
