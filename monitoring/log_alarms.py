"""The log alarm, whose notification carries what a metric cannot: the correlation IDs of failed events."""

from dataclasses import dataclass

from handler.errors import EVENT_FAULTS, ErrorCategory
from monitoring.model import MINUTE, Severity
from monitoring.queries import QUERIES
from monitoring.ratio_alarms import ALARM_ON_FIRST

FAILED_EVENTS = "failed-events"

ASYNC_ATTEMPTS = 3
"""How often Lambda invokes the function for an event that keeps failing."""

HOLD = 60
"""Minutes for which an alarm that pages stays in ALARM after the last failure.

Events can be minutes apart: without it each of them would page again in an outage of hours.
"""


@dataclass(frozen=True, slots=True)
class LogAlarm:
    """A log alarm: a query that runs on a schedule, in ALARM when the aggregate of its result is above the threshold.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-log.html

    Attributes:
        name: Without the environment's prefix. Also the heading in the runbook.
        summary: What it means, for the engineer on call.
        query: The text of the query. What it shows is in the notification.
        aggregate: The expression that makes a number of the result.
        every: Seconds from one run to the next.
        window: Seconds of log that a run reads.
        within: N of "M out of N" with M of 1: the number of recent runs that are evaluated, at most 100.
        lines: How many lines of the result a notification has.
        severity: Whom it notifies when it goes into ALARM. It does not report its recovery.
    """

    name: str
    summary: str
    query: str
    aggregate: str
    threshold: float
    every: int
    window: int
    within: int
    lines: int
    severity: Severity


def _failed_events() -> str:
    """Return the saved query without sort and limit, for failures that concern whoever operates the function.

    An event of a category that pages at the first failure weighs as much as three others.
    """
    (saved,) = [query.text for query in QUERIES if query.name == FAILED_EVENTS]
    commands = [line for line in saved.split("\n| ") if not line.startswith(("sort", "limit"))]
    categories = ", ".join(f'"{category.value}"' for category in ErrorCategory if category not in EVENT_FAULTS)
    first = " + ".join(f'strcontains(error_category, "{category.value}")' for category in sorted(ALARM_ON_FIRST))
    return "\n| ".join(
        [
            *commands,
            f"filter error_category in [{categories}]",
            f"fields 1 + {ASYNC_ATTEMPTS - 1} * ({first}) as weight",
        ]
    )


LOG_ALARM = LogAlarm(
    name=FAILED_EVENTS,
    summary="Events fail, and the events are not at fault. The message has up to ten of them, with correlation IDs.",
    query=_failed_events(),
    aggregate="sum(weight)",
    # The three attempts of one event: Lambda then gives it up, which pages as well (`async-events-dropped`).
    threshold=ASYNC_ATTEMPTS - 1,
    every=MINUTE,
    window=5 * MINUTE,
    within=HOLD,
    lines=10,
    severity=Severity.PAGE,
)
