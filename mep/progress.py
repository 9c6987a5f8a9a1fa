"""Shows what a command waits for when that takes long: a live line on a terminal, else a line now and then."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LONG_S = 2.0
"""Seconds after which a step is shown on a terminal."""
LONG_PLAIN_S = 10.0
"""Seconds after which a step is reported where there is no terminal; then after 20, 40 and 60 more, every 60."""

_MAX_PLAIN_S = 60.0
_TICK_S = 0.25

type Status = Callable[[], str]
"""Returns what a step waits for now; nothing for its label."""


class ProgressBar:
    """One step of a command; a context manager. Short steps show nothing.

    Args:
        console: Where to show it: normally standard error.
        label: What the step does.
        unit: What is counted; empty for a step that only takes time.
        total: The sum of all sizes given to `advance`; None where it is unknown.
        status: What the step waits for, if that is more than its label.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        console: "Console",
        label: str,
        unit: str = "",
        total: int | None = None,
        *,
        status: Status = lambda: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self.label = label
        self._unit = unit
        self._total = total
        self._status = status
        self._clock = clock
        self._started = clock()
        self._next_line_s = LONG_PLAIN_S
        self._wait_s = LONG_PLAIN_S
        self._completed = 0
        self._count = 0
        self._live: tuple[Progress, TaskID] | None = None
        self._ended = Event()
        self._ticks = Thread(target=self._tick_until_ended, name="progress", daemon=True)

    def advance(self, size: int = 1, count: int = 1) -> None:
        """Count `count` more items, of `size` together."""
        self._completed += size
        self._count += count

    def advance_items(self, count: int) -> None:
        """Count `count` more items, where `total` is their number."""
        self.advance(count, count)

    def tick(self) -> None:
        """Show the state if the step takes long; called several times a second by a thread."""
        elapsed_s = self._clock() - self._started
        if self._console.is_terminal:
            if self._live is None and elapsed_s >= LONG_S:
                self._live = self._start_live()
            if self._live is not None:
                bar, task = self._live
                bar.update(task, completed=self._completed, description=self._text(), count=self._counted())
        elif elapsed_s >= self._next_line_s:
            counted = self._counted()
            parts = f"{self._text()}: {counted}" if counted else self._text()
            # Not `mep.terminal.print_line`: `mep dlq` shows steps without importing the tables of rich.
            line = f"mep: {parts} ({elapsed_s:.0f} s so far)"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._wait_s = min(2 * self._wait_s, _MAX_PLAIN_S)
            self._next_line_s = elapsed_s + self._wait_s

    def _text(self) -> str:
        return self._status() or self.label

    def _counted(self) -> str:
        """Return how many items were counted; nothing beside a status, which counts something else."""
        if not self._unit or self._status():
            return ""
        of_total = f" of {self._total:,}" if self._total and self._completed == self._count else ""
        return f"{self._count:,}{of_total} {self._unit}"

    def _start_live(self) -> "tuple[Progress, TaskID]":
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = [
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            *([TimeRemainingColumn()] if self._total else []),
        ]
        bar = Progress(*columns, console=self._console, transient=True)
        task = bar.add_task(self._text(), total=self._total, count=self._counted())
        bar.start()
        return bar, task

    def _tick_until_ended(self) -> None:
        while not self._ended.wait(_TICK_S):
            self.tick()

    def __enter__(self) -> Self:
        self._ticks.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._ticks.join()
        if self._live is not None:
            self._live[0].stop()


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
