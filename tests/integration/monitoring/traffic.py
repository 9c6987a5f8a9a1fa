"""Traffic in simulated time: ordinary events, and a failure among them."""

from collections.abc import Iterable

from tests.integration.monitoring.conftest import EmfLines
from tests.integration.monitoring.failure_scenarios import DIMENSIONS, RAISED, FailureScenario
from tests.support.cloudwatch.timeline import Timeline

CALM, BEGINS = 60, 60
"""Minutes: the end of ordinary traffic, and the begin of the failure."""


def calm(emf_lines: EmfLines, minutes: Iterable[int], *, late: float = 0) -> Timeline:
    """Return ordinary traffic: one event per minute, every tenth a duplicate, and the services' metrics."""
    timeline = Timeline(DIMENSIONS, late=late)
    for minute in minutes:
        kind = "duplicate" if minute % 10 == 9 else "marked"
        timeline.add_documents(emf_lines[kind][:1], minute)
        timeline.platform("AWS/Events", "MatchedEvents", 1, minute)
        timeline.platform("AWS/Lambda", "Errors", 0, minute)
        timeline.platform("AWS/Lambda", "AsyncEventAge", 40, minute)
        timeline.platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, minute)
    return timeline


def happen(timeline: Timeline, emf_lines: EmfLines, scenario: FailureScenario) -> None:
    """Add a failure."""
    for minute in range(BEGINS, BEGINS + scenario.minutes, scenario.every):
        for kind in scenario.kinds:
            timeline.add_documents(emf_lines[kind], minute + 0.5)
            if kind in RAISED:
                timeline.platform("AWS/Lambda", "Errors", len(emf_lines[kind]), minute + 0.5)
        for namespace, name, value in scenario.counted:
            timeline.platform(namespace, name, value, minute + 0.5)
