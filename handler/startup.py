"""The first step of a start: redaction, then the settings. Imports no library that reads variables while it loads.

From here on, the text of a library's log line, warning or exception is not printed: it may contain a value.
"""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager

from handler.errors import SettingsError
from handler.settings import Settings, load_settings
from otel.event_types import EventType
from otel.json_logs import CRITICAL, WARNING, JsonLogger
from otel.library_logs import location, redact_process
from otel.settings import TelemetrySettings
from otel.stdout import Writer

ADOT_FAILED = "ADOT cannot be set up: spans are exported in direct mode"
"""Message of a log line."""

_PREFIXES = ("AWS_", "OTEL_")
_OTHERS = {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE"}


def begin(environ: MutableMapping[str, str], write: Writer) -> Settings:
    """Redact the output of libraries, then read the settings. Call it before the first library is imported.

    Some libraries read variables while they are imported, and raise for a wrong one: the settings' own check must come
    first. Blank variables of the libraries are removed, because to them blank is a value: OpenTelemetry's exporter
    fails for a blank compression, and does not verify its peer for a blank certificate.

    Args:
        environ: The environment, normally `os.environ`.
        write: Takes log lines.

    Raises:
        SettingsError: A setting is missing or wrong. Libraries are redacted nevertheless.
    """
    for name in [name for name, value in environ.items() if not value.strip()]:
        if name.startswith(_PREFIXES) or name in _OTHERS:
            del environ[name]
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        redact_process(JsonLogger(write, error.telemetry))
        raise
    log = JsonLogger(write, settings.telemetry)
    redact_process(log)
    report_without_effect(settings.telemetry, environ, log)
    return settings


def report_without_effect(settings: TelemetrySettings, environ: Mapping[str, str], log: JsonLogger) -> None:
    """Write one line that names the variables of OpenTelemetry that are set and have no effect, if there are any.

    Args:
        settings: Name the export mode.
        environ: The environment.
        log: Takes the line.
    """
    if settings.tracing and any(name.startswith("OTEL_") for name in environ):
        from otel.settings.effect import settings_without_effect

        without_effect = settings_without_effect(settings, environ)
        if without_effect:
            log.line(WARNING, EventType.SETTINGS_WITHOUT_EFFECT, problems=without_effect)


@contextmanager
def reported(environ: Mapping[str, str], write: Writer) -> Iterator[None]:
    """Make any exception inside the block one log line and the end of the process, not a stack trace.

    Lambda's runtime client would print the exception's message, which may hold a value.

    Args:
        environ: The environment.
        write: Takes log lines.

    Raises:
        SystemExit: Replaces any exception.
    """
    try:
        yield
    except SettingsError as error:
        JsonLogger(write, error.telemetry).line(CRITICAL, EventType.START_FAILED, problems=list(error.problems))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - whatever a library raises
        report_failure(error, environ, write, EventType.START_FAILED)
        sys.exit(1)


def load_telemetry(settings: Settings, environ: Mapping[str, str], write: Writer) -> None:
    """Import what the export mode needs, inside of the cold start; a failure of ADOT is one log line.

    With tracing off, that is nothing: no module of OpenTelemetry is loaded.

    Args:
        settings: Name the export mode.
        environ: The environment.
        write: Takes log lines.
    """
    if not settings.telemetry.tracing:
        return
    from otel.tracing import load_tracing

    try:
        load_tracing(settings.telemetry)
    except Exception as error:
        if not settings.telemetry.adot_fast_start:
            raise
        report_failure(error, environ, write, EventType.LIBRARY, ADOT_FAILED)


def report_failure(
    error: Exception, environ: Mapping[str, str], write: Writer, event_type: EventType, message: str | None = None
) -> None:
    """Write one line about an exception: its class and where it came from, never its text.

    Args:
        error: The exception.
        environ: The environment.
        write: Takes log lines.
        event_type: The kind of line.
        message: A constant text; None for the default text of the kind.
    """
    kind, at = type(error).__name__, location(error.__traceback__)
    log = JsonLogger(write, _telemetry(environ))
    log.line(CRITICAL, event_type, message=message, exception_type=kind, exception_at=at)


def refused_by_opentelemetry(error: Exception, environ: Mapping[str, str]) -> str:
    """Describe a failure to set OpenTelemetry up by the names of its variables."""
    names = sorted(name for name in environ if name.startswith("OTEL_"))
    return f"OpenTelemetry refuses one of the variables {', '.join(names) or 'OTEL_*'}: {type(error).__name__}"


def _telemetry(environ: Mapping[str, str]) -> TelemetrySettings:
    try:
        return load_settings(environ).telemetry
    except SettingsError as error:
        return error.telemetry
