"""Sets ADOT's whole SDK up when the interpreter starts: Python imports this where `otel-instrument` has set the path.

Only the distribution's own entry point is called, and only with variables that are right. If it fails, a log line
reports it and the function starts without it: spans are then exported in `direct` mode. The function sets ADOT's fast
start up by itself (`otel.tracing.load_tracing`).
"""

import os

from handler.contract import FUNCTION_NAME
from handler.errors import SettingsError
from handler.startup import ADOT_FAILED, begin, report_failure
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
        from opentelemetry.instrumentation.auto_instrumentation import initialize

        initialize()
    except Exception as error:  # noqa: BLE001 - Python would print the exception's message
        report_failure(error, os.environ, _write, EventType.LIBRARY, ADOT_FAILED)
