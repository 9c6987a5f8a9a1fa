"""The process of a command: signals, output streams, and every failure as one line with an exit status.

It imports the commands late, so that Ctrl-C meanwhile, or a package that is missing, is one line, too.
"""

import io
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from emulator.errors import EmulatorError, InputError
from mep import DISTRIBUTION
from mep.errors import ExitStatus, MepError
from mep.interrupts import INTERRUPTS
from mep.output import print_error, take_over

_SHOWN_FRAMES = 4
_LAST_STANDARD = 2
_OWN = frozenset({"emulator", "handler", "mep", "monitoring", "otel"})


class _Discarding(io.StringIO):
    """Standard output that is closed.

    Attributes:
        discarded: Whether anything was written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.discarded = False

    def write(self, text: str, /) -> int:
        """Discard a text."""
        self.discarded = self.discarded or bool(text)
        return len(text)


def run_command() -> NoReturn:
    """Run the command line.

    An error that the user can fix is one line and an exit status, without a stack trace. A reader that closes the pipe
    (`| head`) ends the output and not the command: the exit status is that of the work. Output that cannot be written
    for another reason, such as a full disk, is an error.
    """
    INTERRUPTS.install()
    sys.set_int_max_str_digits(0)  # as in the function: an event may contain a number of any length
    if sys.stdin is None:  # `<&-`
        sys.stdin = io.TextIOWrapper(io.BytesIO())
    _fill_standard_descriptors()
    if sys.stdout is None:  # `>&-`
        sys.stdout = _Discarding()
    output, error = take_over()
    with _one_line_per_thread():
        status = _status()
    reason = output.finish() if output is not None else ""
    if isinstance(sys.stdout, _Discarding) and sys.stdout.discarded:
        reason = "it is closed"
    if reason:
        print_error(f"standard output cannot be written: {reason}; the output is incomplete")
        status = status or ExitStatus.UNAVAILABLE
    if error is not None:
        error.finish()
    if INTERRUPTS.received is not None:
        os._exit(status)  # no thread that still waits for a service delays the end
    sys.exit(status)


@contextmanager
def _one_line_per_thread() -> Iterator[None]:
    """Report a defect in a thread as one in the command, also without the message of the exception."""
    previous = threading.excepthook

    def report(raised: threading.ExceptHookArgs) -> None:
        if raised.exc_value is None or sys.flags.dev_mode:
            previous(raised)
        elif not isinstance(raised.exc_value, SystemExit):
            print_error(_defect(raised.exc_value))

    threading.excepthook = report
    try:
        yield
    finally:
        threading.excepthook = previous


def _fill_standard_descriptors() -> None:
    """Open those of the descriptors 0 to 2 that are closed, so that no file of the command gets one of them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD:
        pass
    os.close(descriptor)


def _status() -> int:
    status, line = _outcome()
    interrupted = INTERRUPTS.received is not None or status == ExitStatus.INTERRUPTED
    if interrupted:
        status, line = INTERRUPTS.exit_status, line or "interrupted"
    if line:
        print_error(line)
    return status


def _outcome() -> tuple[int, str]:
    """Run the command, and return its exit status and the error, which is empty where the command has shown it."""
    try:
        return _expected_outcome()
    except Exception as error:  # noqa: BLE001 - its message may quote anything, also a secret
        return ExitStatus.FAILED, _unexpected(error)


def _expected_outcome() -> tuple[int, str]:
    try:
        from mep.cli import app

        app(prog_name="mep")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OWN:
            raise
        line = f"{error.name} is not installed: install the extra `operator`, as {DISTRIBUTION}[operator]"
        return ExitStatus.WRONG_USAGE, line
    except (MepError, EmulatorError, OSError) as error:
        return _status_of(error), _text(error)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED, ""
    except SystemExit as end:
        return (end.code if isinstance(end.code, int) else int(bool(end.code))), ""
    return ExitStatus.DONE, ""


def _unexpected(error: Exception) -> str:
    """Return type and places of a defect, as the function's log has them: its message may quote a secret.

    Raises:
        Exception: The error, in Python's development mode.
    """
    if sys.flags.dev_mode:
        raise error
    return _defect(error)


def _defect(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_SHOWN_FRAMES:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} ({frame.name})" for frame in reversed(frames))
    return f"a defect of mep: {type(error).__name__} at {places}; PYTHONDEVMODE=1 shows the stack trace, unredacted"


def _status_of(error: Exception) -> ExitStatus:
    match error:
        case MepError():
            return error.exit_status
        case InputError():
            return ExitStatus.WRONG_USAGE
        case EmulatorError():
            return ExitStatus.FAILED
        case _:
            return ExitStatus.UNAVAILABLE


def _text(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    # A full disk, too many open files, a directory that is not writable.
    reason = error.strerror or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
