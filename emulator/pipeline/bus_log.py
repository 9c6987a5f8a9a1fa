"""The log of the event bus: one record for each step of an event from `PutEvents` to Lambda's queue.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-logs-schema.html

The records are those of `IncludeDetail: NONE`: they have no content of the event, neither its detail nor the target's
input or response.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import orjson

from emulator.environment import ACCOUNT_ID


class Step(StrEnum):
    """The step that a record is about: its `message_type`."""

    EVENT_INGEST_FAILURE = "EVENT_INGEST_FAILURE"
    EVENT_INGEST_SUCCESS = "EVENT_INGEST_SUCCESS"
    EVENT_RECEIPT = "EVENT_RECEIPT"
    INVOCATION_ATTEMPT_PERMANENT_FAILURE = "INVOCATION_ATTEMPT_PERMANENT_FAILURE"
    INVOCATION_ATTEMPT_RETRYABLE_FAILURE = "INVOCATION_ATTEMPT_RETRYABLE_FAILURE"
    INVOCATION_ATTEMPT_START = "INVOCATION_ATTEMPT_START"
    INVOCATION_ATTEMPT_SUCCESS = "INVOCATION_ATTEMPT_SUCCESS"
    INVOCATION_ATTEMPT_THROTTLE = "INVOCATION_ATTEMPT_THROTTLE"
    INVOCATION_DLQ = "INVOCATION_DLQ"
    INVOCATION_FAILURE = "INVOCATION_FAILURE"
    INVOCATION_START = "INVOCATION_START"
    INVOCATION_SUCCESS = "INVOCATION_SUCCESS"
    INVOCATION_THROTTLE_START = "INVOCATION_THROTTLE_START"
    NO_STANDARD_RULES_MATCHED = "NO_STANDARD_RULES_MATCHED"
    RULE_MATCH = "RULE_MATCH"
    RULE_MATCH_START = "RULE_MATCH_START"


ERRORS = frozenset(
    {
        Step.EVENT_INGEST_FAILURE,
        Step.INVOCATION_ATTEMPT_PERMANENT_FAILURE,
        Step.INVOCATION_ATTEMPT_RETRYABLE_FAILURE,
        Step.INVOCATION_ATTEMPT_THROTTLE,
        Step.INVOCATION_DLQ,
        Step.INVOCATION_FAILURE,
    }
)
"""The steps of the level ERROR: something went wrong. The others that the emulator writes have the level INFO."""

type BusRecord = Mapping[str, Any]
"""A record of the log, as JSON."""


class BusLog:
    """Writes the records that a bus with the level INFO has, as the stack sets it: errors and major steps.

    Args:
        write: Called with each record, in the pipeline's thread; None writes none.
        rule_arn: The ARN of the bus's rule, which names the bus.
        now: Unix time in seconds.
    """

    def __init__(self, write: Callable[[BusRecord], None] | None, rule_arn: str, now: Callable[[], float]) -> None:
        region, bus = rule_arn.split(":")[3], rule_arn.split("/")[-2]
        self._write = write
        self._now = now
        self._common = {
            "resource_arn": f"arn:aws:events:{region}:{ACCOUNT_ID}:event-bus/{bus}",
            "event_bus_name": bus,
        }

    @property
    def enabled(self) -> bool:
        """Whether records are written: otherwise, an event need not be parsed for them."""
        return self._write is not None

    def record(
        self,
        step: Step,
        event_id: str,
        details: Mapping[str, Any] | None = None,
        *,
        invocation_id: str = "",
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the record of a step.

        Args:
            step: The step.
            event_id: The event's `id`; empty for what is no event, of which there is no record.
            details: What the record says about the step.
            invocation_id: The ID of the delivery to a target, which its attempts share.
            error: The error of the step, if it failed.
        """
        if self._write is None or not event_id:
            return
        self._write(
            {
                **self._common,
                "message_timestamp_ms": round(self._now() * 1000),
                "event_id": event_id,
                **({"invocation_id": invocation_id} if invocation_id else {}),
                "message_type": step.value,
                "log_level": "ERROR" if step in ERRORS else "INFO",
                "details": dict(details or {}),
                **({"error": dict(error)} if error else {}),
            }
        )


def envelope_id(payload: bytes) -> str:
    """Return the `id` of an event, JSON; empty where there is none."""
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return ""
    found = event.get("id") if isinstance(event, dict) else None
    return found if isinstance(found, str) else ""
