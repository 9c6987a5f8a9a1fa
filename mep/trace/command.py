"""`mep trace` as it is typed."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from handler import contract
from mep.errors import RunError, UnavailableError, UsageError

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SINCE = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def trace_command(
    correlation_id: Annotated[str, typer.Argument(metavar="CORRELATION_ID", help="Of the event: in every log line.")],
    *,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The --out of a `mep local` run; without it, AWS is asked.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything that was found, as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the waterfall that needs nothing else.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="AGE", help="How far back AWS is searched: 90m, 12h, 14d.")] = "3d",
    function: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar="AWS_LAMBDA_FUNCTION_NAME",
            help=f"The deployed function, if not {contract.FUNCTION_NAME}-ENVIRONMENT.",
        ),
    ] = None,
    log_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its log group, if not /aws/lambda/NAME.")
    ] = None,
    spans: Annotated[
        str, typer.Option(metavar="xray|logs", help="Where spans are: X-Ray, or the log group aws/spans.")
    ] = "xray",
) -> None:
    """Show all that one event left behind, as one timeline.

    Log lines, spans with their durations, attempts and waits, the audit entries, the calendar row, dead letters and
    redrives: of a `mep local` run with --run, else of AWS, with the `AWS_*` variables and `ENVIRONMENT`,
    `EARNINGS_CALENDAR_TABLE`, `EARNINGS_AUDIT_TABLE`, `DEAD_LETTER_QUEUE_URL`.

    The exit status is 0 when the event was found and everything could be asked, 1 when everything was asked and nothing
    is known of the ID, 3 when something could not be asked: what is shown is marked as partial, and nothing found means
    nothing.
    """
    from mep.trace.gaps import lines, named
    from mep.trace.timeline import make_timeline

    if not _ID.fullmatch(correlation_id):
        raise UsageError("a correlation ID is 1 to 128 of the characters A-Z a-z 0-9 . _ : -")
    if run is not None:
        from mep.trace.local_run import find_in_folder

        finding = find_in_folder(correlation_id, run)
    else:
        from mep.settings import load_settings
        from mep.trace.account import find_in_account
        from mep.trace.where import SearchScope

        if spans not in {"xray", "logs"}:
            raise UsageError(f"--spans {spans}: xray or logs is needed")
        age = _age(since)
        settings = load_settings(needs_queue=False)
        where = SearchScope(
            log_group=log_group or f"/aws/lambda/{function or deployed_name(settings.environment)}",
            spans_in_logs=spans == "logs",
            calendar_table=settings.calendar_table,
            audit_table=settings.audit_table,
            since=age,
        )
        finding = find_in_account(correlation_id, where, settings)
    timeline = make_timeline(correlation_id, [finding])
    if html is not None:
        from mep.trace.render_html import page

        try:
            html.write_text(page(timeline), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {html}: {error.strerror}") from error
    if as_json:
        typer.echo(json.dumps(timeline.as_json(), ensure_ascii=False))
    else:
        from mep import terminal
        from mep.trace.render_text import show

        show(timeline, terminal.console())
    if timeline.gaps:
        why = " | ".join(lines(timeline.gaps)) if as_json else f"without {named(timeline.gaps)}"
        raise UnavailableError(f"not everything could be asked about {correlation_id}: {why}")
    if not timeline.sections:
        raise RunError(f"nothing is known of {correlation_id} {_where(run, since)}")


def deployed_name(environment: str) -> str:
    """What the stack calls the function in an environment."""
    return f"{contract.FUNCTION_NAME}-{environment}"


def _where(run: Path | None, since: str) -> str:
    return f"in {run}" if run is not None else f"in the last {since}: --since looks further back"


def _age(text: str) -> timedelta:
    match = _SINCE.fullmatch(text)
    if match is None:
        raise UsageError(f"--since {text}: a number and m, h or d is needed, as in 90m, 12h or 14d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
