"""All settings of the function, read and checked once, at start.

Standard variables come first: AWS endpoints, region and credentials are read by boto3 itself, `OTEL_*` mean what the
OpenTelemetry specification says. What is checked here is what a wrong value would otherwise break much later.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handler.errors import SettingsError
from otel.settings import TelemetrySettings

FLUSH_RESERVE_SECONDS = 2.0
"""What is kept of every invocation's time to flush telemetry and to answer."""

# Lambda's names (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html) and Python's.
_LOG_LEVELS = {"TRACE": 10, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "FATAL": 50}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the function was told by its environment.

    Attributes:
        calendar_table: name of the DynamoDB table with the rows to mark.
        audit_table: name of the append-only DynamoDB table.
        dead_letter_queue_url: URL of the SQS queue for events that cannot succeed.
        event_source: the `source` that events must carry.
        connect_timeout: seconds to wait for a connection to AWS.
        read_timeout: seconds to wait for each reply of AWS.
        region: AWS region of the tables and the queue.
        function_version: version of the Lambda function, `$LATEST` where nothing says otherwise.
        telemetry: what `otel` needs to know.
    """

    calendar_table: str
    audit_table: str
    dead_letter_queue_url: str
    event_source: str
    connect_timeout: float
    read_timeout: float
    region: str
    function_version: str
    telemetry: TelemetrySettings

    @property
    def worst_attempt(self) -> float:
        """Seconds that one attempt at a call may take at most."""
        return self.connect_timeout + self.read_timeout


class _Reader:
    """Reads variables and collects every problem, so that one start tells them all."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str | None = None, hint: str = "") -> str:
        value = self._environ.get(name, "").strip() or default
        if value is None:
            self.problems.append(f"{name} is not set: {hint}")
            return ""
        return value

    def parsed[T](self, name: str, default: T, parse: Callable[[str], T], rule: str) -> T:
        text = self._environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except (ValueError, KeyError):
            self.problems.append(f"{name} must be {rule}")
            return default


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 60:  # noqa: PLR2004 - a minute is beyond any use; NaN fails too
        raise ValueError
    return value


def _megabytes(text: str) -> int:
    value = int(text)
    if value <= 0:
        raise ValueError
    return value


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError
        return text.lower()

    return parse


def _address(text: str) -> tuple[str, int]:
    """`host:port`, or the daemon's longer form `tcp:host:port udp:host:port`."""
    for part in text.split():
        if part.startswith("tcp:"):
            continue
        host, _, port = part.removeprefix("udp:").rpartition(":")
        if not host or not 0 < int(port) < 65536:  # noqa: PLR2004 - the range of a port
            raise ValueError
        return host.strip("[]"), int(port)
    raise ValueError


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError
    return text


def _endpoint(text: str) -> str:
    """An address that botocore accepts: it raises only when the client is made, which may be long after the start."""
    host = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)"
    if not re.fullmatch(rf"https?://{host}(:[0-9]+)?(/\S*)?", text):
        raise ValueError
    return text


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read every setting.

    Args:
        environ: the environment, normally `os.environ`.

    Raises:
        SettingsError: naming every variable that is missing or wrong.
    """
    read = _Reader(environ)
    # Lambda sets both names; the runtime interface emulator and a laptop often only one of them.
    region = read.text("AWS_REGION", read.text("AWS_DEFAULT_REGION", ""))
    if not region:
        read.problems.append("AWS_REGION is not set: give the region of the tables and the queue")
    elif not re.fullmatch(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*", region):
        read.problems.append("AWS_REGION must be the name of a region such as eu-central-1")
    for service in ("", "_DYNAMODB", "_SQS", "_STS", "_SSO", "_SSO_OIDC"):
        name = f"AWS_ENDPOINT_URL{service}"
        read.parsed(name, "", _endpoint, "a URL such as http://localhost:8000, its host of letters, digits, . and -")
    function_version = read.text("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    settings = Settings(
        calendar_table=read.text("EARNINGS_CALENDAR_TABLE", "earningsCalendar"),
        audit_table=read.text("EARNINGS_AUDIT_TABLE", "earningsAudit"),
        dead_letter_queue_url=read.text(
            "DEAD_LETTER_QUEUE_URL", hint="give the URL of the SQS queue for events that cannot succeed"
        ),
        event_source=read.text("EVENT_SOURCE", "signal9.advisor"),
        connect_timeout=read.parsed("AWS_CONNECT_TIMEOUT_SECONDS", 1.0, _seconds, "seconds between 0 and 60"),
        read_timeout=read.parsed("AWS_READ_TIMEOUT_SECONDS", 3.0, _seconds, "seconds between 0 and 60"),
        region=region,
        function_version=function_version,
        telemetry=_telemetry(read, region, function_version),
    )
    if settings.dead_letter_queue_url and "://" not in settings.dead_letter_queue_url:
        read.problems.append(
            "DEAD_LETTER_QUEUE_URL must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"
        )
    if read.problems:
        raise SettingsError(read.problems, settings.telemetry)
    return settings


def _telemetry(read: _Reader, region: str, function_version: str) -> TelemetrySettings:
    function_name = read.text("AWS_LAMBDA_FUNCTION_NAME", "mark-earnings-processed")
    traces = "OTEL_EXPORTER_OTLP_TRACES_"
    protocol_rule = "http/protobuf (the only protocol that this function carries)"
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", f"{traces}PROTOCOL"):
        read.parsed(name, "", _one_of("http/protobuf"), protocol_rule)
    endpoint_rule = "a URL such as http://localhost:4318"
    base = read.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", "", _url, endpoint_rule)
    exporter = read.parsed("OTEL_TRACES_EXPORTER", "otlp", _one_of("otlp", "none"), "otlp or none")
    disabled = read.parsed("OTEL_SDK_DISABLED", "false", _one_of("true", "false"), "true or false") == "true"
    return TelemetrySettings(
        service=read.text("OTEL_SERVICE_NAME", function_name),
        environment=read.text("ENVIRONMENT", "dev"),
        function_name=function_name,
        function_version=function_version,
        log_stream=read.text("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        region=region,
        memory_mb=read.parsed("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 128, _megabytes, "a whole number of megabytes"),
        log_level=read.parsed(
            "AWS_LAMBDA_LOG_LEVEL", 20, lambda text: _LOG_LEVELS[text.upper()], f"one of {', '.join(_LOG_LEVELS)}"
        ),
        tracing=exporter == "otlp" and not disabled,
        collector=bool(read.parsed(f"{traces}ENDPOINT", base, _url, endpoint_rule)),
        daemon=read.parsed(
            "AWS_XRAY_DAEMON_ADDRESS", ("127.0.0.1", 2000), _address, "host:port of the X-Ray daemon's UDP socket"
        ),
    )
