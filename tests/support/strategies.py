"""What hypothesis draws: any JSON at all, valid events, and events that were valid once."""

import re
from datetime import date
from typing import Any

from hypothesis import strategies as st

from tests.support.events import eventbridge_event

SENTINEL = "s3ntinel <secret>"
"""A text that no rule lets through and that must appear nowhere but in a dead letter's body."""

SYMBOL_STARTS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789^"
SYMBOL_CHARACTERS = SYMBOL_STARTS + "._/=-&$+:"
ID_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"

any_text = st.text(st.characters(exclude_categories=()), max_size=30)
"""Any text that JSON can hold, lone surrogates included."""

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**301),
    st.floats(),  # NaN and the infinities too: Python's reader lets them in
    any_text,
)

json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value."""


def nested(depth: int, *, lists: bool, core: Any = 1) -> Any:
    """Lists in lists, or objects in objects, to a depth."""
    value = core
    for _ in range(depth):
        value = [value] if lists else {"a": value}
    return value


deeply_nested = st.builds(nested, st.integers(50, 1_500), lists=st.booleans(), core=scalars)
"""Deeper than any encoder likes."""


def _symbol(start: str, rest: str) -> str:
    return re.sub(" +", " ", start + rest).rstrip()


symbols = st.builds(_symbol, st.sampled_from(SYMBOL_STARTS), st.text(SYMBOL_CHARACTERS + "    ", max_size=19))
"""Symbols that feeds may send, in either case: single inner spaces, up to 20 characters."""

SYMBOL_RULE = "1 to 20 characters of A-Z 0-9 . _ / ^ = - & $ + : and single inner spaces, the first of A-Z 0-9 ^"
"""The rule in the violation of an event with another symbol."""

MARKET_SYMBOLS = (
    *("A", "AAPL", "BF-B", "BAC-PK", "RDS.A", "BRK/B", "BRK B", "^GSPC", "ES=F", "0700.HK", "M&M.NS", "ABR$D", "ACHR+"),
    *("NSE:INFY", "A_B", "TOO_LONG-BUT-VALID.1"),
)
"""Symbols of real feeds, every allowed character among them."""

identifiers = st.text(ID_CHARACTERS, min_size=1, max_size=128)
days = st.dates().map(date.isoformat)


def camel_case(name: str) -> str:
    """`asset_symbol` as `assetSymbol`, written independently."""
    head, _, tail = name.partition("_")
    return head + tail[:1].upper() + tail[1:]


ABSENT_VALUES = (None, "")
"""What an optional field has that is not there."""

ABSENT = st.sampled_from(ABSENT_VALUES)

# Built once: hypothesis takes longer to build a strategy than to draw from it.
_DETAIL = st.fixed_dictionaries(
    {"asset_symbol": symbols, "earnings_date": days},
    optional={
        "event_id": identifiers | ABSENT,
        "earnings_id": identifiers | ABSENT,
        "processed_at": st.sampled_from(["2025-07-31T20:05:00Z", "2025-07-31T16:05:00.5-04:00"]) | ABSENT,
        "correlation_id": identifiers | any_text | ABSENT,
        "traceparent": ABSENT | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") | any_text,
    },
)
_NOISE = st.dictionaries(st.text(min_size=20, max_size=30), scalars, max_size=2)


def _assemble(detail: dict[str, Any], noise: dict[str, Any], envelope_id: str, *, camel: bool) -> dict[str, Any]:
    spelled = {camel_case(name) if camel else name: value for name, value in detail.items()}
    return eventbridge_event(noise | spelled, id=envelope_id)


valid_events = st.builds(_assemble, _DETAIL, _NOISE, identifiers, camel=st.booleans())
"""Valid events: either spelling, optional fields or not, fields that nobody asked for."""

_FIELDS = ("asset_symbol", "earnings_date", "event_id", "earnings_id", "processed_at", "correlation_id", "traceparent")
_ENVELOPE = ("version", "id", "source", "detail-type", "detail", "time", "resources", "replay-name")
_SOUND = {
    "asset_symbol": "BF-B",
    "earnings_date": "2024-02-29",
    "event_id": "event-1",
    "earnings_id": "earnings-1",
    "processed_at": "2024-02-29T20:05:00Z",
    "correlation_id": "correlation-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
_DETAILS = st.sampled_from(
    [
        {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"},
        {"assetSymbol": "aapl ", "earningsDate": "2025-07-31"},
        _SOUND,
        {camel_case(name): value for name, value in _SOUND.items()},
        _SOUND | {camel_case(name): value for name, value in _SOUND.items()},
    ]
)
_GONE = object()
_PLACES = st.sampled_from(
    [*(("detail", name) for name in [*_FIELDS, *map(camel_case, _FIELDS)] * 2), *(("", name) for name in _ENVELOPE)]
)
_VALUES = st.one_of(scalars, any_text, symbols, days, identifiers, st.just(_GONE), json_values, deeply_nested)


def _damage(detail: dict[str, Any], changes: list[tuple[tuple[str, str], Any]]) -> dict[str, Any]:
    envelope = {name: value for (disposition, name), value in changes if not disposition}
    detail = detail | {name: value for (disposition, name), value in changes if disposition}
    event = eventbridge_event(_without_gone(detail)) | envelope
    return _without_gone(event)


def _without_gone(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not _GONE}


damaged_events = st.builds(_damage, _DETAILS, st.lists(st.tuples(_PLACES, _VALUES), max_size=4))
"""Events that were valid until fields went missing, changed, or appeared in the other spelling."""

fuzzed_events = st.one_of(damaged_events, damaged_events, damaged_events, valid_events, json_values, deeply_nested)
"""Whatever may arrive."""
