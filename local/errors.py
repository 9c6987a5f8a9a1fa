"""Errors that are told to the person at the terminal as one line, without a stack trace."""


class LocalError(Exception):
    """Base of them all; the message is one line and says why."""


class UsageError(LocalError):
    """What the user gave cannot be used: a missing file, a wrong CSV, a directory that cannot be written."""


class RunError(LocalError):
    """What was asked for could not be done: the function or a service does not start or does not answer."""
