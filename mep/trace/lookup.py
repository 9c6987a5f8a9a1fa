"""What every search looks up from its entries: calendar rows, other IDs, duplicate backoffs."""

from collections.abc import Iterable

from handler.contract import AUDIT, CALENDAR, ROW_TEXT
from mep.trace.entries import Entry

OTHER_IDS = ("event_id", "request_id", "trace_id", "span_id", "dead_letter_id")
"""Log fields whose value a user may mistake for the correlation ID."""


def row_keys(entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """Return the keys of the calendar rows that entries name."""
    keys = set()
    for entry in entries:
        key = tuple(str(entry.attributes.get(name) or "") for name in CALENDAR.key)
        if not key[0]:  # an audit entry has the parts in one attribute
            key = tuple(str(entry.attributes.get(AUDIT.key[0], "")).split("#"))
        if len(key) == len(CALENDAR.key) and all(key):
            keys.add(key)
    return sorted(keys)


def missing_row_note(key: tuple[str, ...]) -> str:
    """Return the note about a calendar row that does not exist."""
    return f"no row for {ROW_TEXT.format_map(dict(zip(CALENDAR.key, key, strict=True)))}"


def other_id_note(text: str, field: str, correlation_id: object) -> str:
    """Return the note about a text that is the ID of another kind."""
    kind = field.replace("_", " ").replace(" id", " ID")
    return f"{text} is the {kind} of an event with correlation ID {correlation_id}: use that instead"


def deduplicate(entries: Iterable[Entry]) -> list[Entry]:
    """Drop each backoff of a span that the log has, too: the log line has the request ID."""
    entries = list(entries)
    logged = {_backoff_key(entry) for entry in entries if entry.kind == "backoff" and entry.request_id}
    return [
        entry for entry in entries if entry.kind != "backoff" or entry.request_id or _backoff_key(entry) not in logged
    ]


def _backoff_key(entry: Entry) -> tuple[object, ...]:
    return entry.span_id, entry.attributes.get("attempt"), entry.attributes.get("delay_ms")
