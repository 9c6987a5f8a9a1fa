"""`mep` in the test's own process."""

import sys
from functools import cache

import pytest
import typer.main

from mep.__main__ import main

_get_command = cache(typer.main.get_command)  # Typer reads the signatures of all commands for each call


def mep(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["mep", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # Typer sets its own
    monkeypatch.setattr(typer.main, "get_command", _get_command)
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)
