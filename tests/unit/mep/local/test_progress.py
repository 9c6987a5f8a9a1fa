"""The progress bar is shown for long runs on a terminal only."""

import io

import pytest
from rich.console import Console

from mep.progress import LONG_S, ProgressBar


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("terminal", "seconds", "shown"), [(True, LONG_S + 1, True), (True, 0.1, False), (False, 100, False)]
)
def test_it_is_shown_for_long_runs_on_a_terminal(*, terminal: bool, seconds: float, shown: bool) -> None:
    screen = io.StringIO()
    clock = Clock()
    console = Console(file=screen, force_terminal=terminal, width=100)
    with ProgressBar(console, "delivering", "lines", 1000, clock=clock) as progress:
        progress.advance(300)
        clock.now = seconds
        progress.advance(300)

    assert ("2 lines" in screen.getvalue()) is shown
