"""The options that the `mep dlq` commands share."""

from typing import Annotated

import typer

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


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object; all other text goes to standard error.")]
