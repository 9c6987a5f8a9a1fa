"""The round trip of `mep verify --full`: two reserved rows, an event for each, and the alarm that is set off.

The first row is there when its event comes: the event marks it. The second one is not: its event is dead-lettered, the
row is put, and the event is redriven. Both rows stay, marked by their events: a second delivery, which EventBridge and
Lambda may make at any time, and a replay of the archive, are then duplicates and no dead letters. The next run opens
them again.

The role that the stack has for it allows calls by these names; this module imports nothing but the contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.contract import (
    CALENDAR,
    DETAIL_TYPE,
    PROCESSED,
    PROCESSED_AT,
    PROCESSED_BY,
    ROUND_TRIP_KEYS,
    ROW_TEXT,
)
from monitoring import probe

ALARM = "dlq-age"
"""The alarm whose state is set: one that notifies by itself, at every level of monitoring."""

SET_OFF = (ALARM, "dead-letters")
"""The alarms that a round trip sets off: its dead letter is reported like any other."""

CATEGORY = "not_found"
"""The error category of the dead letter."""

ACTION = probe.ACTION
"""The `action` of the audit entries about the rows."""

RUN = "verify_run"
"""The attribute of a row that names the run which opened it."""

IN_PROGRESS = "verify_in_progress"
"""The attribute that the first row has from the opening of the rows to the end of the run, also while it is marked."""

STALE_S = 3600
"""Seconds after which a row that a run has left in progress belongs to nobody: the run was killed."""

_OPENED_AT = "updated_at"
_IN_PROGRESS: Mapping[str, Any] = {IN_PROGRESS: {"BOOL": True}}


@dataclass(frozen=True, slots=True)
class RoundTripEvent:
    """An event of one run.

    Attributes:
        key: The key of its reserved row.
        id: Its event ID and its correlation ID.
    """

    key: Mapping[str, str]
    id: str

    @property
    def audit_key(self) -> str:
        """The partition key of the row's audit entries."""
        return "#".join(self.key.values())

    @property
    def row_name(self) -> str:
        """The row, in messages."""
        return ROW_TEXT.format_map(self.key)

    def envelope(self, source: str) -> dict[str, Any]:
        """Return the event as far as its producer decides it.

        Args:
            source: The `source` that the rule matches.
        """
        detail = {**self.key, "event_id": self.id, "correlation_id": self.id}
        return {"source": source, "detail-type": DETAIL_TYPE, "detail": detail}

    def has_marked(self, row: Mapping[str, Any] | None) -> bool:
        """Return whether the row, as plain values, is marked by this event."""
        return row is not None and row.get(PROCESSED) is True and row.get(PROCESSED_BY) == self.id


def round_trip_events(run: str) -> tuple[RoundTripEvent, RoundTripEvent]:
    """Return the event whose row is there, and the event that is dead-lettered.

    Args:
        run: The ID of the run.
    """
    keys = (dict(zip(CALENDAR.key, values, strict=True)) for values in ROUND_TRIP_KEYS)
    first, second = (RoundTripEvent(key, f"{run}-{number}") for number, key in enumerate(keys, 1))
    return first, second


def reserved_keys() -> list[str]:
    """Return the partition keys of all reserved rows, that of the probe included."""
    return sorted({probe.KEY[CALENDAR.key[0]], *(values[0] for values in ROUND_TRIP_KEYS)})


def reserved_audit_keys() -> list[str]:
    """Return the partition keys of the audit entries of all reserved rows."""
    return sorted({probe.AUDIT_KEY, *("#".join(values) for values in ROUND_TRIP_KEYS)})


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Makes the transactions on the reserved rows. Each that changes a mark has an audit entry for each row.

    Attributes:
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        run: The ID of the run.
        operator: Who verifies, for the audit entries.
    """

    calendar_table: str
    audit_table: str
    run: str
    operator: str

    def open(self, present: RoundTripEvent, absent: RoundTripEvent, *, now: str, stale: str) -> dict[str, Any]:
        """Return the parameters of `TransactWriteItems` that put one row without a mark, and delete the other one.

        The condition fails while another run is in progress.

        Args:
            present: The event whose row is put.
            absent: The event whose row is deleted.
            now: The time of day, as in audit entries.
            stale: A row that was opened before this time may be taken over.
        """
        key, *_ = CALENDAR.key
        put = {
            "TableName": self.calendar_table,
            "Item": {**self._row(present, now), **_IN_PROGRESS},
            "ConditionExpression": f"attribute_not_exists({key}) OR #opened < :stale"
            " OR (#processed = :true AND attribute_not_exists(#in_progress))",
            "ExpressionAttributeNames": {
                "#processed": PROCESSED,
                "#opened": _OPENED_AT,
                "#in_progress": IN_PROGRESS,
            },
            "ExpressionAttributeValues": {":true": {"BOOL": True}, ":stale": {"S": stale}},
        }
        delete = {"TableName": self.calendar_table, "Key": _strings(absent.key)}
        entries = (self._entry(present, now, "row put"), self._entry(absent, now, "row deleted"))
        return {"TransactItems": [{"Put": put}, {"Delete": delete}, *entries]}

    def put(self, event: RoundTripEvent, *, now: str) -> dict[str, Any]:
        """Return the parameters of `TransactWriteItems` that put the row of an event, without a mark.

        Args:
            event: The event.
            now: The time of day, as in audit entries.
        """
        put = {
            "TableName": self.calendar_table,
            "Item": self._row(event, now),
            "ConditionExpression": f"attribute_not_exists({CALENDAR.key[0]})",
        }
        return {"TransactItems": [{"Put": put}, self._entry(event, now, "row put")]}

    def close(self, event: RoundTripEvent, *, now: str, may_be_missing: bool) -> dict[str, Any]:
        """Return the parameters of `TransactWriteItems` that put the row marked by its event, unless it is marked.

        Args:
            event: The event.
            now: The time of day, as in audit entries.
            may_be_missing: Whether it is put also if it is missing; else only over the row that this run has put.
        """
        condition = "#run = :run AND #processed <> :true"
        if may_be_missing:
            condition = f"attribute_not_exists({CALENDAR.key[0]}) OR ({condition})"
        put = {
            "TableName": self.calendar_table,
            "Item": {
                **self._row(event, now),
                **({} if may_be_missing else _IN_PROGRESS),
                **_strings({PROCESSED_AT: now, PROCESSED_BY: event.id, "correlation_id": event.id}),
                PROCESSED: {"BOOL": True},
            },
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#processed": PROCESSED, "#run": RUN},
            "ExpressionAttributeValues": {":true": {"BOOL": True}, ":run": {"S": self.run}},
        }
        return {"TransactItems": [{"Put": put}, self._entry(event, now, "row put, marked")]}

    def end(self, present: RoundTripEvent, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of `TransactWriteItems` that end the run: the marked row, as it is, for the next one.

        Args:
            present: The event that has marked the row.
            row: The row as plain values.
        """
        texts = {name: value for name, value in row.items() if isinstance(value, str)}
        put = {
            "TableName": self.calendar_table,
            "Item": {**_strings(texts), PROCESSED: {"BOOL": True}},
            "ConditionExpression": "#run = :run AND #by = :event",
            "ExpressionAttributeNames": {"#run": RUN, "#by": PROCESSED_BY},
            "ExpressionAttributeValues": _strings({":run": self.run, ":event": present.id}),
        }
        return {"TransactItems": [{"Put": put}]}

    def _row(self, event: RoundTripEvent, now: str) -> dict[str, Any]:
        return {**_strings({**event.key, RUN: self.run, _OPENED_AT: now}), PROCESSED: {"BOOL": False}}

    def _entry(self, event: RoundTripEvent, now: str, reason: str) -> dict[str, Any]:
        return probe.put_entry(
            self.audit_table, event.audit_key, event.id, operator=self.operator, now=now, reason=reason
        )


def _strings(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"S": value} for name, value in values.items()}
