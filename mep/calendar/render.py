"""The result of a check on a terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from mep.calendar.model import CheckResult, Finding, FindingKind, Mark
from mep.program import program
from mep.terminal import plain_table
from mep.text import count_of, escape_control

SHOWN = 20
"""Findings that a terminal shows by default."""

_MEANING = {
    FindingKind.NOT_MARKED: "the day is over, and no event has marked the row: look for its event and its dead letter",
    FindingKind.MARK_LOST: "the audit table has the mark, the calendar does not: the item was replaced, "
    "and the next event marks it again",
    FindingKind.MARKED_TWICE: "the row was marked, replaced, and marked again: two events were processed",
}


def show(result: CheckResult, screen: Console, limit: int) -> None:
    """Print a result: how many findings of each kind, then the findings.

    Args:
        result: The result.
        screen: Where to print it.
        limit: The maximum number of findings that are printed.
    """
    head = f"{count_of(result.rows, 'row')} checked; today is {result.today} in New York"
    screen.print(Text(head if result.complete else f"{head}; incomplete", "" if result.complete else "yellow"))
    if result.undated:
        text = f"{result.undated:,} of them have a date that is not a calendar day, so that it cannot be over"
        screen.print(Text(text, "yellow"))
    if not result.findings:
        return
    screen.print(_overview(result))
    if limit:
        screen.print(_listing(result.findings[:limit]))
    if (more := len(result.findings) - limit) > 0:
        rest = f"{more:,} more" if limit else count_of(more, "finding")
        screen.print(Text(f"{rest} not shown: --limit {len(result.findings)} or --json has all", "yellow"))
    screen.print(Text("what is known of a row:", "dim"))
    key = " ".join(escape_control(part) for part in result.findings[0].row.key)
    screen.print(Text(f"  {program()} trace {key}"), soft_wrap=True)


def _overview(result: CheckResult) -> object:
    table = plain_table("rows", "finding", "meaning")
    table.columns[0].justify = "right"
    for kind, count in result.counts.items():
        if count:
            table.add_row(f"{count:,}", Text(kind.value, "bold red"), _MEANING[kind])
    return table


def _listing(findings: tuple[Finding, ...]) -> object:
    table = plain_table("finding", "row", "synced at", "marked at", "correlation ID")
    for finding, mark in _lines(findings):
        table.add_row(
            finding.kind.value,
            Text(" ".join(escape_control(part) for part in finding.row.key), "bold"),
            Text(escape_control(finding.row.synced_at)),
            Text(escape_control(mark.recorded_at) if mark else ""),
            Text(escape_control(mark.correlation_id) if mark else "", "cyan"),
        )
    return table


def _lines(findings: tuple[Finding, ...]) -> Iterator[tuple[Finding, Mark | None]]:
    """Yield a line for each mark; one for a finding without marks."""
    for finding in findings:
        for mark in finding.marks or (None,):
            yield finding, mark
