"""The command `mep dashboard`."""

from pathlib import Path
from typing import Annotated

import typer

from mep.output import write_file


def dashboard_command(
    *,
    run: Annotated[Path, typer.Option(metavar="DIR", help="The --out of a `mep local` run.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write, a self-contained HTML page.")],
    memory: Annotated[int, typer.Option(min=128, max=10240, help="The function's memory size in MB.")] = 128,
) -> None:
    """Preview the CloudWatch dashboard with the metrics of a local run, before a change is deployed."""
    from mep.dashboard.page import page
    from mep.dashboard.run import read_run
    from monitoring.model import Limits

    write_file(out, page(read_run(run, Limits(memory_mb=memory)), run))
    typer.echo(f"written to {out}")
