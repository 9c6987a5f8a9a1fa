"""Lambda's entry: `handler.app.lambda_handler`. Importing this starts the function, as Lambda's init does."""

import time

_started = time.perf_counter()  # before the other imports: they are most of a cold start

import gc
import os
from typing import Any

from handler.lean import lean_imports

gc.disable()  # all that is made here stays: there is nothing to collect

with lean_imports():
    from handler.processor import LambdaContext
    from handler.wiring import start
    from otel.output import STDOUT, file_descriptor

_processor = start(os.environ, file_descriptor(STDOUT), _started)

gc.freeze()  # never to be looked at again
gc.enable()


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Process one EventBridge event; see `handler.processor.Processor`."""
    return _processor(event, context)
