"""All alarms, and the names in the runbook and in the rollout that follow from them."""

from monitoring.model import Alarm, Composite, Limits
from monitoring.ratio_alarms import ERROR_RATES, RATIOS
from monitoring.slo import BURN_RATES, WINDOWS
from monitoring.threshold_alarms import PLATFORM, QUEUE, TELEMETRY, function_limits

COMPOSITES = (
    Composite(
        name="error-rate",
        summary="More than 15 % of events fail with the same error category. The alarm of that category names it.",
        groups=(tuple(alarm.name for alarm in ERROR_RATES),),
    ),
    *BURN_RATES,
)

ROLLBACK = ("slo-fast-burn-short", "error-rate-internal", "error-rate-configuration", "processing-time", "memory")
"""Alarms that roll a gradual deployment back: those that a faulty version of the function causes, and little else.

Not `processing-failures`: a producer's invalid events would roll a good version back, and stop the deployment of a fix.
The burn rate counts only failures where the event is not at fault.
"""

FAILING_VERSION = "failing-version"
"""The alarm on the version that is being deployed. Only the stack knows the version (`deploy.stack.rollout`)."""

AUTO_REDRIVE_FAILURES = "auto-redrive-failures"
"""The alarm on the automatic redrive. Only a stack that has one makes it (`deploy.stack.auto_redrive`)."""


def alarms(limits: Limits) -> tuple[Alarm, ...]:
    """Return all metric alarms, in the order of the dashboard."""
    return (*ERROR_RATES, *RATIOS, *function_limits(limits), *QUEUE, *PLATFORM, *TELEMETRY, *WINDOWS)


def anchor(name: str) -> str:
    """Return the runbook heading that an alarm's description links to. Parts of a composite share its heading."""
    for composite in BURN_RATES:
        if name.startswith(composite.name):
            return composite.name
    return name


def headings(limits: Limits) -> tuple[str, ...]:
    """Return every alarm heading that the runbook must have."""
    names = [alarm.name for alarm in alarms(limits)] + [composite.name for composite in COMPOSITES]
    return tuple(dict.fromkeys(anchor(name) for name in names))
