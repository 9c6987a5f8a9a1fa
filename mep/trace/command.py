"""The command `mep trace`."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handler.contract import CALENDAR
from mep.errors import RunError, UnavailableError, UsageError
from mep.output import print_error, write_file
from mep.stack.options import Environment

if TYPE_CHECKING:
    from mep.trace.follow import Found, Search
    from mep.trace.timeline import Timeline

_KEY = [name.replace("_", " ") for name in CALENDAR.key]
_SINCE = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_SINCE_DEFAULT = "3d"
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def trace_command(
    asked: Annotated[
        list[str],
        typer.Argument(
            metavar="CORRELATION_ID",
            help="The event's correlation ID; or another ID of it: event, envelope, request, trace or message ID; "
            f"or the row: {' and '.join(_KEY)}, or {_KEY[0]} alone.",
        ),
    ],
    *,
    environment: Environment = None,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Search the --out of a `mep local` run instead of AWS.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all records as JSON.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a self-contained HTML page with a waterfall.")
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="AGE", help="How far back to search AWS: 90m, 12h, 14d.")
    ] = _SINCE_DEFAULT,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar="AWS_LAMBDA_FUNCTION_NAME",
            help="The deployed function, if it is not the environment's.",
        ),
    ] = None,
    log_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="The function's log group. Default: /aws/lambda/NAME.")
    ] = None,
    spans: Annotated[
        str,
        typer.Option(
            metavar="auto|xray|logs",
            help="Where to search the spans: X-Ray; the log group aws/spans of its Transaction Search; or X-Ray first, "
            "and aws/spans where X-Ray does not have them.",
        ),
    ] = "auto",
    queue: Annotated[
        bool | None,
        typer.Option(
            "--queue/--no-queue",
            help="Read the dead-letter queue always, or never; other consumers do not see its messages meanwhile. "
            "Default: only if the log and the audit table have no final outcome.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show every record of one event as one timeline.

    Log lines, spans, attempts and backoffs, audit entries, the calendar row, dead letters and redrives: from AWS, with
    your credentials and region, in the environment that --environment names; or from a `mep local` run with --run.
    Tables and queue are outputs of its stack, unless variables name others.

    If several events have the ID or the row, they are listed, the newest first, each with the command that shows it.

    The exit status is 0 when an event was found and every source was read, 1 when every source was read and none has a
    record, 3 when a source could not be read: the result is marked as partial, and an empty result proves nothing.
    """
    from mep.progress import ProgressBar
    from mep.terminal import console
    from mep.trace.asked import parse_asked
    from mep.trace.follow import follow
    from mep.trace.sources import gap_lines, source_names

    wanted = parse_asked(" ".join(asked))
    search: Search
    if run is not None:
        from mep.trace.local_run import FolderSearch

        search = FolderSearch(run, queue=queue is not False)
    else:
        search = _account(environment, spans, _age(since), function, log_group)
    label = f"reading {run}" if run is not None else f"searching the log, the traces and the tables of the last {since}"
    with ProgressBar(console(stderr=True), label):
        found = follow(wanted, search, queue=queue)
    timeline = found.timeline
    options: dict[str, object] = {"--run": run, "--since": since if since != _SINCE_DEFAULT else None}
    if run is None and environment != os.environ.get("ENVIRONMENT"):
        options["--environment"] = environment
    options |= {"--function": function, "--log-group": log_group, "--spans": spans if spans != "auto" else None}
    again = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    if found.hits:
        _show_hits(found, again, as_json=as_json)
        if html is not None:
            print_error(f"{html} is not written: a page shows one event")
    else:
        _show(timeline, html, as_json=as_json)
    if timeline.gaps:
        missing = " | ".join(gap_lines(timeline.gaps)) if as_json else f"without {source_names(timeline.gaps)}"
        raise UnavailableError(f"the result for {timeline.correlation_id} is partial: {missing}")
    if not timeline.sections and not found.hits:
        hint = f"; {wanted.hint}" if wanted.hint else ""
        raise RunError(f"no record of {wanted.text} {_searched(run, since)}{hint}")


def _account(
    environment: str | None, spans: str, since: timedelta, function: str | None, log_group: str | None
) -> "Search":
    from mep.settings import BUS_VARIABLE, load_settings
    from mep.stack.naming import FUNCTION_VARIABLE, Given, Resource
    from mep.trace.account import AccountSearch
    from mep.trace.sources import SearchScope, SpanStore
    from monitoring.names import ENVIRONMENTS

    if spans not in set(SpanStore):
        raise UsageError(f"--spans {spans}: must be auto, xray or logs")
    bus = os.environ.get(BUS_VARIABLE, "").strip()
    # The bus is not worth a question on its own: without an environment, it is searched only if the variable names it.
    follows = not bus and environment in ENVIRONMENTS
    try:
        settings = load_settings(
            environment=environment,
            needs=(Resource.CALENDAR, Resource.AUDIT, Resource.QUEUE, *((Resource.BUS,) if follows else ())),
            given=[
                *([Given(f"--function (or {FUNCTION_VARIABLE})", Resource.FUNCTION, function)] if function else []),
                *([Given("--log-group", Resource.LOG_GROUP, log_group)] if log_group else []),
                *([Given(BUS_VARIABLE, Resource.BUS, bus)] if bus else []),
            ],
            partial=True,
            warn=print_error,
        )
    except UsageError as error:
        if environment is None:  # of an account, nothing was named
            raise UsageError(f"{error}; to search a run of `mep local`, use --run DIR") from error
        raise
    scope = SearchScope(
        log_group=log_group or f"/aws/lambda/{function or settings.function_name}",
        spans=SpanStore(spans),
        calendar_table=settings.calendar_table,
        audit_table=settings.audit_table,
        since=since,
        bus="" if settings.aws.emulated else settings.bus,
        function=function or settings.function_name,
    )
    return AccountSearch(scope, settings)


def _show_hits(found: "Found", options: list[str], *, as_json: bool) -> None:
    from mep import terminal
    from mep.trace.render_hits import hits_json, show_hits

    if as_json:
        typer.echo(json.dumps(hits_json(found, options), ensure_ascii=False))
    else:
        show_hits(found, options, terminal.console())


def _show(timeline: "Timeline", html: Path | None, *, as_json: bool) -> None:
    if html is not None:
        from mep.trace.render_html import page

        write_file(html, page(timeline))
    if as_json:
        typer.echo(json.dumps(timeline.as_json(), ensure_ascii=False))
    else:
        from mep import terminal
        from mep.trace.render_text import show

        show(timeline, terminal.console())


def _searched(run: Path | None, since: str) -> str:
    return f"in {run}" if run is not None else f"in the last {since}; --since searches further back"


def _age(text: str) -> timedelta:
    match = _SINCE.fullmatch(text)
    if match is None:
        raise UsageError(f"--since {text}: must be a number and m, h or d, as in 90m, 12h or 14d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
