"""The four outcomes: every event ends in exactly one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from handler.classification import ErrorCategory
from handler.validation import Violation


class OutcomeKind(StrEnum):
    """How an event ended."""

    MARKED = "marked"
    DUPLICATE = "duplicate"
    DEAD_LETTERED = "dead_lettered"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an event ended, and why.

    Attributes:
        kind: one of the four.
        category: what went wrong; None when nothing did.
        code: AWS's error code or a short word for the cause; None when nothing went wrong.
        same_event: for a duplicate, whether this very event marked the row before (a redelivery).
        violations: for an invalid event, every broken rule.
    """

    kind: OutcomeKind
    category: ErrorCategory | None = None
    code: str | None = None
    same_event: bool | None = None
    violations: tuple[Violation, ...] = ()

    def as_json(self, correlation_id: str) -> dict[str, Any]:
        """The function's answer: what a person with `curl` sees."""
        answer: dict[str, Any] = {"outcome": self.kind.value, "correlation_id": correlation_id}
        if self.category is not None:
            answer["error_category"] = self.category.value
        if self.code is not None:
            answer["error_code"] = self.code
        if self.same_event is not None:
            answer["same_event"] = self.same_event
        if self.violations:
            answer["violations"] = [violation.as_json() for violation in self.violations]
        return answer
