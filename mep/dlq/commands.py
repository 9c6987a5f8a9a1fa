"""`mep dlq`: what a person types, and what they see."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from mep.dlq.limits import MAX_MESSAGES, RATE, VISIBILITY_TIMEOUT_S
from mep.dlq.options import (
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
)
from mep.dlq.terminal import (
    confirm,
    destination_of,
    open_session,
    progress_bar,
    screen,
    select_messages,
    warn,
    warn_expired,
    warn_missing,
    warn_unread,
)
from mep.errors import ExitStatus, RunError, UnavailableError, UsageError

if TYPE_CHECKING:
    from mep.dlq.model import DeadLetter

dlq = typer.Typer(
    name="dlq",
    help="Look into the dead-letter queue, bring events back, or give them up.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@dlq.command("list")
def list_command(
    *,
    queue_url: QueueUrl = None,
    by: Annotated[str, typer.Option("--by", help="Group by `category`, `age` or `correlation-id`.")] = "category",
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Show what is in the queue. Nothing is consumed: what was received is shown to others again at once."""
    from mep.dlq import render
    from mep.dlq.selection import select

    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    if by not in render.GROUPINGS:
        raise UsageError(f"--by {by}: one of {', '.join(render.GROUPINGS)} is needed")
    with open_session(queue_url, visibility_timeout, limit) as here:
        dead_letters = selection.pick(here.reading.dead_letters)
        if as_json:
            typer.echo(render.as_json(dead_letters, here.reading, by, datetime.now(UTC)))
            return
        out = screen()
        if dead_letters:
            out.print(render.listing(dead_letters, by))
        out.print(f"{len(dead_letters)} of {len(here.reading.dead_letters)} messages")
        for line in render.unread_notes(here.reading):
            out.print(Text(line, "yellow"))


@dlq.command("show")
def show_command(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="A message ID or its beginning, or a correlation ID.")],
    *,
    queue_url: QueueUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Show one message with all that it holds, or every message of one correlation ID."""
    from mep.dlq import render
    from mep.dlq.selection import MIN_PREFIX

    with open_session(queue_url, visibility_timeout, limit) as here:
        by_prefix = len(wanted) >= MIN_PREFIX
        found = [each for each in here.reading.dead_letters if each.correlation_id == wanted] or [
            each for each in here.reading.dead_letters if by_prefix and each.message_id.startswith(wanted)
        ]
        if not found:
            text = f"no message {wanted} among the {len(here.reading.dead_letters)} that were seen"
            if not here.reading.complete:
                raise UnavailableError("; ".join((text, *render.unread_notes(here.reading))))
            raise RunError(text)
        for dead_letter in found:
            if as_json:
                typer.echo(render.json_text(render.to_json_full(dead_letter, datetime.now(UTC))))
            else:
                screen().print(render.details(dead_letter), soft_wrap=True)


@dlq.command("redrive")
def redrive_command(
    *,
    queue_url: QueueUrl = None,
    bus: Annotated[
        str | None,
        typer.Option(metavar="NAME", envvar="EVENT_BUS_NAME", help="Send to this EventBridge bus."),
    ] = None,
    function: Annotated[
        str | None, typer.Option(metavar="NAME", help="Send straight to this function, asynchronously, not to a bus.")
    ] = None,
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also what does not mend itself: you have mended the cause.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, metavar="N", help="Events a second at most.")] = RATE,
    dry_run: DryRun = False,
    operator: Operator = None,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Bring events back: to the bus, or straight to the function.

    A message is deleted only after its event was accepted. It may be interrupted at any point and run again: nothing
    is lost, and an event that is delivered twice is a duplicate.

    The exit status is 1 when an event was not accepted, when EventBridge could not be asked about one, or when
    something that you named was not sent.
    """
    from mep.dlq import render
    from mep.dlq.caller_identity import operator_name
    from mep.dlq.redrive import Redriver, RedriveResult, plan
    from mep.dlq.selection import select

    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    out = screen()
    with open_session(queue_url, visibility_timeout, limit, {"--bus": bus, "--function": function}) as here:
        destination = destination_of(here.settings, bus, function)
        chosen = select_messages(here, selection)
        warn_unread(here)
        with progress_bar(chosen) as each:
            planned = plan(each, destination, force=force, extend_visibility=here.queue.extend_visibility)
        here.queue.release(each.dead_letter for each in planned.skipped_count)
        render.print_skipped(planned.skipped_count, out)
        incomplete = warn_missing(selection, planned) or bool(planned.unverified)
        if dry_run:
            out.print(render.listing(planned.send, "category") if planned.send else "")
            out.print(f"{len(planned.send)} would be sent to {destination.name}; nothing was")
        else:
            done = RedriveResult()
            audit = here.audit(operator_name(here.settings.aws, operator))
            try:
                with progress_bar(planned.send) as each:
                    Redriver(here.queue, destination, audit, here.metrics, rate).run(each, done)
            finally:
                render.print_skipped(done.failed, out)
                out.print(f"{len(done.sent)} of {len(planned.send)} sent to {destination.name}, and deleted")
                for dead_letter in done.accepted:
                    warn(
                        f"{dead_letter.message_id} was accepted, but is in the queue still: "
                        "sent again, it arrives twice"
                    )
            warn_expired(done.expired)
            if done.stopped:
                raise RunError(done.stopped)
            incomplete = incomplete or bool(done.failed or done.expired)
    if incomplete:
        raise typer.Exit(ExitStatus.FAILED)


@dlq.command("discard")
def discard_command(
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it goes into the audit table.")],
    queue_url: QueueUrl = None,
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    operator: Operator = None,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Delete messages for good. A filter or an ID is needed; what nobody understands is never deleted.

    The exit status is 1 when something that you named was not discarded.
    """
    from mep.dlq import render
    from mep.dlq.caller_identity import operator_name
    from mep.dlq.discard import check_reason, discard, plan
    from mep.dlq.selection import select

    reason = check_reason(reason)
    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    if selection.empty:
        raise UsageError("say which: --id, --correlation-id, --category, --older-than or --newer-than")
    out = screen()
    with open_session(queue_url, visibility_timeout, limit) as here:
        chosen = select_messages(here, selection)
        warn_unread(here)
        planned = plan(chosen)
        render.print_skipped(planned.kept, out)
        incomplete = warn_missing(selection, planned)
        if planned.send:
            out.print(render.listing(planned.send, "category"))
        if dry_run:
            out.print(f"{len(planned.send)} would be discarded; nothing was")
        elif planned.send and confirm(yes=yes, count=len(planned.send)):
            gone: list[DeadLetter] = []
            audit = here.audit(operator_name(here.settings.aws, operator))
            try:
                discard(planned.send, reason, here.queue, audit, here.metrics, gone)
            finally:
                out.print(f"{len(gone)} of {len(planned.send)} discarded")
            expired = len(planned.send) - len(gone)
            warn_expired(expired)
            incomplete = incomplete or bool(expired)
        else:
            out.print("nothing was discarded")
            incomplete = incomplete or bool(planned.send and selection.names)
    if incomplete:
        raise typer.Exit(ExitStatus.FAILED)
