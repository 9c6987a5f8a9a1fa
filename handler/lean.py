"""A lean start: what the libraries import but this function never uses is left out while they load.

Most of a cold start is importing. Inside `lean_start()`

* modules that are only imported, never used, are placeholders. Afterwards they are gone from `sys.modules`, so that
  whoever imports them later (stamina does, at the first retry) gets the real ones; a placeholder that is used after all
  says so loudly;
* regular expressions are compiled when they are first used;
* the garbage collector rests, and then never looks again at what was made.

Nothing of a library is patched. `tests/unit/handler/test_lean.py` proves that each module listed here would otherwise
be imported, and bench/ what it all gains.
"""

import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

LEFT_OUT = {
    # wrapt, for the synchronisation of coroutines
    "asyncio": (),
    # opentelemetry.instrumentation, to check versions that the lock file has settled
    "packaging": ("packaging.requirements",),
    # boto3, for S3 transfers and for its resource interface
    "s3transfer": ("s3transfer.manager",),
    "boto3.resources": ("boto3.resources.factory",),
    # botocore, to document what it generates
    "botocore.docs": ("botocore.docs.docstring", "botocore.docs.utils"),
    # opentelemetry.sdk.resources, to describe the process
    "psutil": (),
}
"""Packages that are left out, and their modules that are asked for by name."""

INERT = frozenset({"botocore.docs", "boto3.resources"})
"""Packages whose placeholders may be called for ever: botocore makes a docstring with each client."""


class LeftOut:
    """Stands for anything in a module that was left out."""

    def __init__(self, name: str, start: "_Start") -> None:
        self._name = name
        self._start = start

    def __getattr__(self, name: str) -> "LeftOut":
        """Anything of it is left out too."""
        return LeftOut(f"{self._name}.{name}", self._start)

    def __call__(self, *_: Any, **__: Any) -> "LeftOut":
        """Harmless while the libraries load.

        Raises:
            RuntimeError: afterwards, because then somebody means it.
        """
        if self._start.over and not self._name.startswith(tuple(INERT)):
            raise RuntimeError(f"{self._name} was left out at start: take it off the list in handler/lean.py")
        return self


class _Placeholder(ModuleType):
    """A module that was left out."""

    def __init__(self, name: str, start: "_Start") -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self._start = start

    def __getattr__(self, name: str) -> LeftOut:
        if name.startswith("__"):
            raise AttributeError(name)
        return LeftOut(f"{self.__name__}.{name}", self._start)


class _Start:
    """Whether the start is over: from then on placeholders are loud."""

    over = False


class LazyPattern:
    """A regular expression that is compiled when it is first used."""

    __slots__ = ("_flags", "_pattern", "_text")

    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags
        self._pattern: re.Pattern[str] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._pattern is None:
            self._pattern = _compile(self._text, self._flags)
        return getattr(self._pattern, name)


_compile = re.compile


def _compile_later(pattern: Any, flags: int = 0) -> Any:
    return LazyPattern(pattern, flags) if isinstance(pattern, str) else _compile(pattern, flags)


@contextmanager
def lean_start() -> Iterator[None]:
    """Import and build inside this block."""
    start = _Start()
    names = [name for package, modules in LEFT_OUT.items() for name in (package, *modules)]
    # What is loaded already stays what it is: a test run, or a layer that came first.
    placeholders = {name: _Placeholder(name, start) for name in names if name not in sys.modules}
    sys.modules.update(placeholders)
    re.compile = _compile_later
    gc.disable()
    try:
        yield
    finally:
        start.over = True
        re.compile = _compile
        for name, placeholder in placeholders.items():
            if sys.modules.get(name) is placeholder:
                del sys.modules[name]
        gc.freeze()
        gc.enable()
