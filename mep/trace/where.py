"""Where `mep trace` looks, and what to do where it must not or cannot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from handler.contract import AUDIT, CALENDAR, CORRELATION_INDEX
from mep.problems import Problem, Reason
from mep.trace.gaps import Source

SPAN_LOG_GROUP = "aws/spans"


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Where to look.

    Attributes:
        log_group: of the function.
        spans_in_logs: whether spans are in the log group `aws/spans` (X-Ray's Transaction Search), not in X-Ray's own
            store.
        calendar_table: name of the calendar's table.
        audit_table: name of the audit table.
        since: how far back logs and traces are searched.
    """

    log_group: str
    spans_in_logs: bool
    calendar_table: str
    audit_table: str
    since: timedelta


class NotAskedError(Exception):
    """A service must not be asked.

    Args:
        problem: why.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


def names_of(where: SearchScope) -> dict[Source, str]:
    """The sources that are asked, by the names of what is asked."""
    return {
        Source.LOG: where.log_group,
        Source.TRACES: SPAN_LOG_GROUP if where.spans_in_logs else "X-Ray",
        Source.AUDIT: where.audit_table,
        Source.CALENDAR: where.calendar_table,
    }


ADVICE: Mapping[tuple[Source, Reason], str] = {
    (Source.LOG, Reason.NOT_FOUND): "is ENVIRONMENT right? --function and --log-group name another",
    (Source.TRACES, Reason.NOT_FOUND): "is X-Ray's Transaction Search on? --spans xray looks into X-Ray's own store",
    (Source.AUDIT, Reason.NOT_FOUND): f"{AUDIT.variable} names it",
    (Source.AUDIT, Reason.REFUSED): f"it needs the index {CORRELATION_INDEX}",
    (Source.CALENDAR, Reason.NOT_FOUND): f"{CALENDAR.variable} names it",
}
"""What to do where AWS's own reason does not say it, by source and reason."""
