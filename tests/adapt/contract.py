"""The contract of this function: its names, its event, its tables and what it writes."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from handler.validation import FieldError, Validator, parse_id, parse_timestamp


class Table(NamedTuple):
    """A DynamoDB table: the environment variable with its name, its default name, and its key of one or two parts."""

    variable: str
    default: str
    key: tuple[str, ...]


def parse_order_id(value: Any) -> str:
    """Return an order ID such as SO-000123."""
    if isinstance(value, str) and re.fullmatch(r"[A-Z]{2}-[0-9]{6}", value):
        return value
    raise FieldError("an order ID such as SO-000123")


DISPLAY_NAME = "ShipOrders"
FUNCTION_NAME = "ship-orders"
DESCRIPTION = "Marks an order as shipped in DynamoDB, exactly once"

# The event
BUS = "orders"
DETAIL_TYPE = "orderShipped"
DEFAULT_SOURCE = "shop.fulfilment"
KEY_FIELDS: Mapping[str, Validator] = {"order_id": parse_order_id}
OPTIONAL_FIELDS: Mapping[str, Validator] = {"event_id": parse_id, "shipped_at": parse_timestamp}
UNCHECKED_FIELDS = ("correlation_id", "traceparent")

# The tables
CALENDAR = Table("ORDERS_TABLE", "orders", ("order_id",))
PROBE_KEY = ("ZZ-000000",)  # reserved for mep verify
ROUND_TRIP_KEYS = (("ZZ-000001",), ("ZZ-000002",))  # and for mep verify --full
AUDIT = Table("ORDERS_AUDIT_TABLE", "ordersAudit", ("order_key", "entry_id"))
CORRELATION_INDEX = "correlation_id-index"
ROW_TEXT = "order {order_id}"

# The write
PROCESSED, PROCESSED_AT, PROCESSED_BY = "is_shipped", "shipped_at", "shipped_by_event"
AUDIT_ACTION, PREVIOUS_STATE = "mark_shipped", "not_shipped"

# mep local --calendar
CSV_COLUMNS: Mapping[str, str | None] = {"order_id": "order_id", "customer": None, "total": "total"}
