"""Writes the page of a run, and opens it in the browser."""

import webbrowser
from pathlib import Path

from mep.explorer.page import page
from mep.local.run_files import PAGE_FILE
from mep.output import print_error, write_file
from mep.progress import ProgressBar
from mep.terminal import console
from mep.trace.local_run import check_folder


def write_page(run: Path, out: Path | None = None) -> Path:
    """Write the page of a run.

    Args:
        run: `--out` of `mep local`.
        out: The file; None for the default, in the folder of the run.

    Returns:
        The file.

    Raises:
        UsageError: The folder is not one of a run, it has no event, or the file cannot be written.
    """
    check_folder(run)
    path = out or run / PAGE_FILE
    with ProgressBar(console(stderr=True), f"reading {run}"):
        document = "".join(page(run))
    write_file(path, document)
    return path


def show(url: str) -> None:
    """Open a page in the user's browser; without one, print its address."""
    try:
        opened = webbrowser.open(url)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        print_error(f"no browser was found: open {url}")
