"""Sets ADOT up when the interpreter starts: Python imports this by itself where `otel-instrument` has set the path.

Only the distribution's own entry points are called. If they fail, Python says so and the function starts without them:
spans then take the direct way.
"""

import os

if os.environ.get("OTEL_AWS_LAMBDA_FAST_START", "").strip().lower() == "true":
    from amazon.opentelemetry.distro.opentelemetry_lite_sdk import configure_lite_mode  # type: ignore[import-untyped]

    configure_lite_mode()
else:
    from opentelemetry.instrumentation.auto_instrumentation import initialize

    initialize()
