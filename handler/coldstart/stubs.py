"""Stubs of modules that are left out of a cold start.

A stub refuses what it cannot answer: a name that is not declared, a comparison, a truth value. It is no class, so it
cannot be inherited from, caught or checked for. After the imports it answers with the real module.
"""

import sys
import typing
from collections.abc import Callable, Mapping
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from handler.coldstart.constants import CONSTANTS

_VARARGS, _VARKEYWORDS = 0x04, 0x08  # https://docs.python.org/3/library/inspect.html#code-objects-bit-flags
_ABSTRACT = 1 << 20  # Py_TPFLAGS_IS_ABSTRACT, as in inspect
_UNSET = object()


class ImportPhase:
    """Whether the libraries are still being imported, and what they may ask for until then.

    Attributes:
        importing: False once the imports are over.
        declared: Paths of names and calls, such as `gzip.open` and `opentelemetry._logs.get_logger()`.
    """

    def __init__(self, declared: frozenset[str] = frozenset()) -> None:
        self.importing = True
        self.declared = declared

    def answer(self, path: str, module: "StubModule", load: Callable[[], Any]) -> Any:
        """Return the real thing once the imports are over, and a placeholder before.

        A function whose calls are declared stays deferred.

        Raises:
            AttributeError: A library asks for a name that is not declared while it is imported.
        """
        if not self.importing and f"{path}()" not in self.declared:
            return load()
        if path not in self.declared:
            raise AttributeError(f"{path} is not declared in handler.coldstart.lazy_imports")
        return Deferred(path, module, load)


class _Refusing:
    """Refuses to be compared, or to be true or false."""

    __slots__ = ()

    def _refuse(self, _other: object = None) -> NoReturn:
        raise TypeError(f"{self!r} is left out of the cold start and cannot be compared or be true or false")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = object.__hash__


class Deferred(_Refusing):
    """A name of a module that is left out, or the result of a call that waits.

    Args:
        path: The module's name, and the way from there.
        module: The stub of the module.
        load: Returns the real thing.
    """

    __slots__ = ("_load", "_path", "_real", "module")

    def __init__(self, path: str, module: "StubModule", load: Callable[[], Any]) -> None:
        self._path = path
        self.module = module
        self._load = load
        self._real = _UNSET

    def __repr__(self) -> str:
        return f"<deferred {self._path}>"

    def __getattr__(self, name: str) -> Any:
        """Return the real attribute; while the libraries load, a placeholder."""
        return self.module.phase.answer(f"{self._path}.{name}", self.module, lambda: getattr(self.resolve(), name))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the real result; of a declared call, a placeholder."""
        phase = self.module.phase
        path = f"{self._path}()"
        if path in phase.declared:
            return Deferred(path, self.module, lambda: self.resolve()(*args, **kwargs))
        if phase.importing:
            raise TypeError(f"{path} is called while the libraries load, but is left out of the cold start")
        return self.resolve()(*args, **kwargs)

    def __or__(self, other: Any) -> Any:
        """A union in an annotation, which nobody reads while the libraries load."""
        return self if self.module.phase.importing else self.resolve() | other

    def __ror__(self, other: Any) -> Any:
        return self if self.module.phase.importing else other | self.resolve()

    def is_name_of(self, module: "StubModule") -> bool:
        """Return whether this is a name of a module, and not the result of a call that waits."""
        return self.module is module and "()" not in self._path

    def resolve(self) -> Any:
        """Return the real thing; its module is loaded by the first use."""
        if self._real is _UNSET:
            self._real = self._load()
        return self._real


class StubModule(_Refusing, ModuleType):
    """A module that is left out.

    The first use after the imports loads the real module and puts it, and its names, in the place of the stub and of
    its deferred names in all modules. From then on an `except` clause of a library has the real exception class.
    """

    def __init__(self, name: str, phase: ImportPhase) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # no module of a package but those that have stubs, too
        self.phase = phase

    def __repr__(self) -> str:
        return f"<stub of {self.__name__}>"

    def __getattr__(self, name: str) -> Any:
        """Return the real attribute; while the libraries load, a placeholder."""
        return self.phase.answer(f"{self.__name__}.{name}", self, lambda: getattr(self._load(), name))

    def _load(self) -> ModuleType:
        if "_loaded" not in vars(self):
            self._loaded = import_module(self.__name__)
            self._replace(self._loaded)
        return self._loaded

    def _replace(self, real: ModuleType) -> None:
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            for name, value in list(names.items()):
                if value is self:
                    names[name] = real
                elif type(value) is Deferred and value.is_name_of(self):
                    names[name] = value.resolve()


class TypingExtensions(ModuleType):
    """`typing_extensions`, which repeats what this Python's `typing` has; for the time of the imports."""

    def __init__(self) -> None:
        super().__init__("typing_extensions")

    @staticmethod
    def deprecated(_message: str, **_: Any) -> Callable[[Any], Any]:
        """Mark a thing for type checkers. The warning at run time, which Python ignores by default, is left out."""
        return lambda thing: thing

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(typing, name)


class Inspect(ModuleType):
    """`inspect`, for what is asked of functions and classes during a start. The real module answers everything else.

    The real module imports a parser, a tokenizer and a disassembler. botocore asks whether each handler of an event
    takes `**kwargs`. `dataclasses` asks for a class's signature, to write a docstring where there is none, and does
    without where it is refused.

    Args:
        phase: Whether the libraries are still being imported.
    """

    def __init__(self, phase: ImportPhase) -> None:
        super().__init__("inspect")
        self._phase = phase

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(load_in_place_of(self), name)

    def signature(self, thing: Any, **options: Any) -> Any:
        """As the real one, after the imports.

        Raises:
            ValueError: The libraries are still being imported.
        """
        if self._phase.importing:
            raise ValueError("no signature while the libraries load")
        return load_in_place_of(self).signature(thing, **options)

    @staticmethod
    def get_annotations(kind: type) -> dict[str, Any]:
        """As the real one, of a class and without evaluating texts."""
        return dict(kind.__dict__.get("__annotations__", {}))  # noqa: RUF063 - this is inspect.get_annotations

    @staticmethod
    def isclass(thing: object) -> bool:
        """As the real one."""
        return isinstance(thing, type)

    @staticmethod
    def isabstract(thing: object) -> bool:
        """As the real one, of a class that is complete."""
        return isinstance(thing, type) and bool(thing.__flags__ & _ABSTRACT)

    @staticmethod
    def getmro(kind: type) -> tuple[type, ...]:
        """As the real one."""
        return kind.__mro__

    def getfullargspec(self, function: Any) -> Any:
        """As the real one, but only the name of `**kwargs` (index 2) where a Python function takes them."""
        plain = getattr(function, "__func__", function)
        if type(plain) is not FunctionType or hasattr(plain, "__wrapped__"):
            return load_in_place_of(self).getfullargspec(function)
        code = plain.__code__
        if not code.co_flags & _VARKEYWORDS:
            return load_in_place_of(self).getfullargspec(function)
        plain_arguments = code.co_argcount + code.co_kwonlyargcount
        return None, None, code.co_varnames[plain_arguments + bool(code.co_flags & _VARARGS)]


class Constants(ModuleType):
    """A module of constants that is left out except for some of them. The real module answers everything else.

    Args:
        name: The module's.
        values: The constants, by name.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(load_in_place_of(self), name)


def load_in_place_of(stub: ModuleType) -> ModuleType:
    """Return the real module of a stub, which is no longer found by an import."""
    if sys.modules.get(stub.__name__) is stub:
        del sys.modules[stub.__name__]
    return import_module(stub.__name__)


def stub_modules(phase: ImportPhase, deferred: Mapping[str, tuple[str, ...]]) -> dict[str, ModuleType]:
    """Make the stubs of one start.

    Args:
        phase: The imports; the names are declared in it.
        deferred: Names to declare, by module.

    Returns:
        Stubs by the name of their module.
    """
    phase.declared |= {f"{module}.{name}" for module, names in deferred.items() for name in names}
    stubs: dict[str, ModuleType] = {name: StubModule(name, phase) for name in deferred}
    for name, stub in stubs.items():
        package, _, module = name.rpartition(".")
        if package in stubs:
            setattr(stubs[package], module, stub)  # as an import does
    stubs |= {name: Constants(name, values) for name, values in CONSTANTS.items()}
    return stubs | {"inspect": Inspect(phase), "typing_extensions": TypingExtensions()}
