"""The telemetry settings, and the rules of the environment variables behind them.

OpenTelemetry reads most `OTEL_*` variables by itself, some of them while it is imported. They are checked here first:
an invalid one raises an exception there, or loses every span later.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

from otel.settings.environ import (
    SAMPLERS,
    EnvReader,
    check_foreign,
    check_resource_attributes,
    check_sampler,
    is_printable_ascii,
    one_of,
    split_url,
    whole_number,
)

if TYPE_CHECKING:
    from otel.settings.otlp import OtlpSettings

# Lambda's names (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html) and Python's.
_LOG_LEVELS = {"TRACE": 10, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "FATAL": 50}

MAX_ENVIRONMENT = 255
"""Characters of the value of a CloudWatch dimension."""

MOST = 2**31 - 1
"""The highest number accepted for OpenTelemetry's limits: more than any use needs."""

LIMITS = (
    *("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
    *("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT"),
    *("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT"),
)
"""https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#attribute-limits and below."""

LAYER_SWITCH = "AWS_LAMBDA_EXEC_WRAPPER"
"""If set, a layer has set up OpenTelemetry before the function is imported, with its own sampler and provider."""

FAST_START = "OTEL_AWS_LAMBDA_FAST_START"
"""ADOT's own variable: `true` for its small SDK, which the function sets up; else the layer has set the SDK up."""

APPLICATION_SIGNALS = "OTEL_AWS_APPLICATION_SIGNALS_ENABLED"
"""ADOT's own variable, which `direct` mode reads as well."""

PROPAGATORS = ("baggage", "none", "tracecontext", "xray", "xray-lambda")
"""Values of `OTEL_PROPAGATORS`: those of the specification that the image has.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
"""

type ParentSource = Literal["lambda", "traceparent", "nothing"]
"""Where the parent of a root span comes from: Lambda's trace header, `detail.traceparent`, or there is none."""


class TelemetrySettings(NamedTuple):
    """The telemetry settings.

    Attributes:
        service: `service.name` of spans, `service` of log lines.
        environment: `Environment` dimension of metrics, `environment` of log lines.
        service_version: `service.version` of spans: the commit of the image, or the function's version without one.
        log_stream: CloudWatch log stream, unique per sandbox; empty under SnapStart, where Lambda does not name it.
        log_group: CloudWatch log group; may be empty.
        region: AWS region; may be empty.
        memory_mb: The function's memory allocation, megabytes.
        log_level: Minimum level of log lines, as Python's `logging` counts.
        tracing: Whether spans are created.
        adot_fast_start: Whether the function sets ADOT's fast start up, as the layer's script asks for.
        otlp: How spans go to an OTLP endpoint (`OTEL_EXPORTER_OTLP_*`); None if they go to the X-Ray daemon.
        parent_source: Where the parent of a root span comes from.
        daemon: Host and UDP port of the X-Ray daemon.
        application_signals: Whether spans are for CloudWatch Application Signals, too.
        snap_start: Whether the sandbox is restored from a snapshot before its first event.
    """

    service: str
    environment: str
    function_name: str
    function_version: str
    service_version: str
    log_stream: str
    log_group: str
    region: str
    memory_mb: int
    log_level: int
    tracing: bool
    adot_fast_start: bool
    otlp: "OtlpSettings | None"
    parent_source: ParentSource
    daemon: tuple[str, int]
    application_signals: bool = False
    snap_start: bool = False

    @property
    def collector(self) -> bool:
        """Whether spans go to an OTLP endpoint instead of the X-Ray daemon."""
        return self.otlp is not None

    @classmethod
    def from_environ(cls, read: EnvReader, function_name: str) -> "TelemetrySettings":
        """Read the telemetry settings; invalid ones have their defaults, and are in `read.problems` afterwards.

        Args:
            read: Reads the environment.
            function_name: Name of the function where it does not run on Lambda.
        """
        function_name = read.text("AWS_LAMBDA_FUNCTION_NAME", function_name)
        exporter = read.parsed("OTEL_TRACES_EXPORTER", "otlp", one_of("otlp", "none"), "otlp or none")
        disabled = read.parsed("OTEL_SDK_DISABLED", "false", one_of("true", "false"), "true or false") == "true"
        tracing = exporter == "otlp" and not disabled
        has_endpoint = _check_endpoint(read)
        layer = bool(read.raw(LAYER_SWITCH))
        for name in LIMITS:  # also without tracing: the SDK reads some of them while it is imported
            read.check(name, whole_number(0, MOST), f"a whole number from 0 to {MOST}")
        adot_fast_start = layer and tracing and read.raw(FAST_START).strip().lower() == "true"
        if layer and tracing:
            from otel.settings.layer import check_layer

            check_layer(read, fast_start=adot_fast_start)
        elif not layer:
            _check_own_setup(read, tracing=tracing)
        function_version = read.text("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        snap_start = read.raw("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
        otlp = None
        if has_endpoint and tracing:
            from otel.settings.otlp import read_exporter

            otlp = read_exporter(read)
        return cls(
            service=read.text("OTEL_SERVICE_NAME", function_name),
            environment=read.text(
                "ENVIRONMENT",
                "dev",
                lambda text: is_printable_ascii(text) and len(text) <= MAX_ENVIRONMENT,
                f"1 to {MAX_ENVIRONMENT} ASCII characters, no control characters: it is a dimension of the metrics",
            ),
            function_name=function_name,
            function_version=function_version,
            service_version=read.text("SERVICE_VERSION", function_version),
            log_stream=read.text("AWS_LAMBDA_LOG_STREAM_NAME", "" if snap_start else "local"),
            log_group=read.text("AWS_LAMBDA_LOG_GROUP_NAME", f"/aws/lambda/{function_name}" if snap_start else ""),
            # Lambda sets both names; the runtime interface emulator and other machines often only one.
            region=read.text(
                "AWS_REGION" if read.raw("AWS_REGION") else "AWS_DEFAULT_REGION",
                "",
                _is_region,
                "the name of a region such as eu-central-1",
            ),
            memory_mb=read.parsed(
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 128, whole_number(1, 1_000_000), "a whole number of megabytes"
            ),
            log_level=read.parsed(
                "AWS_LAMBDA_LOG_LEVEL", 20, lambda text: _LOG_LEVELS[text.upper()], f"one of {', '.join(_LOG_LEVELS)}"
            ),
            tracing=tracing,
            adot_fast_start=adot_fast_start,
            otlp=otlp,
            parent_source=_parent_source(read),
            daemon=read.parsed(
                "AWS_XRAY_DAEMON_ADDRESS", ("127.0.0.1", 2000), _address, "host:port of the X-Ray daemon's UDP socket"
            ),
            application_signals=read.parsed(APPLICATION_SIGNALS, "", one_of("true", "false"), "true or false")
            == "true",
            snap_start=snap_start,
        )


def _is_region(text: str) -> bool:
    """Whether botocore accepts a text as a region: it becomes part of a host name."""
    words = text.split("-")
    return text.isascii() and all(map(str.isalnum, words)) and not "".join(words).isdecimal() and len(text) < 64


def _parent_source(read: EnvReader) -> ParentSource:
    """Return what `OTEL_PROPAGATORS` decides; also without tracing, OpenTelemetry may load them and raise."""
    read.check(
        "OTEL_PROPAGATORS",
        lambda text: all(name.strip() in PROPAGATORS for name in text.split(",")),
        f"some of {', '.join(PROPAGATORS)}, separated by commas (the function supports no others)",
    )
    names = {name.strip() for name in read.raw("OTEL_PROPAGATORS").split(",")}
    if "none" in names:
        return "nothing"
    if names & {"", "xray", "xray-lambda"}:
        return "lambda"
    return "traceparent" if "tracecontext" in names else "nothing"


def _check_endpoint(read: EnvReader) -> bool:
    """Check the endpoints and the protocol; return whether there is an endpoint."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    for name in names:
        read.check(name, lambda text: split_url(text, also_in_host="_"), "a URL such as http://localhost:4318")
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        rule = "http/protobuf (the only protocol that this function supports)"
        read.parsed(name, "", one_of("http/protobuf"), rule)
    return any(map(read.raw, names))


def _check_own_setup(read: EnvReader, *, tracing: bool) -> None:
    """Check the variables that OpenTelemetry reads without a layer."""
    check_foreign(read)
    if not tracing:
        return
    check_sampler(read, SAMPLERS)
    check_resource_attributes(read)
    read.parsed("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "", one_of("true", "false"), "true or false")


def _address(text: str) -> tuple[str, int]:
    """Parse `host:port`, or the daemon's longer form `tcp:host:port udp:host:port`."""
    for part in text.split():
        if part.startswith("tcp:"):
            continue
        host, _, port = part.removeprefix("udp:").rpartition(":")
        if not host or not is_printable_ascii(part) or not 0 < int(port) < 65536:
            raise ValueError
        return host.strip("[]"), int(port)
    raise ValueError
