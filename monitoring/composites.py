"""The composite alarms: one cause, one notification.

The members of a composite alarm notify nobody; it does. What pages suppresses what opens a ticket, and the ticket for
failing events suppresses those for their consequences: the dead letters, the error budget. `processing-degraded`
contains the alarm that suppresses it, so that it suppresses the others while that one is in ALARM.
"""

from monitoring.log_alarms import LOG_ALARM
from monitoring.model import MINUTE, Composite, Severity, Suppression
from monitoring.ratio_alarms import ERROR_RATES
from monitoring.slo import FAST_BURN, SHORT_WINDOWS, SLOW_BURN

SERVICE_FAILING = "service-failing"
DEGRADED = "processing-degraded"
DEAD_LETTERS = "dead-letters"

WAIT = 2 * MINUTE
"""How long a ticket waits for the alarm that suppresses it: two evaluations. An alarm that is shorter than this is not
reported, because its return discards the wait."""

PAGE_WAIT = 3 * MINUTE
"""How long a page waits for the log alarm, whose page has correlation IDs: its query runs every minute, and lines are
found in the log after less than one."""

DEAD_LETTER_WAIT = 5 * MINUTE
"""The same for dead letters, which the queue's metrics report: those of the function come through its log, up to four
minutes later. Each message keeps its alarm in ALARM for 15 minutes."""

RECOVERY = 20 * MINUTE
"""How long after the end of a failure alarms return to OK: most evaluate three periods of five minutes."""

_FAST = Composite(
    name=FAST_BURN.name,
    summary=FAST_BURN.summary,
    groups=((f"{FAST_BURN.name}-long",), (f"{FAST_BURN.name}-short",)),
    severity=FAST_BURN.severity,
)

_SERVICE = Composite(
    name=SERVICE_FAILING,
    summary="Events fail or are lost until an operator acts. The reason names the alarm that went into ALARM.",
    groups=(
        (
            LOG_ALARM.name,
            "security",
            *(alarm.name for alarm in ERROR_RATES if alarm.severity is Severity.PAGE),
            "destination-delivery-failures",
            "rule-dlq-failures",
            "async-events-dropped",
            "unreported-failures",
            FAST_BURN.name,
        ),
    ),
    severity=Severity.PAGE,
    # It sends the all-clear for both, and the page where the log alarm does not: for failures that the function cannot
    # report, and if the query fails.
    suppression=Suppression(LOG_ALARM.name, PAGE_WAIT, RECOVERY),
)

_ERROR_RATE = Composite(
    name="error-rate",
    summary="More than 15 % of events fail with the same error category. The alarm of that category names it.",
    groups=(tuple(alarm.name for alarm in ERROR_RATES),),
)

_DEGRADED = Composite(
    name=DEGRADED,
    summary="Events fail, are delayed or need retries. The reason names the alarm that went into ALARM.",
    groups=(
        (
            SERVICE_FAILING,
            _ERROR_RATE.name,
            "processing-failures",
            "dynamodb-failures",
            "retries",
            "processing-time",
            "rule-failed-invocations",
            "async-event-age",
            "throttles",
            "dynamodb-system-errors",
            "dynamodb-write-throttles",
        ),
    ),
    suppression=Suppression(SERVICE_FAILING, WAIT, RECOVERY),
    reports_recovery=False,
)

_SLOW = Composite(
    name=SLOW_BURN.name,
    summary=SLOW_BURN.summary,
    groups=((f"{SLOW_BURN.name}-long",), (f"{SLOW_BURN.name}-short",)),
    # Its short windows contain the failure for longer than those of any other alarm.
    suppression=Suppression(DEGRADED, WAIT, SHORT_WINDOWS * SLOW_BURN.short + WAIT),
    reports_recovery=False,
)

_DEAD_LETTERS = Composite(
    name=DEAD_LETTERS,
    summary="A dead letter has arrived: redrive or discard it.",
    groups=(("dlq-arrival", "dlq-volume"),),
    suppression=Suppression(DEGRADED, DEAD_LETTER_WAIT, RECOVERY),
    reports_recovery=False,
)

COMPOSITES = (_FAST, _SERVICE, _ERROR_RATE, _DEGRADED, _SLOW, _DEAD_LETTERS)
"""All composite alarms, each after those that it contains."""
