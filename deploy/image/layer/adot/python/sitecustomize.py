"""Sets ADOT up when the interpreter starts: Python imports this by itself where `otel-instrument` has set the path.

Only the distribution's own entry points are called, and only with variables that are right. If they fail, Python says
so and the function starts without them: spans then take the direct way.
"""

import os

from otel.environ import EnvReader
from otel.settings import TelemetrySettings

_read = EnvReader(os.environ)
TelemetrySettings.from_environ(_read)

if _read.problems:
    pass  # the function says so when it starts; ADOT would, with stack traces and values, before it
elif os.environ.get("OTEL_AWS_LAMBDA_FAST_START", "").strip().lower() == "true":
    from amazon.opentelemetry.distro.opentelemetry_lite_sdk import configure_lite_mode  # type: ignore[import-untyped]

    configure_lite_mode()
else:
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    initialize()
