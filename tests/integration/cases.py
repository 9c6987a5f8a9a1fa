"""The faults of a write, with the category, the error code and the delays that each must lead to.

The delays are those without jitter, within the 30 s of an invocation.
"""

from dataclasses import dataclass

from emulator.faults import Fault, Reply, answer, aws_error, cancelled, garbage_ok, hang_up, http_status, reset_before
from tests.support.signatures import EXPIRED, NOT_YET_CURRENT

DELAYS: dict[str, list[float]] = {
    "throttling": [1, 2, 4, 8],  # another 16 s would leave no time for an attempt (4 s) and the reserve (2 s)
    "conflict": [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4],
    "network": [0.1, 0.2],
    "dynamodb": [0.1, 0.2],
    "access_denied": [],
    "configuration": [],
    "internal": [],
}
RAISED = {"throttling", "conflict", "network", "dynamodb", "internal"}
"""The transient categories; events of the others go to the dead-letter queue."""

EMPTY = Reply(500, b"")
UNREADABLE = Reply(400, b'{"message": "no code"}', {"Content-Type": "application/x-amz-json-1.0"})
CANCELED = "TransactionCanceledException"


@dataclass(frozen=True)
class Case:
    """One fault and its classification.

    Attributes:
        fault: The fault.
        category: The error category.
        code: The error code in the answer, the log and the spans.
    """

    fault: Fault
    category: str
    code: str

    def __str__(self) -> str:
        return f"{self.fault.name}-{self.category}"


def code(name: str, category: str, status: int = 400) -> Case:
    return Case(aws_error(name, status), category, name)


def signature(name: str, message: str, category: str) -> Case:
    """Return the case of a signature that is refused."""
    fault = aws_error(name, message=message)
    return Case(Fault(f"{name}-{message[:17]}", fault.act), category, name)


def reasons(category: str, *of_items: str, code: str = CANCELED) -> Case:
    fault = cancelled(*of_items)
    return Case(Fault("+".join(of_items), fault.act), category, code)


def page(status: int, category: str) -> Case:
    return Case(http_status(status, b"<html><h1>Sorry</h1></html>"), category, f"Http{status}")


CASES = [
    code("ProvisionedThroughputExceededException", "throttling"),
    code("ThrottlingException", "throttling"),
    code("RequestLimitExceeded", "throttling"),
    code("LimitExceededException", "throttling"),
    page(429, "throttling"),
    reasons("throttling", "ThrottlingError", "None"),
    reasons("throttling", "None", "ProvisionedThroughputExceeded"),
    reasons("throttling", "TransactionConflict", "ThrottlingError"),
    reasons("conflict", "TransactionConflict", "None"),
    reasons("conflict", "None", "TransactionConflict"),
    reasons("conflict", "TransactionConflict", "ConditionalCheckFailed"),
    reasons("conflict", "ConditionalCheckFailed", "TransactionConflict"),
    reasons("throttling", "ThrottlingError", "ConditionalCheckFailed"),
    reasons("access_denied", "AccessDenied", "ConditionalCheckFailed"),
    reasons("configuration", "ConditionalCheckFailed", "ValidationError"),
    code("TransactionConflictException", "conflict"),
    code("TransactionInProgressException", "conflict"),
    code("InternalServerError", "dynamodb", 500),
    code("ServiceUnavailable", "dynamodb", 503),
    code("AnErrorOfNextYear", "dynamodb", 500),
    page(502, "dynamodb"),
    page(503, "dynamodb"),
    Case(answer(EMPTY, name="empty_500"), "dynamodb", "Http500"),
    Case(garbage_ok(), "dynamodb", "UnreadableReply"),
    Case(answer(Reply(200, b"{}"), name="hollow_200"), "dynamodb", "UnreadableReply"),
    Case(answer(Reply(200, b""), name="empty_200"), "dynamodb", "UnreadableReply"),
    reasons("dynamodb", "None", "None"),
    Case(reset_before(), "network", "ConnectionClosedError"),
    Case(hang_up(), "network", "ConnectionClosedError"),
    signature("InvalidSignatureException", EXPIRED, "network"),  # a clock that stays wrong
    signature("InvalidSignatureException", NOT_YET_CURRENT, "network"),
    code("RequestExpired", "network"),
    code("AccessDeniedException", "access_denied"),
    code("UnrecognizedClientException", "access_denied"),
    code("ExpiredTokenException", "access_denied"),
    code("InvalidSignatureException", "access_denied"),
    page(403, "access_denied"),
    reasons("access_denied", "AccessDenied", "None"),
    reasons("access_denied", "KmsAccessDenied", "ThrottlingError"),
    code("ResourceNotFoundException", "configuration"),
    code("ValidationException", "configuration"),
    code("AnErrorOfNextYear", "configuration"),
    page(404, "configuration"),
    Case(http_status(400), "configuration", "Http400"),
    Case(answer(UNREADABLE, name="no_code"), "configuration", "Http400"),
    reasons("configuration", "ItemCollectionSizeLimitExceeded", "None"),
    reasons("configuration", "None", "ValidationError"),
    code("IdempotentParameterMismatchException", "internal"),
    reasons("internal", "None", "ConditionalCheckFailed", code="AuditEntryExists"),
]
