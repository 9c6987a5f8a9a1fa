"""Errors that are reported to the person at the terminal as one line, without a stack trace, and exit statuses."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of every `mep` command; `docs/troubleshooting.md` has them for people.

    Attributes:
        DONE: Done, or found and complete.
        FAILED: The answer is no: nothing is there, an event was not accepted, the function raised, a check failed.
        WRONG_USAGE: An argument, an option or a setting is wrong; nothing was asked or changed.
        UNAVAILABLE: Something could not be asked: credentials, permission, network, throttling, a wrong name. What was
            shown is not all there may be, and "nothing" means nothing.
        INTERRUPTED: Ended by Ctrl-C (128 + SIGINT).
        TERMINATED: Ended by SIGTERM (128 + SIGTERM).
    """

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130
    TERMINATED = 143


class LocalError(Exception):
    """Base of them all; the message is one line and says why.

    Attributes:
        exit_status: How the command ends.
    """

    exit_status = ExitStatus.FAILED


class UsageError(LocalError):
    """What the user gave cannot be used: a missing file, a wrong CSV, a directory that cannot be written."""

    exit_status = ExitStatus.WRONG_USAGE


class RunError(LocalError):
    """What was asked for could not be done: the function or a service does not start or does not answer."""


class UnavailableError(RunError):
    """AWS, or what is in its place, could not be asked: nothing is known, not even that nothing is there."""

    exit_status = ExitStatus.UNAVAILABLE
