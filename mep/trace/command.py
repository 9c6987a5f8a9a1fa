"""The command `mep trace`."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from handler.contract import FUNCTION_NAME
from mep.errors import RunError, UnavailableError, UsageError

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SINCE = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def trace_command(
    correlation_id: Annotated[
        str, typer.Argument(metavar="CORRELATION_ID", help="Of the event; every log line has it.")
    ],
    *,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Search the --out of a `mep local` run instead of AWS.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all records as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a self-contained HTML page with a waterfall.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="AGE", help="How far back to search AWS: 90m, 12h, 14d.")] = "3d",
    function: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar="AWS_LAMBDA_FUNCTION_NAME",
            help=f"The deployed function. Default: {FUNCTION_NAME}-ENVIRONMENT.",
        ),
    ] = None,
    log_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="The function's log group. Default: /aws/lambda/NAME.")
    ] = None,
    spans: Annotated[
        str, typer.Option(metavar="xray|logs", help="The store of the spans: X-Ray, or the log group aws/spans.")
    ] = "xray",
) -> None:
    """Show every record of one event as one timeline.

    Log lines, spans, attempts and backoffs, audit entries, the calendar row, dead letters and redrives: of AWS, with
    the `AWS_*` variables and `ENVIRONMENT`, `EARNINGS_CALENDAR_TABLE`, `EARNINGS_AUDIT_TABLE`,
    `DEAD_LETTER_QUEUE_URL`; or of a `mep local` run with --run.

    The exit status is 0 when the event was found and every source was read, 1 when every source was read and none has a
    record of the ID, 3 when a source could not be read: the result is marked as partial, and an empty result proves
    nothing.
    """
    from mep.trace.sources import gap_lines, source_names
    from mep.trace.timeline import make_timeline

    if not _ID.fullmatch(correlation_id):
        raise UsageError("a correlation ID has 1 to 128 of the characters A-Z a-z 0-9 . _ : -")
    if run is not None:
        from mep.trace.local_run import find_in_folder

        result = find_in_folder(correlation_id, run)
    else:
        from mep.settings import load_settings
        from mep.trace.account import find_in_account
        from mep.trace.sources import SearchScope

        if spans not in {"xray", "logs"}:
            raise UsageError(f"--spans {spans}: must be xray or logs")
        age = _age(since)
        settings = load_settings(needs_queue=False)
        scope = SearchScope(
            log_group=log_group or f"/aws/lambda/{function or settings.function_name}",
            spans_in_logs=spans == "logs",
            calendar_table=settings.calendar_table,
            audit_table=settings.audit_table,
            since=age,
        )
        result = find_in_account(correlation_id, scope, settings)
    timeline = make_timeline(correlation_id, [result])
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
        missing = " | ".join(gap_lines(timeline.gaps)) if as_json else f"without {source_names(timeline.gaps)}"
        raise UnavailableError(f"the result for {correlation_id} is partial: {missing}")
    if not timeline.sections:
        raise RunError(f"no record of {correlation_id} {_searched(run, since)}")


def _searched(run: Path | None, since: str) -> str:
    return f"in {run}" if run is not None else f"in the last {since}; --since searches further back"


def _age(text: str) -> timedelta:
    match = _SINCE.fullmatch(text)
    if match is None:
        raise UsageError(f"--since {text}: must be a number and m, h or d, as in 90m, 12h or 14d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
