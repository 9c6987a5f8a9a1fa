"""What the sources have to say in common: which rows moments are about, and what to tell where something is missing."""

from collections.abc import Iterable

from mep.trace.entries import Entry

OTHER_IDS = ("event_id", "request_id", "trace_id", "span_id", "dead_letter_id")
"""Fields of the log by which a person may ask, too."""


def keys_of(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """The calendar rows that moments are about, as symbol and date."""
    found = set()
    for entry in entries:
        symbol, date = entry.attributes.get("asset_symbol"), entry.attributes.get("earnings_date")
        if not symbol:  # an audit entry names both in one
            symbol, _, date = str(entry.attributes.get("earnings_key", "")).partition("#")
        if symbol and date:
            found.add((str(symbol), str(date)))
    return sorted(found)


def no_row(symbol: str, date: str) -> str:
    """A row that is not there."""
    return f"the calendar has no row for {symbol} on {date}"


def other_id(text: str, field: str, correlation_id: object) -> str:
    """An ID of another kind."""
    kind = field.replace("_", " ").replace(" id", " ID")
    return f"{text} is the {kind} of an event with correlation ID {correlation_id}: ask for that"
