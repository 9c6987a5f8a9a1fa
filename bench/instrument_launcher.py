"""The work of `opentelemetry-instrument` before it executes the process that it starts.

    python -P bench/instrument_launcher.py

A process that executes another one ends without a count, so this one exits at that point. The default set-up of the
ADOT layer starts every sandbox in this way.
"""

import os
import sys
from typing import Any, NoReturn


def yield_to_instrument(*_: Any) -> NoReturn:
    """Exit where the other process would start."""
    os._exit(0)


os.execl = yield_to_instrument  # type: ignore[assignment] # accepts any arguments

from opentelemetry.instrumentation.auto_instrumentation import run  # noqa: E402 - it imports the patched name from os

sys.argv = ["opentelemetry-instrument", "false"]  # it would fail, so a run that executes it is rejected
run()
