"""Between the commands and the terminal: the queue at work, what is asked, how far it has come."""

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from mep.errors import ExitStatus, UsageError
from mep.progress import LONG_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from mep.dlq.destinations import Destination
    from mep.dlq.model import DeadLetter
    from mep.dlq.redrive import RedrivePlan
    from mep.dlq.selection import Selection
    from mep.dlq.session import Session
    from mep.settings import Settings


def screen() -> "Console":
    """Standard output."""
    from mep import terminal

    return terminal.console()


def warn(text: str) -> None:
    """Tell something that is no error, on standard error."""
    typer.echo(f"mep: {text}", err=True)


@contextmanager
def open_session(
    queue_url: str | None, visibility_timeout_s: int, limit: int, named: "Mapping[str, str | None] | None" = None
) -> "Iterator[Session]":
    """Read the queue; see `mep.dlq.session.session`.

    Args:
        queue_url: the option.
        visibility_timeout_s: seconds for which messages are hidden at a time.
        limit: how many messages to look at.
        named: options that may hold an ARN.

    Raises:
        LocalError: a setting is wrong, or the queue cannot be used.
    """
    from mep.dlq.session import session
    from mep.settings import load_settings

    try:
        settings = load_settings(queue_url=queue_url, named=named)
        settings.aws.check_credentials()
        with session(settings, visibility_timeout_s=visibility_timeout_s, limit=limit, warn=warn) as here:
            yield here
    except KeyboardInterrupt:
        warn("interrupted: what was not done is in the queue")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None


def select_messages(here: "Session", selection: "Selection") -> "list[DeadLetter]":
    """The letters that the selection means; all others are shown to their other readers again at once."""
    chosen = selection.pick(here.reading.dead_letters)
    wanted = {dead_letter.message_id for dead_letter in chosen}
    here.queue.release(dead_letter for dead_letter in here.reading.dead_letters if dead_letter.message_id not in wanted)
    return chosen


def destination_of(settings: "Settings", bus: str | None, function: str | None) -> "Destination":
    """The way back that was asked for; `--function` wins over a bus from the environment.

    Raises:
        UsageError: none was.
    """
    from mep.dlq.destinations import Bus, Function

    if function:
        return Function(settings.aws.client("lambda"), function)
    if bus:
        return Bus(settings.aws.client("events"), bus)
    raise UsageError("say where to: --bus NAME (or EVENT_BUS_NAME), or --function NAME")


def warn_missing(selection: "Selection", planned: "RedrivePlan") -> bool:
    """Whether something that was named is not going to be done; what was not even found is told."""
    every = [*planned.send, *(each.dead_letter for each in planned.skipped_count)]
    for name in selection.missing(every):
        warn(f"{name} was not found")
    return bool(selection.missing(planned.send))


def warn_unread(here: "Session") -> None:
    """Tell what the command does not know of, because it could not see it."""
    from mep.dlq import render

    for line in render.unread_notes(here.reading):
        warn(line)


def warn_expired(count: int) -> None:
    """Tell how many letters are another consumer's by now, if any."""
    if count:
        warn(f"{count} were hidden too short and are somebody else's now: run it again")


def confirm(*, yes: bool, count: int) -> bool:
    """Whether the person wants `count` messages deleted.

    Raises:
        UsageError: nobody is there to be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to confirm it: look with --dry-run first, then give --yes")
    return typer.confirm(f"Delete {count} messages for good?")


@contextmanager
def progress_bar(dead_letters: "Sequence[DeadLetter]") -> "Iterator[Iterator[DeadLetter]]":
    """The letters, one after the other; a bar on standard error, once it takes long and if somebody is looking.

    A letter is done with when the next one is asked for.
    """
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from mep import terminal

    console = terminal.console(stderr=True)
    bar = Progress(
        *Progress.get_default_columns()[1:2],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    started = time.monotonic()
    task = bar.add_task("", total=len(dead_letters))

    def advancing() -> "Iterator[DeadLetter]":
        for dead_letter in dead_letters:
            yield dead_letter
            bar.advance(task)
            if console.is_terminal and not bar.live.is_started and time.monotonic() - started > LONG_S:
                bar.start()

    try:
        yield advancing()
    finally:
        if bar.live.is_started:
            bar.stop()
