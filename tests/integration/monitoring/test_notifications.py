"""One cause, one notification: the messages that people get of each failure, and of its end."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from monitoring.alarm_states import State
from tests.integration.monitoring.conftest import EmfLines, Recorded
from tests.integration.monitoring.failure_scenarios import ATTEMPTS, DIMENSIONS, RAISED
from tests.integration.monitoring.traffic import BEGINS, calm
from tests.support.cloudwatch.alarms import LogAlarm
from tests.support.cloudwatch.notifications import AlarmSet, Notification
from tests.support.cloudwatch.timeline import START, Timeline
from tests.support.monitoring_template import PREFIX, TOPIC_ARNS, resources, template

REDRIVEN = 60
"""Minutes after its begin at which an operator has emptied the queue."""

MOMENTS = (
    *range(BEGINS - 15, BEGINS + 50),
    *range(BEGINS + 50, BEGINS + 140, 3),
    *range(BEGINS + 140, BEGINS + 480, 20),
)
"""The minutes at which the alarms are evaluated: dense where the failure begins and ends."""

SEVERITIES = {arn: severity for severity, arn in TOPIC_ARNS.items()}


@dataclass(frozen=True, slots=True)
class Cause:
    """A failure with one cause.

    Attributes:
        kinds: The kinds of the events in each minute; `crash` is one that the function does not report.
        events: How many events of each kind there are in a minute.
        counted: The services' metrics in each minute: namespace, name, value.
        dead_letters: Whether the events end in the dead-letter queue.
        minutes: How long it lasts.
    """

    kinds: tuple[str, ...] = ()
    events: int = 4
    counted: tuple[tuple[str, str, float], ...] = ()
    dead_letters: bool = True
    minutes: int = 5


def fail(timeline: Timeline, recorded: Recorded, cause: Cause) -> None:
    """Add the failure, and the queue until it is redriven."""
    messages = 0
    for minute in range(BEGINS, BEGINS + cause.minutes):
        for kind in cause.kinds:
            last = invoke(timeline, recorded, kind, cause.events, minute + 0.5)
            if cause.dead_letters:
                timeline.platform("AWS/SQS", "NumberOfMessagesSent", cause.events, last + 0.5)
                messages += cause.events
        for namespace, name, value in cause.counted:
            timeline.platform(namespace, name, value, minute + 0.5)
            messages += round(value) if name == "NumberOfMessagesSent" else 0
    for minute in range(BEGINS + 1, BEGINS + REDRIVEN) if messages else ():
        timeline.platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", messages, minute)


def invoke(timeline: Timeline, recorded: Recorded, kind: str, events: int, minute: float) -> float:
    """Add events of a kind. Those that the function raises for are invoked three times and then dropped.

    Returns:
        The minute of the last invocation.
    """
    is_raised = kind in RAISED or kind == "crash"
    delays = ATTEMPTS if is_raised else ATTEMPTS[:1]
    for delay in delays:
        for invoked in recorded.get(kind, ())[-events:]:
            timeline.add_documents(invoked.metrics, minute + delay)
            timeline.add_lines(invoked.logs, minute + delay)
        if is_raised:
            timeline.platform("AWS/Lambda", "Errors", events, minute + delay)
    last = minute + delays[-1]
    if is_raised:
        timeline.platform("AWS/Lambda", "AsyncEventsDropped", events, last + 0.5)
    return last


def messages(timeline: Timeline, moments: Iterable[int] = MOMENTS) -> list[Notification]:
    """Return the messages; the states before the first moment are OK."""
    alarms = AlarmSet(template()["Resources"])
    return alarms.notifications(timeline, [START + minute * 60 for minute in moments])


def counts(found: Iterable[Notification]) -> dict[str, int]:
    """Return the number of messages by severity and state."""
    return dict(Counter(f"{SEVERITIES[each.topic].value} {each.state.value}" for each in found))


def senders(found: Iterable[Notification]) -> list[str]:
    """Return each message as its alarm's name and its state."""
    return [f"{each.alarm.removeprefix(PREFIX)} {each.state.value}" for each in found]


PAGE = {"page ALARM": 1, "page OK": 1}
TICKET = {"ticket ALARM": 1}
TICKET_AND_RECOVERY = {"ticket ALARM": 1, "ticket OK": 1}

CAUSES: dict[str, tuple[Cause, dict[str, int]]] = {
    "the role loses DynamoDB": (Cause(("access_denied",)), PAGE),
    "a table is missing": (Cause(("configuration",)), PAGE),
    "DynamoDB throttles": (Cause(("throttling",)), PAGE),
    "DynamoDB returns errors": (Cause(("dynamodb",)), PAGE),
    "DynamoDB is unreachable": (Cause(("network",)), PAGE),
    "transactions conflict": (Cause(("conflict",)), PAGE),
    "invocations time out": (Cause(("timeout",)), PAGE),
    "a defect": (Cause(("internal",)), PAGE),
    "a producer sends invalid events": (Cause(("validation",)), TICKET),
    "the calendar is late": (Cause(("not_found",)), TICKET),
    "one invalid event": (Cause(("validation",), events=1, minutes=1), TICKET),
    "events are retried": (Cause(("helped",), dead_letters=False, minutes=10), TICKET),
    "events are slow": (Cause(("slow",), dead_letters=False), TICKET),
    "two events for each row": (Cause(("second",), dead_letters=False), TICKET_AND_RECOVERY),
    "the memory is full": (Cause(("full",), dead_letters=False), TICKET_AND_RECOVERY),
    "the collector is down": (Cause(("unheard",), dead_letters=False), TICKET_AND_RECOVERY),
    "the process crashes": (Cause(("crash",)), PAGE),
    "the rule may not invoke the function": (
        Cause(counted=(("AWS/Events", "FailedInvocations", 4), ("AWS/SQS", "NumberOfMessagesSent", 4))),
        TICKET,
    ),
    "the rule may not invoke the function, and the queue refuses": (
        Cause(counted=(("AWS/Events", "FailedInvocations", 4), ("AWS/Events", "InvocationsFailedToBeSentToDlq", 4))),
        PAGE,
    ),
    "the role loses DynamoDB and the queue": (
        Cause(("access_denied",), counted=(("AWS/Lambda", "DestinationDeliveryFailures", 4),), dead_letters=False),
        PAGE,
    ),
    "the function has no concurrency": (
        Cause(counted=(("AWS/Lambda", "Throttles", 9), ("AWS/Lambda", "AsyncEventAge", 1_000_000))),
        TICKET,
    ),
}
"""Each cause with the messages of it: an alarm for each cause, and one for its end where a recovery is reported."""


LATE = ("the role loses DynamoDB", "DynamoDB throttles", "a producer sends invalid events")
"""Causes that are tried with metric lines that arrive four minutes late, too."""


@pytest.mark.parametrize(("cause", "late"), [*((name, 0) for name in CAUSES), *((name, 4) for name in LATE)])
def test_one_cause_is_one_notification(emf_lines: EmfLines, recorded: Recorded, cause: str, late: int) -> None:
    failure, expected = CAUSES[cause]
    timeline = calm(emf_lines, [*range(BEGINS), *range(BEGINS + failure.minutes, BEGINS + 480, 7)], late=late)
    fail(timeline, recorded, failure)

    found = messages(timeline)

    assert counts(found) == expected


def test_the_page_has_correlation_ids_where_the_function_knows_them(emf_lines: EmfLines, recorded: Recorded) -> None:
    """The log alarm pages, and the composite alarm where it does not: three minutes later."""
    known, unknown, no_log = (calm(emf_lines, range(BEGINS)) for _ in range(3))
    fail(known, recorded, Cause(("access_denied",)))
    fail(unknown, recorded, Cause(("crash",)))
    fail(no_log, recorded, Cause(("access_denied",)))
    no_log.lines.clear()
    minutes = range(BEGINS - 5, BEGINS + 120)

    assert senders(messages(known, minutes)) == ["failed-events ALARM", "service-failing OK"]
    assert senders(messages(unknown, minutes)) == ["service-failing ALARM", "service-failing OK"]
    found = messages(no_log, minutes)
    assert senders(found) == ["service-failing ALARM", "service-failing OK"]
    assert found[0].at <= START + (BEGINS + 5) * 60


def test_the_log_alarm_rests_on_what_does_not_page(recorded: Recorded) -> None:
    properties = resources("AWS::CloudWatch::LogAlarm")[0]

    def states(kind: str, count: int) -> set[State]:
        timeline = Timeline(DIMENSIONS)
        timeline.add_lines([line for each in recorded[kind][-count:] for line in each.logs], BEGINS)
        alarm = LogAlarm(properties)
        return {alarm.evaluate(timeline.lines, START + minute * 60) for minute in range(BEGINS - 1, BEGINS + 8)}

    both = {State.OK, State.ALARM}
    assert [states(kind, 1) for kind in ("access_denied", "configuration")] == [both, both]
    assert [states(kind, 3) for kind in ("throttling", "dynamodb", "internal", "timeout")] == [both] * 4
    assert [states(kind, 2) for kind in ("throttling", "dynamodb", "internal", "timeout")] == [{State.OK}] * 4
    assert [states(kind, 5) for kind in ("validation", "not_found", "second", "marked")] == [{State.OK}] * 4
