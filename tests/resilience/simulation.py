"""Everything that an event can meet, in one process and in simulated time, and observations of it on the wire.

The function is `handler.processor.Processor` with its own boto3 clients; DynamoDB Local and the queue are real. A crash
or a deadline is an exception that no `except Exception` catches, raised before or after a call.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from emulator.faults import Exchange, Fault, FaultProxy, Reply, aws_error, cancelled, reset_before, sqs_error, throttled
from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.api import ServedRule, serve_api
from emulator.pipeline.bus import Archive
from emulator.pipeline.destinations import SqsDestination
from emulator.pipeline.invokers import InProcessContext, InProcessInvoker, ProcessCrashed
from emulator.pipeline.model import AsyncInvokeConfig, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations
from emulator.pipeline.rule_target import InvokeError
from emulator.pipeline.scheduler import SimulatedScheduler
from emulator.services.sqs import sqs_client
from tests.resilience.observations import Attempt, FaultPlan, Observations, event_id
from tests.support.harness import TIMEOUT, FunctionHarness, function_environ, function_harness
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import json_lines

WRITE, SEND = "TransactWriteItems", "SendMessage"
WRITE_FAULTS = {
    "throttled": throttled(),
    "conflict": cancelled("TransactionConflict", "None"),
    "error": aws_error("InternalServerError", 500),
    "reset": reset_before(),
    "denied": aws_error("AccessDeniedException"),
}
_REFUSED = sqs_error("AccessDenied", 403)


@dataclass
class Simulation:
    """An event pipeline with everything before and behind it.

    Attributes:
        tables: The tables.
        queue: The dead-letter queue.
        queue_url: SQS for the operator: its calls are observed.
        bus_url: EventBridge for the operator: its calls are observed.
        timeline: The simulated time.
        archive: The bus's archive.
        observations: What happened so far.
        fault_plans: The faults of the next invocations.
        refuses_function: Whether the queue refuses the function's messages.
        refuses_platform: Whether the queue refuses the messages of Lambda and EventBridge.
        no_permission: Whether EventBridge may not invoke the function.
    """

    tables: Tables
    queue: DeadLetters
    queue_url: str
    bus_url: str
    timeline: SimulatedScheduler
    archive: Archive
    observations: Observations = field(default_factory=Observations)
    fault_plans: deque[FaultPlan] = field(default_factory=deque)
    refuses_function: bool = False
    refuses_platform: bool = False
    no_permission: bool = False
    pipeline: EventPipeline = field(init=False)
    _function: FunctionHarness = field(init=False)
    _plan: FaultPlan = field(default_factory=FaultPlan)
    _writes: Iterator[str] = field(default_factory=lambda: iter(()))
    _context: InProcessContext | None = None

    def publish(self, event: Mapping[str, Any]) -> None:
        """Put an event onto the bus as it is."""
        self.deliver(json.dumps(event).encode())

    def deliver(self, payload: bytes) -> None:
        """Put the JSON of an event onto the bus."""
        self.observations.published[event_id(json.loads(payload))] += 1
        self.pipeline.put_event(payload, tag=sum(self.observations.published.values()))

    def advance(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.timeline.run(until=self.timeline.now() + seconds)

    # Called by the event pipeline.

    def invoke(self, payload: bytes, **how: Any) -> InvocationResult:
        """Invoke the function once: `emulator.pipeline.invokers.Invoker`."""
        self._plan = self.fault_plans.popleft() if self.fault_plans else FaultPlan()
        if self._plan.lambda_throttles:
            return InvocationResult("throttled", b"", how["request_id"], 0, cold_start=False)
        self._writes = iter(self._plan.writes)
        self.observations.attempts.append(Attempt())
        result = InProcessInvoker(self._handle).invoke(payload, **how)
        if result.status == "crashed":
            self.observations.attempts[-1].outcome = "crashed"
        return result

    def _handle(self, event: Any, context: InProcessContext) -> Any:
        self._context, attempt = context, self.observations.attempts[-1]
        before = self._function.clock.now
        try:
            invoked = self._function(event, trace_header=context.trace_header, request_id=context.aws_request_id)
        except ProcessCrashed:
            raise  # the output of a crashed process is lost
        except BaseException:
            attempt.outcome = "timed_out"
            (attempt.metrics,) = [line for line in json_lines(self._function.output.raw()) if "_aws" in line]
            raise
        context.advance(self._function.clock.now - before)
        attempt.outcome, attempt.metrics = (invoked.answer or {"outcome": "raised"})["outcome"], invoked.metric_line
        if invoked.error is not None:
            raise invoked.error
        return invoked.answer

    def _interrupt(self, operation: str, *, after: bool) -> None:
        if (self._plan.fails_at, self._plan.after) != (operation, after):
            return
        if not self._plan.deadline:
            raise ProcessCrashed
        assert self._context is not None
        self._function.clock.advance(TIMEOUT)  # the watchdog reports first
        self._context.advance(TIMEOUT)

    def invoke_api(self, _: bytes) -> InvokeError | None:
        """Return Lambda's error of an asynchronous invoke request, if it refuses it."""
        return InvokeError("NO_PERMISSIONS", "injected") if self.no_permission else None

    # Called by the proxies.

    def on_dynamodb_call(self, exchange: Exchange) -> None:
        """Handle a call of the function to DynamoDB."""
        fault = next(self._writes, None)
        if fault in WRITE_FAULTS:
            WRITE_FAULTS[fault].act(exchange)
            return
        reply = exchange.forward()
        if reply.status == 200:
            self.observations.attempts[-1].committed.add(exchange.request.json["ClientRequestToken"])
        if fault == "lost":
            exchange.reset()
        else:
            exchange.reply(reply)

    def on_function_queue_call(self, exchange: Exchange) -> None:
        """Handle a call of the function to the queue."""
        if self.refuses_function:
            _REFUSED.act(exchange)
            return
        reply = self._at_queue(exchange)
        self.observations.attempts[-1].sent += reply.status == 200  # before the function knows it, and may return
        exchange.reply(reply)

    def on_platform_queue_call(self, exchange: Exchange) -> None:
        """Handle a call of Lambda, EventBridge or the operator to the queue."""
        if self.refuses_platform and exchange.request.operation == SEND:
            _REFUSED.act(exchange)
        else:
            exchange.reply(self._at_queue(exchange))

    def _at_queue(self, exchange: Exchange) -> Reply:
        """Forward a call to the queue and record what it does."""
        reply, request, observations = exchange.forward(), exchange.request, self.observations
        if request.operation == SEND:
            body = json.loads(request.json["MessageBody"])
            observations.dead_letters[json.loads(reply.body)["MessageId"]] = event_id(body.get("requestPayload", body))
        if request.operation == "ReceiveMessage":
            for message in json.loads(reply.body).get("Messages", []):
                observations.receipt_handles[message["ReceiptHandle"]] = message["MessageId"]
        if request.operation == "DeleteMessage":
            observations.deleted.add(observations.receipt_handles[request.json["ReceiptHandle"]])
        return reply

    def on_bus_call(self, exchange: Exchange) -> None:
        """Handle a call of the operator to EventBridge."""
        reply = exchange.forward()
        if exchange.request.operation == "PutEvents" and json.loads(reply.body)["FailedEntryCount"] == 0:
            for entry in exchange.request.json["Entries"]:
                self.observations.published[json.loads(entry["Detail"])["event_id"]] += 1
                self.observations.redriven[json.loads(entry["Detail"])["event_id"]] += 1
        exchange.reply(reply)


@contextmanager
def simulations(tables: Tables, queue: DeadLetters) -> Iterator[Callable[[int], Simulation]]:
    """Start the function once, for simulations one after the other.

    Yields:
        Makes a simulation from a seed, with empty stores; it replaces the one before.
    """
    active: list[Simulation] = []

    def proxy(url: str, handle: Callable[[Simulation, Exchange], None]) -> str:
        observed = Fault("observed", lambda exchange: handle(active[-1], exchange))
        return stack.enter_context(FaultProxy(url, otherwise=observed)).url

    with ExitStack() as stack, ExitStack() as current:
        environ = function_environ(
            tables,
            queue,
            AWS_ENDPOINT_URL_DYNAMODB=proxy(tables.url, Simulation.on_dynamodb_call),
            AWS_ENDPOINT_URL_SQS=proxy(queue.url, Simulation.on_function_queue_call),
        )
        invoke = stack.enter_context(function_harness(environ))
        dead_letters = invoke.processor._dead_letters
        dead_letters._client = dead_letters._make_client()
        for client, operation in ((invoke.processor._calendar._client, WRITE), (dead_letters._client, SEND)):
            for moment, after in (("before-send", False), ("response-received", True)):
                client.meta.events.register(
                    moment, lambda operation=operation, after=after, **_: active[-1]._interrupt(operation, after=after)
                )
        queue_url = proxy(queue.url, Simulation.on_platform_queue_call)
        destination = SqsDestination(stack.enter_context(closing(sqs_client(queue_url))), queue.queue_url)

        def make(seed: int) -> Simulation:
            current.close()
            queue.drain()
            _clear(tables)
            timeline, archive = SimulatedScheduler(), current.enter_context(closing(Archive()))
            simulation = Simulation(tables, queue, queue_url, "", timeline, archive)
            simulation._function = invoke
            simulation.pipeline = EventPipeline(
                timeline,
                [simulation] * 2,
                PipelineSettings(
                    invoke=AsyncInvokeConfig(maximum_event_age_s=600, duplicate_probability=0.2), seed=seed
                ),
                destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
                archive=archive,
                invoke_api=simulation.invoke_api,
                on_result=simulation.observations.results.append,
            )
            rule = ServedRule(
                {"source": ["signal9.advisor"]}, lambda _, __: True, "mark", PipelineSettings().function_arn
            )
            bus_url = current.enter_context(serve_api(simulation.pipeline, rule))
            observed = Fault("observed", simulation.on_bus_call)
            simulation.bus_url = current.enter_context(FaultProxy(bus_url, otherwise=observed)).url
            active.append(simulation)
            return simulation

        yield make


def _clear(tables: Tables) -> None:
    for table, names in (
        (tables.calendar_table, ("asset_symbol", "earnings_date")),
        (tables.audit_table, ("earnings_key", "entry_id")),
    ):
        for item in tables.client.scan(TableName=table)["Items"]:
            tables.client.delete_item(TableName=table, Key={name: item[name] for name in names})
