"""Exit statuses, the errors that a command reports as one line, and the reasons why an AWS call failed."""

from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum


class ExitStatus(IntEnum):
    """Exit statuses of every `mep` command; documented in `docs/troubleshooting.md`.

    Attributes:
        DONE: The command did what was asked and the result is complete.
        FAILED: The result is negative: nothing was found, an event was not accepted, the function raised, a check
            failed.
        WRONG_USAGE: An argument, an option or a setting is invalid; nothing was called or changed.
        UNAVAILABLE: A call failed: credentials, permission, network, throttling, a wrong name; or the output could not
            be written: a full disk. The output may be incomplete, and an empty result proves nothing.
        HUNG_UP: Ended because the terminal was closed (128 + SIGHUP).
        INTERRUPTED: Ended by Ctrl-C (128 + SIGINT).
        TERMINATED: Ended by SIGTERM (128 + SIGTERM).
    """

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    UNAVAILABLE = 3
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class MepError(Exception):
    """Base of the errors that a command reports; the message is one line that states the cause.

    Attributes:
        exit_status: The exit status of the command.
    """

    exit_status = ExitStatus.FAILED


class UsageError(MepError):
    """An argument, an option, a setting or an input file is invalid."""

    exit_status = ExitStatus.WRONG_USAGE


class RunError(MepError):
    """The command failed, or its result is negative."""


class UnavailableError(RunError):
    """A service could not be called, so its state is unknown."""

    exit_status = ExitStatus.UNAVAILABLE


class StoppedError(MepError):
    """Ctrl-C or SIGTERM ended the command; the message says what was done, and `mep.process` sets the exit status."""

    exit_status = ExitStatus.INTERRUPTED


class Reason(StrEnum):
    """Why a call failed."""

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


CREDENTIAL_REASONS = frozenset(
    {Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS, Reason.INVALID_CREDENTIALS, Reason.CLOCK}
)
"""Reasons that apply to every service alike."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a call failed, and what to do about it.

    Attributes:
        reason: The reason as one word, for programs.
        text: What happened, without AWS's own message: no role, no ARN, nothing that may be secret.
        advice: What to do; empty where only waiting helps.
        code: AWS's error code, or the name of botocore's exception.
        operation: The API operation; empty where no call was made.
        host: Host and port of the endpoint; empty where no call was made.
        message: AWS's own message, which names roles and resources. It is for the caller's terminal, not for pages.
    """

    reason: Reason
    text: str
    advice: str = ""
    code: str = ""
    operation: str = ""
    host: str = ""
    message: str = ""

    def __str__(self) -> str:
        """Return text, message and advice on one line."""
        return "; ".join(part for part in (f"{self.text}{self.message and ': '}{self.message}", self.advice) if part)

    def as_json(self) -> dict[str, str]:
        """Return every attribute but AWS's own message."""
        return {name: str(value) for name, value in asdict(self).items() if name != "message"}


class AwsUnavailableError(UnavailableError):
    """An AWS call failed.

    Args:
        what: The beginning of the message: what cannot be used. An attribute, too.
        problem: Why. An attribute, too.
    """

    def __init__(self, what: str, problem: Problem) -> None:
        super().__init__(f"{what}: {problem}")
        self.what = what
        self.problem = problem


def error_for(what: str, problem: Problem) -> AwsUnavailableError | UsageError:
    """Return the error to raise for a problem.

    Args:
        what: The beginning of the message: what cannot be used.
        problem: Why.
    """
    if problem.reason is Reason.SETTING:
        return UsageError(f"{what}: {problem}")
    return AwsUnavailableError(what, problem)
