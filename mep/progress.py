"""A progress bar for long runs on a terminal; nothing for short ones and for pipes."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LONG_S = 2.0


class RunProgress:
    """Shows how far a run has come, once it has taken `LONG_S` seconds.

    Args:
        console: Where; nothing is shown if it is no terminal.
        total_bytes: Size of the input; None where nobody knows (standard input).
        clock: Seconds, monotonic.
    """

    def __init__(
        self, console: Console, total_bytes: int | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bar = Progress(
            TextColumn("delivering"),
            BarColumn(),
            TextColumn("{task.fields[lines]:,} lines"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._console = console
        self._total = total_bytes
        self._clock = clock
        self._begun = clock()
        self._task: TaskID | None = None
        self._bytes = 0
        self._lines = 0

    def advance(self, size: int) -> None:
        """Note that a line of `size` bytes has been read."""
        self._bytes += size
        self._lines += 1
        if self._task is None:
            if not self._console.is_terminal or self._clock() - self._begun < LONG_S:
                return
            self._task = self._bar.add_task("", total=self._total, lines=0)
            self._bar.start()
        self._bar.update(self._task, completed=self._bytes, lines=self._lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._bar.stop()
