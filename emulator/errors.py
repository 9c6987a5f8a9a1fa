"""Errors of the emulator; the message is one line that says why. `mep` gives each its exit status."""


class EmulatorError(Exception):
    """The emulator cannot do what was asked: the function or a service does not start or does not answer."""


class InputError(EmulatorError):
    """The input cannot be used: a missing file, an invalid CSV, an invalid URL or event pattern."""
