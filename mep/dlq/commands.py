"""The commands of `mep dlq`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mep.dlq import MAX_MESSAGES, RATE, VISIBILITY_TIMEOUT_S
from mep.dlq.terminal import (
    Categories,
    CorrelationIds,
    DryRun,
    Ids,
    Limit,
    NewerThan,
    OlderThan,
    Operator,
    QueueUrl,
    VisibilityTimeout,
    confirm,
    destination_of,
    open_session,
    progress,
    warn,
    warn_expired,
    warn_missing,
    warn_unread,
)
from mep.errors import ExitStatus, RunError, UnavailableError, UsageError
from mep.help import Command, Group, examples

if TYPE_CHECKING:
    from mep.dlq.model import DeadLetter

dlq = typer.Typer(
    name="dlq",
    help="List, show, redrive and discard dead letters.",
    epilog=examples("mep dlq list", "mep dlq show q2-AAPL-17", "mep dlq redrive --category throttling --dry-run"),
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@dlq.command("list", cls=Command, epilog=examples("mep dlq list --by age", "mep dlq list --category throttling --json"))
def list_command(
    *,
    queue_url: QueueUrl = None,
    by: Annotated[str, typer.Option("--by", help="Group by `category`, `age` or `correlation-id`.")] = "category",
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """List dead letters. No message is consumed: each becomes visible again when the command ends."""
    from rich.text import Text

    from mep import terminal
    from mep.dlq import render
    from mep.dlq.selection import select

    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    if by not in render.GROUPINGS:
        raise UsageError(f"--by {by}: must be one of {', '.join(render.GROUPINGS)}")
    with open_session(queue_url, visibility_timeout, limit) as session:
        dead_letters = selection.pick(session.snapshot.dead_letters)
        if as_json:
            typer.echo(render.as_json(dead_letters, session.snapshot, by, datetime.now(UTC)))
            return
        screen = terminal.console()
        if dead_letters:
            screen.print(render.listing(dead_letters, by))
        screen.print(f"{len(dead_letters)} of {len(session.snapshot.dead_letters)} messages")
        for note in session.snapshot.notes():
            screen.print(Text(note, "yellow"))


@dlq.command("show", cls=Command, epilog=examples("mep dlq show q2-AAPL-17", "mep dlq show 7d0a2c51 --json"))
def show_command(
    name: Annotated[str, typer.Argument(metavar="ID", help="A message ID or its prefix, or a correlation ID.")],
    *,
    queue_url: QueueUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Show all fields of one message, or of every message of one correlation ID."""
    from mep import terminal
    from mep.dlq import render
    from mep.dlq.selection import MIN_PREFIX

    with open_session(queue_url, visibility_timeout, limit) as session:
        messages = session.snapshot.dead_letters
        is_prefix = len(name) >= MIN_PREFIX
        matching = [message for message in messages if message.correlation_id == name] or [
            message for message in messages if is_prefix and message.message_id.startswith(name)
        ]
        if not matching:
            text = f"no message {name} among the {len(messages)} that were read"
            if not session.snapshot.complete:
                raise UnavailableError("; ".join((text, *session.snapshot.notes())))
            raise RunError(text)
        for dead_letter in matching:
            if as_json:
                typer.echo(render.json_text(render.to_json_full(dead_letter, datetime.now(UTC))))
            else:
                screen = terminal.console()
                screen.print(render.details(dead_letter), soft_wrap=not terminal.is_width_known(screen))


@dlq.command(
    "redrive",
    cls=Command,
    epilog=examples(
        "mep dlq redrive --bus earnings --category throttling --dry-run",
        "mep dlq redrive --bus earnings --category not_found --force --rate 5",
    ),
)
def redrive_command(
    *,
    queue_url: QueueUrl = None,
    bus: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar="EVENT_BUS_NAME",
            help="Send the events to this EventBridge bus; this or --function is needed.",
        ),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Invoke this function asynchronously instead of sending to a bus."),
    ] = None,
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also redrive permanent failures (use after fixing the cause).")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, metavar="N", help="Maximum events per second.")] = RATE,
    dry_run: DryRun = False,
    operator: Operator = None,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Redrive dead letters: send their events to the bus, or directly to the function.

    Needs a destination: --bus (or `EVENT_BUS_NAME`), or --function. Without a filter (--id, --correlation-id,
    --category, --older-than, --newer-than) every message of the queue is redriven. Permanent failures stay in the
    queue unless you use --force.

    A message is deleted only after its event was accepted. A redrive may be interrupted at any point and run again:
    no event is lost, and the function handles an event that is delivered twice as a duplicate.

    The exit status is 1 when an event was not accepted, when EventBridge did not answer about one, or when a message
    or event that you named was not sent.
    """
    from mep import terminal
    from mep.dlq import render
    from mep.dlq.redrive import Redriver, RedriveResult, plan
    from mep.dlq.selection import select

    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    screen = terminal.console()
    with open_session(queue_url, visibility_timeout, limit, {"--bus": bus, "--function": function}) as session:
        destination = destination_of(session.settings, bus, function)
        selected = session.select(selection)
        warn_unread(session)
        with progress(selected, "checking") as messages:
            planned = plan(messages, destination, force=force, extend_visibility=session.queue.extend_visibility)
        session.queue.release(skipped.dead_letter for skipped in planned.remaining)
        render.print_skipped(planned.remaining, screen)
        incomplete = warn_missing(selection, planned) or bool(planned.unverified)
        if dry_run:
            screen.print(render.listing(planned.selected, "category") if planned.selected else "")
            screen.print(f"{len(planned.selected)} would be sent to {destination.name}; nothing was sent")
        else:
            result = RedriveResult()
            audit = session.audit(operator)
            try:
                with progress(planned.selected, "redriving") as messages:
                    Redriver(session.queue, destination, audit, session.metrics, rate).run(messages, result)
            finally:
                render.print_skipped(result.failed, screen)
                screen.print(f"{len(result.sent)} of {len(planned.selected)} sent to {destination.name} and deleted")
                for dead_letter in result.accepted:
                    warn(
                        f"the event of {dead_letter.message_id} was accepted, but the message was not deleted: "
                        "redriven again, it is delivered twice"
                    )
            warn_expired(result.expired)
            if result.stopped:
                raise RunError(result.stopped)
            incomplete = incomplete or bool(result.failed or result.expired)
    if incomplete:
        raise typer.Exit(ExitStatus.FAILED)


@dlq.command(
    "discard",
    cls=Command,
    epilog=examples('mep dlq discard --category validation --older-than 3d --reason "test events"'),
)
def discard_command(
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; the audit table records it.")],
    queue_url: QueueUrl = None,
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    dry_run: DryRun = False,
    operator: Operator = None,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Delete dead letters permanently. Needs a filter or an ID; unrecognised messages are never deleted.

    The exit status is 1 when a message or event that you named was not discarded.
    """
    from mep import terminal
    from mep.dlq import render
    from mep.dlq.discard import check_reason, discard, plan
    from mep.dlq.selection import select

    reason = check_reason(reason)
    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    if selection.empty:
        raise UsageError("no selection: use --id, --correlation-id, --category, --older-than or --newer-than")
    screen = terminal.console()
    with open_session(queue_url, visibility_timeout, limit) as session:
        planned = plan(session.select(selection))
        warn_unread(session)
        render.print_skipped(planned.skipped, screen)
        incomplete = warn_missing(selection, planned)
        if planned.selected:
            screen.print(render.listing(planned.selected, "category"))
        if dry_run:
            screen.print(f"{len(planned.selected)} would be discarded; nothing was discarded")
        elif planned.selected and confirm(yes=yes, count=len(planned.selected)):
            discarded: list[DeadLetter] = []
            audit = session.audit(operator)
            try:
                discard(planned.selected, reason, session.queue, audit, session.metrics, discarded)
            finally:
                screen.print(f"{len(discarded)} of {len(planned.selected)} discarded")
            expired = len(planned.selected) - len(discarded)
            warn_expired(expired)
            incomplete = incomplete or bool(expired)
        else:
            screen.print("nothing was discarded")
            incomplete = incomplete or bool(planned.selected and selection.names)
    if incomplete:
        raise typer.Exit(ExitStatus.FAILED)
