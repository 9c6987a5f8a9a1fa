"""The automatic redrive as a process of its own: `main` of `tests.support.forked_cli`."""

import os
import sys
from datetime import UTC, datetime, timedelta

from redriver import TIMEOUT_S, app
from redriver.clock import Clock
from redriver.report import Report
from redriver.settings import load_settings


def main() -> None:
    """Run once. The argument is how many hours later it is."""
    later = timedelta(hours=float(sys.argv[1]))

    def now() -> datetime:
        return datetime.now(UTC) + later

    app.redrive(load_settings(os.environ), Report("test", "request", "7", now=now), Clock(lambda: TIMEOUT_S, now))
