"""The stand-ins of a start behave as the real things, for all that a start asks of them."""

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pytest
from botocore.handlers import BUILTIN_HANDLERS

import handler
import otel
from handler.coldstart.frozen_dataclasses import dataclass
from handler.coldstart.stubs import Inspect, TypingExtensions

OWN = [
    thing
    for package in (handler, otel)
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if info.name not in {"handler.app", "otel.exporters.otlp_http"}
    for thing in vars(importlib.import_module(info.name)).values()
    if isinstance(thing, type) and dataclasses.is_dataclass(thing) and thing.__module__ == info.name
]


def lean(real: type) -> Any:
    """The class made again as a start makes it."""
    fields = dataclasses.fields(real)
    body = {name: value for name, value in vars(real).items() if name in {"__doc__", "__module__", "__annotations__"}}
    defaults = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    own = {name: value for name, value in vars(real).items() if isinstance(value, property)}
    made = type(real.__name__, (), {**own, **body, **defaults})
    return dataclass(frozen=True, slots=True)(made)


FROZEN = [cls for cls in OWN if vars(cls)["__dataclass_params__"].frozen]


def test_there_are_frozen_classes_and_they_all_have_slots() -> None:
    assert len(FROZEN) > 8
    assert all("__slots__" in vars(cls) for cls in FROZEN)


@pytest.mark.parametrize("real", FROZEN, ids=lambda cls: cls.__name__)
def test_a_frozen_class_is_the_same_as_by_the_real_decorator(real: type) -> None:
    made = lean(real)
    names = [field.name for field in dataclasses.fields(real)]
    values = [f"value {name}" for name in names]
    one, same, other = made(*values), made(**dict(zip(names, values, strict=True))), made(*[0 for _ in names])
    assert one == same
    assert hash(one) == hash(same) == hash(real(*values))
    assert (one == other) is (not names)
    assert one != real(*values)
    assert repr(one) == repr(real(*values))
    assert made.__match_args__ == real.__match_args__  # type: ignore[attr-defined]
    assert made.__slots__ == real.__slots__  # type: ignore[attr-defined]
    assert not hasattr(one, "__dict__")
    required = [field.name for field in dataclasses.fields(real) if field.default is dataclasses.MISSING]
    assert repr(made(*required)) == repr(real(*required))
    for name in (*names, "another"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, name, 1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(one, name)
    for wrong in (lambda: made(*values, 1), lambda: made(*values, another=1)):
        with pytest.raises(TypeError):
            wrong()  # type: ignore[no-untyped-call]
    if required:
        with pytest.raises(TypeError, match=required[-1]):
            made(*required[:-1])
        with pytest.raises(TypeError):
            made(*values, **{required[0]: 1})


def test_other_dataclasses_are_the_real_ones() -> None:
    @dataclass
    class Open:
        value: list[int] = dataclasses.field(default_factory=list)

    assert dataclasses.fields(Open)[0].name == "value"  # type: ignore[arg-type]
    assert Open().value == []


def test_what_is_not_provided_for_fails_at_once() -> None:
    with pytest.raises(TypeError, match="field"):
        dataclass(frozen=True, slots=True)(
            type("A", (), {"__annotations__": {"a": int}, "a": dataclasses.field(default=1)})
        )

    @dataclasses.dataclass(frozen=True)
    class Base:
        a: int

    with pytest.raises(TypeError, match="extends"):
        dataclass(frozen=True, slots=True)(type("B", (Base,), {"__annotations__": {"b": int}}))


@pytest.mark.parametrize("function", [entry[1] for entry in BUILTIN_HANDLERS], ids=lambda function: repr(function)[:60])
def test_whether_a_handler_takes_keywords_is_told_as_inspect_tells_it(function: Any) -> None:
    assert Inspect("inspect").getfullargspec(function)[2] == inspect.getfullargspec(function)[2]


def test_functions_of_all_kinds_are_told_as_inspect_tells_them() -> None:
    def plain(a: int, *rest: int, b: int = 0, **words: int) -> None: ...
    def strict(a: int) -> None: ...

    class Owner:
        def method(self, a: int, **words: int) -> None: ...

    for function in (plain, strict, Owner.method, Owner().method, len):
        assert Inspect("inspect").getfullargspec(function)[2] == inspect.getfullargspec(function)[2]


@pytest.mark.parametrize("thing", [int, inspect.Parameter, 1, pkgutil, importlib.abc.Loader, dataclasses.Field])
def test_classes_are_told_as_inspect_tells_them(thing: Any) -> None:
    stand_in = Inspect("inspect")
    assert stand_in.isclass(thing) is inspect.isclass(thing)
    assert stand_in.isabstract(thing) is inspect.isabstract(thing)
    if isinstance(thing, type):
        assert stand_in.getmro(thing) == inspect.getmro(thing)
        assert stand_in.get_annotations(thing) == inspect.get_annotations(thing)


def test_what_else_is_asked_the_real_modules_answer() -> None:
    assert Inspect("inspect").Parameter is inspect.Parameter
    stand_in = TypingExtensions("typing_extensions")
    assert stand_in.Self is importlib.import_module("typing").Self
    assert stand_in.deprecated("use another")(len) is len
    with pytest.raises(AttributeError):
        _ = stand_in.NoSuchThing
