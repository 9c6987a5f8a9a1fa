"""An outage of DynamoDB in simulated time: producers, event pipeline, the real function, and the automatic redrive."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, override

from emulator.faults import Exchange, Fault, FaultProxy, Reply, forward
from emulator.pipeline.invokers import InProcessContext, InProcessInvoker
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.platform_metrics import DataPoint
from emulator.pipeline.scheduler import SIMULATION_START, SimulatedScheduler
from emulator.services.sqs import QueueEndpoint
from mep.errors import MepError
from monitoring.auto_redrive import auto_redrive_failures
from monitoring.model import Alarm, Source
from tests.support.cloudwatch.notifications import AlarmSet, Notification
from tests.support.cloudwatch.timeline import Timeline
from tests.support.events import DATE
from tests.support.events import event as new_event
from tests.support.invocation import Invoked
from tests.support.monitoring_template import (
    BUS,
    ENVIRONMENT,
    FUNCTION,
    PREFIX,
    QUEUE,
    RULE,
    TOPIC_ARNS,
    template,
)
from tests.support.redriver_harness import Platform, RedriverHarness, redriver_harness
from tests.support.simulated_queue import SimulatedQueue
from tests.support.stores import DeadLetters, Tables

HOUR = 3600.0
MINUTE = 60.0

_DIMENSIONS = {
    "AWS/Lambda": {"FunctionName": FUNCTION},
    "AWS/SQS": {"QueueName": QUEUE},
    "AWS/Events": {"EventBusName": BUS, "RuleName": RULE},
}
_AUTOMATIC = {"FunctionName": f"{FUNCTION}-auto-redrive"}
RUN_EVERY = 15 * MINUTE


@dataclass
class Outage:
    """A system in simulated time.

    Attributes:
        tables: The tables.
        harness: The automatic redrive, and what is around it.
        queue: The dead-letter queue.
        scheduler: The time.
        timeline: The metrics and the log lines of the run, as CloudWatch has them.
        writes: The fault of each of the function's writes, by hours since the start: the last one that has begun.
        never: The fault of each write for a symbol.
        unavailable: Hours since the start between which DynamoDB does not answer the automatic redrive either.
        statuses: The status of each run of the automatic redrive, in order.
        end: When the run ends, Unix time in seconds.
    """

    tables: Tables
    harness: RedriverHarness
    queue: SimulatedQueue
    scheduler: SimulatedScheduler
    timeline: Timeline = field(default_factory=lambda: Timeline(_DIMENSIONS))
    writes: dict[float, Fault] = field(default_factory=dict)
    never: dict[str, Fault] = field(default_factory=dict)
    unavailable: tuple[float, float] = (0, 0)
    statuses: list[str] = field(default_factory=list)
    end: float = 0.0

    @property
    def hours(self) -> float:
        """Hours since the start."""
        return (self.scheduler.now() - SIMULATION_START) / HOUR

    def run(self, symbols: Iterable[tuple[float, str]], hours: float) -> None:
        """Publish an event for each symbol, at its hour, and run everything.

        Args:
            symbols: Hours since the start, and a symbol, whose row is put into the calendar.
            hours: When the run ends. What is in progress then is completed.
        """
        self.end = SIMULATION_START + hours * HOUR
        events = []
        for number, (hour, symbol) in enumerate(symbols):
            self.tables.put_row(symbol, DATE)
            payload = json.dumps(new_event(symbol, DATE, number)).encode()
            events.append(InputEvent(payload, at=SIMULATION_START + hour * HOUR))
        pipeline = EventPipeline(
            self.scheduler,
            [InProcessInvoker(self._handle)] * 2,
            destinations=FailureDestinations(on_failure=self.queue, rule_dlq=self.queue),
            on_data_point=self._add_data_point,
        )
        self.scheduler.call_later(RUN_EVERY, self._redrive)
        self.scheduler.call_later(MINUTE, self._sample)
        pipeline.run(events)

    def record(self, invoked: Invoked) -> None:
        """Keep the metrics and the outcome of an invocation."""
        for line in invoked.metrics:
            self.timeline.store.put_emf(line, at=self.scheduler.now())
        self.timeline.lines += [(self.scheduler.now(), line) for line in invoked.log_lines("event_outcome")]

    def messages(self, every: int = 1) -> list[Notification]:
        """Return the notifications of the stack's alarms, from the start to the end of the run.

        Args:
            every: Minutes from one evaluation to the next.
        """
        automatic = {"Type": "AWS::CloudWatch::Alarm", "Properties": _properties(auto_redrive_failures(15))}
        alarms = AlarmSet({**template()["Resources"], "AutoRedrive": automatic})
        minutes = range(0, round((self.end - SIMULATION_START) / MINUTE), every)
        return alarms.notifications(self.timeline, [SIMULATION_START + minute * MINUTE for minute in minutes])

    def write(self, exchange: Exchange) -> None:
        """Answer a write of the function."""
        begun = [hour for hour in self.writes if hour <= self.hours]
        fault = self.writes[max(begun)] if begun else forward()
        body = exchange.request.body
        next((own for symbol, own in self.never.items() if symbol.encode() in body), fault).act(exchange)

    def _handle(self, event: Any, context: InProcessContext) -> Any:
        function = self.harness.platform.function
        before = function.clock.now
        invoked = function(event, trace_header=context.trace_header, request_id=context.aws_request_id)
        context.advance(function.clock.now - before)
        self.record(invoked)
        if invoked.error is not None:
            raise invoked.error
        return invoked.answer

    def _redrive(self) -> None:
        """Run the automatic redrive, as its schedule does."""
        self.harness.now = datetime.fromtimestamp(self.scheduler.now(), UTC)
        self.harness.remaining_s = 300
        first, last = self.unavailable
        fault = self.writes.get(first, forward()) if first <= self.hours < last else forward()
        self.harness.dynamodb._otherwise = fault
        try:
            self.statuses.append(self.harness.run(after=timedelta()).value)
        except MepError:
            self.statuses.append("failed")
            self.count("AWS/Lambda", "Errors", 1, _AUTOMATIC)
        for line in self.harness.lines:
            if "_aws" in line:
                self.timeline.store.put_emf(line, at=self.scheduler.now())
        if self.scheduler.now() < self.end:
            self.scheduler.call_later(RUN_EVERY, self._redrive)

    def _sample(self) -> None:
        """Publish the queue's metrics, once a minute."""
        counts = {
            "ApproximateNumberOfMessagesVisible": self.queue.visible,
            "ApproximateAgeOfOldestMessage": self.queue.oldest_age_s,
            "NumberOfMessagesSent": self.queue.sent,
        }
        self.queue.sent = 0
        for name, value in counts.items():
            self.count("AWS/SQS", name, value)
        if self.scheduler.now() < self.end:
            self.scheduler.call_later(MINUTE, self._sample)

    def _add_data_point(self, point: DataPoint) -> None:
        self.timeline.store.put_platform(point.as_dict(), dimensions=_DIMENSIONS[point.namespace])

    def count(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str] | None = None) -> None:
        """Count a metric of a service."""
        dimensions = dimensions or _DIMENSIONS[namespace]
        self.timeline.store.put(namespace, name, dimensions, [value], at=self.scheduler.now())


@dataclass
class RecordingPlatform(Platform):
    """Lambda's API, whose invocations count in the metrics of the run."""

    outage: Outage | None = None

    @override
    def reply(self, exchange: Exchange) -> Reply:
        before = len(self.invoked)
        reply = super().reply(exchange)
        for invoked in self.invoked[before:]:
            assert self.outage is not None
            self.outage.record(invoked)
            self.outage.count("AWS/Lambda", "Invocations", 1)
            self.outage.count("AWS/Lambda", "Errors", int(invoked.error is not None))
        return reply


def _properties(alarm: Alarm) -> dict[str, Any]:
    """Return the properties of the alarm on the automatic redrive, as the stack makes it."""
    dimensions = {Source.LAMBDA: _AUTOMATIC, Source.FUNCTION: {"Environment": ENVIRONMENT}}
    metrics = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.source.value,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions[metric.source].items()],
                },
                "Period": alarm.period,
                "Stat": metric.statistic,
            },
        }
        for name, metric in alarm.metrics.items()
    ]
    topics = [TOPIC_ARNS[alarm.severity]]
    return {
        "AlarmName": PREFIX + alarm.name,
        "Metrics": [*metrics, {"Id": "expression", "Expression": alarm.expression}],
        "Threshold": alarm.threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": alarm.within,
        "DatapointsToAlarm": alarm.breaching,
        "TreatMissingData": alarm.missing.value,
        "AlarmActions": topics,
        "OKActions": topics,
    }


@contextmanager
def outages(tables: Tables) -> Iterator[Outage]:
    """Start a system in simulated time."""
    scheduler = SimulatedScheduler()
    queue = SimulatedQueue(scheduler.now)
    with FaultProxy("http://127.0.0.1:9", otherwise=Fault("served", queue.serve), recording=False) as sqs:
        dead_letters = DeadLetters(QueueEndpoint(sqs.url, f"{sqs.url}/000000000000/dead-letters"))
        with redriver_harness(tables, dead_letters) as harness:
            outage = Outage(tables, harness, queue, scheduler)
            platform = RecordingPlatform(harness.platform.function, outage=outage)
            harness.platform = platform
            served = Fault("served", lambda exchange: exchange.reply(platform.reply(exchange)))
            harness.events._otherwise = harness.lambda_._otherwise = served
            harness.writes._otherwise = Fault("write", outage.write)
            yield outage
