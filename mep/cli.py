"""`mep`: the command line of the function."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.text import Text

from emulator.errors import EmulatorError, InputError
from handler.contract import DESCRIPTION, DISPLAY_NAME
from mep.dashboard.command import dashboard_command
from mep.dlq.commands import dlq
from mep.errors import ExitStatus, LocalError, UsageError
from mep.invoke import DEFAULT_URL, check_event, invoke
from mep.trace.command import trace_command

app = typer.Typer(
    name="mep",
    help=f"Run, call and look into {DISPLAY_NAME}: {DESCRIPTION[0].lower()}{DESCRIPTION[1:]}.\n\n"
    "Exit status: 0 done; 1 the answer is no; 2 wrong usage or setting; 3 something could not be asked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.add_typer(dlq)


app.command("trace")(trace_command)
app.command("dashboard")(dashboard_command)


@app.command("local")
def local_command(
    *,
    calendar: Annotated[
        Path,
        typer.Option(
            metavar="CSV",
            help="The earnings calendar, with the columns symbol, name, reportDate, fiscalDateEnding, estimate, "
            "currency. A repeated row is one row.",
        ),
    ],
    events: Annotated[
        str, typer.Option(metavar="JSONL", help="The events, one JSON value a line; `-` for standard input.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where what came of it is written.")],
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A DynamoDB that runs already; without, one is started. Rows it has stay as they are. "
            "Your `AWS_*` credentials and region are used, if set.",
        ),
    ] = None,
    function_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A container of the image that runs already, as for `mep invoke --url`; needs --endpoint-url, the "
            "DynamoDB that it writes to. Its logs, spans, metrics and own dead letters stay where it puts them.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Function processes side by side.")] = 2,
    timeout: Annotated[int, typer.Option(min=1, max=900, help="The function's timeout in seconds.")] = 30,
    memory: Annotated[int, typer.Option(min=128, max=10240, help="The function's memory size in MB.")] = 128,
    speed: Annotated[
        float,
        typer.Option(
            min=1,
            help="How many times faster than on AWS the platform's waits pass. Lambda tries a failed event again "
            "after 1 and 2 minutes: at 300, after 0.2 and 0.4 seconds.",
        ),
    ] = 300,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="When the events are through, keep all of it running until Ctrl-C, for `mep dlq`: the variables that "
            "it needs are in DIR/kept.env.",
        ),
    ] = False,
) -> None:
    """Deliver a file of events to the function, all on this machine.

    No Docker and no account: DynamoDB, the dead-letter queue and the function run here. DIR gets `summary.json` and, as
    JSON lines, `spans`, `logs`, `metrics`, `platform`, `dlq`, `calendar`, `audit` and `rejected`.

    The exit status is 0 when every event ended in exactly one outcome.
    """
    from emulator.environment import LOCAL_CREDENTIALS, REGION
    from mep import terminal
    from mep.aws_hosts import region_variable
    from mep.local.keep_alive import KeepAlive
    from mep.local.run import RunOptions, run

    if endpoint_url is not None and not endpoint_url.startswith(("http://", "https://")):
        raise UsageError(f"--endpoint-url {endpoint_url}: a URL such as http://127.0.0.1:8000 is needed")
    if function_url is not None and not function_url.startswith(("http://", "https://")):
        raise UsageError(f"--function-url {function_url}: a URL such as http://127.0.0.1:9000 is needed")
    if function_url is not None and endpoint_url is None:
        raise UsageError("--function-url needs --endpoint-url: the DynamoDB that the container writes to")
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
        ),
        terminal.console(stderr=True),
        then=KeepAlive(out, {} if own else LOCAL_CREDENTIALS, _complain) if keep else None,
    )
    screen = terminal.console()
    screen.print(terminal.outcomes(summary))
    screen.print(Text(f"written to {out}"), soft_wrap=True)
    if summary.spans_lost:
        _complain(f"{summary.spans_lost} datagrams of spans were lost: spans.jsonl is not complete")
    if summary.interrupted:
        _complain("interrupted: the files hold what was delivered until then")
        raise typer.Exit(ExitStatus.INTERRUPTED)
    if summary.undelivered:
        _complain(f"{summary.undelivered} records that the queue refused too are in {out / 'undelivered.jsonl'}")
        raise typer.Exit(ExitStatus.FAILED)
    if not summary.accounted:
        _complain("not every event ended in exactly one outcome: the function answered something else")
        raise typer.Exit(ExitStatus.FAILED)


def _own_credentials() -> dict[str, str]:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    own = {name: os.environ[name] for name in names if os.environ.get(name)}
    return own if {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= own.keys() else {}


@app.command("invoke")
def invoke_command(
    event: Annotated[str, typer.Argument(metavar="EVENT.json", help="A file with one event; `-` for standard input.")],
    *,
    url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where the function runs: a container's emulator endpoint, or the name or ARN of a deployed function.",
        ),
    ] = DEFAULT_URL,
    timeout: Annotated[int, typer.Option(min=1, max=900, help="Seconds to wait for the answer.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Send one event to a function that runs, and show what it answered.

    The exit status is 1 when the answer is an error: the function raised, timed out or did not start. It is 3 when the
    function could not be asked: nobody answers, or credentials, permission or network fail.
    """
    answer = invoke(url, check_event(_read(event), "standard input" if event == "-" else event), timeout)
    if as_json:
        typer.echo(json.dumps(answer.body, ensure_ascii=False))
    else:
        _show_answer(answer.body)
    if answer.failed:
        raise typer.Exit(ExitStatus.FAILED)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error


def _show_answer(body: Any) -> None:
    from mep import terminal

    screen = terminal.console()
    if not isinstance(body, dict):
        screen.print(Text(terminal.escape_control(json.dumps(body, ensure_ascii=False))))
        return
    for name, value in body.items():
        if name == "violations" and isinstance(value, list):
            screen.print(Text("violations", "dim"))
            for violation in value:
                facts = violation.values() if isinstance(violation, dict) else [violation]
                screen.print(Text("  " + " | ".join(terminal.escape_control(fact) for fact in facts)))
        elif name != "stackTrace":
            screen.print(
                Text.assemble((f"{terminal.escape_control(name)}  ", "dim"), (terminal.escape_control(value), "bold"))
            )


@app.command("demo")
def demo_command() -> None:
    """Show the whole thing on this machine: events, a trace, metrics, dead letters, a backoff.

    Checks every promise that it shows; the exit status is 1 when one was broken.
    """
    from mep import terminal
    from mep.demo.scenarios import demo

    broken = demo(terminal.console())
    for promise in broken:
        _complain(f"broken promise: {promise.text}")
    if broken:
        raise typer.Exit(ExitStatus.FAILED)


def _complain(text: str) -> None:
    typer.echo(f"mep: {text}", err=True)


def _terminate(*_: object) -> NoReturn:
    sys.exit(ExitStatus.TERMINATED)


def main() -> None:
    """Run the command line: every error that is the user's to mend is one line and an exit status."""
    sys.set_int_max_str_digits(0)  # as in the function: an event may hold a number of any length
    signal.signal(signal.SIGTERM, _terminate)  # so that what was started is ended, as on Ctrl-C
    try:
        app()
    except LocalError as error:
        _complain(" ".join(str(error).split()))
        sys.exit(error.exit_status)
    except EmulatorError as error:
        _complain(" ".join(str(error).split()))
        sys.exit(ExitStatus.WRONG_USAGE if isinstance(error, InputError) else ExitStatus.FAILED)
