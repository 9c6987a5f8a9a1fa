"""A progress bar for long runs on a terminal; nothing for short runs and pipes."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

LONG_S = 2.0


class ProgressBar:
    """Shows the progress of a run once it has taken `LONG_S` seconds.

    Args:
        console: Where to show it; nothing is shown if it is not a terminal.
        label: What the run does.
        unit: What is counted.
        total: The sum of all sizes given to `advance`; None where it is unknown.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        console: "Console",
        label: str,
        unit: str,
        total: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn(label),
            BarColumn(),
            TextColumn(f"{{task.fields[count]:,}} {unit}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._console = console
        self._total = total
        self._clock = clock
        self._started = clock()
        self._task: TaskID | None = None
        self._completed = 0
        self._count = 0

    def advance(self, size: int = 1) -> None:
        """Count one more item of `size`."""
        self._completed += size
        self._count += 1
        if self._task is None:
            if not self._console.is_terminal or self._clock() - self._started < LONG_S:
                return
            self._task = self._bar.add_task("", total=self._total, count=0)
            self._bar.start()
        self._bar.update(self._task, completed=self._completed, count=self._count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._bar.stop()


@contextmanager
def track[T](items: Iterable[T], total: int, console: "Console", label: str, unit: str) -> Iterator[Iterator[T]]:
    """Yield an iterator of `items` that advances a progress bar.

    An item is complete when the next one is requested.

    Args:
        items: The items.
        total: How many there are.
        console: Where to show the bar.
        label: What the run does.
        unit: What is counted.
    """
    with ProgressBar(console, label, unit, total) as bar:

        def advancing() -> Iterator[T]:
            for item in items:
                yield item
                bar.advance()

        yield advancing()
