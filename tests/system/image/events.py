"""Events for the function in its container."""

import uuid
from typing import Any

from tests.support.events import DATE, SYMBOL, eventbridge_event


def event(symbol: str = SYMBOL, event_id: str = "evt-1", **detail: Any) -> dict[str, Any]:
    """Return an event for the row of a symbol on `DATE`, its IDs made of one name."""
    members = {
        "asset_symbol": symbol,
        "earnings_date": DATE,
        "event_id": event_id,
        "correlation_id": f"corr-{event_id}",
    }
    return eventbridge_event(members | detail, id=str(uuid.uuid5(uuid.NAMESPACE_URL, event_id)))
