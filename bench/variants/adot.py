"""The handler of the ADOT layer, which wraps the one in `ORIG_HANDLER`.

The layer's `otel-instrument` sets `_HANDLER` to a module that does this. Its default set-up has created the provider
before (see `bench/variant_list.py`); its fast start creates it here.
"""

import os
from importlib import import_module
from typing import Any

from opentelemetry.context import Context
from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor
from opentelemetry.propagate import get_global_textmap

if os.environ.get("OTEL_AWS_LAMBDA_FAST_START") == "true":
    from amazon.opentelemetry.distro.opentelemetry_lite_sdk import (  # type: ignore[import-untyped]
        configure_lite_mode,
    )

    configure_lite_mode()


def _parent(_event: Any) -> Context:
    """Return the context in Lambda's trace header."""
    return get_global_textmap().extract({"X-Amzn-Trace-Id": os.environ.get("_X_AMZN_TRACE_ID", "")})


AwsLambdaInstrumentor().instrument(event_context_extractor=_parent)

_module, _, _name = os.environ["ORIG_HANDLER"].rpartition(".")
lambda_handler = getattr(import_module(_module), _name)
