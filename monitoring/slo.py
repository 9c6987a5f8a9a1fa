"""The service level objective, and alarms on the burn rate of its error budget.

Each alarm has two windows, as in https://sre.google/workbook/alerting-on-slos/ (section 6, multiwindow,
multi-burn-rate): the long window shows that the failures matter, the short window that they continue, so that the alarm
resolves soon after the failures end.
"""

from dataclasses import dataclass

from handler.errors import EVENT_FAULTS
from monitoring.model import HOUR, MINUTE, Alarm, Metric, Severity
from monitoring.ratio_alarms import MIN_FAILURES, RECEIVED, zero_filled

OBJECTIVE = 0.995
"""Percentage of events, over 30 days, that the service handles correctly: marked, duplicate or, where the event is at
fault (`validation`, `not_found`), dead-lettered. All other categories count against the error budget."""

_EVENT_FAULTS = tuple(sorted(category.value for category in EVENT_FAULTS))

_SERVICE_ERRORS = "-".join(map(zero_filled, ("errors", *_EVENT_FAULTS)))

BURN_RATE = f"({_SERVICE_ERRORS})/{zero_filled('received')}/{round(1 - OBJECTIVE, 6)}"
"""The burn rate of a window, without the minimum count of the alarms."""


@dataclass(frozen=True, slots=True)
class Burn:
    """A burn-rate alarm.

    Attributes:
        name: The name of the composite alarm.
        rate: The burn rate: 1 uses up the budget in exactly 30 days.
        long: The long window, in seconds.
        short: The short window, in seconds.
        budget: How much of the 30 days' budget one long window at this rate uses, in words.
        severity: Whom it notifies.
    """

    name: str
    rate: float
    long: int
    short: int
    budget: str
    severity: Severity

    @property
    def summary(self) -> str:
        """What it means, for the engineer on call."""
        return f"The error budget burns at {self.rate} times the rate that {OBJECTIVE:.1%} allows. {self.budget}."


FAST_BURN = Burn(
    "slo-fast-burn",
    14.4,
    HOUR,
    5 * MINUTE,
    "An hour at this rate uses 2 % of the month's error budget",
    Severity.PAGE,
)
SLOW_BURN = Burn(
    "slo-slow-burn",
    6,
    6 * HOUR,
    30 * MINUTE,
    "Six hours at this rate use 5 % of the month's error budget",
    Severity.TICKET,
)
BURNS = (FAST_BURN, SLOW_BURN)

SHORT_WINDOWS = 3
"""The number of short windows that are evaluated: late data would leave a gap in the newest."""


def _window(burn: Burn, which: str, period: int) -> Alarm:
    return Alarm(
        name=f"{burn.name}-{which}",
        summary=f"Part of {burn.name}: the burn rate of the last {period // MINUTE} minutes.",
        metrics={
            "errors": Metric("Errors"),
            **{category: Metric("Errors", category=category) for category in _EVENT_FAULTS},
            "received": RECEIVED,
        },
        expression=(f"IF({zero_filled('received')}>0 AND ({_SERVICE_ERRORS})>={MIN_FAILURES}, {BURN_RATE}, 0)"),
        threshold=burn.rate,
        period=period,
        within=SHORT_WINDOWS if which == "short" else 1,  # the window moves every minute
        severity=burn.severity,
        minimum=MIN_FAILURES,
    )


WINDOWS = tuple(
    _window(burn, which, period) for burn in BURNS for which, period in (("long", burn.long), ("short", burn.short))
)
