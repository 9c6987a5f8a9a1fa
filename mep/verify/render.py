"""Shows the report of a verification."""

from rich.console import Console
from rich.text import Text

from mep.terminal import plain_table, print_heading
from mep.text import escape_control
from mep.verify.results import Report, Status

_WORDS = {Status.PASS: ("pass", "green"), Status.FAIL: ("FAIL", "bold red"), Status.NOT_AVAILABLE: ("n/a", "yellow")}


def show_report(report: Report, screen: Console) -> None:
    """Print the checks as a table, then what they amount to."""
    print_heading(screen, report.function, f"{report.environment}, {report.region}")
    table = plain_table("check", "result", "found")
    for check in report.checks:
        word, style = _WORDS[check.status]
        parts = [check.text] if check.status is Status.PASS else [check.text, check.advice]
        found = "; ".join(part for part in parts if part)
        table.add_row(check.name.value, Text(word, style), Text(escape_control(found)))
    screen.print(table)
    counts = f"{report.count(Status.PASS)} passed, {report.count(Status.FAIL)} failed"
    screen.print(Text(f"{counts}, {report.count(Status.NOT_AVAILABLE)} not available (n/a)"))
    if report.is_sent:
        screen.print(Text.assemble(("probe  ", "dim"), report.correlation_id))
    for left in report.round_trip.left if report.round_trip is not None else ():
        screen.print(Text(f"left: {escape_control(left.what)}; to remove it:", "bold"), soft_wrap=True)
        screen.print(Text(f"  {escape_control(left.command)}"), soft_wrap=True)
