"""`python -m tests.soak`, behind `make soak`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from emulator.errors import EmulatorError
from mep import terminal
from mep.errors import MepError
from tests.soak.faults import FaultRates
from tests.soak.report import ProgressBar, as_json, show
from tests.soak.run import SoakOptions, soak

_STANDARD_OUTPUT = Path("-")


def main(
    *,
    events: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many events to send.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Decides which events there are, and every fault that is drawn.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Function processes side by side.")] = 6,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Send no further events after so long; the account is of what was sent."),
    ] = None,
    faults: Annotated[
        float, typer.Option(min=0, max=50, help="How many times as often as usual things go wrong; 0 for never.")
    ] = 1,
    dynamodb: Annotated[
        bool,
        typer.Option("--dynamodb-local", help="On DynamoDB Local: much slower, and 20,000 events fit its heap."),
    ] = False,
    export_mode: Annotated[
        Literal["layer", "direct"], typer.Option(help="Whether the function exports through ADOT's layer.")
    ] = "layer",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON, too; `-` for the terminal.")
    ] = None,
) -> None:
    """Send many events with faults, kills and duplicates through the function, and settle the account.

    The exit status is 1 when the account does not balance.
    """
    rates = FaultRates().times(faults)
    usual = SoakOptions(events)
    options = replace(
        SoakOptions(events, seed, workers, minutes, rates, kill=usual.kill * faults),
        dynamodb_local=dynamodb,
        export_mode=export_mode,
    )
    if not run_and_report(options, json_file):
        raise typer.Exit(1)


def run_and_report(options: SoakOptions, json_file: Path | None = None) -> bool:
    """Soak, show what came of it, and return whether the account balances.

    Args:
        options: What to do.
        json_file: Where everything is written as JSON; `-` for standard output, instead of the tables.
    """
    with ProgressBar(terminal.console(stderr=True), options.events) as bar:
        result = soak(options, bar, bar.say)
    text = orjson.dumps(as_json(options, result), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if json_file == _STANDARD_OUTPUT:
        sys.stdout.buffer.write(text)
    else:
        show(options, result, terminal.console())
        if json_file is not None:
            json_file.write_bytes(text)
    return result.account.is_consistent


if __name__ == "__main__":
    try:
        typer.run(main)
    except (MepError, EmulatorError) as error:
        typer.echo(f"soak: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
