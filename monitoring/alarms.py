"""All alarms, and what is named after them elsewhere."""

from monitoring.model import Alarm, Composite, Limits
from monitoring.ratio_alarms import ERROR_RATES, SHARES
from monitoring.slo import BURN_RATES, WINDOWS
from monitoring.threshold_alarms import PLATFORM, QUEUE, function_limits

COMPOSITES = (
    Composite(
        name="error-rate",
        summary="More than 15 % of the events fail with one and the same category; which one, its own alarm says.",
        groups=(tuple(alarm.name for alarm in ERROR_RATES),),
    ),
    *BURN_RATES,
)

ROLLBACK = ("processing-failures", "error-rate-internal", "error-rate-configuration", "processing-time", "memory")
"""Alarms that a bad version of the function sets off, and few others: what a gradual deployment watches."""


def alarms(limits: Limits) -> tuple[Alarm, ...]:
    """All metric alarms, in the order of the dashboard."""
    return (*ERROR_RATES, *SHARES, *function_limits(limits), *QUEUE, *PLATFORM, *WINDOWS)


def anchor(name: str) -> str:
    """Heading of the runbook that an alarm's description links to; parts of a composite share its heading."""
    for composite in BURN_RATES:
        if name.startswith(composite.name):
            return composite.name
    return name


def headings(limits: Limits) -> tuple[str, ...]:
    """Every heading that the runbook must have."""
    names = [alarm.name for alarm in alarms(limits)] + [composite.name for composite in COMPOSITES]
    return tuple(dict.fromkeys(anchor(name) for name in names))
