"""The sources that `mep trace` searches, and the gaps that a failed source leaves in the result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from handler.contract import AUDIT, CALENDAR, CORRELATION_INDEX
from mep.errors import Problem, Reason
from monitoring.names import bus_log_group

SPAN_LOG_GROUP = "aws/spans"


class SpanStore(StrEnum):
    """Where the spans are searched.

    Attributes:
        AUTO: In X-Ray, and then in the log group of Transaction Search where X-Ray does not have all.
        XRAY: In X-Ray only.
        LOGS: In the log group of Transaction Search only.
    """

    AUTO = "auto"
    XRAY = "xray"
    LOGS = "logs"


class Source(StrEnum):
    """A place with records of an event."""

    LOG = "log"
    TRACES = "traces"
    AUDIT = "audit"
    CALENDAR = "calendar"
    QUEUE = "queue"
    BUS = "bus"
    RUN = "run"


_NAMES = {
    Source.LOG: "the log",
    Source.TRACES: "the traces",
    Source.AUDIT: "the audit table",
    Source.CALENDAR: "the calendar",
    Source.QUEUE: "the dead-letter queue",
    Source.BUS: "the log of the bus",
    Source.RUN: "the rest of the run",
}
_PRIMARY = {Source.LOG, Source.TRACES, Source.AUDIT, Source.QUEUE}
"""The sources that can be searched by correlation ID; the calendar is read by the key that they return."""


@dataclass(frozen=True, slots=True)
class SearchScope:
    """What to search in AWS.

    Attributes:
        log_group: Log group of the function.
        spans: Where the spans are searched.
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        since: How far back logs and traces are searched.
        bus: The event bus; empty if it is not known.
        function: Name of the function, to leave out deliveries to other targets; empty for any.
    """

    log_group: str
    spans: SpanStore
    calendar_table: str
    audit_table: str
    since: timedelta
    bus: str = ""
    function: str = ""

    @property
    def bus_log_group(self) -> str:
        """The log group of the bus; empty if the bus is not known."""
        return bus_log_group(self.bus) if self.bus else ""

    def names(self) -> dict[Source, str]:
        """Return the resource of each source, the queue excluded."""
        return {
            Source.LOG: self.log_group,
            Source.TRACES: SPAN_LOG_GROUP if self.spans is SpanStore.LOGS else "X-Ray",
            Source.AUDIT: self.audit_table,
            Source.CALENDAR: self.calendar_table,
            **({Source.BUS: self.bus_log_group} if self.bus else {}),
        }


ADVICE: Mapping[tuple[Source, Reason], str] = {
    (Source.LOG, Reason.NOT_FOUND): "check ENVIRONMENT, or name another with --function or --log-group",
    (Source.TRACES, Reason.NOT_FOUND): "is X-Ray's Transaction Search on? --spans auto searches X-Ray's own store, too",
    (Source.AUDIT, Reason.NOT_FOUND): f"check {AUDIT.variable}",
    (Source.AUDIT, Reason.REFUSED): f"it needs the index {CORRELATION_INDEX}",
    (Source.CALENDAR, Reason.NOT_FOUND): f"check {CALENDAR.variable}",
}
"""Advice that is more specific than AWS's own reason, by source and reason."""


def beside_emulator(more: str = "") -> Problem:
    """Return why AWS is not called where other endpoints are an emulator's.

    Args:
        more: What else to do, at the end of the advice.
    """
    text = "AWS is not called, because other endpoints are an emulator's"
    return Problem(Reason.NOT_CONFIGURED, text, f"set AWS_ENDPOINT_URL_* for all of them or none{more}")


class NotQueriedError(Exception):
    """A service must not be called.

    Args:
        problem: Why.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Gap:
    """A source that could not be read, or not completely.

    Attributes:
        source: The source.
        name: Name of the log group, the table, the queue or the folder.
        problem: Why.
    """

    source: Source
    name: str
    problem: Problem

    def as_json(self) -> dict[str, str]:
        """Return the gap as a JSON object of texts."""
        return {"source": self.source.value, "name": self.name, **self.problem.as_json()}


def source_names(gaps: Iterable[Gap]) -> str:
    """Return the sources of gaps, each once, as a list in words."""
    return ", ".join(dict.fromkeys(_NAMES[gap.source] for gap in gaps))


def gap_lines(gaps: Iterable[Gap]) -> list[str]:
    """Return one line per cause: the sources, why they could not be read, and what to do."""
    by_cause: dict[str, list[Gap]] = {}
    for gap in gaps:
        text = "; ".join(part for part in (gap.problem.text, gap.problem.advice) if part)
        by_cause.setdefault(text, []).append(gap)
    return [f"{source_names(members)}: {text}" for text, members in by_cause.items()]


def nothing_was_read(gaps: Iterable[Gap], *, with_queue: bool = True) -> bool:
    """Return whether no source that can be searched by correlation ID could be read.

    Args:
        gaps: The sources that could not be read.
        with_queue: Whether the dead-letter queue was to be read.
    """
    failed: set[Any] = {gap.source for gap in gaps if gap.problem.reason is not Reason.INCOMPLETE}
    return failed >= (_PRIMARY if with_queue else _PRIMARY - {Source.QUEUE})
