"""Events for the function in its container."""

import uuid
from typing import Any

DATE = "2026-01-29"


def event(symbol: str = "AAPL", event_id: str = "evt-1", **detail: Any) -> dict[str, Any]:
    """An event as EventBridge delivers it, for the row of a symbol on `DATE`."""
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, event_id)),
        "source": "signal9.advisor",
        "detail-type": "earningsProcessed",
        "account": "123456789012",
        "time": "2026-02-03T21:05:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "asset_symbol": symbol,
            "earnings_date": DATE,
            "event_id": event_id,
            "correlation_id": f"corr-{event_id}",
            **detail,
        },
    }
