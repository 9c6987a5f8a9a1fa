"""Lambda's entry: `handler.app.lambda_handler`. Importing this starts the function, as Lambda's init does."""

import time

_started = time.perf_counter()  # before the other imports: they are most of a cold start

import gc
import os
import sys
from typing import Any

from handler.coldstart.lazy_imports import lazy_imports

gc.disable()  # all that is made here stays: there is nothing to collect

with lazy_imports(os.environ):
    from handler.startup import begin, reported
    from otel.stdout import STDOUT, fd_writer

    _write = fd_writer(STDOUT)
    with reported(os.environ, _write):
        _settings = begin(os.environ, _write)  # first: libraries log, warn and raise already while they are imported
        from handler.bootstrap import start_or_exit
        from handler.invocation import LambdaContext

# A number of more digits than Python reads by default would be refused before the handler sees the event, and could
# never be dead-lettered. How long one can be is bounded by Lambda.
sys.set_int_max_str_digits(0)

_processor = start_or_exit(os.environ, _write, _started, _settings)

gc.freeze()  # never to be looked at again
gc.enable()


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Process one EventBridge event; see `handler.processor.Processor`."""
    return _processor(event, context)
