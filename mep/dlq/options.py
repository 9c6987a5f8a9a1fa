"""Options that several `mep dlq` commands share."""

from typing import Annotated

import typer

QueueUrl = Annotated[
    str | None, typer.Option("--queue-url", metavar="URL", help="The queue; else `DEAD_LETTER_QUEUE_URL`.")
]
Ids = Annotated[
    list[str] | None, typer.Option("--id", metavar="ID", help="A message ID or its beginning; may be repeated.")
]
CorrelationIds = Annotated[
    list[str] | None, typer.Option("--correlation-id", metavar="ID", help="An event's ID; may be repeated.")
]
Categories = Annotated[
    list[str] | None, typer.Option("--category", metavar="NAME", help="An error category; may be repeated.")
]
OlderThan = Annotated[str | None, typer.Option("--older-than", metavar="AGE", help="90s, 15m, 2h, 3d.")]
NewerThan = Annotated[str | None, typer.Option("--newer-than", metavar="AGE", help="Likewise.")]
VisibilityTimeout = Annotated[
    int,
    typer.Option(
        "--visibility",
        min=1,
        max=43_200,
        metavar="SECONDS",
        help="How long messages are hidden from others at a time; also how long after a kill.",
    ),
]
Limit = Annotated[int, typer.Option("--max", min=1, max=100_000, help="Messages to look at.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")]
Operator = Annotated[
    str | None,
    typer.Option(
        "--operator",
        metavar="NAME",
        envvar="MEP_OPERATOR",
        help="Who you are, for the audit entry; else AWS's name for the caller.",
    ),
]
