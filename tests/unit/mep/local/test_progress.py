"""Long steps show what they wait for: a live line on a terminal, else a line now and then."""

import io
from itertools import count
from time import sleep

import pytest
from rich.console import Console

from mep.progress import LONG_PLAIN_S, LONG_S, ProgressBar, track


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("seconds", "visible"), [(LONG_S + 1, True), (LONG_S - 1, False)])
def test_a_terminal_shows_long_steps_live(clock: Clock, seconds: float, *, visible: bool) -> None:
    screen = console(terminal=True)
    with ProgressBar(screen, "delivering", "lines", 1000, clock=clock) as progress:
        progress.advance(300)
        progress.advance(300)
        clock.now = seconds
        progress.tick()

    assert ("2 lines" in shown(screen)) is visible


def test_a_file_gets_a_line_now_and_then(clock: Clock) -> None:
    screen = console(terminal=False)
    with ProgressBar(screen, "loading the calendar", "rows", 100_000, clock=clock) as progress:
        for second in range(200):
            clock.now = float(second)
            progress.advance_items(200)
            progress.tick()

    assert shown(screen).splitlines() == [
        "mep: loading the calendar: 2,200 of 100,000 rows (10 s so far)",
        "mep: loading the calendar: 6,200 of 100,000 rows (30 s so far)",
        "mep: loading the calendar: 14,200 of 100,000 rows (70 s so far)",
        "mep: loading the calendar: 26,200 of 100,000 rows (130 s so far)",
        "mep: loading the calendar: 38,200 of 100,000 rows (190 s so far)",
    ]


def test_short_steps_write_nothing_to_a_file(clock: Clock) -> None:
    screen = console(terminal=False)
    with ProgressBar(screen, "delivering", clock=clock) as progress:
        clock.now = LONG_PLAIN_S - 1
        progress.tick()

    assert shown(screen) == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_step_states_what_it_waits_for(clock: Clock, *, terminal: bool) -> None:
    screen = console(terminal=terminal)
    waits_for = ["waiting for [b]somebody[/b]"]
    with ProgressBar(screen, "delivering", clock=clock, status=lambda: waits_for[0]) as progress:
        clock.now = 20
        progress.tick()
        waits_for[0] = ""
        clock.now = 100
        progress.tick()

    assert "waiting for [b]somebody[/b]" in shown(screen)
    assert terminal or shown(screen).splitlines()[-1] == "mep: delivering (100 s so far)"


def test_a_status_is_not_beside_a_count_of_something_else(clock: Clock) -> None:
    screen = console(terminal=False)
    with ProgressBar(screen, "delivering", "lines", clock=clock, status=lambda: "waiting for 3 events") as progress:
        progress.advance_items(17)
        clock.now = 20
        progress.tick()

    assert shown(screen) == "mep: waiting for 3 events (20 s so far)\n"


def test_a_step_is_shown_while_nothing_advances() -> None:
    screen = console(terminal=False)
    with ProgressBar(screen, "waiting", clock=count(0, 100).__next__):
        while not shown(screen):  # by its own thread
            sleep(0.01)

    assert shown(screen).startswith("mep: waiting (")


def test_items_are_tracked(clock: Clock) -> None:
    with track(range(3), 3, console(terminal=False), "sending", "messages") as items:
        assert list(items) == [0, 1, 2]
