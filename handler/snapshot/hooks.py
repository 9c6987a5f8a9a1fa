"""The two hooks of SnapStart: Lambda's runtime client runs one before the snapshot, the other after a restore."""

import gc
import os
import random
import time
from typing import Any

from snapshot_restore_py import register_after_restore, register_before_snapshot  # type: ignore[import-untyped]

from handler.dead_letters import DeadLetterQueue
from handler.settings import Settings
from handler.snapshot.priming import prime
from handler.startup import report_failure
from otel.event_types import EventType
from otel.stdout import Writer
from otel.telemetry import Telemetry

NOT_PRIMED = "the function could not be primed for its snapshot: first events take longer"
NOT_NAMED = "the restored sandbox could not be named: its spans have no faas.instance"
"""Messages of log lines."""


class SnapshotHooks:
    """Primes the function before the snapshot, and replaces after a restore what must be unique or fresh.

    Args:
        settings: Those of the function.
        dynamodb: Its client.
        dead_letters: Its queue.
        telemetry: Its telemetry.
        tracing: Its tracing; None without.
        write: Takes log lines.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        dynamodb: Any,
        dead_letters: DeadLetterQueue,
        telemetry: Telemetry,
        tracing: Any,
        write: Writer,
    ) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._tracing = tracing
        self._write = write

    def register(self) -> None:
        """Register both hooks."""
        register_before_snapshot(self.before_snapshot)
        register_after_restore(self.after_restore)

    def before_snapshot(self) -> None:
        """Prime the function. A failure is one log line: the function works without it."""
        try:
            prime(self._settings, self._dynamodb, self._dead_letters, self._tracing)
        except Exception as error:  # noqa: BLE001 - whatever a library raises
            report_failure(error, os.environ, self._write, EventType.LIBRARY, NOT_PRIMED)
        gc.collect()
        gc.freeze()  # as after the start: the collector skips what the priming has created

    def after_restore(self) -> None:
        """Draw from the kernel what restored sandboxes must not share, and report the restore as the sandbox's start.

        Libraries share the process-wide generator of random numbers (ADOT draws its IDs from it), and TLS that of
        OpenSSL. https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
        """
        started = time.perf_counter()
        import ssl  # loaded with botocore

        random.seed()
        ssl.RAND_add(os.urandom(32), 32.0)
        if self._tracing is not None:
            try:
                from otel.tracing.rehearsal import name_sandbox

                name_sandbox(self._tracing.provider, os.urandom(16).hex())
            except Exception as error:  # noqa: BLE001 - a sandbox that Lambda cannot restore processes no event
                report_failure(error, os.environ, self._write, EventType.LIBRARY, NOT_NAMED)
        self._telemetry.set_init_duration((time.perf_counter() - started) * 1000)
