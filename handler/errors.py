"""The exceptions of this package.

* MarkEarningsError
  · SettingsError       a setting is wrong: one line at start, then the process ends
  · AwsCallError        one call of an AWS service failed; its category says what to do
  · EventNotProcessed   handed to Lambda: its asynchronous retries take over, then the on-failure destination

None of them ever carries a value from the event: messages end up in logs, spans and dead letters.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from otel.settings import TelemetrySettings

if TYPE_CHECKING:  # it imports botocore, and the settings are read before that
    from handler.classification import ErrorCategory


class MarkEarningsError(Exception):
    """The base of everything this package raises."""


class SettingsError(MarkEarningsError):
    """One or more settings are missing or wrong; the message names each, its rule and what to do.

    Attributes:
        problems: one text each.
        telemetry: the telemetry settings as far as they could be read, to log the problems with.
    """

    def __init__(self, problems: Sequence[str], telemetry: TelemetrySettings) -> None:
        self.problems = tuple(problems)
        self.telemetry = telemetry
        super().__init__("; ".join(problems))


class AwsCallError(MarkEarningsError):
    """One attempt at an AWS call failed.

    Attributes:
        category: decides whether it is tried again.
        code: AWS's error code, or the exception's class name where no reply came.
        throttling_reasons: why DynamoDB throttled it, as `otel.tracing.throttling` tells; empty where it did not say.
    """

    def __init__(self, category: "ErrorCategory", code: str, throttling_reasons: tuple[str, ...] = ()) -> None:
        self.category = category
        self.code = code
        self.throttling_reasons = throttling_reasons
        super().__init__(f"{category}: {code}")


class EventNotProcessed(MarkEarningsError):  # noqa: N818 - operators read it as errorType: a statement, not an "Error"
    """The event is neither marked nor dead-lettered: Lambda must deliver it again.

    The message is a contract: `category=CATEGORY correlation_id=ID : CODE`, and where DynamoDB said why it throttles,
    ` (REASON RESOURCE; REASON RESOURCE)` behind it. It ends up in Lambda's on-failure record, where `mep dlq` reads it.
    """

    def __init__(
        self, category: "ErrorCategory", correlation_id: str, code: str, throttling_reasons: Sequence[str] = ()
    ) -> None:
        why = f" ({'; '.join(throttling_reasons)})" if throttling_reasons else ""
        super().__init__(f"category={category} correlation_id={correlation_id} : {code}{why}")
