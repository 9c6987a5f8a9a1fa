"""The command `mep open`."""

from pathlib import Path
from typing import Annotated

import typer

from mep.errors import UsageError


def open_command(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="The --out of a `mep local` run.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write, a self-contained HTML page. Default: DIR/run.html."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.", show_default=False)
    ] = True,
) -> None:
    """Explore a local run in the browser: all events, the timeline of each, the alarms that the run sets off.

    The page is one file that needs no network: to view, to keep, to attach to a report. While the run goes on (`mep
    local --keep`), use `mep local --open`, which serves a page that follows it.
    """
    from mep.explorer.opening import show, write_page

    if out is not None and out.is_dir():
        raise UsageError(f"--out {out}: is a folder; name a file")
    path = write_page(run, out)
    typer.echo(f"written to {path}")
    if browser:
        show(path.resolve().as_uri())
