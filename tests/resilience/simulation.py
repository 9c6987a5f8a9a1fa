"""Everything that an event can meet, in one process and in simulated time, and books of what happened on the wire.

The function is `handler.processor.Processor` with its own boto3 clients; DynamoDB Local and the queue are real. What a
process's death or a deadline does is an exception that no `except Exception` survives, raised before or after a call.
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
from tests.resilience.observations import Observations, Trouble, Try, event_id
from tests.support.harness import TIMEOUT, FunctionHarness, function_environ, function_harness
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import json_lines

WRITE, SEND = "TransactWriteItems", "SendMessage"
SPOILT = {
    "throttled": throttled(),
    "conflict": cancelled("TransactionConflict", "None"),
    "error": aws_error("InternalServerError", 500),
    "reset": reset_before(),
    "denied": aws_error("AccessDeniedException"),
}
_REFUSED = sqs_error("AccessDenied", 403)


@dataclass
class Simulation:
    """A chain with everything before and behind it.

    Attributes:
        tables, queue: the stores.
        queue_url, bus_url: APIs for the operator: calls are seen here, and end up in the books.
        chain, timeline, archive: the chain.
        observations: what happened so far.
        troubles: what the next tries meet, one each.
        refuses_function, refuses_platform, no_permission: what is broken at present: the queue for the function, the
            queue for Lambda and EventBridge, EventBridge's right to invoke.
    """

    tables: Tables
    queue: DeadLetters
    queue_url: str
    bus_url: str
    timeline: SimulatedScheduler
    archive: Archive
    observations: Observations = field(default_factory=Observations)
    troubles: deque[Trouble] = field(default_factory=deque)
    refuses_function: bool = False
    refuses_platform: bool = False
    no_permission: bool = False
    pipeline: EventPipeline = field(init=False)
    _function: FunctionHarness = field(init=False)
    _now: Trouble = field(default_factory=Trouble)
    _writes: Iterator[str] = field(default_factory=lambda: iter(()))
    _context: InProcessContext | None = None

    def publish(self, event: Mapping[str, Any]) -> None:
        """Put an event onto the bus as it is."""
        self.deliver(json.dumps(event).encode())

    def deliver(self, payload: bytes) -> None:
        """Likewise, as bytes."""
        self.observations.put[event_id(json.loads(payload))] += 1
        self.pipeline.put_event(payload, tag=sum(self.observations.put.values()))

    def advance(self, seconds: float) -> None:
        """Let what is due happen."""
        self.timeline.run(until=self.timeline.now() + seconds)

    # What the chain calls.

    def invoke(self, payload: bytes, **how: Any) -> InvocationResult:
        """One try: `local.pipeline.invokers.Invoker`."""
        self._now = self.troubles.popleft() if self.troubles else Trouble()
        if self._now.lambda_throttles:
            return InvocationResult("throttled", b"", how["request_id"], 0, cold_start=False)
        self._writes = iter(self._now.writes)
        self.observations.tries.append(Try())
        result = InProcessInvoker(self._handle).invoke(payload, **how)
        if result.status == "crashed":
            self.observations.tries[-1].outcome = "crashed"
        return result

    def _handle(self, event: Any, context: InProcessContext) -> Any:
        self._context, this = context, self.observations.tries[-1]
        before = self._function.clock.now
        try:
            invoked = self._function(event, trace_header=context.trace_header, request_id=context.aws_request_id)
        except ProcessCrashed:
            raise  # what it has printed is not told
        except BaseException:
            this.outcome = "struck"
            (this.metrics,) = [line for line in json_lines(self._function.output.raw()) if "_aws" in line]
            raise
        context.advance(self._function.clock.now - before)
        this.outcome, this.metrics = (invoked.answer or {"outcome": "raised"})["outcome"], invoked.metric_line
        if invoked.error is not None:
            raise invoked.error
        return invoked.answer

    def _dies(self, operation: str, *, after: bool) -> None:
        if (self._now.dies, self._now.after) != (operation, after):
            return
        if not self._now.deadline:
            raise ProcessCrashed
        assert self._context is not None
        self._function.clock.advance(TIMEOUT)  # the watchdog is faster
        self._context.advance(TIMEOUT)

    def invoke_api(self, _: bytes) -> InvokeError | None:
        """Lambda's Invoke API: `local.pipeline.target.Door`."""
        return InvokeError("NO_PERMISSIONS", "injected") if self.no_permission else None

    # What the proxies call.

    def meet_database(self, exchange: Exchange) -> None:
        """A call of the function at DynamoDB."""
        spoilt = next(self._writes, None)
        if spoilt in SPOILT:
            SPOILT[spoilt].act(exchange)
            return
        reply = exchange.forward()
        if reply.status == 200:
            self.observations.tries[-1].committed.add(exchange.request.json["ClientRequestToken"])
        if spoilt == "lost":
            exchange.reset()
        else:
            exchange.reply(reply)

    def meet_function_queue(self, exchange: Exchange) -> None:
        """A call of the function at the queue."""
        if self.refuses_function:
            _REFUSED.act(exchange)
            return
        self.observations.tries[-1].sent += self._at_queue(exchange).status == 200

    def meet_platform_queue(self, exchange: Exchange) -> None:
        """A call of Lambda, EventBridge or the operator at the queue."""
        if self.refuses_platform and exchange.request.operation == SEND:
            _REFUSED.act(exchange)
        else:
            self._at_queue(exchange)

    def _at_queue(self, exchange: Exchange) -> Reply:
        reply, asked, observations = exchange.forward(), exchange.request, self.observations
        if asked.operation == SEND:
            body = json.loads(asked.json["MessageBody"])
            observations.dead_letters[json.loads(reply.body)["MessageId"]] = event_id(body.get("requestPayload", body))
        if asked.operation == "ReceiveMessage":
            for each in json.loads(reply.body).get("Messages", []):
                observations.handles[each["ReceiptHandle"]] = each["MessageId"]
        if asked.operation == "DeleteMessage":
            observations.deleted.add(observations.handles[asked.json["ReceiptHandle"]])
        exchange.reply(reply)
        return reply

    def meet_bus(self, exchange: Exchange) -> None:
        """A call of the operator at EventBridge."""
        reply = exchange.forward()
        if exchange.request.operation == "PutEvents" and json.loads(reply.body)["FailedEntryCount"] == 0:
            for entry in exchange.request.json["Entries"]:
                self.observations.put[json.loads(entry["Detail"])["event_id"]] += 1
                self.observations.sent_again[json.loads(entry["Detail"])["event_id"]] += 1
        exchange.reply(reply)


@contextmanager
def worlds(tables: Tables, queue: DeadLetters) -> Iterator[Callable[[int], Simulation]]:
    """Set the function up once, and worlds around it one after the other.

    Yields:
        Makes a world of a seed, which takes the place of the one before; its stores are empty.
    """
    present: list[Simulation] = []

    def through(url: str, meet: Callable[[Simulation, Exchange], None]) -> str:
        watched = Fault("watched", lambda exchange: meet(present[-1], exchange))
        return stack.enter_context(FaultProxy(url, otherwise=watched)).url

    with ExitStack() as stack, ExitStack() as of_one:
        given = function_environ(
            tables,
            queue,
            AWS_ENDPOINT_URL_DYNAMODB=through(tables.url, Simulation.meet_database),
            AWS_ENDPOINT_URL_SQS=through(queue.url, Simulation.meet_function_queue),
        )
        invoke = stack.enter_context(function_harness(given))
        dead_letters = invoke.processor._dead_letters
        dead_letters._client = dead_letters._make_client()
        for client, operation in ((invoke.processor._calendar._client, WRITE), (dead_letters._client, SEND)):
            for moment, after in (("before-send", False), ("response-received", True)):
                client.meta.events.register(
                    moment, lambda operation=operation, after=after, **_: present[-1]._dies(operation, after=after)
                )
        queue_url = through(queue.url, Simulation.meet_platform_queue)
        destination = SqsDestination(stack.enter_context(closing(sqs_client(queue_url))), queue.queue_url)

        def make(seed: int) -> Simulation:
            of_one.close()
            queue.drain()
            _clear(tables)
            timeline, archive = SimulatedScheduler(), of_one.enter_context(closing(Archive()))
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
                on_result=simulation.observations.endings.append,
            )
            rule = ServedRule(
                {"source": ["signal9.advisor"]}, lambda _, __: True, "mark", PipelineSettings().function_arn
            )
            behind = of_one.enter_context(serve_api(simulation.pipeline, rule))
            watched = Fault("watched", simulation.meet_bus)
            simulation.bus_url = of_one.enter_context(FaultProxy(behind, otherwise=watched)).url
            present.append(simulation)
            return simulation

        yield make


def _clear(tables: Tables) -> None:
    for table, names in (
        (tables.calendar_table, ("asset_symbol", "earnings_date")),
        (tables.audit_table, ("earnings_key", "entry_id")),
    ):
        for item in tables.client.scan(TableName=table)["Items"]:
            tables.client.delete_item(TableName=table, Key={name: item[name] for name in names})
