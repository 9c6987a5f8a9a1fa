"""Distinguishes the events that have one correlation ID: by their row.

Producers may give one correlation ID to several events, such as those of one batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mep.trace.entries import Entry
from mep.trace.invocations import Invocation
from mep.trace.lookup import row_keys

_NO_ROW = "without a valid row"


@dataclass(slots=True)
class Event:
    """The records of one event.

    Attributes:
        invocations: Each with its number among those of all events.
        outside: The entries that belong to no invocation.
    """

    invocations: list[tuple[int, Invocation]] = field(default_factory=list)
    outside: list[Entry] = field(default_factory=list)


def by_event(invocations: Sequence[Invocation], outside: Sequence[Entry]) -> dict[str, Event]:
    """Return the events by the text of their row, in the order of time; at least one.

    What has no row of its own belongs to the event with its request ID.

    Args:
        invocations: In the order of time.
        outside: The entries that belong to none.
    """
    names: dict[str, str] = {}
    for invocation in invocations:
        if name := _name(invocation.entries) or (_NO_ROW if invocation.outcome is not None else ""):
            names.setdefault(invocation.request_id, name)
    for entry in outside:
        if entry.kind == "audit" and (name := _name([entry])):
            names.setdefault(entry.request_id, name)
    known = dict.fromkeys(names.values())
    events: dict[str, Event] = {name: Event() for name in known} if len(known) > 1 else {"": Event()}

    def event_of(request_id: str, entries: Iterable[Entry]) -> Event:
        if "" in events:
            return events[""]
        name = _name(entries) or names.get(request_id) or _NO_ROW
        return events.setdefault(name, Event())

    for number, invocation in enumerate(invocations, 1):
        event_of(invocation.request_id, invocation.entries).invocations.append((number, invocation))
    for entry in outside:
        event_of(entry.request_id, [entry]).outside.append(entry)
    return events


def _name(entries: Iterable[Entry]) -> str:
    """Return the row that entries name as text; empty if they name none."""
    return next((" ".join(key) for key in row_keys(entries)), "")
