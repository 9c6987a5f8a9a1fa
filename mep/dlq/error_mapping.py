"""What the platform's own words for a failure mean in our error categories."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from handler.errors import ErrorCategory

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html, and the newer buses' ACCESS_DENIED.
_EVENTBRIDGE = {
    ErrorCategory.ACCESS_DENIED: "ACCESS_DENIED FAILED_TO_ASSUME_ROLE NO_PERMISSIONS",
    ErrorCategory.CONFIGURATION: (
        "CROSS_ACCOUNT_INGESTION_FAILED CROSS_REGION_INGESTION_FAILED EVENTS_IN_BATCH_REQUEST_REJECTED "
        "INVALID_PARAMETER NO_RESOURCE RESOURCE_ALREADY_EXISTS SDK_CLIENT_ERROR THIRD_ACCOUNT_HOP_DETECTED "
        "THIRD_REGION_HOP_DETECTED"
    ),
    ErrorCategory.INTERNAL: "ERROR_FROM_TARGET INTERNAL_ERROR UNKNOWN",
    ErrorCategory.NETWORK: "CONNECTION_FAILURE TRANSIENT_ASSUME_ROLE",
    ErrorCategory.THROTTLING: "RESOURCE_LIMIT_EXCEEDED RESOURCE_MODIFICATION_COLLISION THROTTLING",
    ErrorCategory.TIMEOUT: "TIMEOUT",
    ErrorCategory.VALIDATION: "INVALID_JSON",
}
_BY_CODE = {code: category for category, codes in _EVENTBRIDGE.items() for code in codes.split()}

# `handler.errors.EventNotProcessed`; the ID's charset ends it. Reasons may be missing: older messages have none.
_OURS = re.compile(r"category=([a-z_]{1,40}) correlation_id=([A-Za-z0-9._:-]{1,128}) : (.*)", re.DOTALL)
_WHY = re.compile(r"[^ ]* \(([^()]*)(\)?)")
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}(?: [A-Za-z0-9_.:/-]{1,600})?")
_TIMED_OUT = re.compile(r"Task timed out after|Init phase timed out")

THROTTLED_STATUS = 429
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """What an error text of the function's tells.

    Attributes:
        category: None where it tells none.
        correlation_id: what the function itself called the event; None where the text is not its own.
        throttling_reasons: why DynamoDB throttled it, each as `REASON RESOURCE`.
    """

    category: ErrorCategory | None
    correlation_id: str | None = None
    throttling_reasons: tuple[str, ...] = ()


def parse_category(text: str) -> ErrorCategory | None:
    """The category of that name."""
    try:
        return ErrorCategory(text)
    except ValueError:
        return None


def named_reasons(texts: Iterable[str]) -> tuple[str, ...]:
    """Those of the texts that are throttling reasons."""
    return tuple(text for each in texts if _REASON.fullmatch(text := each.strip()))


def eventbridge_category(code: str) -> ErrorCategory | None:
    """The category of an error code of EventBridge's."""
    return _BY_CODE.get(code)


def function_cause(error_type: str, message: str) -> ErrorCause:
    """What an error of a Lambda function says: ours name category and ID, a time-out and a crash say so.

    Args:
        error_type: the error body's `errorType`; may be empty.
        message: its `errorMessage`; may be empty.
    """
    if match := _OURS.match(message):
        why = _WHY.match(match[3])
        # Lambda's classic queue keeps the first 1 KB of a message: what was cut in its middle is left out.
        reasons = why[1].split(";")[: None if why[2] else -1] if why else ()
        return ErrorCause(parse_category(match[1]), match[2], named_reasons(reasons))
    if error_type == "Sandbox.Timedout" or _TIMED_OUT.search(message):
        return ErrorCause(ErrorCategory.TIMEOUT)
    # It raised something else, or its process ended (Runtime.ExitError, Runtime.OutOfMemory): ours to mend.
    return ErrorCause(ErrorCategory.INTERNAL if error_type or message else None)


def not_invoked_category(condition: str) -> ErrorCategory | None:
    """The category of an on-failure record without an answer: the function was not invoked, or not to its end.

    Args:
        condition: the record's `requestContext.condition`.
    """
    # Reserved concurrency, none or too little: Lambda counts both as throttles.
    return ErrorCategory.THROTTLING if condition in {"EventAgeExceeded", "ZeroReservedConcurrency"} else None


def status_category(status: str) -> ErrorCategory | None:
    """The category of a classic dead letter's `ErrorCode`, an HTTP status; None for 200, a function's own error."""
    if not re.fullmatch(r"[0-9]{3}", status):
        return None
    number = int(status)
    if number == THROTTLED_STATUS:
        return ErrorCategory.THROTTLING
    return ErrorCategory.INTERNAL if number >= SERVER_ERROR else None
