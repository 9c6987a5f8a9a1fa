"""A lean start: what the libraries import but this function does not use is left out while they load.

Most of a cold start is importing. Inside `lean_imports()`

* modules that are imported and not used have a stand-in. Afterwards the stand-ins are gone from `sys.modules`, so that
  whoever imports such a module later (stamina does, at the first retry) gets the real one; and a function of a
  stand-in that is called after all imports the real one by itself. What cannot wait like that fails at once and loudly:
  a stand-in is no class to inherit from, to catch or to compare with;
* regular expressions are compiled when they are first used.

Nothing of a library is patched. `tests/unit/handler/test_lean.py` proves that each module listed here would otherwise
be imported, and bench/ what it all gains.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

LEFT_OUT = {
    # wrapt, for the synchronisation of coroutines
    "asyncio": (),
    # opentelemetry.sdk.trace, for processors that export in parallel; botocore, to read a response without blocking
    "concurrent": ("concurrent.futures",),
    # opentelemetry.instrumentation, to check versions that the lock file has settled
    "packaging": ("packaging.requirements",),
    # opentelemetry.instrumentation, for the headers of requests that are served
    "opentelemetry.propagate": (),
    # opentelemetry.sdk.resources, to describe the process
    "psutil": (),
    # boto3, for S3 transfers and for its resource interface
    "s3transfer": ("s3transfer.manager",),
    "boto3.resources": ("boto3.resources.factory",),
    # botocore, to document what it generates
    "botocore.docs": ("botocore.docs.docstring", "botocore.docs.utils"),
    # botocore, for waiters, paginators, and replies that have dates or are XML: neither service's are
    "jmespath": ("jmespath.exceptions",),
    "dateutil": ("dateutil.parser", "dateutil.tz"),
    "xml": ("xml.etree", "xml.etree.ElementTree"),
}
"""Packages that are left out, and their modules that are asked for by name."""

INERT = ("botocore.docs.", "boto3.resources.")
"""What is called for each client, to no effect: it may be for ever."""


class Later:
    """Stands for something in a module that was left out; called, it imports the real thing and calls that."""

    def __init__(self, name: str, phase: "Phase") -> None:
        self._name = name
        self._phase = phase

    def __getattr__(self, name: str) -> "Later":
        """Anything of it is for later too."""
        return Later(f"{self._name}.{name}", self._phase)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Nothing while the libraries load; afterwards somebody means it."""
        if self._phase.importing or self._name.startswith(INERT):
            return self
        from pkgutil import resolve_name

        return resolve_name(self._name)(*args, **kwargs)


class StandIn(ModuleType):
    """A module that was left out."""

    def __init__(self, name: str, phase: "Phase") -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self._phase = phase

    def __getattr__(self, name: str) -> Later:
        """Anything of it, for later."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Later(f"{self.__name__}.{name}", self._phase)


class Phase:
    """Whether the libraries are still being imported."""

    importing = True


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
    # OpenTelemetry gives patterns to re's functions, and those take nothing but the real thing.
    caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - as warnings and logging find theirs
    if not isinstance(pattern, str) or caller.startswith("opentelemetry."):
        return _compile(pattern, flags)
    return LazyPattern(pattern, flags)


@contextmanager
def lean_imports() -> Iterator[None]:
    """Import the function inside this block; build it outside."""
    phase = Phase()
    names = [name for package, modules in LEFT_OUT.items() for name in (package, *modules)]
    # What is loaded already stays what it is: a test run, or a layer that came first.
    stand_ins = {name: StandIn(name, phase) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    re.compile = _compile_later
    try:
        yield
    finally:
        phase.importing = False
        re.compile = _compile
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
