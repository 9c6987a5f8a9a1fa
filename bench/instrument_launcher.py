"""What `opentelemetry-instrument` does before it gives way to the process that it was asked to start.

    python -P bench/instrument_launcher.py

A process that becomes another one ends without a count, so here it exits at that point. The ADOT layer's default set-up
starts every sandbox like this.
"""

import os
import sys
from typing import Any, NoReturn


def yield_to_instrument(*_: Any) -> NoReturn:
    """Exit where the other process would begin."""
    os._exit(0)


os.execl = yield_to_instrument  # type: ignore[assignment] # takes whatever it is given

from opentelemetry.instrumentation.auto_instrumentation import run  # noqa: E402 - it takes the name from os

sys.argv = ["opentelemetry-instrument", "false"]  # which would fail, and the run be refused
run()
