"""The commands `mep calendar`, and `check` among them."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mep.calendar import GRACE, RATE
from mep.calendar.unmark_command import unmark_command
from mep.errors import ExitStatus, StoppedError, UnavailableError, UsageError
from mep.help import Command, Group, examples
from mep.output import print_error
from mep.stack.options import Environment

if TYPE_CHECKING:
    from mep.calendar.model import CheckResult, Scope

calendar = typer.Typer(
    name="calendar",
    help="Check the calendar: rows without a mark, lost marks, rows that were marked twice. Remove a mark.",
    epilog=examples("mep calendar check --environment prod", "mep calendar check --from 2026-11-01 --json"),
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


calendar.command(
    "unmark",
    cls=Command,
    epilog=examples(
        'mep calendar unmark AAPL 2026-10-29 --reason "of a test" --dry-run',
        'mep calendar unmark AAPL 2026-10-29 --reason "a test" --event-id q3-17 --yes',
    ),
)(unmark_command)


@calendar.command(
    "check",
    cls=Command,
    epilog=examples(
        "mep calendar check --from 2026-11-01 --to 2026-11-30",
        "mep calendar check --symbol AAPL --grace 12h --json",
    ),
)
def check_command(
    *,
    environment: Environment = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Only rows of this date and later ones: YYYY-MM-DD.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Only rows of this date and earlier ones.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(metavar="SYMBOL", help="Only rows of this company: reads no others.")
    ] = None,
    grace: Annotated[
        str,
        typer.Option(
            metavar="AGE", help="How long after the end of its day in New York a row may be without a mark (12h, 2d)."
        ),
    ] = GRACE,
    rate: Annotated[
        float, typer.Option(min=0.01, max=10_000, metavar="N", help="Maximum requests to DynamoDB per second.")
    ] = RATE,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Show at most N findings. Default: 20; --json: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the calendar against the audit table. Nothing is changed.

    Finds rows whose day is over without a mark (`not_marked`); rows with a mark in the audit table only, because the
    calendar sync has replaced the item (`mark_lost`); rows with two or more marks in the audit table (`marked_twice`).

    Reads the calendar in pages, and for each row its audit entries by key. The tables are those of the environment, or
    of `EARNINGS_CALENDAR_TABLE` and `EARNINGS_AUDIT_TABLE`.

    The exit status is 0 when every row was checked and nothing was found, 1 when something was found, 3 when a table
    could not be read: the result is then incomplete, and the absence of findings proves nothing.
    """
    from mep.calendar.check import Checker
    from mep.calendar.tables import TableReader
    from mep.dlq.selection import parse_age
    from mep.progress import ProgressBar
    from mep.settings import load_settings
    from mep.stack.naming import Resource
    from mep.terminal import console

    scope = _scope(first, last, symbol)
    age = parse_age("--grace", grace) or timedelta()
    needs = (Resource.CALENDAR, Resource.AUDIT)
    settings = load_settings(environment=environment, needs=needs, warn=print_error)
    settings.aws.check_credentials()
    reader = TableReader(settings.aws.client("dynamodb"), settings.calendar_table, settings.audit_table, rate)
    bar = ProgressBar(console(stderr=True), f"checking {settings.calendar_table}", "rows")
    checker = Checker(reader, scope, age, on_row=bar.advance)
    try:
        with bar:
            result = checker.run()
    except KeyboardInterrupt:
        result = checker.result()
    _print(result, limit, as_json=as_json)
    _end(result)


def _scope(first: str | None, last: str | None, symbol: str | None) -> "Scope":
    from handler.contract import CALENDAR, KEY_FIELDS
    from handler.validation import FieldError, Validator, parse_date
    from mep.calendar.model import Scope

    def valid(option: str, text: str | None, parse: Validator) -> str | None:
        try:
            return None if text is None else parse(text)
        except FieldError as error:
            raise UsageError(f"{option} {text}: must be {error}") from error

    scope = Scope(
        valid("--from", first, parse_date),
        valid("--to", last, parse_date),
        valid("--symbol", symbol, KEY_FIELDS[CALENDAR.key[0]]),
    )
    if scope.first and scope.last and scope.first > scope.last:
        raise UsageError(f"--from {scope.first} is after --to {scope.last}")
    return scope


def _print(result: "CheckResult", limit: int | None, *, as_json: bool) -> None:
    if as_json:
        from mep.calendar.json_output import to_json

        typer.echo(json.dumps(to_json(result, limit), ensure_ascii=False))
    elif result.complete or result.rows:
        from mep import terminal
        from mep.calendar import render

        render.show(result, terminal.console(), render.SHOWN if limit is None else limit)


def _end(result: "CheckResult") -> None:
    """End the command with the exit status of a result.

    Raises:
        StoppedError: The check was interrupted.
        UnavailableError: A table could not be read.
    """
    if result.interrupted:
        raise StoppedError(f"interrupted after {result.rows:,} rows: the check is incomplete")
    if result.problem is not None:
        raise UnavailableError(f"the check is incomplete after {result.rows:,} rows: {result.problem}")
    if result.findings:
        raise typer.Exit(ExitStatus.FAILED)
