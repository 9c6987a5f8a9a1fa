"""Stand-ins for modules that are asked something while the function starts, but little of what they can do.

`inspect` imports a parser, a tokenizer and a disassembler; `typing_extensions` repeats what this Python's `typing` has.
"""

import sys
import typing
from collections.abc import Callable
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any


class ImportPhase:
    """Whether the libraries are still being imported."""

    importing = True


_VARARGS, _VARKEYWORDS = 0x04, 0x08  # https://docs.python.org/3/library/inspect.html#code-objects-bit-flags
_ABSTRACT = 1 << 20  # Py_TPFLAGS_IS_ABSTRACT, as in the real module


class TypingExtensions(ModuleType):
    """`typing_extensions`, as far as it repeats this Python's own `typing`."""

    @staticmethod
    def deprecated(_message: str, **_: Any) -> Callable[[Any], Any]:
        """A mark for type checkers, and for a warning that Python does not show unless it is asked to."""
        return lambda thing: thing

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(typing, name)


class Inspect(ModuleType):
    """`inspect`, as far as a start asks it about functions and classes; whatever else is asked, the real one answers.

    botocore asks whether each handler of an event takes `**kwargs`. `dataclasses` asks for a class's signature, to
    write a docstring where there is none, and does without where it is refused.

    Args:
        phase: Whether the libraries are still being imported.
    """

    def __init__(self, phase: "ImportPhase") -> None:
        super().__init__("inspect")
        self._phase = phase

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def _real(self) -> ModuleType:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return import_module(self.__name__)

    def signature(self, thing: Any, **options: Any) -> Any:
        """As the real one, once the libraries are imported."""
        if self._phase.importing:
            raise ValueError("no signature while the libraries are imported")
        return self._real().signature(thing, **options)

    @staticmethod
    def get_annotations(kind: type) -> dict[str, Any]:
        """As the real one, of a class and without evaluating texts."""
        return dict(kind.__dict__.get("__annotations__", {}))  # noqa: RUF063 - this stands for it

    @staticmethod
    def isclass(thing: object) -> bool:
        """As the real one."""
        return isinstance(thing, type)

    @staticmethod
    def isabstract(thing: object) -> bool:
        """As the real one, of a class that has been made."""
        return isinstance(thing, type) and bool(thing.__flags__ & _ABSTRACT)

    @staticmethod
    def getmro(kind: type) -> tuple[type, ...]:
        """As the real one."""
        return kind.__mro__

    def getfullargspec(self, function: Any) -> Any:
        """As the real one, but only the name of `**kwargs` (index 2) where a Python function takes them."""
        plain = getattr(function, "__func__", function)
        if type(plain) is not FunctionType or hasattr(plain, "__wrapped__"):
            return self._real().getfullargspec(function)
        code = plain.__code__
        if not code.co_flags & _VARKEYWORDS:
            return self._real().getfullargspec(function)
        plain_arguments = code.co_argcount + code.co_kwonlyargcount
        return None, None, code.co_varnames[plain_arguments + bool(code.co_flags & _VARARGS)]
