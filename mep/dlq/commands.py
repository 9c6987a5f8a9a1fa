"""The commands of `mep dlq`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from mep.dlq import MAX_MESSAGES, VISIBILITY_TIMEOUT_S
from mep.dlq.discard_command import discard_command
from mep.dlq.options import (
    AsJson,
    Categories,
    CorrelationIds,
    Ids,
    Limit,
    NewerThan,
    OlderThan,
    QueueUrl,
    VisibilityTimeout,
)
from mep.dlq.redrive_command import redrive_command
from mep.dlq.terminal import open_session
from mep.errors import RunError, UnavailableError, UsageError
from mep.help import Command, Group, examples
from mep.stack.options import Environment

dlq = typer.Typer(
    name="dlq",
    help="List, show, redrive and discard dead letters.",
    epilog=examples("mep dlq list --environment prod", "mep dlq redrive --category throttling --dry-run"),
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@dlq.command(
    "list",
    cls=Command,
    epilog=examples("mep dlq list --environment prod --limit 0", "mep dlq list --category timeout --json"),
)
def list_command(
    *,
    environment: Environment = None,
    queue_url: QueueUrl = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Group by `category`, `age` or `correlation-id`.")
    ] = "category",
    rows: Annotated[
        int | None,
        typer.Option(
            "--limit", min=0, metavar="N", help="Show at most N messages below the overview. Default: 20; --json: all."
        ),
    ] = None,
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    as_json: AsJson = False,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """List dead letters: how many by category, code, source and age, then the messages.

    No message is consumed: each becomes visible again when the command ends.
    """
    from rich.text import Text

    from mep import terminal
    from mep.dlq import json_output, render
    from mep.dlq.selection import select
    from mep.dlq.summary import GROUPINGS

    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    if by not in GROUPINGS:
        raise UsageError(f"--by {by}: must be one of {', '.join(GROUPINGS)}")
    with open_session(environment, queue_url, visibility_timeout, limit, with_content=as_json) as session:
        dead_letters = selection.pick(session.snapshot.dead_letters)
        if as_json:
            for text in json_output.list_json(dead_letters, session.snapshot, by, datetime.now(UTC), rows):
                typer.echo(text, nl=False)
            typer.echo()
            return
        screen = terminal.console()
        screen.print(f"{len(dead_letters):,} of {len(session.snapshot.dead_letters):,} messages")
        for note in session.snapshot.notes():
            screen.print(Text(note, "yellow"))
        if dead_letters:
            hint = f"--limit {len(dead_letters)} shows all" + ("" if rows == 0 else ", --limit 0 only the overview")
            screen.print(render.overview(dead_letters, by))
            screen.print(render.listing(dead_letters, by, render.SHOWN if rows is None else rows, hint))


@dlq.command("show", cls=Command, epilog=examples("mep dlq show q2-AAPL-17", "mep dlq show 7d0a2c51 --json"))
def show_command(
    name: Annotated[str, typer.Argument(metavar="ID", help="A message ID or its prefix, or a correlation ID.")],
    *,
    environment: Environment = None,
    queue_url: QueueUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per message and line.")] = False,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Show all fields of one message, or of every message of one correlation ID."""
    from mep import terminal
    from mep.dlq import json_output, render
    from mep.dlq.selection import MIN_PREFIX

    with open_session(environment, queue_url, visibility_timeout, limit) as session:
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
                typer.echo(json_output.json_text(json_output.to_json_full(dead_letter, datetime.now(UTC))))
            else:
                screen = terminal.console()
                screen.print(render.details(dead_letter), soft_wrap=not terminal.is_width_known(screen))


dlq.command(
    "redrive",
    cls=Command,
    epilog=examples(
        "mep dlq redrive --environment prod --category not_found --force --wait",
        "mep dlq redrive --function mark-earnings-processed-prod:live --dry-run",
    ),
)(redrive_command)
dlq.command(
    "discard",
    cls=Command,
    epilog=examples('mep dlq discard --category validation --older-than 3d --reason "test events"'),
)(discard_command)
