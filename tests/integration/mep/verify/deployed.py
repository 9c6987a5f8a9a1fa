"""A fake account in which the real function is deployed: what it writes becomes log, metrics and traces."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mep.trace.xray import xray_id
from tests.integration.harness import Harness
from tests.integration.mep.trace import aws_api
from tests.integration.mep.verify.bus import FakeBus, FakeRule
from tests.support.aws_account import Call, Reply, ok
from tests.support.invocation import Invoked

NAME = "mark-earnings-processed"
TOPICS = "arn:aws:sns:eu-central-1:123456789012"
TOPIC = f"{TOPICS}:{NAME}-page"
SUBSCRIPTION = f"{TOPIC}:0b1a"


def _nothing(_: Invoked) -> None:
    pass


@dataclass
class DeployedAccount:
    """The account.

    Attributes:
        harness: The function.
        alarms: The alarms, as `DescribeAlarms` returns them.
        subscriptions: The subscriptions of the topic, by ARN or state.
        replies: Replies by operation that replace those of the account.
        after: Called after each invocation, with it.
        telemetry: Logs, metrics, traces: what the account takes over.
        late: How many times a source is read in vain.
        annotated: Whether X-Ray indexes annotations.
        bus: The bus, with the function behind it.
        notifies: What the history says of an alarm's action: `Succeeded`, `Failed`; empty for nothing.
        executed: The topics of the actions that are executed; all of the alarm's if empty.
        history: The history of all alarms, the newest first.
        calls: The calls so far.
    """

    harness: Harness
    environment: str
    alarms: list[dict[str, Any]]
    subscriptions: list[str] = field(default_factory=lambda: [SUBSCRIPTION])
    replies: dict[str, Reply] = field(default_factory=dict)
    after: Callable[[Invoked], None] = _nothing
    telemetry: set[str] = field(default_factory=lambda: {"logs", "metrics", "traces"})
    late: int = 0
    annotated: bool = True
    bus: FakeBus = field(init=False)
    notifies: str = "Succeeded"
    executed: tuple[str, ...] = ()
    history: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    _records: aws_api.Account = field(default_factory=aws_api.Account)
    _metrics: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._records.groups[self.log_group] = []
        rule = FakeRule(f"arn:aws:lambda:eu-central-1:123456789012:function:{NAME}-{self.environment}:live")
        self.bus = FakeBus(rule, self._run, self.harness.services.queue.endpoint)

    @property
    def log_group(self) -> str:
        """The log group of the function."""
        return f"/aws/lambda/{NAME}-{self.environment}"

    def operations(self) -> list[str]:
        """Return the operations that were called."""
        return [call.operation for call in self.calls]

    def forget_metrics(self) -> None:
        """Forget the metrics so far: those of another event count, too."""
        self._metrics.clear()

    def respond(self, call: Call) -> Reply:
        """Record a call and return its reply."""
        self.calls.append(call)
        if call.operation in self.replies:
            return self.replies[call.operation]
        if call.service == "events":
            return self.bus.respond(call)
        own = {
            "Invoke": self._invoke,
            "GetMetricData": self._metric_data,
            "DescribeAlarms": self._described,
            "SetAlarmState": self._set_state,
            "DescribeAlarmHistory": self._history,
            "GetTraceSummaries": self._summaries,
            "ListSubscriptionsByTopic": self._subscribed,
        }
        return own.get(call.operation, self._records.respond)(call)

    def _invoke(self, call: Call) -> Reply:
        invoked = self._run(call.parameters, call.trace_header)
        return Reply(200, json.dumps(invoked.answer).encode())

    def _run(self, event: Any, trace_header: str) -> Invoked:
        invoked = self.harness.function(event, trace_header=trace_header)
        self.after(invoked)
        lines = [json.dumps(line) for line in (*invoked.logs, *invoked.metrics)]
        if "logs" in self.telemetry:
            self._records.groups[self.log_group] += lines
        if "metrics" in self.telemetry:
            self._metrics |= {key: value for key, value in invoked.metric_line.items() if key.startswith("Events")}
        if "traces" in self.telemetry:
            self._records.traces |= {xray_id(span["trace_id"]): [document(span)] for span in [invoked.root]}
        if "spans" in self.telemetry:
            self._records.groups["aws/spans"] = [json.dumps(span_record(invoked.root))]
        return invoked

    def _metric_data(self, call: Call) -> Reply:
        return ok(MetricDataResults=[self._metric(query) for query in call.parameters["MetricDataQueries"]])

    def _described(self, call: Call) -> Reply:
        names, prefix = call.parameters.get("AlarmNames", ()), call.parameters.get("AlarmNamePrefix", "")
        return ok(
            MetricAlarms=[
                each
                for each in self.alarms
                if (each["AlarmName"] in names if names else each["AlarmName"].startswith(prefix))
            ]
        )

    def _set_state(self, call: Call) -> Reply:
        """As CloudWatch: actions are executed when the state changes."""
        (alarm,) = [each for each in self.alarms if each["AlarmName"] == call.parameters["AlarmName"]]
        topics = self.executed or alarm["AlarmActions"]
        for topic in topics if self.notifies and alarm["StateValue"] != "ALARM" else ():
            word = "Successfully executed" if self.notifies == "Succeeded" else "Failed to execute"
            item = {
                "AlarmName": alarm["AlarmName"],
                "Timestamp": float(len(self.calls)),
                "HistoryItemType": "Action",
                "HistorySummary": f"{word} action {topic}",
                "HistoryData": json.dumps({"actionState": self.notifies, "notificationResource": topic}),
            }
            self.history.insert(0, item)
        return ok()

    def _history(self, call: Call) -> Reply:
        return ok(
            AlarmHistoryItems=[each for each in self.history if each["AlarmName"] == call.parameters["AlarmName"]]
        )

    def _summaries(self, _: Call) -> Reply:
        is_found = self.annotated and not self._is_late("GetTraceSummaries")
        return ok(TraceSummaries=[{"Id": name} for name in self._records.traces] if is_found else [])

    def _metric(self, query: dict[str, Any]) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        assert metric["Namespace"] == "MarkEarningsProcessed"
        assert metric["Dimensions"] == [{"Name": "Environment", "Value": self.environment}]
        value = self._metrics.get(metric["MetricName"])
        is_there = value is not None and not self._is_late("GetMetricData")
        return {"Id": query["Id"], "Label": "", "Timestamps": [0.0] * is_there, "Values": [value] * is_there}

    def _subscribed(self, _: Call) -> Reply:
        members = "".join(
            f"<member><SubscriptionArn>{arn}</SubscriptionArn><TopicArn>{TOPIC}</TopicArn></member>"
            for arn in self.subscriptions
        )
        name = "ListSubscriptionsByTopic"
        text = f"<{name}Response><{name}Result><Subscriptions>{members}</Subscriptions></{name}Result></{name}Response>"
        return Reply(200, text.encode())

    def _is_late(self, operation: str) -> bool:
        return self.operations().count(operation) <= self.late


def document(span: dict[str, Any]) -> str:
    """Return the span of an event as X-Ray's daemon nests it: a subsegment of Lambda's segment."""
    attributes = span["attributes"]
    annotations = {name: attributes[name] for name in attributes["aws.xray.annotations"]}
    inner = {"id": span["span_id"], "name": span["name"], "start_time": 1.0, "annotations": annotations}
    return json.dumps({"id": "0" * 16, "trace_id": xray_id(span["trace_id"]), "name": NAME, "subsegments": [inner]})


def span_record(span: dict[str, Any]) -> dict[str, Any]:
    """Return the span of an event as Transaction Search stores it."""
    return {
        "traceId": span["trace_id"],
        "spanId": span["span_id"],
        "name": span["name"],
        "startTimeUnixNano": span["start_time_unix_nano"],
        "endTimeUnixNano": span["end_time_unix_nano"],
        "attributes": span["attributes"],
    }
