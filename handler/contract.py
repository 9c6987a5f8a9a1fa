"""The contract of this function: its names, its event, its tables and what it writes.

The handler, the emulator, `mep`, the monitoring and the stack read them here. To make a function for another event and
another table, replace this module: docs/adapt.md.
"""

from collections.abc import Mapping
from typing import NamedTuple

from handler.validation import Validator, parse_date, parse_id, parse_symbol, parse_timestamp


class Table(NamedTuple):
    """A DynamoDB table.

    Attributes:
        variable: The environment variable with its name or ARN.
        default: Its name where the variable is not set.
        key: Its partition key, and its sort key if it has one; both are strings.
    """

    variable: str
    default: str
    key: tuple[str, ...]


DISPLAY_NAME = "MarkEarningsProcessed"
"""The name in titles; the CloudWatch namespace of the metrics."""

FUNCTION_NAME = "mark-earnings-processed"
"""The prefix of the names in AWS, and the instrumentation scope of the spans."""

DESCRIPTION = "Marks a company's earnings as processed in DynamoDB, exactly once"

BUS = "earnings"
"""The event bus, and the first word of the names of X-Ray groups; the environment follows."""

DETAIL_TYPE = "earningsProcessed"
DEFAULT_SOURCE = "signal9.advisor"
"""The `source` of events where `EVENT_SOURCE` is not set."""

KEY_FIELDS: Mapping[str, Validator] = {"asset_symbol": parse_symbol, "earnings_date": parse_date}
"""The required fields of `detail`, which are the key of the row. Log lines and X-Ray annotations have them, too."""

ROW_TEXT = "{asset_symbol} on {earnings_date} in the calendar"
"""A row, in messages."""

PROCESSED, PROCESSED_AT, PROCESSED_BY = "is_processed", "processed_at", "processed_by_event"
"""The attributes that the write sets, besides `correlation_id` and `updated_at`: a flag, a time and an event ID."""

OPTIONAL_FIELDS: Mapping[str, Validator] = {"event_id": parse_id, PROCESSED_AT: parse_timestamp}
"""Optional fields of `detail`. The time defaults to now."""

UNCHECKED_FIELDS = ("correlation_id", "traceparent", "earnings_id")
"""Fields of `detail` that are replaced or ignored if they are invalid; their two spellings must have the same value."""

CALENDAR = Table("EARNINGS_CALENDAR_TABLE", "earningsCalendar", tuple(KEY_FIELDS))
"""The table with the rows to mark."""

PROBE_KEY = ("MEP-VERIFY", "2000-01-01")
"""The key of the row that is reserved for `mep verify`: no symbol of an exchange, on a day before all events."""

ROUND_TRIP_KEYS = (("MEP-VERIFY", "2000-01-02"), ("MEP-VERIFY", "2000-01-03"))
"""The keys of the two rows that are reserved for `mep verify --full`."""

AUDIT = Table("EARNINGS_AUDIT_TABLE", "earningsAudit", ("earnings_key", "entry_id"))
"""The append-only table: the key of the row (its parts joined by `#`), then time and event ID."""

CORRELATION_INDEX = "correlation_id-index"
"""The index of the audit table by `correlation_id`."""

AUDIT_ACTION = "mark_processed"
PREVIOUS_STATE = "unprocessed"
"""The state of the row before the write, which the condition of the transaction proves."""

CSV_COLUMNS: Mapping[str, str | None] = {
    "symbol": "asset_symbol",
    "name": None,
    "reportDate": "earnings_date",
    "fiscalDateEnding": None,
    "estimate": "estimated_eps",
    "currency": None,
}
"""The columns of `mep local --calendar` with their attributes of the row; besides the key, attributes are numbers."""
