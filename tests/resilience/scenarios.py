"""The scenarios of one delivery: the faults that it meets, and how it must end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emulator.faults import Fault, aws_error, cancelled, lost_reply, reset_before, sqs_error

_WRITE, _SEND = "TransactWriteItems", "SendMessage"
_ALWAYS = 9
"""More calls than a delivery makes."""


@dataclass(frozen=True, eq=False)
class Scenario:
    """One delivery.

    Attributes:
        name: Names the scenario in the test's ID.
        end: Whether the event is marked, absorbed as a duplicate of another, or a dead letter.
        row: Attributes of the calendar row beside its key; None for no row.
        detail: Members of the event's detail that are added or replaced.
        faults: The faults of the calls; see `tests.support.process_kill.Watch`.
    """

    name: str
    end: Literal["marked", "absorbed", "dead letter"]
    row: Mapping[str, Any] | None = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


MARKED_BY_ANOTHER = {"is_processed": True, "processed_by_event": "another", "correlation_id": "another"}

SCENARIOS = (
    Scenario("marked", "marked"),
    Scenario("duplicate", "absorbed", row=MARKED_BY_ANOTHER),
    Scenario("invalid", "dead letter", detail={"earnings_date": "31 July"}),
    Scenario("no row", "dead letter", row=None),
    Scenario(
        "write retried",
        "marked",
        faults={
            _WRITE: (cancelled("TransactionConflict", "None"), aws_error("InternalServerError", 500), reset_before())
        },
    ),
    Scenario("response lost", "marked", faults={_WRITE: (lost_reply(),)}),
    Scenario("access denied", "dead letter", faults={_WRITE: (aws_error("AccessDeniedException"),) * _ALWAYS}),
    Scenario(
        "queue refuses the function",
        "dead letter",
        row=None,
        faults={_SEND: (sqs_error("AccessDenied", 403),) * _ALWAYS},
    ),
    Scenario(
        "function fails at every attempt",
        "dead letter",
        faults={_WRITE: (aws_error("IdempotentParameterMismatchException"),) * _ALWAYS},
    ),
)
