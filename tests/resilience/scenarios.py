"""The ways that an event can go through the function: what it meets, and where it must end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emulator.faults import Fault, aws_error, cancelled, lost_reply, reset_before, sqs_error

_WRITE, _SEND = "TransactWriteItems", "SendMessage"
_EVER = 9
"""More calls than a delivery makes."""


@dataclass(frozen=True, eq=False)
class Path:
    """One way.

    Attributes:
        name: for people.
        end: whether the event is marked, absorbed as a duplicate of another, or lies in the queue.
        row: attributes of the calendar row beside its key; None for no row.
        detail: members of the event's detail beside, or instead of, the valid ones.
        faults: what the calls meet; see `tests.support.process_kill.Watch`.
    """

    name: str
    end: Literal["marked", "absorbed", "dead letter"]
    row: Mapping[str, Any] | None = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


OTHERS = {"is_processed": True, "processed_by_event": "another", "correlation_id": "another"}

PATHS = (
    Path("marked", "marked"),
    Path("duplicate", "absorbed", row=OTHERS),
    Path("invalid", "dead letter", detail={"earnings_date": "31 July"}),
    Path("no row", "dead letter", row=None),
    Path(
        "write tried again",
        "marked",
        faults={
            _WRITE: (cancelled("TransactionConflict", "None"), aws_error("InternalServerError", 500), reset_before())
        },
    ),
    Path("reply lost", "marked", faults={_WRITE: (lost_reply(),)}),
    Path("access denied", "dead letter", faults={_WRITE: (aws_error("AccessDeniedException"),) * _EVER}),
    Path(
        "queue refuses the function", "dead letter", row=None, faults={_SEND: (sqs_error("AccessDenied", 403),) * _EVER}
    ),
    Path(
        "function fails to the last try",
        "dead letter",
        faults={_WRITE: (aws_error("IdempotentParameterMismatchException"),) * _EVER},
    ),
)
