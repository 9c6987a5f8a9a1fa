"""All alarms, and the names in the runbook and in the rollout that follow from them."""

from dataclasses import replace

from monitoring.composites import COMPOSITES, DEAD_LETTERS
from monitoring.log_alarms import LOG_ALARM
from monitoring.model import Alarm, Composite, Level, Limits, Severity
from monitoring.ratio_alarms import ERROR_RATES, RATIOS
from monitoring.slo import BURNS, WINDOWS
from monitoring.threshold_alarms import DEPENDENCIES, PLATFORM, QUEUE, TELEMETRY, function_limits, silence

ROLLBACK = ("slo-fast-burn-short", "error-rate-internal", "error-rate-configuration", "processing-time", "memory")
"""Alarms that roll a gradual deployment back: those that a faulty version of the function causes, and little else.

Not `processing-failures`: a producer's invalid events would roll a good version back, and stop the deployment of a fix.
The burn rate counts only failures where the event is not at fault.
"""

FAILING_VERSION = "failing-version"
"""The alarm on the version that is being deployed. Only the stack knows the version (`deploy.stack.rollout`)."""

AUTO_REDRIVE_FAILURES = "auto-redrive-failures"
"""The alarm on the automatic redrive. Only a stack that has one makes it (`deploy.stack.auto_redrive`)."""

AUTO_REDRIVE_SEVERITY = Severity.TICKET

FAILING_VERSION_SEVERITY = Severity.TICKET
"""CodeDeploy has already rolled the version back."""

EVERY_ALARM = Limits(silence_hours=24)
"""Limits with which every alarm exists, for documents and tests."""

_ANCHORS = {DEAD_LETTERS: "dlq-arrival"}


MINIMUM = frozenset({"dlq-age"})
"""Alarms that are no page, and remain with `minimal`: a message that lies in the queue is lost after 14 days."""


def alarms(limits: Limits, level: Level = Level.FULL) -> tuple[Alarm, ...]:
    """Return the metric alarms, in the order of the dashboard."""
    everything = (
        *(*ERROR_RATES, *RATIOS, *function_limits(limits), *QUEUE, *PLATFORM),
        *([silence(limits.silence_hours)] if limits.silence_hours else []),
        *(*DEPENDENCIES, *TELEMETRY, *WINDOWS),
    )
    return tuple(
        alarm for alarm in everything if level is Level.FULL or alarm.severity is Severity.PAGE or alarm.name in MINIMUM
    )


def composites(level: Level = Level.FULL, *, with_log_alarm: bool = True) -> tuple[Composite, ...]:
    """Return the composite alarms, each after those that it contains.

    Args:
        level: How much is monitored.
        with_log_alarm: Whether the log alarm exists, which suppresses one of them.
    """
    if level is Level.FULL and with_log_alarm:
        return COMPOSITES
    return tuple(_without_log_alarm(alarm) for alarm in COMPOSITES if level is Level.FULL or _pages(alarm))


def _pages(alarm: Composite) -> bool:
    return alarm.severity is Severity.PAGE


def _without_log_alarm(alarm: Composite) -> Composite:
    groups = tuple(tuple(name for name in group if name != LOG_ALARM.name) for group in alarm.groups)
    is_suppressed = alarm.suppression is not None and alarm.suppression.by == LOG_ALARM.name
    return replace(alarm, groups=groups, suppression=None if is_suppressed else alarm.suppression)


def notifications(limits: Limits, level: Level = Level.FULL) -> dict[str, Severity | None]:
    """Return every alarm but the log alarm by name with whom it notifies; None for one that notifies nobody.

    Args:
        limits: What the set of alarms depends on.
        level: How much is monitored.
    """
    members = {name for composite in composites(level) for name in composite.members}
    found = {alarm.name: alarm.severity if alarm.notifies else None for alarm in alarms(limits, level)}
    found |= {composite.name: composite.severity for composite in composites(level)}
    found |= dict.fromkeys(members)
    return {**found, FAILING_VERSION: FAILING_VERSION_SEVERITY}


def severity_of(name: str) -> Severity:
    """Return the severity of an alarm: for a member of a composite alarm, the one that it has of its own."""
    found = {FAILING_VERSION: FAILING_VERSION_SEVERITY, AUTO_REDRIVE_FAILURES: AUTO_REDRIVE_SEVERITY}
    found |= {LOG_ALARM.name: LOG_ALARM.severity}
    found |= {alarm.name: alarm.severity for alarm in alarms(EVERY_ALARM)}
    return (found | {composite.name: composite.severity for composite in COMPOSITES})[name]


def anchor(name: str) -> str:
    """Return the runbook heading that an alarm's description links to. Parts of a burn rate share its heading."""
    for burn in BURNS:
        if name.startswith(burn.name):
            return burn.name
    return _ANCHORS.get(name, name)


def headings(limits: Limits) -> tuple[str, ...]:
    """Return every alarm heading that the runbook must have."""
    return tuple(
        dict.fromkeys(anchor(name) for name in (LOG_ALARM.name, *notifications(limits), AUTO_REDRIVE_FAILURES))
    )
