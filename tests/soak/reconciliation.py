"""The reconciliation of a soak: the outcome of every event, read from the stores, and every difference.

It shares no code with `tests/support/invariants.py`: it reads a million events in one pass, eleven bytes per event, and
compares the stores with the plan of the soak, not with metrics.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.soak.ledger import Ledger
from tests.soak.plan import Kind, Plan, number_in, number_of, row_of

MARK = "mark_processed"
NAMED = 20
"""Differences of each sort that are named; the others are counted."""

LOST = "lost"
DUPLICATED = "marked more than once"
_MARKED, _DUPLICATE, _DEAD_LETTERED = "marked", "duplicate", "dead_lettered"
_NOBODY = 0


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How many events had which outcome. Each had exactly one, or `differences` lists it.

    Attributes:
        received: Events that were sent.
        marked: A row is marked by it.
        duplicate: Its row is marked by another delivery, and it ended knowing so.
        dead_lettered: It lies in the queue, and belongs there.
        redriven: Dead letters that were redriven; each event is also counted above.
        lost: Events without an outcome.
        double: Rows with more than one audit entry of a marking, or with another's.
        differences: Every difference, as text; empty if there is none.
    """

    received: int
    marked: int
    duplicate: int
    dead_lettered: int
    redriven: int
    lost: int
    double: int
    differences: tuple[str, ...]

    @property
    def is_consistent(self) -> bool:
        """Whether every event has exactly one outcome."""
        return not self.differences and self.received == self.marked + self.duplicate + self.dead_lettered


class _Differences:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._named: dict[str, list[str]] = {}

    def add(self, what: str, where: object) -> None:
        self._counts[what] += 1
        named = self._named.setdefault(what, [])
        if len(named) < NAMED:
            named.append(str(where))

    def count(self, what: str) -> int:
        return self._counts[what]

    def texts(self) -> tuple[str, ...]:
        return tuple(
            f"{what}: {count:,} ({', '.join(self._named[what])}{', ...' if count > NAMED else ''})"
            for what, count in self._counts.items()
        )


@dataclass(slots=True)
class Stores:
    """What is in the stores, by row and by event; eleven bytes per event.

    Attributes:
        events: How many numbers there are.
        marked_by: For each row, one more than the number of the event that its `processed_by_event` names; 0 unless it
            is marked.
        audited_by: The same of the audit entry.
        entries: Audit entries of markings, for each row.
        rows: How often the row is there.
        unknown_dead_letters: Messages in the queue that hold no such event.
        others: Audit entries of other actions, by action.
        dead_letters: Copies in the queue, for each event.
    """

    events: int
    marked_by: "array[int]" = field(init=False)
    audited_by: "array[int]" = field(init=False)
    entries: bytearray = field(init=False)
    rows: bytearray = field(init=False)
    dead_letters: bytearray = field(init=False)
    unknown_dead_letters: int = field(init=False, default=0)
    others: "Counter[str]" = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self.marked_by = array("I", bytes(array("I").itemsize * self.events))
        self.audited_by = array("I", bytes(array("I").itemsize * self.events))
        self.entries, self.rows, self.dead_letters = (
            bytearray(self.events),
            bytearray(self.events),
            bytearray(self.events),
        )

    def read_calendar(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Note the calendar's rows, as DynamoDB has them."""
        for item in items:
            row = row_of(item["asset_symbol"]["S"])
            self.rows[row] += 1
            if item["is_processed"]["BOOL"]:
                self.marked_by[row] = number_of(item["processed_by_event"]["S"]) + 1

    def read_audit(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Note the audit entries of markings."""
        for item in items:
            action = item["action"]["S"]
            if action != MARK:
                self.others[action] += 1
            else:
                row = row_of(item["earnings_key"]["S"].partition("#")[0])
                self.entries[row] = min(255, self.entries[row] + 1)
                self.audited_by[row] = number_of(item["event_id"]["S"]) + 1

    def read_dead_letters(self, events: Iterable[Any]) -> None:
        """Note the events that lie in the queue."""
        for event in events:
            try:
                number = number_in(event)
                self.dead_letters[number] = min(255, self.dead_letters[number] + 1)
            except (TypeError, KeyError, ValueError, IndexError):
                self.unknown_dead_letters += 1


@dataclass(frozen=True, slots=True)
class ReconciliationInput:
    """The input of the reconciliation.

    Attributes:
        plan: Which events there are.
        sent: How many were sent: the first so many.
        stores: What lies in the stores.
        ledger: The results of the pipeline.
        redriven: Dead letters that were redriven.
    """

    plan: Plan
    sent: int
    stores: Stores
    ledger: Ledger
    redriven: int


def reconcile(evidence: ReconciliationInput, more: Iterable[str] = ()) -> Reconciliation:
    """Find the outcome of every event.

    Args:
        evidence: The input.
        more: Further differences, as text.
    """
    stores, sent = evidence.stores, evidence.sent
    found = _Differences()
    outcomes: Counter[str] = Counter()
    for number in range(sent):
        outcomes[_outcome_of(evidence, number, found)] += 1
    for number in range(sent, stores.events):
        if stores.entries[number] or stores.marked_by[number] or stores.dead_letters[number]:
            found.add("there, but never sent", number)
    return Reconciliation(
        received=sent,
        marked=outcomes[_MARKED],
        duplicate=outcomes[_DUPLICATE],
        dead_lettered=outcomes[_DEAD_LETTERED],
        redriven=evidence.redriven,
        lost=outcomes[LOST],
        double=found.count(DUPLICATED),
        differences=(*found.texts(), *more),
    )


def _outcome_of(evidence: ReconciliationInput, number: int, found: _Differences) -> str:
    plan, stores = evidence.plan, evidence.stores
    event = plan.event(number)
    in_queue = bool(stores.dead_letters[number])
    if event.row == number:
        _check_row(number, stores, found)
    if event.kind in {Kind.NO_ROW, Kind.INVALID}:
        if stores.entries[number] or stores.marked_by[number]:
            found.add("marked, but cannot be", number)
        if not in_queue:
            found.add(LOST, f"{number} {event.kind}")
            return LOST
        return _DEAD_LETTERED
    if in_queue:
        found.add("still in the queue", number)
    owner = stores.marked_by[event.row]
    # A repeat has its original's ID, so it never owns a row by its own number.
    if owner == number + 1:
        return _MARKED
    if owner != _NOBODY and evidence.ledger.succeeded(number):
        if plan.event(owner - 1).row != event.row:
            found.add("marked by an event of another row", event.row)
        return _DUPLICATE
    found.add(LOST, f"{number} {event.kind}")
    return LOST


def _check_row(row: int, stores: Stores, found: _Differences) -> None:
    if stores.rows[row] > 1:
        found.add("a row that is there twice", row)
    if stores.entries[row] > 1:
        found.add(DUPLICATED, row)
    elif stores.marked_by[row] and not stores.entries[row]:
        found.add("marked without an audit entry", row)
    elif stores.entries[row] and stores.marked_by[row] != stores.audited_by[row]:
        found.add("row and audit entry name different events", row)
