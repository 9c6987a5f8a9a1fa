"""The command `mep local`."""

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handler.contract import CSV_COLUMNS, KEY_FIELDS
from mep.credentials import check_variables
from mep.errors import ExitStatus, StoppedError, UsageError
from mep.local.faults import list_help, option_help, parse_faults
from mep.output import print_error

if TYPE_CHECKING:
    from mep.local.summary import Summary

_REQUIRED = tuple(column for column, attribute in CSV_COLUMNS.items() if attribute in KEY_FIELDS)
_OTHERS = tuple(column for column in CSV_COLUMNS if column not in _REQUIRED)


def local_command(
    *,
    calendar: Annotated[
        Path,
        typer.Option(
            metavar="CSV",
            help=f"The calendar, with columns {' and '.join(_REQUIRED)} and, where they exist, {', '.join(_OTHERS)}. "
            "A repeated row is one row; an invalid row is reported and not loaded.",
        ),
    ],
    events: Annotated[
        str,
        typer.Option(
            metavar="JSONL",
            help="The events, one JSON value per line, or JSON documents over several lines; `-` for standard input, "
            "/dev/null for none, to load a calendar.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The directory for the results; those of an earlier run are replaced.")
    ],
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A running DynamoDB. Default: one is started. Existing rows are not changed. "
            "Your `AWS_*` credentials and region are used, if set.",
        ),
    ] = None,
    function_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A running container of the image, as for `mep invoke --url`; needs --endpoint-url, the DynamoDB that "
            "the container writes to. Its logs, spans, metrics and dead letters are not collected.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Number of function processes.")] = 2,
    timeout: Annotated[int, typer.Option(min=1, max=900, help="The function's timeout in seconds.")] = 30,
    memory: Annotated[int, typer.Option(min=128, max=10240, help="The function's memory size in MB.")] = 128,
    speed: Annotated[
        float,
        typer.Option(
            min=1,
            help="How many times faster than on AWS retry delays pass. Lambda retries a failed event after 1 and "
            "2 minutes; at 300, after 0.2 and 0.4 seconds.",
        ),
    ] = 300,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A setting of the function, such as OTEL_SDK_DISABLED=true; repeat the option for several. The "
            "function's own check applies. With OTEL_EXPORTER_OTLP_ENDPOINT, the spans are sent there instead of to "
            "spans.jsonl.",
        ),
    ] = None,
    fault: Annotated[list[str] | None, typer.Option(metavar="FAULT", help=option_help())] = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep DynamoDB, queue, bus and function running after the last event until Ctrl-C, for `mep dlq`. "
            "DIR/kept.env has the variables that it needs.",
        ),
    ] = False,
    open_page: Annotated[
        bool,
        typer.Option(
            "--open",
            help="Explore the run in the browser, as `mep open` does. With --keep, the page is served while the run "
            "goes on, and follows it.",
        ),
    ] = False,
) -> None:
    """Deliver the events of a file to the function on this machine.

    Needs no Docker and no AWS account: DynamoDB, the dead-letter queue and the function run locally. DIR gets
    `summary.json` and, as JSON Lines, `spans`, `traces.otlp` (the same as OTLP/JSON), `logs`, `metrics`, `platform`,
    `dlq`, `calendar`, `audit`, `rejected` and `rejected_rows`.

    The exit status is 0 when events were delivered and each has exactly one outcome. An event whose attempts raised is
    `retry` only if it was given up after the last; `tries_raised` counts the attempts.
    """
    from rich.text import Text

    from emulator.environment import LOCAL_CREDENTIALS, REGION
    from mep import terminal
    from mep.aws_hosts import region_variable
    from mep.local.function_env import ENDPOINTS, parse_env
    from mep.local.keep_alive import KeepAlive
    from mep.local.options import RunOptions
    from mep.local.render import outcomes_table
    from mep.local.run import run
    from mep.local.run_files import count_lost_spans

    if endpoint_url is not None and not endpoint_url.startswith(("http://", "https://")):
        raise UsageError(f"--endpoint-url {endpoint_url}: must be a URL such as http://127.0.0.1:8000")
    if function_url is not None and not function_url.startswith(("http://", "https://")):
        raise UsageError(f"--function-url {function_url}: must be a URL such as http://127.0.0.1:9000")
    if function_url is not None and endpoint_url is None:
        raise UsageError("--function-url needs --endpoint-url: the DynamoDB that the container writes to")
    settings = parse_env(env or ())
    own = _own_credentials() if endpoint_url is not None else {}
    summary = run(
        RunOptions(
            calendar=calendar,
            events=None if events == "-" else Path(events),
            out=out,
            endpoint_url=endpoint_url,
            function_url=function_url,
            workers=workers,
            timeout_s=timeout,
            memory_mb=memory,
            speed=speed,
            region=(own and region_variable(os.environ)[1]) or REGION,
            credentials=tuple((own or LOCAL_CREDENTIALS).items()),
            env=tuple(settings.items()),
            faults=parse_faults(fault or ()),
        ),
        terminal.console(stderr=True),
        on_complete=KeepAlive(out, {} if own else LOCAL_CREDENTIALS, print_error) if keep else None,
        beside=partial(_served, out) if open_page and keep else nullcontext,
    )
    screen = terminal.console()
    if summary.received or summary.rejected or summary.unfinished:
        screen.print(outcomes_table(summary))
    screen.print(Text(f"written to {out}"), soft_wrap=True)
    _open(out if open_page else None, browser=not keep)
    if any(name in settings for name in ENDPOINTS):
        print_error(_otlp_result(count_lost_spans(out)))
    if summary.spans_lost:
        print_error(f"{summary.spans_lost} span datagrams were lost: spans.jsonl is incomplete")
    _check_ended(summary, out)
    if summary.undelivered:
        print_error(f"the dead-letter queue rejected {summary.undelivered} records: see {out / 'undelivered.jsonl'}")
        raise typer.Exit(ExitStatus.FAILED)
    if not summary.received and not keep:
        _check_delivered(events, out, summary.rejected)
    if not summary.accounted:
        print_error("not every event has exactly one outcome: the function returned a response without one")
        raise typer.Exit(ExitStatus.FAILED)


LOCAL_HELP = f"{inspect.getdoc(local_command)}\n\n{list_help()}"
"""The help of the command: its description, and every fault."""


def _check_ended(summary: "Summary", out: Path) -> None:
    """End the command unless the run came to its end, with complete files."""
    if summary.incomplete:
        print_error(f"{out} cannot be written, so the run stopped; incomplete: {', '.join(summary.incomplete)}")
        if not summary.interrupted:
            raise typer.Exit(ExitStatus.UNAVAILABLE)
    if summary.interrupted:
        unfinished = f"; {summary.unfinished} had none yet" if summary.unfinished else ""
        raise StoppedError(f"interrupted: {summary.received} events had an outcome{unfinished}")


@contextmanager
def _served(out: Path) -> Iterator[None]:
    """Serve the page of a run while it goes on, and open it."""
    from mep.explorer.opening import show
    from mep.explorer.server import serve

    with serve(out) as url:
        print_error(f"the run is shown at {url}")
        show(url)
        yield


def _open(out: Path | None, *, browser: bool) -> None:
    """Write the page of a run that has ended; open it, unless the user has seen it while it was served."""
    if out is None:
        return
    from mep.explorer.opening import show, write_page

    path = write_page(out)
    print_error(f"explore the run: {path}")
    if browser:
        show(path.resolve().as_uri())


def _otlp_result(lost: int) -> str:
    if lost:
        return f"the OTLP endpoint did not accept {lost:,} spans: see the lines `spans_lost` in logs.jsonl"
    return "the function exports its spans to the OTLP endpoint, not to spans.jsonl"


def _own_credentials() -> dict[str, str]:
    check_variables(os.environ)
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    own = {name: os.environ[name] for name in names if os.environ.get(name)}
    return own if {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= own.keys() else {}


def _check_delivered(events: str, out: Path, rejected: int) -> None:
    """State that no event was delivered, and why; end the command unless that was asked for, by `/dev/null`."""
    source = "standard input" if events == "-" else events
    reason = f"{source} has no line that is JSON; see {out / 'rejected.jsonl'}" if rejected else f"{source} is empty"
    on_purpose = Path(events).is_char_device()
    print_error(f"no event was delivered: {reason}{'; the calendar is loaded' if on_purpose else ''}")
    if not on_purpose:
        raise typer.Exit(ExitStatus.FAILED)
