"""`mep`: the command line of the function."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from handler.contract import DESCRIPTION, DISPLAY_NAME
from mep import DISTRIBUTION
from mep.calendar.command import calendar
from mep.dashboard.command import dashboard_command
from mep.dlq.commands import dlq
from mep.errors import ExitStatus, UsageError
from mep.explorer.command import open_command
from mep.help import Command, Group, examples
from mep.local.command import LOCAL_HELP, local_command
from mep.output import print_error
from mep.query.command import query_command
from mep.stack.command import env_command
from mep.stack.options import complete_environments
from mep.trace.command import trace_command
from mep.verify.command import verify_command

DEFAULT_URL = "http://127.0.0.1:9000"
"""Where the container's runtime interface emulator listens: docker-compose.yml, deploy/image/README.md."""

LOCAL_EXAMPLE = "mep local --calendar calendar.csv --events events.jsonl --out out/"

app = typer.Typer(
    name="mep",
    help=f"Run, invoke, trace and operate {DISPLAY_NAME}: {DESCRIPTION[0].lower()}{DESCRIPTION[1:]}.\n\n"
    "Exit status: 0 success; 1 negative result; 2 wrong usage or setting; 3 a service could not be called.",
    epilog=examples(LOCAL_EXAMPLE, "mep trace demo-msft --run out/", "mep query failed-events --environment prod"),
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.add_typer(dlq)
app.add_typer(calendar)
command = partial(app.command, cls=Command)
command(
    "trace",
    epilog=examples(
        "mep trace q2-AAPL-17 --since 14d",
        "mep trace AAPL 2025-07-31",
        "mep trace demo-msft --run out/ --html trace.html",
    ),
)(trace_command)
command(
    "query",
    epilog=examples(
        "mep query",
        "mep query failed-events --environment prod --since 6h",
        "mep query by-correlation-id --correlation-id demo-msft --run out/",
    ),
)(query_command)
command("env", epilog=examples("mep env prod", "mep env dev --json"))(env_command)
command("verify", epilog=examples("mep verify --environment dev", "mep verify --environment prod --json"))(
    verify_command
)
command("open", epilog=examples("mep open out/", "mep open out/ --no-browser --out report.html"))(open_command)
command("dashboard", epilog=examples("mep dashboard --run out/ --out dashboard.html"))(dashboard_command)
command(
    "local",
    help=LOCAL_HELP,
    epilog=examples(LOCAL_EXAMPLE, "mep local --calendar c.csv --events e.jsonl --out out/ --fault throttle=2"),
)(local_command)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"mep {version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Accept the options that come before a command."""


@command(
    "invoke",
    epilog=examples("mep invoke event.json", "mep invoke event.json --environment dev"),
)
def invoke_command(
    event: Annotated[str, typer.Argument(metavar="EVENT.json", help="A file with one event; `-` for standard input.")],
    *,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL|NAME",
            help="The URL of a container's runtime interface emulator, or the name or ARN of a deployed function. "
            f"Default: {DEFAULT_URL}.",
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Invoke the function of dev, staging or prod. No variable replaces it.",
            autocompletion=complete_environments,
        ),
    ] = None,
    timeout: Annotated[int, typer.Option(min=1, max=900, help="Seconds to wait for the response.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print the response as JSON.")] = False,
) -> None:
    """Invoke the function with one event, and show its response.

    The exit status is 1 when the response is an error: the function raised, timed out or did not start. It is 3 when
    the function could not be invoked: no answer, or credentials, permission or network failed.
    """
    from mep.invoke import check_event, invoke

    target = _target(url, environment)
    response = invoke(target, check_event(_read(event), "standard input" if event == "-" else event), timeout)
    if as_json:
        typer.echo(json.dumps(response.body, ensure_ascii=False))
    else:
        _print_response(response.body)
    if response.failed:
        raise typer.Exit(ExitStatus.FAILED)


@command("demo", epilog=examples("mep demo", "mep demo --out demo/"))
def demo_command(
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the results: a folder for each scenario, with the page of `mep open`."),
    ] = None,
) -> None:
    """Demonstrate the function on this machine: events, a trace, metrics, dead letters, retries and a redrive.

    Checks what it shows; the exit status is 1 when a check fails.
    """
    from mep import terminal
    from mep.demo.scenarios import demo

    failures = demo(terminal.console(), out)
    for check in failures:
        print_error(f"check failed: {check.text}")
    if failures:
        raise typer.Exit(ExitStatus.FAILED)


def _target(url: str | None, environment: str | None) -> str:
    """Return what is invoked.

    Raises:
        UsageError: Two functions are named, or there is no such environment.
    """
    if environment is None:
        return url or DEFAULT_URL
    from mep.stack.resources import check_environment, stack_names

    if url is not None:
        raise UsageError("--url and --environment: use one of them")
    check_environment("--environment", environment)
    return stack_names(environment).alias


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error


def _print_response(body: Any) -> None:
    from rich.text import Text

    from mep import terminal
    from mep.text import escape_control

    screen = terminal.console()
    if not isinstance(body, dict):
        screen.print(Text(escape_control(json.dumps(body, ensure_ascii=False))))
        return
    for name, value in body.items():
        if name == "violations" and isinstance(value, list):
            screen.print(Text("violations", "dim"))
            for violation in value:
                values = violation.values() if isinstance(violation, dict) else [violation]
                screen.print(Text("  " + " | ".join(map(escape_control, values))))
        elif name != "stackTrace":
            screen.print(Text.assemble((f"{escape_control(name)}  ", "dim"), (escape_control(value), "bold")))
