"""Lambda's entry point: `handler.app.lambda_handler`. Importing this module starts the function."""

import time

_started = time.perf_counter()  # before the other imports: they are most of a cold start

import gc
import os
import sys
from typing import Any

from handler.coldstart.lazy_imports import lazy_imports

gc.disable()  # everything that a start creates stays: there is nothing to collect

with lazy_imports(os.environ):
    from handler.startup import begin, load_telemetry, reported
    from otel.stdout import STDOUT, fd_writer

    _write = fd_writer(STDOUT)
    with reported(os.environ, _write):
        _settings = begin(os.environ, _write)  # first: libraries log, warn and raise while they are imported
        load_telemetry(_settings, os.environ, _write)
        from handler.bootstrap import start_or_exit
        from handler.invocation import LambdaContext

# By default, Python refuses to read a number with more than 4,300 digits: the event would fail before the handler runs,
# and never become a dead letter. Lambda limits the size of an event.
sys.set_int_max_str_digits(0)

_processor = start_or_exit(os.environ, _write, _started, _settings)

gc.freeze()  # the collector skips these objects from now on
gc.enable()


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Process one EventBridge event; see `handler.processor.Processor`."""
    return _processor(event, context)
