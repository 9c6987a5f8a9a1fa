"""`mep` in the test's own process."""

import sys

import pytest

from mep.__main__ import main


def mep(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["mep", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # Typer sets its own
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)
