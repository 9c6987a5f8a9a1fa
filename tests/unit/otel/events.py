"""Runs events through telemetry."""

from typing import Any

from otel.record import EventRecord
from otel.telemetry import Telemetry
from tests.support.telemetry import event_record


def run(telemetry: Telemetry, outcome: str | None = "marked", **facts: Any) -> EventRecord:
    """Run one event with these facts and this outcome."""
    record = event_record()
    with telemetry.event(record, None, 30):
        record.outcome = outcome
        for name, value in facts.items():
            setattr(record, name, value)
    return record
