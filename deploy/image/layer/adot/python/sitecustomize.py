"""Sets ADOT up when the interpreter starts: Python imports this by itself where `otel-instrument` has set the path.

Only the distribution's own entry points are called, and only with variables that are right. If they fail, a log line
reports it and the function starts without them: spans are then exported in `direct` mode.
"""

import os

from handler.contract import FUNCTION_NAME
from handler.errors import SettingsError
from handler.startup import begin, report_failure
from otel.event_types import EventType
from otel.settings import TelemetrySettings
from otel.settings.environ import EnvReader
from otel.stdout import STDOUT, fd_writer

_write = fd_writer(STDOUT)
_read = EnvReader(os.environ)
try:
    begin(os.environ, _write)  # first: what ADOT logs of its variables would be printed as it is
except SettingsError:  # the function reports the problems when it starts; here, only the layer's own matter
    TelemetrySettings.from_environ(_read, FUNCTION_NAME)
if not _read.problems:
    try:
        if os.environ.get("OTEL_AWS_LAMBDA_FAST_START", "").strip().lower() == "true":
            from amazon.opentelemetry.distro.opentelemetry_lite_sdk import (  # type: ignore[import-untyped]
                configure_lite_mode,
            )

            configure_lite_mode()
        else:
            from opentelemetry.instrumentation.auto_instrumentation import initialize

            initialize()
    except Exception as error:  # noqa: BLE001 - Python would print the exception's message
        text = "ADOT cannot be set up: spans are exported in direct mode"
        report_failure(error, os.environ, _write, EventType.LIBRARY, text)
