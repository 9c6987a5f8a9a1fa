"""The stand-ins of a start behave as the real things, for all that a start asks of them."""

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pytest
from botocore.handlers import BUILTIN_HANDLERS

from handler.coldstart.stubs import ImportPhase, Inspect, TypingExtensions


def loaded() -> ImportPhase:
    """After the imports."""
    phase = ImportPhase()
    phase.importing = False
    return phase


def test_a_dataclass_has_no_signature_while_the_libraries_load() -> None:
    assert str(Inspect(loaded()).signature(len)) == str(inspect.signature(len))
    with pytest.raises(ValueError, match="imported"):
        Inspect(ImportPhase()).signature(len)


@pytest.mark.parametrize("function", [entry[1] for entry in BUILTIN_HANDLERS], ids=lambda function: repr(function)[:60])
def test_whether_a_handler_takes_keywords_is_told_as_inspect_tells_it(function: Any) -> None:
    assert Inspect(loaded()).getfullargspec(function)[2] == inspect.getfullargspec(function)[2]


def test_functions_of_all_kinds_are_told_as_inspect_tells_them() -> None:
    def plain(a: int, *rest: int, b: int = 0, **words: int) -> None: ...
    def strict(a: int) -> None: ...

    class Owner:
        def method(self, a: int, **words: int) -> None: ...

    for function in (plain, strict, Owner.method, Owner().method, len):
        assert Inspect(loaded()).getfullargspec(function)[2] == inspect.getfullargspec(function)[2]


@pytest.mark.parametrize("thing", [int, inspect.Parameter, 1, pkgutil, importlib.abc.Loader, dataclasses.Field])
def test_classes_are_told_as_inspect_tells_them(thing: Any) -> None:
    stand_in = Inspect(loaded())
    assert stand_in.isclass(thing) is inspect.isclass(thing)
    assert stand_in.isabstract(thing) is inspect.isabstract(thing)
    if isinstance(thing, type):
        assert stand_in.getmro(thing) == inspect.getmro(thing)
        assert stand_in.get_annotations(thing) == inspect.get_annotations(thing)


def test_what_else_is_asked_the_real_modules_answer() -> None:
    assert Inspect(loaded()).Parameter is inspect.Parameter
    stand_in = TypingExtensions("typing_extensions")
    assert stand_in.Self is importlib.import_module("typing").Self
    assert stand_in.deprecated("use another")(len) is len
    with pytest.raises(AttributeError):
        _ = stand_in.NoSuchThing
