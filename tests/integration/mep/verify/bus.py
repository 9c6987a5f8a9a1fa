"""A bus with a rule in the fake account, behind which the function runs as Lambda invokes it asynchronously."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.bus import Entry
from emulator.pipeline.destinations import sqs_destination
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations
from emulator.pipeline.scheduler import SimulatedScheduler
from emulator.services.sqs import QueueEndpoint
from tests.support.aws_account import Call, Reply, ok
from tests.support.invocation import Invoked

PATTERN = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}


@dataclass
class FakeRule:
    """The rule of the bus.

    Attributes:
        target: ARN of what it invokes.
        state: `ENABLED` or `DISABLED`.
        pattern: Its event pattern.
        others: ARNs of further targets.
    """

    target: str
    state: str = "ENABLED"
    pattern: Mapping[str, list[str]] = field(default_factory=lambda: dict(PATTERN))
    others: tuple[str, ...] = ()

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Return whether the pattern matches: values of top-level fields are enough here."""
        return all(event.get(name) in values for name, values in self.pattern.items())


@dataclass
class FakeBus:
    """The bus. An event that a function invocation fails is retried in simulated time, and ends in the queue.

    Attributes:
        rule: Its rule.
        invoke: Runs the function with an event and a trace header.
        queue: The dead-letter queue.
        delivers: Whether events reach the function.
        entries: The entries of PutEvents so far.
    """

    rule: FakeRule
    invoke: Callable[[Any, str], Invoked]
    queue: QueueEndpoint
    delivers: bool = True
    entries: list[dict[str, Any]] = field(default_factory=list)

    def respond(self, call: Call) -> Reply:
        """Return the reply of EventBridge."""
        match call.operation:
            case "PutEvents":
                return self._put(call.parameters["Entries"])
            case "ListRules":
                rule = {"Name": "mark", "State": self.rule.state, "EventPattern": json.dumps(self.rule.pattern)}
                return ok(Rules=[rule])
            case "ListTargetsByRule":
                arns = (self.rule.target, *self.rule.others)
                return ok(Targets=[{"Id": str(number), "Arn": arn} for number, arn in enumerate(arns)])
            case "TestEventPattern":
                return ok(Result=self.rule.matches(json.loads(call.parameters["Event"])))
        raise AssertionError(call.operation)

    def _put(self, entries: list[dict[str, Any]]) -> Reply:
        self.entries += entries
        ids = [self._deliver(entry) for entry in entries]
        return ok(FailedEntryCount=0, Entries=[{"EventId": event_id} for event_id in ids])

    def _deliver(self, entry: Mapping[str, Any]) -> str:
        event = {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
        if not self.delivers:
            return "lost"
        with ExitStack() as stack:
            destination = stack.enter_context(sqs_destination(self.queue))
            pipeline = EventPipeline(
                SimulatedScheduler(),
                [_Invoker(self.invoke, entry.get("TraceHeader", ""))],
                destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
            )
            event_id = pipeline.put_entry(Entry.of(event))
            pipeline.run()
        return event_id


@dataclass
class _Invoker:
    """Lambda, with the function of this process."""

    function: Callable[[Any, str], Invoked]
    trace_header: str

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        del timeout_s
        invoked = self.function(json.loads(payload), self.trace_header or trace_header)
        if invoked.error is None:
            return InvocationResult("ok", json.dumps(invoked.answer).encode(), request_id or "", 0.1, cold_start=False)
        error = {"errorType": type(invoked.error).__name__, "errorMessage": str(invoked.error)}
        return InvocationResult("error", json.dumps(error).encode(), request_id or "", 0.1, cold_start=False)
