"""The one builder of EventBridge events. An event is valid; the tests replace the members that they are about."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from emulator.environment import ACCOUNT_ID

SOURCE = "signal9.advisor"
DETAIL_TYPE = "earningsProcessed"
PATTERN = {"source": [SOURCE], "detail-type": [DETAIL_TYPE]}
"""What the deployed rule matches."""

SYMBOL, DATE = "AAPL", "2025-07-31"

_numbers = count(1)


def eventbridge_event(detail: Any = None, **envelope: Any) -> dict[str, Any]:
    """Return an event as EventBridge delivers it.

    Args:
        detail: Replaces the valid one; any JSON value.
        envelope: Members of the envelope to replace; `detail_type` means `detail-type`.
    """
    event: dict[str, Any] = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "source": SOURCE,
        "detail-type": DETAIL_TYPE,
        "account": ACCOUNT_ID,
        "time": "2025-07-31T20:05:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"asset_symbol": SYMBOL, "earnings_date": DATE} if detail is None else detail,
    }
    return event | {name.replace("_", "-"): value for name, value in envelope.items()}


def event(symbol: str = SYMBOL, date: str = DATE, number: int = 1, **envelope: Any) -> dict[str, Any]:
    """Return an event for a calendar row; its number makes its ID, `envelope` replaces members as they are."""
    valid = eventbridge_event({"asset_symbol": symbol, "earnings_date": date})
    return valid | {"id": f"00000000-0000-4000-8000-{number:012d}", **envelope}


def unique_event(detail: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an event whose row and IDs no other event of this process has; `detail` overrides members."""
    number = next(_numbers)
    members = {
        "asset_symbol": f"SYM-{number}",
        "earnings_date": DATE,
        "event_id": f"event-{number}",
        "correlation_id": f"correlation-{number}",
    }
    return eventbridge_event(members | dict(detail or {}), id=f"envelope-{number}")
