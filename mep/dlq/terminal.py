"""What the `mep dlq` commands share: options, the session, confirmation, warnings, progress."""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mep.dlq import MAX_MESSAGES, VISIBILITY_TIMEOUT_S
from mep.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from mep.dlq.destinations import Destination
    from mep.dlq.model import DeadLetter
    from mep.dlq.redrive import Plan
    from mep.dlq.selection import Selection
    from mep.dlq.session import Session
    from mep.settings import Settings

QueueUrl = Annotated[
    str | None,
    typer.Option("--queue-url", metavar="URL", help="The dead-letter queue. Default: `DEAD_LETTER_QUEUE_URL`."),
]
Ids = Annotated[
    list[str] | None, typer.Option("--id", metavar="ID", help="Only messages with this ID or prefix; repeatable.")
]
CorrelationIds = Annotated[
    list[str] | None,
    typer.Option("--correlation-id", metavar="ID", help="Only messages with this correlation ID; repeatable."),
]
Categories = Annotated[
    list[str] | None,
    typer.Option("--category", metavar="NAME", help="Only messages of this error category; repeatable."),
]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="Only messages older than AGE (90s, 15m, 2h, 3d).")
]
NewerThan = Annotated[
    str | None, typer.Option("--newer-than", metavar="AGE", help="Only messages newer than AGE (90s, 15m, 2h, 3d).")
]
VisibilityTimeout = Annotated[
    int,
    typer.Option(
        "--visibility",
        min=1,
        max=43_200,
        metavar="SECONDS",
        help="Visibility timeout of received messages; extended while the command runs.",
    ),
]
Limit = Annotated[int, typer.Option("--max", min=1, max=100_000, help="Maximum number of messages to read.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
Operator = Annotated[
    str | None,
    typer.Option(
        "--operator",
        metavar="NAME",
        envvar="MEP_OPERATOR",
        help="Your name for the audit entries. Default: the ARN of the credentials in use.",
    ),
]


def warn(text: str) -> None:
    """Print a warning to standard error."""
    typer.echo(f"mep: {text}", err=True)


@contextmanager
def open_session(
    queue_url: str | None,
    visibility_timeout_s: int = VISIBILITY_TIMEOUT_S,
    limit: int = MAX_MESSAGES,
    regional_options: "Mapping[str, str | None] | None" = None,
) -> "Iterator[Session]":
    """Load the settings and read the queue; see `mep.dlq.session.session`.

    Args:
        queue_url: The option.
        visibility_timeout_s: Visibility timeout of received messages in seconds.
        limit: The maximum number of messages to read.
        regional_options: Further options whose value may be an ARN, by name.

    Raises:
        MepError: A setting is invalid, or the queue cannot be used.
    """
    from mep.dlq.session import session as read_queue
    from mep.settings import load_settings

    try:
        settings = load_settings(queue_url=queue_url, regional_options=regional_options)
        settings.aws.check_credentials()
        with read_queue(settings, visibility_timeout_s=visibility_timeout_s, limit=limit, warn=warn) as session:
            yield session
    except KeyboardInterrupt:
        warn("interrupted: messages that were not processed stay in the queue")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None


def destination_of(settings: "Settings", bus: str | None, function: str | None) -> "Destination":
    """Return the destination of a redrive; `--function` overrides a bus from the environment.

    Raises:
        UsageError: There is neither.
    """
    from mep.dlq.destinations import Bus, Function

    if function:
        return Function(settings.aws.client("lambda"), function)
    if bus:
        return Bus(settings.aws.client("events"), bus)
    raise UsageError("no destination: use --bus NAME (or EVENT_BUS_NAME), or --function NAME")


def warn_missing(selection: "Selection", plan: "Plan") -> bool:
    """Return whether a named message or event is not part of the plan; warn about those that were not found."""
    for name in selection.missing([*plan.selected, *(skipped.dead_letter for skipped in plan.remaining)]):
        warn(f"{name} was not found")
    return bool(selection.missing(plan.selected))


def warn_unread(session: "Session") -> None:
    """Warn about messages that were not read."""
    for note in session.snapshot.notes():
        warn(note)


def warn_expired(count: int) -> None:
    """Warn about messages that another consumer may have received, if any."""
    if count:
        warn(
            f"{count} messages exceeded the visibility timeout and may be with another consumer; "
            "run again or raise --visibility"
        )


def confirm(*, yes: bool, count: int) -> bool:
    """Return whether the operator confirms that `count` messages are deleted.

    Raises:
        UsageError: Standard input is not a terminal.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("standard input is not a terminal: check with --dry-run, then use --yes")
    return typer.confirm(f"Delete {count} messages permanently?")


def progress(dead_letters: "Sequence[DeadLetter]", label: str) -> "AbstractContextManager[Iterator[DeadLetter]]":
    """Return an iterator of the messages that shows its progress on standard error."""
    from mep import terminal
    from mep.progress import track

    return track(dead_letters, len(dead_letters), terminal.console(stderr=True), label, "messages")
