"""What the `mep dlq` commands share at the terminal: the session, warnings, confirmation, progress, the report."""

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from signal import SIGTERM
from typing import TYPE_CHECKING, Self

import typer

from mep.dlq import MAX_MESSAGES, VISIBILITY_TIMEOUT_S
from mep.errors import ExitStatus, MepError, StoppedError, UsageError
from mep.interrupts import INTERRUPTS
from mep.output import print_error
from mep.progress import ProgressBar
from mep.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from rich.console import Console

    from mep.dlq.model import DeadLetter
    from mep.dlq.queue import QueueSnapshot
    from mep.dlq.redrive import Plan
    from mep.dlq.results import Recorder
    from mep.dlq.selection import Selection
    from mep.dlq.session import Session
    from mep.stack.naming import Given, Resource


def warn(text: str) -> None:
    """Print a warning to standard error."""
    print_error(text)


@contextmanager
def open_session(
    environment: str | None,
    queue_url: str | None,
    visibility_timeout_s: int = VISIBILITY_TIMEOUT_S,
    limit: int = MAX_MESSAGES,
    *,
    needs: "Sequence[Resource]" = (),
    given: "Sequence[Given]" = (),
    with_content: bool = True,
) -> "Iterator[Session]":
    """Load the settings and read the queue; see `mep.dlq.session.session`.

    Args:
        environment: The option.
        queue_url: The option.
        visibility_timeout_s: Visibility timeout of received messages in seconds.
        limit: The maximum number of messages to read.
        needs: The resources that the command uses besides the queue.
        given: Further resources that options name.
        with_content: Whether the messages are kept with body, event and attributes.

    Raises:
        MepError: A setting is invalid, or the queue cannot be used.
    """
    from mep.dlq.session import session as read_queue
    from mep.settings import load_settings
    from mep.stack.naming import Resource

    try:
        settings = load_settings(
            environment=environment, needs=(Resource.QUEUE, *needs), given=given, queue_url=queue_url, warn=warn
        )
        settings.aws.check_credentials()
        with (
            QueueProgress() as on_progress,
            read_queue(
                settings,
                visibility_timeout_s=visibility_timeout_s,
                limit=limit,
                warn=warn,
                with_content=with_content,
                on_progress=on_progress,
            ) as session,
        ):
            yield session
    except KeyboardInterrupt:
        raise StoppedError("interrupted: messages that were not processed stay in the queue") from None


class QueueProgress:
    """Shows on standard error how many messages were read or released, where that takes long."""

    def __init__(self) -> None:
        self._label = ""
        self._bar: ProgressBar | None = None
        self._shown = ExitStack()

    def __call__(self, label: str, count: int, expected: int) -> None:
        """Count messages; a new label begins a new bar."""
        from mep import terminal

        if self._bar is None or label != self._label:
            self._close()
            self._label = label
            bar = ProgressBar(terminal.console(stderr=True), label, "messages", expected)
            self._bar = self._shown.enter_context(bar)
        self._bar.advance_items(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        self._shown.close()
        self._bar = None


@dataclass
class Report:
    """Prints what a redrive or a discard does: text on the screen, or at the end one JSON object on standard output.

    Attributes:
        recorder: What is done.
        snapshot: What was read.
        as_json: Whether to print JSON; then the screen is standard error.
        missing: Named message IDs and correlation IDs that were not found.
        other_targets: What else receives the events of a redrive.
        incomplete: Whether a named message or event is left out.
    """

    recorder: "Recorder"
    snapshot: "QueueSnapshot"
    as_json: bool
    missing: list[str] = field(default_factory=list)
    other_targets: list[str] = field(default_factory=list)
    incomplete: bool = False

    @property
    def screen(self) -> "Console":
        """Where text is printed."""
        from mep import terminal

        return terminal.console(stderr=self.as_json)

    @contextmanager
    def json(self) -> "Iterator[Self]":
        """Print the JSON object at the end, also if the command is interrupted or fails."""
        from mep.dlq.json_output import result_json

        try:
            yield self
        finally:
            if self.as_json:
                typer.echo(result_json(self.recorder.result(), self.snapshot, self.missing, self.other_targets))

    @contextmanager
    def counts(self, *, then_waits: bool = False) -> "Iterator[None]":
        """State at the end what happened to each message, also if the command is interrupted or fails.

        Args:
            then_waits: Whether the command then waits for events that fail again.
        """
        from mep.dlq import render
        from mep.dlq.results import MessageState
        from mep.dlq.sentences import counts_sentence, next_steps, watch_hint

        try:
            with self.stops():
                yield
        finally:
            result = self.recorder.result()
            failed = result.of(MessageState.FAILED)
            render.print_kept((message for message in failed if message.reason != result.stopped), self.screen)
            self.screen.print(counts_sentence(result), soft_wrap=True)
            for line in next_steps(result):
                warn(line)
            if not then_waits and (hint := watch_hint(result)):
                self.screen.print(hint, soft_wrap=True)

    @contextmanager
    def stops(self) -> "Iterator[None]":
        """Record why the command ends early."""
        from mep.dlq.sentences import INTERRUPTED, TERMINATED

        try:
            yield
        except KeyboardInterrupt:
            self.recorder.stopped = TERMINATED if INTERRUPTS.received is SIGTERM else INTERRUPTED
            raise StoppedError(self.recorder.stopped) from None
        except MepError as error:
            self.recorder.stopped = one_line(error)
            raise

    def planned(self, selection: "Selection", plan: "Plan") -> None:
        """Record and print which messages stay in the queue, and which named ones were not found."""
        from mep.dlq import render
        from mep.dlq.results import MessageState

        plan.record(self.recorder)
        render.print_kept(self.recorder.result().of(MessageState.SKIPPED, MessageState.UNVERIFIED), self.screen)
        for note in self.snapshot.notes():
            warn(note)
        self.missing = selection.missing([*plan.selected, *(entry.dead_letter for entry in plan.remaining)])
        for name in self.missing:
            warn(f"{name} was not found")
        self.incomplete = bool(selection.missing(plan.selected))

    def exit(self) -> None:
        """End the command with exit status 1 unless everything was done."""
        if self.incomplete or not self.recorder.result().complete:
            raise typer.Exit(ExitStatus.FAILED)


def check_confirmation(*, yes: bool, dry_run: bool) -> None:
    """Check that somebody can confirm, before anything is read or printed.

    Raises:
        UsageError: Standard input is not a terminal.
    """
    if not yes and not dry_run and not sys.stdin.isatty():
        raise UsageError("standard input is not a terminal: check with --dry-run, then use --yes")


def confirm(*, yes: bool, count: int, stderr: bool) -> bool:
    """Return whether the operator confirms that `count` messages are deleted."""
    if yes:
        return True
    try:
        return typer.confirm(f"Delete {count} messages permanently?", err=stderr)
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise StoppedError("interrupted: nothing was discarded") from None


def progress(dead_letters: "Sequence[DeadLetter]", label: str) -> "AbstractContextManager[Iterator[DeadLetter]]":
    """Return an iterator of the messages that shows its progress on standard error."""
    from mep import terminal
    from mep.progress import track

    return track(dead_letters, len(dead_letters), terminal.console(stderr=True), label, "messages")
