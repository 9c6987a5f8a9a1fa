"""Errors of the emulator, whose messages are one line. `mep` maps each to an exit status."""


class EmulatorError(Exception):
    """The function or a service does not start or does not answer."""


class InputError(EmulatorError):
    """The input is missing or invalid: a file, a URL, an event pattern."""
