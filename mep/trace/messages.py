"""What the sources have to say in common: which rows moments are about, and what to tell where something is missing."""

from collections.abc import Iterable

from handler.contract import AUDIT, CALENDAR, ROW_TEXT
from mep.trace.entries import Entry

OTHER_IDS = ("event_id", "request_id", "trace_id", "span_id", "dead_letter_id")
"""Fields of the log by which a person may ask, too."""


def keys_of(entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """Return the keys of the rows that entries are about."""
    keys = set()
    for entry in entries:
        key = tuple(str(entry.attributes.get(name) or "") for name in CALENDAR.key)
        if not key[0]:  # an audit entry has the parts in one
            key = tuple(str(entry.attributes.get(AUDIT.key[0], "")).split("#"))
        if len(key) == len(CALENDAR.key) and all(key):
            keys.add(key)
    return sorted(keys)


def no_row(key: tuple[str, ...]) -> str:
    """Return the note about a row that does not exist."""
    return f"no row for {ROW_TEXT.format_map(dict(zip(CALENDAR.key, key, strict=True)))}"


def other_id(text: str, field: str, correlation_id: object) -> str:
    """An ID of another kind."""
    kind = field.replace("_", " ").replace(" id", " ID")
    return f"{text} is the {kind} of an event with correlation ID {correlation_id}: ask for that"
