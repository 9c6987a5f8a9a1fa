"""The first step of a start: the settings. Imports none of the libraries that read variables while they load."""

import sys
from collections.abc import Mapping, MutableMapping
from typing import NoReturn

from handler.errors import SettingsError
from handler.settings import Settings, load_settings
from otel.event_types import EventType
from otel.logs import CRITICAL, Log
from otel.output import Write

_PREFIXES = ("AWS_", "OTEL_")
_OTHERS = {"CURL_CA_BUNDLE", "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE"}


def read_settings(environ: MutableMapping[str, str], write: Write) -> Settings:
    """Read every setting; a wrong one is one log line and the end of the process, not a stack trace.

    Blank variables of the libraries are removed: to them, blank is a value. OpenTelemetry's exporter, for one, fails
    for a blank compression, and does not verify its peer for a blank certificate.

    Args:
        environ: The environment, normally `os.environ`.
        write: Takes the log line.

    Raises:
        SystemExit: A setting is missing or wrong.
    """
    for name in [name for name, value in environ.items() if not value.strip()]:
        if name.startswith(_PREFIXES) or name in _OTHERS:
            del environ[name]
    try:
        return load_settings(environ)
    except SettingsError as error:
        refuse(error, write)


def refuse(error: SettingsError, write: Write) -> NoReturn:
    """Report every problem of the settings in one log line, and end the process."""
    Log(write, error.telemetry).line(CRITICAL, EventType.START_FAILED, problems=list(error.problems))
    sys.exit(1)


def refused_by_opentelemetry(error: Exception, environ: Mapping[str, str]) -> str:
    """Say which variables OpenTelemetry was set up with, after it has raised for one of them."""
    names = sorted(name for name in environ if name.startswith("OTEL_"))
    return f"OpenTelemetry refuses one of the variables {', '.join(names) or 'OTEL_*'}: {type(error).__name__}"
