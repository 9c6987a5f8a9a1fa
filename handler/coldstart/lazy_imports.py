"""Lazy imports: modules that libraries import, but that this function does not use, are left out of a cold start.

Most of a cold start is importing. Inside `lazy_imports()`

* `sys.modules` has stubs for the modules of `DEFERRED_MODULES`, some of the standard library included. A stub has
  the names that are declared here and refuses every other one. After the block, the stubs are gone from
  `sys.modules`: a later import gets the real module, and a stub that a library still holds imports the real module
  when it is used;
* `re.compile` returns patterns that are compiled when they are first used.

Both are changes to the whole process. `sys.modules` and `re.compile` are restored at the end of the block; the stubs
and the lazy patterns stay in the libraries that took them. README.md describes what stays, and how to turn this off.
"""

import email
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from handler.coldstart import is_standard

DEFERRED_MODULES: dict[str, tuple[str, ...]] = {
    # wrapt, for what it offers besides wrapping a function: the synchronization of coroutines, with asyncio
    "wrapt.caching": ("lru_cache",),
    "wrapt.decorators": ("AdapterFactory", "adapter_factory", "bind_state_to_wrapper", "decorator"),
    "wrapt.importer": (
        *("discover_post_import_hooks", "notify_module_loaded", "register_post_import_hook", "when_imported"),
    ),
    "wrapt.proxies": ("AutoObjectProxy", "LazyObjectProxy", "ObjectProxy", "lazy_import"),
    "wrapt.signature": ("with_signature",),
    "wrapt.synchronization": ("async_to_sync", "mark_as_async", "mark_as_sync", "sync_to_async", "synchronized"),
    "wrapt.weakrefs": ("WeakFunctionProxy",),
    # opentelemetry.instrumentation, to check versions that the lock file has settled
    "opentelemetry.instrumentation.dependencies": (
        *("DependencyConflict", "DependencyConflictError", "get_dependency_conflicts"),
    ),
    # opentelemetry.instrumentation, for the headers of requests that are served, and for conventions of HTTP and SQL;
    # ADOT's fast start, for the propagators of other instrumentations than the function's
    "opentelemetry.propagate": ("extract", "set_global_textmap", "set_global_textmap()"),
    "opentelemetry.instrumentation._semconv": (
        "_OpenTelemetrySemanticConventionStability",
        "_OpenTelemetrySemanticConventionStability._initialize",
        "_OpenTelemetrySemanticConventionStability._initialize()",
    ),
    # OpenTelemetry, for its own metrics and logs: this function writes its own
    "opentelemetry.metrics": (
        *("Instrument", "Meter", "MeterProvider", "get_meter", "get_meter()"),
        *("get_meter_provider", "get_meter_provider()"),
    ),
    "opentelemetry._logs": ("Logger", "get_logger", "get_logger()"),
    "opentelemetry.semconv._incubating.metrics.otel_metrics": (
        *("create_otel_sdk_span_live", "create_otel_sdk_span_started"),
    ),
    "opentelemetry.semconv._incubating.attributes.otel_attributes": (
        *("OTEL_SPAN_PARENT_ORIGIN", "OTEL_SPAN_SAMPLING_RESULT", "OtelSpanSamplingResultValues"),
    ),
    # http.client, for the headers of responses that `handler.coldstart.transport` does not read, and for other messages
    # than HTTP's
    "email.parser": (),
    "email.header": (),
    "email._encoded_words": ("decode_b",),
    # urllib3, for HTTP/2
    "importlib.metadata": ("version",),
    # urllib3, for forms
    "urllib3.filepost": ("_TYPE_FIELDS", "encode_multipart_formdata"),
    # boto3, for S3 transfers and for its resource interface
    "s3transfer": (),
    "s3transfer.manager": ("TransferConfig", "TransferConfig.UNSET_DEFAULT"),
    "boto3.resources": (),
    "boto3.resources.factory": ("ResourceFactory", "ResourceFactory()"),
    # botocore, to document what it generates
    "botocore.docs": (),
    "botocore.docs.docstring": (*("ClientMethodDocstring", "ClientMethodDocstring()", "PaginatorDocstring"),),
    "botocore.docs.utils": (
        *("AppendParamDocumentation", "AppendParamDocumentation()"),
        "AppendParamDocumentation().append_documentation",
        *("AutoPopulatedParam", "AutoPopulatedParam()", "AutoPopulatedParam().document_auto_populated_param"),
        *("DocumentModifiedShape", "DocumentModifiedShape()"),
        "DocumentModifiedShape().replace_documentation_for_matching_shape",
        *("HideParamFromOperations", "HideParamFromOperations()", "HideParamFromOperations().hide_param"),
    ),
    # botocore, for waiters, paginators, and responses that have dates or are XML: neither service's are
    "jmespath": (),
    "dateutil": (),
    "dateutil.parser": ("parse",),
    "dateutil.tz": ("tzlocal", "tzutc"),
    "xml": (),
    "xml.etree": (),
    "xml.etree.ElementTree": ("ParseError",),
    "calendar": (),
    "decimal": ("Decimal",),
    "gzip": ("GzipFile", "compress", "open"),
    "botocore.paginate": ("Paginator",),
    "botocore.waiter": (),
    # botocore, for retries of its legacy mode, and for users of its copy of six
    "botocore.retryhandler": (),
    "botocore.translate": (),
    "botocore.vendored.six": (),
    # opentelemetry.sdk, to configure tracers by patterns of names
    "fnmatch": (),
    # botocore, for credentials and certificates from elsewhere than Lambda's variables and its own files
    "certifi": ("where",),
    "configparser": (),
    "getpass": ("getpass",),
    "pathlib": ("Path",),
    "shlex": (),
    "subprocess": ("Popen",),
    "tempfile": (),
    # botocore, for what settings turn on: adaptive retries, endpoint discovery, monitoring, proxies
    "botocore.retries.adaptive": (),
    "botocore.discovery": (
        *("EndpointDiscoveryHandler", "EndpointDiscoveryManager", "block_endpoint_discovery_required_operations"),
    ),
    "botocore.monitoring": (),
    "urllib.request": ("getproxies", "proxy_bypass"),
    # urllib.parse, for addresses in brackets
    "ipaddress": ("IPv4Address", "IPv6Address", "ip_address"),
}
"""Modules that are left out, and the names of each that libraries ask for while they load.

`name()` is a call that waits until something is asked of its result: documentation, boto3's resources, and providers
of OpenTelemetry that nobody asks anything of.
"""

UNAVAILABLE_MODULES = ("psutil", "urllib3.contrib.pyopenssl")
"""Modules that libraries can do without and that are not in the image: an import fails without a search for them."""


class LazyPattern:
    """A regular expression that is compiled when it is first used.

    Args:
        text: The expression.
        flags: As `re.compile` takes them.
    """

    __slots__ = ("__dict__", "_flags", "_pattern", "_text")

    def __init__(self, text: str | bytes, flags: int) -> None:
        self._text: Any = text
        self._flags = flags
        self._pattern: re.Pattern[Any] | None = None

    def _compiled(self) -> re.Pattern[Any]:
        if self._pattern is None:
            self._pattern = _compile(self._text, self._flags)
        return self._pattern

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._compiled(), name)
        setattr(self, name, value)  # found at once from now on: an event uses some patterns dozens of times
        return value

    def __eq__(self, other: object) -> bool:
        return self._compiled() == (other._compiled() if isinstance(other, LazyPattern) else other)

    def __hash__(self) -> int:
        return hash(self._compiled())


_compile = re.compile

_PASSED_TO_RE = frozenset(
    {r"[ \t]*,[ \t]*", "^[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?[ \t]*$"}
)
"""Patterns that OpenTelemetry passes to functions of `re`, which take strings and real patterns only."""


def _compile_later(pattern: Any, flags: int = 0) -> Any:
    if not isinstance(pattern, str | bytes) or pattern in _PASSED_TO_RE:
        return _compile(pattern, flags)
    return LazyPattern(pattern, flags)


@contextmanager
def lazy_imports(environ: Mapping[str, str]) -> Iterator[None]:
    """Import the function inside this block; build it outside.

    Args:
        environ: The environment; HANDLER_COLD_START=standard makes the block an ordinary one.
    """
    if is_standard(environ):
        yield
        return
    from handler.coldstart.stubs import ImportPhase, stub_modules

    phase = ImportPhase()
    # A module that is loaded already stays what it is: in a test run, or after a layer that came first.
    stubs = {name: stub for name, stub in stub_modules(phase, DEFERRED_MODULES).items() if name not in sys.modules}
    unavailable: dict[str, Any] = {name: None for name in UNAVAILABLE_MODULES if name not in sys.modules}
    sys.modules.update(stubs | unavailable)
    if "email.parser" in stubs:
        vars(email)["parser"] = stubs["email.parser"]  # http.client looks for it there
    re.compile = _compile_later
    try:
        yield
    finally:
        phase.importing = False
        re.compile = _compile
        for name, stub in (stubs | unavailable).items():
            if name in sys.modules and sys.modules[name] is stub:
                del sys.modules[name]
