"""A lean start: what the libraries import but this function does not use is left out while they load.

Most of a cold start is importing. Inside `lazy_imports()`

* modules that are imported and not used have a stand-in. Afterwards the stand-ins are gone from `sys.modules`, so that
  whoever imports such a module later (stamina does, at the first retry) gets the real one; and a function of a
  stand-in that is called after all imports the real one by itself, as does a stand-in that is asked for anything.
  What cannot wait like that fails at once and loudly: a stand-in is no class to inherit from or to compare with;
* regular expressions are compiled when they are first used.

Nothing of a library is patched. `tests/unit/handler/coldstart/test_lazy_imports.py` proves that each module listed here
would otherwise be imported, and bench/ what it all gains.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from handler.coldstart.stubs import ImportPhase, Inspect, TypingExtensions

DEFERRED_MODULES = {
    # wrapt, for what it offers besides wrapping a function: the synchronisation of coroutines, with asyncio
    "wrapt.caching": (),
    "wrapt.decorators": (),
    "wrapt.importer": (),
    "wrapt.proxies": (),
    "wrapt.signature": (),
    "wrapt.synchronization": (),
    "wrapt.weakrefs": (),
    # opentelemetry.sdk.trace, for processors that export in parallel; botocore, to read a response without blocking
    "concurrent": ("concurrent.futures",),
    # opentelemetry.instrumentation, to check versions that the lock file has settled
    "opentelemetry.instrumentation.dependencies": (),
    # opentelemetry.instrumentation, for the headers of requests that are served, and for conventions of HTTP and SQL
    "opentelemetry.propagate": (),
    "opentelemetry.instrumentation._semconv": (),
    # opentelemetry.sdk.resources, to describe the process
    "psutil": (),
    # OpenTelemetry, for metrics and logs: ours go another way
    "opentelemetry.metrics": (),
    "opentelemetry._logs": (),
    "opentelemetry.semconv._incubating.metrics.otel_metrics": (),
    "opentelemetry.semconv._incubating.attributes.otel_attributes": (),
    # urllib3, for HTTP/2
    "importlib.metadata": (),
    # urllib3, for forms
    "urllib3.filepost": (),
    # boto3, for S3 transfers and for its resource interface
    "s3transfer": ("s3transfer.manager",),
    "boto3.resources": ("boto3.resources.factory",),
    # botocore, to document what it generates
    "botocore.docs": ("botocore.docs.docstring", "botocore.docs.utils"),
    # botocore, for waiters, paginators, and replies that have dates, are XML or streams: neither service's are
    "jmespath": ("jmespath.exceptions",),
    "dateutil": ("dateutil.parser", "dateutil.tz"),
    "xml": ("xml.etree", "xml.etree.ElementTree"),
    "calendar": (),
    "decimal": (),
    "gzip": (),
    "botocore.paginate": (),
    "botocore.eventstream": (),
    # botocore, for credentials and certificates from elsewhere than Lambda's variables and its own files
    "certifi": (),
    "configparser": (),
    "getpass": (),
    "pathlib": (),
    "shlex": (),
    "subprocess": (),
    "tempfile": (),
    # botocore, for what is switched on by settings: adaptive retries, endpoint discovery, monitoring, proxies
    "botocore.retries.adaptive": (),
    "botocore.discovery": (),
    "botocore.monitoring": (),
    "urllib.request": (),
    # urllib.parse, for addresses in brackets
    "ipaddress": (),
}
"""Packages that are left out, and their modules that are asked for by name."""

UNAVAILABLE_MODULES = ("urllib3.contrib.pyopenssl",)
"""Modules that libraries look for and that cannot be imported here, for want of what they build on."""

NO_OP_PREFIXES = (
    "botocore.docs",
    "boto3.resources",
    "opentelemetry._logs",
    "opentelemetry.instrumentation._semconv",
    "opentelemetry.metrics",
)
"""What is called to no effect: documentation, an interface that nobody uses, providers that nobody sets up."""


def _placeholder_exception(name: str) -> type[Exception]:
    """For an `except` clause: what was left out raises nothing."""
    return type(name, (Exception,), {})


class DeferredAttribute:
    """Stands for something in a module that was left out; called, it imports the real thing and calls that."""

    def __init__(self, name: str, phase: ImportPhase) -> None:
        self._name = name
        self._phase = phase

    def __getattr__(self, name: str) -> Any:
        """Anything of it is for later too."""
        if self._phase.importing and name.endswith("Error"):
            return _placeholder_exception(name)
        return DeferredAttribute(f"{self._name}.{name}", self._phase)

    def __or__(self, _other: object) -> "DeferredAttribute":
        """An annotation that is a union."""
        return self

    __ror__ = __or__

    def __bool__(self) -> bool:
        raise TypeError(f"{self._name} was left out of the start, and decides nothing")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The real thing's answer; while the libraries load nothing is called but what is inert."""
        if self._name.startswith(NO_OP_PREFIXES):
            return self
        if self._phase.importing:
            raise TypeError(f"{self._name} was left out of the start, and is called by it")
        from pkgutil import resolve_name

        return resolve_name(self._name)(*args, **kwargs)


class StubModule(ModuleType):
    """A module that was left out."""

    def __init__(self, name: str, phase: ImportPhase) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self._phase = phase

    def __getattr__(self, name: str) -> Any:
        """Anything of it: for later while the libraries load, the real thing afterwards."""
        if name.startswith("__"):
            raise AttributeError(name)
        if self._phase.importing and name.endswith("Error"):
            return _placeholder_exception(name)
        if self._phase.importing or self.__name__.startswith(NO_OP_PREFIXES):
            return DeferredAttribute(f"{self.__name__}.{name}", self._phase)
        from importlib import import_module

        return getattr(import_module(self.__name__), name)


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
def lazy_imports() -> Iterator[None]:
    """Import the function inside this block; build it outside."""
    phase = ImportPhase()
    names = [name for package, modules in DEFERRED_MODULES.items() for name in (package, *modules)]
    available: dict[str, Any] = {name: StubModule(name, phase) for name in names} | dict.fromkeys(UNAVAILABLE_MODULES)
    available |= {module.__name__: module for module in (Inspect(phase), TypingExtensions("typing_extensions"))}
    # What is loaded already stays what it is: a test run, or a layer that came first.
    stubs = {name: stub for name, stub in available.items() if name not in sys.modules}
    sys.modules.update(stubs)
    re.compile = _compile_later
    try:
        yield
    finally:
        phase.importing = False
        re.compile = _compile
        for name, stub in stubs.items():
            if name in sys.modules and sys.modules[name] is stub:
                del sys.modules[name]
