"""Maps the error codes and messages of Lambda, EventBridge and the function to error categories."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

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

# The text of `handler.errors.EventNotProcessed`. Older messages have no throttling reasons.
_NOT_PROCESSED = re.compile(r"category=([a-z_]{1,40}) correlation_id=([A-Za-z0-9._:-]{1,128}) : (.*)", re.DOTALL)
_DETAILS = re.compile(r"[^ ]* \(([^()]*)(\)?)")
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}(?: [A-Za-z0-9_.:/-]{1,600})?")
# The text of `handler.aws` about a failed call.
_REFUSED = re.compile(r"[A-Za-z]+ refused the write: ([A-Za-z][A-Za-z0-9._-]{0,99})")
_TIMED_OUT = re.compile(r"Task timed out after|Init phase timed out")


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """The cause of a function error.

    Attributes:
        category: None where the error has none.
        correlation_id: The correlation ID of the function's own error; None for other errors.
        throttling_reasons: DynamoDB's throttling reasons, each as `REASON RESOURCE`.
    """

    category: ErrorCategory | None
    correlation_id: str | None = None
    throttling_reasons: tuple[str, ...] = ()


def parse_category(text: str) -> ErrorCategory | None:
    """Return the category of that name; None if there is none."""
    try:
        return ErrorCategory(text)
    except ValueError:
        return None


def throttling_reasons(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts that are valid throttling reasons."""
    return tuple(reason for text in texts if _REASON.fullmatch(reason := text.strip()))


def eventbridge_category(code: str) -> ErrorCategory | None:
    """Return the category of an EventBridge error code."""
    return _BY_CODE.get(code)


def function_cause(error_type: str, message: str) -> ErrorCause:
    """Return the cause of a function error: an `EventNotProcessed`, a timeout, a crash or another exception.

    Args:
        error_type: The `errorType` of the error response; may be empty.
        message: The `errorMessage` of the error response; may be empty.
    """
    if match := _NOT_PROCESSED.match(message):
        details = _DETAILS.match(match[3])
        # Lambda's dead-letter queue truncates the message to 1 KB: a reason that was cut is left out.
        reasons = details[1].split(";")[: None if details[2] else -1] if details else ()
        return ErrorCause(parse_category(match[1]), match[2], throttling_reasons(reasons))
    if error_type == "Sandbox.Timedout" or _TIMED_OUT.search(message):
        return ErrorCause(ErrorCategory.TIMEOUT)
    # Another exception, or the process ended (Runtime.ExitError, Runtime.OutOfMemory): a defect of the function.
    return ErrorCause(ErrorCategory.INTERNAL if error_type or message else None)


def not_processed_code(message: str) -> str:
    """Return the error code in the message of an `EventNotProcessed`; empty for another message."""
    match = _NOT_PROCESSED.match(message)
    return match[3].partition(" (")[0] if match else ""


def refused_code(message: str) -> str:
    """Return AWS's error code in the message of a handler's dead letter; empty for another message."""
    match = _REFUSED.fullmatch(message)
    return match[1] if match else ""


def not_invoked_category(condition: str) -> ErrorCategory | None:
    """Return the category of an on-failure record without a response: no invocation was completed.

    Args:
        condition: The record's `requestContext.condition`.
    """
    # The reserved concurrency is zero or too low: Lambda counts both as throttles.
    return ErrorCategory.THROTTLING if condition in {"EventAgeExceeded", "ZeroReservedConcurrency"} else None


def status_category(status: str) -> ErrorCategory | None:
    """Return the category of the HTTP status in a Lambda dead letter's `ErrorCode`; None for a function error."""
    if not re.fullmatch(r"[0-9]{3}", status):
        return None
    if int(status) == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorCategory.THROTTLING
    return ErrorCategory.INTERNAL if int(status) >= HTTPStatus.INTERNAL_SERVER_ERROR else None
