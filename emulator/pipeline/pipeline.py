"""The event pipeline: a bus with one rule, Lambda's queue, the function, and the failure destinations."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Literal

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.async_queue import AsyncQueue, FunctionDestinations, SyncInvocation
from emulator.pipeline.bus import Archive, Bus, Entry, EventPattern
from emulator.pipeline.bus_log import BusLog, BusRecord
from emulator.pipeline.destinations import Destination
from emulator.pipeline.invokers import Invoker
from emulator.pipeline.model import DeliveryCounters, DeliveryResult, Disposition, IdGenerator, PipelineSettings
from emulator.pipeline.platform_metrics import DataPoint, PlatformMetrics, rule_dimensions
from emulator.pipeline.rule_target import InvokeApi, LambdaTarget
from emulator.pipeline.scheduler import Action, Scheduler
from emulator.pipeline.waits import PipelineStatus


@dataclass(frozen=True, slots=True)
class InputEvent:
    """An event for the pipeline.

    Attributes:
        payload: JSON; for the bus, an envelope.
        tag: Any value; the delivery's result carries it.
        entry: Where the event enters: the bus, or Lambda's `Invoke`.
        at: Unix time in seconds at which it enters; None for as soon as there is capacity.
        unmatched: Whether the bus's rule does not match it, whatever the pattern.
    """

    payload: bytes
    tag: Any = None
    entry: Literal["bus", "function"] = "bus"
    at: float | None = None
    unmatched: bool = False


@dataclass(frozen=True, slots=True)
class FailureDestinations:
    """The failure destinations of the pipeline; None where one is not configured.

    Attributes:
        on_failure: Lambda's on-failure destination.
        lambda_dlq: The function's dead-letter queue.
        rule_dlq: The dead-letter queue of the rule's target.
    """

    on_failure: Destination | None = None
    lambda_dlq: Destination | None = None
    rule_dlq: Destination | None = None


class EventPipeline:
    """EventBridge, Lambda's queue and the failure destinations. Every delivery reaches exactly one final state.

    `put_event`, `put_entry`, `invoke_async` and `invoke` accept events from any thread at any time. `run` processes
    them, and an input of any length, until nothing is left to do.

    Args:
        scheduler: Simulated or real time.
        invokers: The function's workers: their number limits the concurrent invocations.
        pattern: The rule's pattern; None to match everything.
        archive: Stores the events that enter the bus.
        invoke_api: Lambda's Invoke API, to make it reject events; None accepts everything.
        on_result: Called with the result of each delivery, in the pipeline's thread.
        on_data_point: Called with the platform's metrics each minute, in the pipeline's thread.
        on_bus_record: Called with each record of the bus's log, in the pipeline's thread.

    Attributes:
        counters: Counts of all deliveries so far.
        metrics: The platform's own metrics.

    Raises:
        ValueError: There is no invoker.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        invokers: Sequence[Invoker],
        settings: PipelineSettings | None = None,
        *,
        destinations: FailureDestinations | None = None,
        pattern: EventPattern | None = None,
        archive: Archive | None = None,
        invoke_api: InvokeApi | None = None,
        on_result: Callable[[DeliveryResult], None] | None = None,
        on_data_point: Callable[[DataPoint], None] | None = None,
        on_bus_record: Callable[[BusRecord], None] | None = None,
    ) -> None:
        if not invokers:
            raise ValueError("the pipeline needs an invoker: without one, queued events would never finish")
        settings, destinations = settings or PipelineSettings(), destinations or FailureDestinations()
        self._settings = settings
        self._scheduler = scheduler
        self._read_ahead = 2 * len(invokers)
        self._scheduled = 0
        self._timed = False
        self._ids = IdGenerator(settings.seed)
        random = Random(f"pipeline {settings.seed}")
        self.counters = DeliveryCounters(on_result)
        self.metrics = PlatformMetrics(
            scheduler.now,
            on_data_point,
            {
                "AWS/Lambda": {"FunctionName": settings.function_arn.rpartition(":")[2]},
                "AWS/Events": rule_dimensions(settings.rule_arn),
            },
        )
        self._queue = AsyncQueue(
            settings,
            scheduler,
            self.counters,
            self.metrics,
            FunctionDestinations(destinations.on_failure, destinations.lambda_dlq),
            invokers,
            self._ids,
            random,
        )
        log = BusLog(on_bus_record, settings.rule_arn, scheduler.now)
        self._target = LambdaTarget(
            settings,
            scheduler,
            self.counters,
            self.metrics,
            self._queue,
            destinations.rule_dlq,
            invoke_api,
            log,
            self._ids,
            random,
        )
        self._bus = Bus(pattern, archive, scheduler.now, log, self._deliver, self._filter_out)

    def put_event(self, envelope: bytes, tag: Any = None) -> None:
        """Put an event with its envelope onto the bus. Any thread may call this."""
        self._scheduler.post(partial(self._accept, InputEvent(envelope, tag)))

    def put_entry(self, entry: Entry, tag: Any = None, *, matches: Callable[[bytes], bool] | None = None) -> str:
        """Publish an event in a new envelope, as `PutEvents` does. Any thread may call this.

        Args:
            entry: The entry.
            tag: Any value; the delivery's result carries it.
            matches: Whether the bus's rule matches an event; None leaves it to the pipeline's pattern.

        Returns:
            The `id` of the event.
        """
        event_id = self._ids.new()
        envelope = entry.envelope(event_id, self._scheduler.now())
        unmatched = matches is not None and not matches(envelope)
        self._scheduler.post(partial(self._accept, InputEvent(envelope, tag, unmatched=unmatched)))
        return event_id

    def invoke_async(self, payload: bytes, tag: Any = None) -> str:
        """Queue an event for the function, as `Invoke` with `InvocationType=Event` does. Any thread may call this.

        Returns:
            The request ID.
        """
        request_id = self._ids.new()
        self._scheduler.post(partial(self._accept, InputEvent(payload, tag, "function"), request_id))
        return request_id

    def invoke(self, payload: bytes, on_result: Callable[[InvocationResult], None]) -> str:
        """Invoke the function as `Invoke` with `InvocationType=RequestResponse` does. Any thread may call this.

        Args:
            payload: The event, JSON.
            on_result: Called with the result, in the pipeline's thread.

        Returns:
            The request ID.
        """
        invocation = SyncInvocation(payload, self._ids.new(), on_result)
        self._scheduler.post(partial(self._accept_invocation, invocation))
        return invocation.request_id

    def status(self) -> PipelineStatus:
        """Return what the pipeline is doing. Any thread may call this; the numbers may differ by one."""
        return PipelineStatus(self.counters.live, self._queue.waits.snapshot())

    def replay(self, name: str, start: float, end: float, pattern: EventPattern | None = None) -> Iterator[InputEvent]:
        """Return a replay of the archive as an input for `run`; see `emulator.pipeline.bus.Bus.replay`."""
        return (InputEvent(payload, name) for payload in self._bus.replay(name, start, end, pattern))

    def run(self, events: Iterable[InputEvent] = ()) -> None:
        """Process everything until nothing is left to do.

        Args:
            events: The input. It is read a few events ahead of the workers, in the calling thread. Events with a time
                must be in the order of their time.

        Raises:
            BaseException: What a callback, a destination, an invoker or the input raised; see `Scheduler.run`.
        """

        def read(event: InputEvent) -> Action:
            return partial(self._accept_when_due, event)

        try:
            self._scheduler.run(map(read, events), self._capacity)
        finally:
            self.metrics.flush()

    def _capacity(self) -> int:
        live = self._settings.live_limit - self.counters.live - self._scheduled
        if self._timed:  # events with a time of their own do not wait for an idle worker
            return min(self._read_ahead - self._scheduled, live)
        return min(self._read_ahead - self._queue.ready - self._scheduled, live)

    def _accept_when_due(self, event: InputEvent) -> None:
        self._timed = event.at is not None
        if event.at is None or event.at <= self._scheduler.now():
            self._accept(event)
            return

        def accept() -> None:
            self._scheduled -= 1
            self._accept(event)

        self._scheduled += 1
        self._scheduler.call_later(event.at - self._scheduler.now(), accept)

    def _accept(self, event: InputEvent, request_id: str | None = None) -> None:
        self.counters.received += 1
        if event.entry == "bus":
            self._bus.accept(event.payload, event.tag, unmatched=event.unmatched)
        else:
            self._queue.accept(event.payload, event.tag, request_id or self._ids.new())

    def _accept_invocation(self, invocation: SyncInvocation) -> None:
        self.counters.received += 1
        self._queue.invoke(invocation)

    def _deliver(self, payload: bytes, tag: Any) -> None:
        self.metrics.add("AWS/Events", "MatchedEvents")
        self.metrics.add("AWS/Events", "TriggeredRules")
        self._target.deliver(payload, tag)

    def _filter_out(self, payload: bytes, tag: Any) -> None:
        self.counters.finish(DeliveryResult(Disposition.FILTERED, payload, tag))
