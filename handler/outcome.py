"""The four outcomes: every event ends in exactly one. And how they show in telemetry, with the function's names."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from handler import contract
from handler.errors import EVENT_FAULTS, ErrorCategory, ProcessingError
from handler.validation import Violation
from otel.instrumentation import Instrumentation, OutcomeTelemetry
from otel.json_logs import ERROR, INFO, WARNING


class OutcomeKind(StrEnum):
    """How an event ended."""

    MARKED = "marked"
    DUPLICATE = "duplicate"
    DEAD_LETTERED = "dead_lettered"
    RETRY = "retry"


OUTCOME_TELEMETRY: Mapping[str, OutcomeTelemetry] = {
    OutcomeKind.MARKED.value: OutcomeTelemetry(INFO, "event processed: row marked", "EventsMarked"),
    OutcomeKind.DUPLICATE.value: OutcomeTelemetry(
        WARNING, "event already processed: row was marked before", "EventsDuplicate"
    ),
    OutcomeKind.DEAD_LETTERED.value: OutcomeTelemetry(
        ERROR, "event dead-lettered: permanent failure", "EventsDeadLettered"
    ),
    OutcomeKind.RETRY.value: OutcomeTelemetry(ERROR, "event not processed: raised to Lambda", "EventsRetried"),
}
"""Log level, log message and metric of each outcome."""

DEADLINE_EXCEEDED = "DeadlineExceeded"
"""Error code of an event that reached the deadline."""

INSTRUMENTATION = Instrumentation(
    namespace=contract.DISPLAY_NAME,
    scope=contract.FUNCTION_NAME,
    subject_keys=tuple(contract.KEY_FIELDS),
    outcomes=OUTCOME_TELEMETRY,
    timeout=(OutcomeKind.RETRY.value, ErrorCategory.TIMEOUT.value, DEADLINE_EXCEEDED),
    event_faults=frozenset(category.value for category in EVENT_FAULTS),
)
"""What `otel` needs to know of this function."""


class Outcome(NamedTuple):
    """How an event ended, and why.

    Attributes:
        kind: One of the four.
        category: What went wrong; None when nothing did.
        code: AWS's error code or a short word for the cause; None when nothing went wrong.
        same_event: For a duplicate, whether this very event marked the row before (a redelivery).
        violations: For an invalid event, every rule that it breaks.
    """

    kind: OutcomeKind
    category: ErrorCategory | None = None
    code: str | None = None
    same_event: bool | None = None
    violations: tuple[Violation, ...] = ()

    @classmethod
    def failed(cls, kind: OutcomeKind, failure: ProcessingError) -> "Outcome":
        """Return the outcome of an event that failed: `retry` or `dead_lettered`."""
        return cls(kind, failure.category, failure.code, violations=failure.violations)

    def as_json(self, correlation_id: str) -> dict[str, Any]:
        """Return the function's response: what a person with `curl` sees."""
        response: dict[str, Any] = {"outcome": self.kind.value, "correlation_id": correlation_id}
        if self.category is not None:
            response["error_category"] = self.category.value
        if self.code is not None:
            response["error_code"] = self.code
        if self.same_event is not None:
            response["same_event"] = self.same_event
        if self.violations:
            response["violations"] = [violation.as_json() for violation in self.violations]
        return response
