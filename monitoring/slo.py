"""The service level, and alarms on how fast its error budget burns.

Two windows each, as in https://sre.google/workbook/alerting-on-slos/ (section 6, multiwindow, multi-burn-rate): the
long one says that it matters, the short one that it goes on, so that the alarm ends when the trouble does.
"""

from dataclasses import dataclass

from handler.errors import ErrorCategory
from monitoring.model import HOUR, MINUTE, Alarm, Composite, Metric
from monitoring.ratio_alarms import MIN_FAILURES, RECEIVED, zero_filled

OBJECTIVE = 0.995
"""Share of deliveries, over 30 days, that the function brings to a good end: marked, duplicate, or, where the event
itself is at fault (`validation`, `not_found`), dead-lettered. The other categories are the service's to answer for."""

_AT_FAULT = f"{zero_filled('errors')}-{zero_filled('invalid')}-{zero_filled('absent')}"


@dataclass(frozen=True, slots=True)
class Burn:
    """One pair of windows.

    Attributes:
        name: of the alarm that speaks.
        rate: how many times faster than planned the budget burns.
        long: seconds of the long window.
        short: seconds of the short one.
        budget: share of 30 days' budget that is gone when the long window is full of it, in words.
    """

    name: str
    rate: float
    long: int
    short: int
    budget: str


BURNS = (
    Burn("slo-fast-burn", 14.4, HOUR, 5 * MINUTE, "2 % of the month's error budget goes in an hour"),
    Burn("slo-slow-burn", 6, 6 * HOUR, 30 * MINUTE, "5 % of the month's error budget goes in six hours"),
)


def _window(burn: Burn, which: str, period: int) -> Alarm:
    return Alarm(
        name=f"{burn.name}-{which}",
        summary=f"Part of {burn.name}: the last {period // MINUTE} minutes.",
        metrics={
            "errors": Metric("Errors"),
            "invalid": Metric("Errors", category=ErrorCategory.VALIDATION.value),
            "absent": Metric("Errors", category=ErrorCategory.NOT_FOUND.value),
            "received": RECEIVED,
        },
        expression=(
            f"IF({zero_filled('received')}>0 AND ({_AT_FAULT})>={MIN_FAILURES}, "
            f"({_AT_FAULT})/{zero_filled('received')}/{round(1 - OBJECTIVE, 6)}, 0)"
        ),
        threshold=burn.rate,
        period=period,
        # The window slides by the minute. Data that is late would leave a hole in the newest short window.
        within=3 if which == "short" else 1,
        notifies=False,
        minimum=MIN_FAILURES,
    )


WINDOWS = tuple(
    _window(burn, which, period) for burn in BURNS for which, period in (("long", burn.long), ("short", burn.short))
)

BURN_RATES = tuple(
    Composite(
        name=burn.name,
        summary=f"{burn.budget}, and it goes on: {burn.rate} times what {OBJECTIVE:.1%} allows.",
        groups=((f"{burn.name}-long",), (f"{burn.name}-short",)),
    )
    for burn in BURNS
)
