"""Another function that uses `otel`: it records scans of parcels."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from otel.instrumentation import Instrumentation, OutcomeTelemetry
from otel.json_logs import ERROR, INFO
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.settings.environ import EnvReader
from otel.stdout import Writer
from otel.telemetry import Telemetry
from otel.tracing import start_tracing
from otel.watchdog import Watchdog

INSTRUMENTATION = Instrumentation(
    namespace="Parcels",
    scope="parcel-tracking",
    subject_keys=("parcel_id", "depot"),
    outcomes={
        "recorded": OutcomeTelemetry(INFO, "parcel recorded", "ParcelsRecorded"),
        "failed": OutcomeTelemetry(ERROR, "parcel not recorded", "ParcelsFailed"),
    },
    timeout=("failed", "too_slow", "TimedOut"),
)


class Context(Protocol):
    """The part of Lambda's context that is used."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""


class ParcelScanned:
    """Handles `parcelScanned` events."""

    def __init__(
        self, environ: Mapping[str, str], write: Writer, store: Callable[[str], None], watchdog: Watchdog | None = None
    ) -> None:
        settings = TelemetrySettings.from_environ(EnvReader(environ), "parcel-tracking")
        tracing = start_tracing(settings, INSTRUMENTATION)
        self._telemetry = Telemetry(
            settings, INSTRUMENTATION, write=write, tracing=tracing, init_duration_ms=0, watchdog=watchdog
        )
        self._store = store

    def __call__(self, event: Mapping[str, Any], context: Context) -> str | None:
        record = EventRecord(context.aws_request_id, event["id"], False, cold_start=False, started=time.perf_counter())
        with self._telemetry.event(record, None, context.get_remaining_time_in_millis() / 1000):
            record.subject = {key: event["detail"][key] for key in INSTRUMENTATION.subject_keys}
            self._telemetry.set_event_attributes(record)
            self._store(record.subject["parcel_id"])
            record.outcome = "recorded"
        return record.outcome
