"""Stubs refuse what they cannot answer, and answer everything else as the real modules."""

import dataclasses
import importlib
import inspect
import operator
import pkgutil
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from botocore.handlers import BUILTIN_HANDLERS

from handler.coldstart.lazy_imports import DEFERRED_MODULES
from handler.coldstart.stubs import Deferred, ImportPhase, Inspect, TypingExtensions, stub_modules

NAMES = {"json": ("dumps", "JSONDecoder", "JSONDecodeError", "loads", "loads()", "loads().real")}


def imported() -> ImportPhase:
    """Return the phase after the imports."""
    phase = ImportPhase()
    phase.importing = False
    return phase


def stub(phase: ImportPhase) -> Any:
    """Return a stub of json with a few declared names."""
    return stub_modules(phase, NAMES)["json"]


class TestWhileLibrariesLoad:
    """What is not declared is refused."""

    @pytest.mark.parametrize("name", ["load", "dumps2", "__version__", "__all__"])
    def test_undeclared_name(self, name: str) -> None:
        json = stub(ImportPhase())
        with pytest.raises(AttributeError):
            getattr(json, name)
        with pytest.raises(AttributeError):
            getattr(json.dumps, name)

    def test_undeclared_call(self) -> None:
        with pytest.raises(TypeError, match="left out"):
            stub(ImportPhase()).dumps([1])

    def test_annotation(self) -> None:
        decoder = stub(ImportPhase()).JSONDecoder
        assert type(decoder | None) is type(None | decoder) is Deferred


@pytest.mark.parametrize("importing", [True, False])
class TestRefuses:
    """What a stub cannot answer raises, at any time."""

    @pytest.fixture
    def things(self, importing: bool) -> list[Any]:
        phase = ImportPhase()
        json = stub(phase)
        things = [json, json.dumps, json.loads("1")]
        phase.importing = importing
        return things

    @pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
    def test_comparison(self, things: list[Any], compare: Callable[[Any, Any], Any]) -> None:
        for thing in things:
            with pytest.raises(TypeError, match="left out"):
                compare(thing, 1)

    def test_truth_value(self, things: list[Any]) -> None:
        for thing in things:
            with pytest.raises(TypeError, match="left out"):
                bool(thing)

    def test_use_as_a_class(self, things: list[Any]) -> None:
        for thing in things:
            with pytest.raises(TypeError):
                isinstance(1, thing)
            with pytest.raises(TypeError):
                type("Sub", (thing,), {})
            with pytest.raises(TypeError):  # noqa: PT012 - the handler raises
                try:
                    raise ValueError
                except thing:
                    pass

    def test_identity_and_hash_work(self, things: list[Any]) -> None:
        assert dict.fromkeys(things, True)[things[0]]


class TestAfterTheImports:
    """A stub is the real module, as soon as it is used."""

    def test_names_are_the_real_ones(self) -> None:
        phase = ImportPhase()
        json = stub(phase)
        dumps, decoder = json.dumps, json.JSONDecoder
        phase.importing = False
        assert dumps([1]) == "[1]"
        assert decoder.decode is importlib.import_module("json").JSONDecoder.decode
        assert json.__name__ == "json"
        assert json.load is importlib.import_module("json").load
        assert type(decoder | None) is type(int | None)
        with pytest.raises(AttributeError):
            _ = json.no_such_name

    def test_a_declared_call_waits_until_its_result_is_used(self) -> None:
        phase = ImportPhase()
        json = stub(phase)
        results = [json.loads("12"), json.loads("no JSON")]
        real = results[0].real
        phase.importing = False
        results += [json.loads("12"), json.loads("no JSON")]
        assert [repr(result) for result in results] == ["<deferred json.loads()>"] * 4
        assert real.bit_length() == results[0].bit_length() == results[2].bit_length() == 4
        for result in (results[1], results[3]):
            with pytest.raises(ValueError, match="Expecting"):
                _ = result.real

    def test_the_first_use_replaces_the_stub_everywhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A library's `except` clause then has the real exception class."""
        phase = ImportPhase()
        json = stub(phase)
        library = ModuleType("a_library")
        vars(library).update(json=json, error=json.JSONDecodeError, wait=json.loads("1"), other=1)
        monkeypatch.setitem(sys.modules, "a_library", library)
        phase.importing = False
        json.dumps([1])
        real = importlib.import_module("json")
        assert (vars(library)["json"], vars(library)["error"]) == (real, real.JSONDecodeError)
        assert repr(vars(library)["wait"]) == "<deferred json.loads()>"


@pytest.mark.parametrize("module", DEFERRED_MODULES)
def test_declared_names_exist(module: str) -> None:
    """What a stub says is there, `hasattr` included, is there."""
    for name in DEFERRED_MODULES[module]:
        if "()" not in name:
            operator.attrgetter(name)(importlib.import_module(module))


class TestInspect:
    """The stub of inspect answers as the real module."""

    @pytest.mark.parametrize(
        "function",
        [entry[1] for entry in BUILTIN_HANDLERS],
        ids=lambda function: getattr(function, "__name__", type(function).__name__),
    )
    def test_keywords_of_a_handler(self, function: Any) -> None:
        assert Inspect(imported()).getfullargspec(function)[2] == inspect.getfullargspec(function)[2]

    def test_keywords_of_functions_of_all_kinds(self) -> None:
        def plain(a: int, *rest: int, b: int = 0, **words: int) -> None: ...
        def strict(a: int) -> None: ...

        class Owner:
            def method(self, a: int, **words: int) -> None: ...

        for function in (plain, strict, Owner.method, Owner().method, len):
            assert Inspect(imported()).getfullargspec(function)[2] == inspect.getfullargspec(function)[2]

    @pytest.mark.parametrize("thing", [int, inspect.Parameter, 1, pkgutil, importlib.abc.Loader, dataclasses.Field])
    def test_classes(self, thing: Any) -> None:
        stub = Inspect(imported())
        assert stub.isclass(thing) is inspect.isclass(thing)
        assert stub.isabstract(thing) is inspect.isabstract(thing)
        if isinstance(thing, type):
            assert stub.getmro(thing) == inspect.getmro(thing)
            assert stub.get_annotations(thing) == inspect.get_annotations(thing)

    def test_signature(self) -> None:
        assert Inspect(imported()).signature(len) == inspect.signature(len)
        with pytest.raises(ValueError, match="signature"):
            Inspect(ImportPhase()).signature(len)

    def test_everything_else_is_the_real_module(self) -> None:
        assert Inspect(imported()).Parameter is inspect.Parameter


def test_typing_extensions() -> None:
    stub = TypingExtensions()
    assert stub.Self is importlib.import_module("typing").Self
    assert stub.deprecated("use another")(len) is len
    for name in ("NoSuchThing", "__version__"):
        with pytest.raises(AttributeError):
            getattr(stub, name)
