"""The probe: an event for one reserved row that this same event has marked already.

The outcome of a working function is `duplicate` with `same_event` true. It proves the function's settings, its role and
its telemetry, while nothing is written and no alarm fires: a redelivery is a normal event. `mep verify` sends it, and
whatever else invokes a function that may be faulty can; this module imports nothing but the contract.
"""

from collections.abc import Mapping
from typing import Any

from handler.contract import AUDIT, CALENDAR, DETAIL_TYPE, PROBE_KEY, PROCESSED, PROCESSED_AT, PROCESSED_BY, ROW_TEXT

EVENT_ID = "mep-verify"
"""The event that has marked the row."""

KEY: Mapping[str, str] = dict(zip(CALENDAR.key, PROBE_KEY, strict=True))
"""The key of the reserved row."""

AUDIT_KEY = "#".join(KEY.values())
"""The partition key of the row's audit entries."""

ROW_NAME = ROW_TEXT.format_map(KEY)
"""The row, in messages."""

ACTION = "verify"
"""The `action` of the row's audit entry. The function has not marked this row, so it is not `mark_processed`."""

EXPECTED: Mapping[str, object] = {"outcome": "duplicate", "same_event": True}
"""What the function returns, besides the correlation ID."""

_MARKED_AT = "2000-01-01T00:00:00.000000Z"


def probe_event(correlation_id: str, *, source: str, time: str) -> dict[str, Any]:
    """Return the event.

    Args:
        correlation_id: Distinguishes this run from all others.
        source: The `source` that the function accepts.
        time: The time of day, as in an EventBridge envelope: `2026-11-27T12:00:00Z`.
    """
    return {
        "version": "0",
        "id": correlation_id,
        "detail-type": DETAIL_TYPE,
        "source": source,
        "account": "000000000000",
        "time": time,
        "region": "",
        "resources": [],
        "detail": {**KEY, "event_id": EVENT_ID, "correlation_id": correlation_id},
    }


def is_expected(response: object, correlation_id: str) -> bool:
    """Return whether the function's return value is that of a working function."""
    expected = {**EXPECTED, "correlation_id": correlation_id}
    return isinstance(response, Mapping) and {name: response.get(name) for name in expected} == expected


def is_marked(row: Mapping[str, Any]) -> bool:
    """Return whether the row, as plain values, is marked by the probe, so that the probe writes nothing."""
    return row.get(PROCESSED) is True and row.get(PROCESSED_BY) == EVENT_ID


def row_item() -> dict[str, Any]:
    """Return the row, already marked, in DynamoDB's JSON."""
    texts = {**KEY, PROCESSED_AT: _MARKED_AT, PROCESSED_BY: EVENT_ID, "correlation_id": EVENT_ID}
    return {
        **{name: {"S": value} for name, value in {**texts, "updated_at": _MARKED_AT}.items()},
        PROCESSED: {"BOOL": True},
    }


def was_faster(response: Mapping[str, Any]) -> bool:
    """Return whether somebody else put the row meanwhile.

    Args:
        response: The error response to `put_transaction`, as botocore has it.
    """
    reasons = response.get("CancellationReasons", ())
    cancelled = response["Error"]["Code"] == "TransactionCanceledException"
    return cancelled and "ConditionalCheckFailed" in {reason.get("Code") for reason in reasons}


def put_transaction(calendar_table: str, audit_table: str, *, operator: str, now: str) -> dict[str, Any]:
    """Return the parameters of `TransactWriteItems` that put the row and its audit entry, unless they are there.

    Args:
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        operator: Who puts it, for the audit entry.
        now: The time of day, as in audit entries.
    """
    row = {
        "TableName": calendar_table,
        "Item": row_item(),
        "ConditionExpression": f"attribute_not_exists({CALENDAR.key[0]})",
    }
    return {"TransactItems": [{"Put": row}, put_entry(audit_table, AUDIT_KEY, EVENT_ID, operator=operator, now=now)]}


def put_entry(
    audit_table: str, audit_key: str, event_id: str, *, operator: str, now: str, reason: str = ""
) -> dict[str, Any]:
    """Return the part of a transaction that puts an audit entry about a reserved row, unless it is there.

    Args:
        audit_table: Name of the audit table.
        audit_key: The partition key of the row's audit entries.
        event_id: The event that the row belongs to.
        operator: Who writes the row.
        now: The time of day, as in audit entries.
        reason: What is done; empty for none.
    """
    partition_key, entry_id = AUDIT.key
    entry = {
        partition_key: audit_key,
        entry_id: f"{now}#{event_id}",
        "event_id": event_id,
        "action": ACTION,
        "correlation_id": event_id,
        "recorded_at": now,
        "operator": operator,
        **({"reason": reason} if reason else {}),
    }
    return {
        "Put": {
            "TableName": audit_table,
            "Item": {name: {"S": value} for name, value in entry.items()},
            "ConditionExpression": f"attribute_not_exists({partition_key})",
        }
    }
