"""Why a question to AWS has no answer, and what to do about it."""

from dataclasses import asdict, dataclass
from enum import StrEnum

from mep.errors import UnavailableError, UsageError


class Reason(StrEnum):
    """Why something could not be asked."""

    NO_CREDENTIALS = "no_credentials"
    EXPIRED_CREDENTIALS = "expired_credentials"
    INVALID_CREDENTIALS = "invalid_credentials"
    CLOCK = "clock"
    ACCESS_DENIED = "access_denied"
    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    NETWORK = "network"
    SERVICE_ERROR = "service_error"
    UNREADABLE_REPLY = "unreadable_reply"
    REFUSED = "refused"
    SETTING = "setting"
    NOT_CONFIGURED = "not_configured"
    INCOMPLETE = "incomplete"


CREDENTIALS = frozenset({Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS, Reason.INVALID_CREDENTIALS, Reason.CLOCK})
"""Reasons that hold for every service alike."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a question has no answer.

    Attributes:
        reason: In one word, for programs.
        text: What happened, without AWS's own message: no role, no ARN, nothing that may be secret.
        advice: What to do; empty where nothing helps but to wait.
        code: AWS's error code, or botocore's exception.
        operation: That was called; empty where the call was not made.
        host: That was asked, with its port; empty where none was.
        message: AWS's own words, which name roles and resources: for the terminal of who asked, not for pages.
    """

    reason: Reason
    text: str
    advice: str = ""
    code: str = ""
    operation: str = ""
    host: str = ""
    message: str = ""

    def __str__(self) -> str:
        """All of it in one line."""
        return "; ".join(part for part in (f"{self.text}{self.message and ': '}{self.message}", self.advice) if part)

    def as_json(self) -> dict[str, str]:
        """Return what may be passed on: everything but AWS's own message."""
        return {name: str(value) for name, value in asdict(self).items() if name != "message"}


class AwsUnavailableError(UnavailableError):
    """AWS could not be asked.

    Args:
        what: The line's beginning: what cannot be used.
        problem: Why.
    """

    def __init__(self, what: str, problem: Problem) -> None:
        super().__init__(f"{what}: {problem}")
        self.problem = problem


def as_error(what: str, problem: Problem) -> AwsUnavailableError | UsageError:
    """The error to raise for a problem.

    Args:
        what: The line's beginning: what cannot be used.
        problem: Why.
    """
    if problem.reason is Reason.SETTING:
        return UsageError(f"{what}: {problem}")
    return AwsUnavailableError(what, problem)
