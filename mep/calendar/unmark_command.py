"""The command `mep calendar unmark`."""

from typing import TYPE_CHECKING, Annotated

import typer

from handler.contract import CALENDAR
from mep.dlq.options import DryRun, Operator
from mep.errors import RunError, StoppedError, UsageError
from mep.output import print_error
from mep.stack.options import Environment

if TYPE_CHECKING:
    from mep.calendar.unmark import RowMark

_KEY = " ".join(name.upper() for name in CALENDAR.key)


def unmark_command(
    key: Annotated[list[str], typer.Argument(metavar=_KEY, help="The key of the row.")],
    *,
    environment: Environment = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; the audit table records it.")],
    event_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Only if this event has marked the row. For scripts.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    dry_run: DryRun = False,
    operator: Operator = None,
) -> None:
    """Remove the mark of a row, with an audit entry in the same transaction.

    For a row that the wrong event has marked. The row's next event marks it again, also a redelivery of the same event.
    What followed from the mark elsewhere is not undone. Needs the responders' policy.

    The exit status is 1 when there is no such row, when it is not marked or marked by another event than `--event-id`,
    and when it changed in the meantime. Nothing is written then.
    """
    from mep.calendar.unmark import Unmarker
    from mep.dlq.discard import check_reason
    from mep.dlq.session import operator_name
    from mep.dlq.terminal import check_confirmation
    from mep.settings import load_settings
    from mep.stack.naming import Resource
    from mep.terminal import console

    reason = check_reason(reason)
    row_key = _row_key(key)
    check_confirmation(yes=yes, dry_run=dry_run)
    needs = (Resource.CALENDAR, Resource.AUDIT)
    settings = load_settings(environment=environment, needs=needs, warn=print_error)
    settings.aws.check_credentials()
    unmarker = Unmarker(settings.aws.client("dynamodb"), settings.calendar_table, settings.audit_table)
    mark = unmarker.read(row_key)
    screen = console()
    _show(mark)
    if event_id is not None and mark.event_id != event_id:
        raise RunError(f"{mark.row} is not marked by {event_id}: nothing was written")
    if dry_run:
        screen.print("dry run: nothing was written")
    elif yes or _confirmed():
        unmarker.remove(mark, operator=operator_name(settings.aws, operator), reason=reason)
        screen.print("the mark is removed, and the audit table has the reason; the row's next event marks it again")
    else:
        raise RunError("not confirmed: nothing was written")


def _row_key(words: list[str]) -> tuple[str, ...]:
    from handler.contract import KEY_FIELDS, PROBE_KEY, ROUND_TRIP_KEYS, ROW_TEXT
    from handler.validation import FieldError

    if len(words) != len(CALENDAR.key):
        raise UsageError(f"the key of a row is {_KEY}")
    key = []
    for (name, parse), word in zip(KEY_FIELDS.items(), words, strict=True):
        try:
            key.append(parse(word))
        except FieldError as error:
            raise UsageError(f"{name.upper()} {word}: must be {error}") from error
    if tuple(key) in {PROBE_KEY, *ROUND_TRIP_KEYS}:
        row = ROW_TEXT.format_map(dict(zip(CALENDAR.key, key, strict=True)))
        raise UsageError(f"{row} is reserved for mep verify, and has to stay marked")
    return tuple(key)


def _show(mark: "RowMark") -> None:
    from rich.text import Text

    from mep.terminal import console
    from mep.text import escape_control

    console().print(Text(f"{mark.row} is marked", "bold"))
    for name, value in mark.values.items():
        console().print(Text.assemble((f"  {name}  ", "dim"), escape_control(value)), soft_wrap=True)


def _confirmed() -> bool:
    try:
        return typer.confirm("Remove this mark?")
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise StoppedError("interrupted: nothing was written") from None
