"""Ctrl-C and SIGTERM: the first one ends the command in order, the second one at once."""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

_SHOW_CURSOR = "\x1b[?25h"  # a progress bar makes it invisible


class Interrupts:
    """Raises `KeyboardInterrupt` for the first signal, and ends the process at the second.

    At the first one a command stops, writes what it has, and reports what was done. No started process is left behind
    after the second one either: each ends with its parent (`emulator.services.child_guard`,
    `emulator.lambda_runtime.process`).

    Attributes:
        received: The first signal; None before it.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    @property
    def exit_status(self) -> int:
        """The exit status of an interrupted command: 128 and the number of the signal."""
        return 128 + (self.received or signal.SIGINT)

    def install(self) -> None:
        """Handle the signals from now on, except those that are ignored, such as SIGHUP under `nohup`."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def accept(self) -> None:
        """Treat the first signal as the normal end of a command that runs until then."""
        self.received = None

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.received is not None:
            _end_at_once(128 + number)
        self.received = signal.Signals(number)
        raise KeyboardInterrupt


INTERRUPTS = Interrupts()
"""The signals of this process."""


def _end_at_once(status: int) -> NoReturn:
    with contextlib.suppress(OSError, ValueError):  # the terminal may have gone
        cursor = _SHOW_CURSOR if sys.__stderr__ is not None and sys.__stderr__.isatty() else ""
        # Not `print`: this may run inside a write to the same stream.
        os.write(2, f"{cursor}mep: ended at once: the output and the files are incomplete\n".encode())
    os._exit(status)
