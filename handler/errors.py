"""What goes wrong: the categories, and the exceptions of this package.

* MarkEarningsError
  · SettingsError       a setting is wrong: one line at start, then the process ends
  · ProcessingError     the event cannot be processed, or not now; its category decides where it goes
  · EventNotProcessed   raised to Lambda: its asynchronous retries take over, then the on-failure destination

None of them carries a value that failed validation: messages end up in logs, spans and dead letters. This module
imports no library, because the settings are read before the first of them.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from otel.settings import TelemetrySettings

if TYPE_CHECKING:
    from handler.validation import Violation


class ErrorCategory(StrEnum):
    """What went wrong, in the words that an operator acts on.

    The same word is the dimension on metrics, the attribute on spans, the field in logs and `ERROR_CODE` on dead-letter
    messages.
    """

    VALIDATION = "validation"
    NOT_FOUND = "not_found"
    THROTTLING = "throttling"
    NETWORK = "network"
    CONFLICT = "conflict"
    DYNAMODB = "dynamodb"
    ACCESS_DENIED = "access_denied"
    CONFIGURATION = "configuration"
    TIMEOUT = "timeout"
    INTERNAL = "internal"

    @property
    def transient(self) -> bool:
        """Whether a later attempt may succeed although nobody has changed anything."""
        return self in _TRANSIENT


_TRANSIENT = frozenset(
    {
        ErrorCategory.THROTTLING,
        ErrorCategory.NETWORK,
        ErrorCategory.CONFLICT,
        ErrorCategory.DYNAMODB,
        ErrorCategory.TIMEOUT,
        ErrorCategory.INTERNAL,
    }
)

EVENT_FAULTS = frozenset({ErrorCategory.VALIDATION, ErrorCategory.NOT_FOUND})
"""Categories where the event is at fault: the function did what it is for when it dead-lettered the event."""


class MarkEarningsError(Exception):
    """The base of everything that this package raises."""


class SettingsError(MarkEarningsError):
    """One or more settings are missing or wrong; the message names each, its rule and what to do.

    Attributes:
        problems: One text each.
        telemetry: The telemetry settings as far as they could be read, to log the problems with.
    """

    def __init__(self, problems: Sequence[str], telemetry: TelemetrySettings) -> None:
        self.problems = tuple(problems)
        self.telemetry = telemetry
        super().__init__("; ".join(problems))


class ProcessingError(MarkEarningsError):
    """An event failed: it is invalid, it has no row, or an AWS call did not succeed.

    Attributes:
        category: Decides whether the event is retried or dead-lettered.
        code: AWS's error code, the exception's class where no response came, or a word of our own.
        message: What is wrong, for a person. Never a value that failed validation.
        violations: For an invalid event, every rule that it breaks.
        service: The AWS service whose call failed.
        throttling_reasons: Why DynamoDB throttled the call, each as `REASON RESOURCE`; empty where it did not say.
    """

    def __init__(
        self,
        category: ErrorCategory,
        code: str,
        message: str = "",
        *,
        violations: tuple["Violation", ...] = (),
        service: str | None = None,
        throttling_reasons: tuple[str, ...] = (),
    ) -> None:
        self.category = category
        self.code = code
        self.message = message
        self.violations = violations
        self.service = service
        self.throttling_reasons = throttling_reasons
        super().__init__(f"{category}: {code}")


class EventNotProcessed(MarkEarningsError):  # noqa: N818 - operators read it as errorType: a statement, not an "Error"
    """The event is neither marked nor dead-lettered: Lambda must deliver it again.

    The message is a contract: `category=CATEGORY correlation_id=ID : CODE`, followed by
    ` (REASON RESOURCE; REASON RESOURCE)` where DynamoDB said why it throttles. It ends up in Lambda's on-failure
    record, where `mep dlq` reads it.
    """

    def __init__(
        self, category: ErrorCategory, correlation_id: str, code: str, throttling_reasons: Sequence[str] = ()
    ) -> None:
        why = f" ({'; '.join(throttling_reasons)})" if throttling_reasons else ""
        super().__init__(f"category={category} correlation_id={correlation_id} : {code}{why}")
