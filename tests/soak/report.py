"""How a soak is shown: a bar or lines while it runs, tables at the end, JSON for machines."""

import time
from dataclasses import asdict
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.soak.reconciliation import Reconciliation
from tests.soak.resource_usage import ROLES
from tests.soak.run import SoakOptions, SoakResult

_LINE_EVERY_S = 30.0


class ProgressBar:
    """A progress bar with the rate; on what is no terminal a line every half minute.

    Args:
        console: Where.
        events: How many there are.
    """

    def __init__(self, console: Console, events: int) -> None:
        self._console = console
        self._events = events
        self._begun = self._line_at = time.monotonic()
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("soaking"),
            BarColumn(),
            TextColumn("{task.completed:,} of {task.total:,} events, {task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def __call__(self, sent: int, ended: int) -> None:
        """Show how far it is; see `tests.soak.run.Watch`."""
        now = time.monotonic()
        rate = ended / max(now - self._begun, 0.001)
        if self._task is not None:
            self._progress.update(self._task, completed=sent, rate=rate)
        elif now - self._line_at >= _LINE_EVERY_S:
            self._line_at = now
            self.say(f"{sent:,} of {self._events:,} events, {rate:,.0f}/s")

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(f"soak: {text}", markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
            self._task = self._progress.add_task("", total=self._events, rate=0.0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._progress.stop()


def as_json(options: SoakOptions, result: SoakResult) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "balances": result.account.is_consistent,
        "options": asdict(options),
        "events_per_second": round(result.account.received / result.seconds, 1),
        **asdict(result),
    }


def show(options: SoakOptions, result: SoakResult, console: Console) -> None:
    """Print the account, what went wrong on the way, and what it cost."""
    console.print(_account(result.account))
    console.print(_trouble(options, result))
    console.print(_costs(result))
    for difference in result.account.differences:
        console.print(f"does not balance: {difference}", style="bold red", markup=False, soft_wrap=True)
    is_consistent = result.account.is_consistent
    console.print(
        "the account balances" if is_consistent else "the account does not balance",
        style="bold green" if is_consistent else "bold red",
    )


def _account(account: Reconciliation) -> Table:
    table = Table(title="account", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {"received": account.received, "marked": account.marked, "duplicate": account.duplicate}
    rows |= {"dead-lettered": account.dead_lettered, "redriven (each among these)": account.redriven}
    rows |= {"lost": account.lost, "double": account.double}
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    return table


def _trouble(options: SoakOptions, result: SoakResult) -> Table:
    counters = result.counters
    table = Table(
        title=f"what went wrong on the way in {options.export_mode} mode, seed {options.seed}", title_justify="left"
    )
    table.add_column("what")
    table.add_column("probability", justify="right")
    table.add_column("times", justify="right")
    rates = asdict(options.rates)
    for name, count in counters["faults"].items():
        table.add_row(name.replace("_", " "), f"{rates[name]:.3%}", f"{count:,}")
    table.add_row("process killed", f"{options.kill:.3%}", f"{result.kills:,}")
    table.add_row("delivered again by Lambda's queue", f"{options.redeliver:.3%}", f"{result.redelivered:,}")
    table.add_row("call refused by the outage", "", f"{counters['outage']:,}")
    if "committed" in counters:
        table.add_row("transaction recognised by its token", "", f"{counters['replayed']:,}")
        table.add_row("transaction refused by its condition", "", f"{counters['refused']:,}")
    table.add_row("invocations in all", "", f"{result.tries:,}")
    return table


def _costs(result: SoakResult) -> Table:
    table = Table(title="after so many deliveries: CPU time of each so far, peak memory", title_justify="left")
    for title in ("deliveries", "a second", *(f"{role}" for role in ROLES), "all", "to the first"):
        table.add_column(title, justify="right")
    first = 0.0
    for moment in result.moments:
        each = {role: cost.cpu_s / max(moment.events, 1) * 1000 for role, cost in moment.costs.items()}
        whole = sum(each.values())
        first = first or whole
        cells = [f"{each[role]:.2f} ms\n{moment.costs[role].peak_mb:.0f} MB" for role in ROLES]
        rate = moment.events / max(moment.seconds, 0.001)
        table.add_row(f"{moment.events:,}", f"{rate:,.0f}", *cells, f"{whole:.2f} ms", f"{whole / (first or 1):.2f}")
    return table
