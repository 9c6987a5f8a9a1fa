"""What every search looks up from its entries: calendar rows, duplicate backoffs."""

from collections.abc import Iterable, Mapping
from typing import Any

from handler.contract import AUDIT, CALENDAR, KEY_FIELDS, ROW_TEXT
from handler.validation import FieldError
from mep.dlq.audit import NO_ROW_KEY
from mep.trace.entries import Entry


def row_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the key of a calendar row, given as plain JSON."""
    return tuple(row.get(name) for name in CALENDAR.key)


def row_keys(entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """Return the keys of the calendar rows that entries name."""
    keys = set()
    for entry in entries:
        key = tuple(str(entry.attributes.get(name) or "") for name in CALENDAR.key)
        if not key[0]:  # an audit entry has the parts in one attribute
            key = tuple(str(entry.attributes.get(AUDIT.key[0], "")).split("#"))
        if _is_row(key):
            keys.add(key)
    return sorted(keys)


def _is_row(key: tuple[str, ...]) -> bool:
    """Return whether a key can be that of a row; the audit entry of an invalid event names its dead letter instead."""
    if len(key) != len(CALENDAR.key) or key[0] == NO_ROW_KEY:
        return False
    try:
        return all(KEY_FIELDS[name](part) == part for name, part in zip(CALENDAR.key, key, strict=True))
    except FieldError:
        return False


def missing_row_note(key: tuple[str, ...]) -> str:
    """Return the note about a calendar row that does not exist."""
    return f"no row for {ROW_TEXT.format_map(dict(zip(CALENDAR.key, key, strict=True)))}"


def deduplicate(entries: Iterable[Entry]) -> list[Entry]:
    """Drop each backoff of a span that the log has, too: the log line has the request ID."""
    entries = list(entries)
    logged = {_backoff_key(entry) for entry in entries if entry.kind == "backoff" and entry.request_id}
    return [
        entry for entry in entries if entry.kind != "backoff" or entry.request_id or _backoff_key(entry) not in logged
    ]


def _backoff_key(entry: Entry) -> tuple[object, ...]:
    return entry.span_id, entry.attributes.get("attempt"), entry.attributes.get("delay_ms")


def violation_notes(entries: Iterable[Entry]) -> list[str]:
    """Return a note for each violation of the event contract that the function reported."""
    lists = (entry.attributes.get("violations") for entry in entries)
    violations = (each for found in lists if isinstance(found, list) for each in found)
    return list(dict.fromkeys(_violation(each) for each in violations if isinstance(each, Mapping)))


def _violation(violation: Mapping[str, Any]) -> str:
    field, rule, received = (violation.get(name, "unknown") for name in ("field", "rule", "received"))
    return f"the event violates the contract: {field}: {rule} (received: {received})"
