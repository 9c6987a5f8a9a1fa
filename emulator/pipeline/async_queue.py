"""Lambda's asynchronous invocation: the queue before the function, its retries and its failure destinations."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.destinations import (
    Destination,
    DestinationError,
    DestinationMessage,
    lambda_dlq_message,
    on_failure_record,
)
from emulator.pipeline.invokers import Invoker
from emulator.pipeline.model import (
    FUNCTION_ERROR_WAITS_S,
    Condition,
    DeliveryCounters,
    DeliveryResult,
    Disposition,
    IdGenerator,
    PipelineSettings,
    disposition_of,
    queue_wait,
)
from emulator.pipeline.platform_metrics import PlatformMetrics
from emulator.pipeline.scheduler import Scheduler
from emulator.pipeline.waits import Wait, Waits

_DUPLICATE_WITHIN_S = 60.0


@dataclass(slots=True)
class _QueuedEvent:
    """An event in the queue.

    Attributes:
        skipped_s: Seconds of waits that the scheduler's scale left out; they count towards the event's age.
        failures: Function errors, which limit the retries; throttles do not count.
    """

    payload: bytes
    tag: Any
    request_id: str
    trace_root: str
    queued_at: float
    refusals: int = 0
    redelivered: bool = False
    skipped_s: float = 0.0
    failures: int = 0
    throttles: int = 0
    attempts: int = 0
    last: InvocationResult | None = None


@dataclass(frozen=True, slots=True)
class SyncInvocation:
    """A synchronous invocation: the caller waits, and gets the error of a function that failed.

    Attributes:
        on_result: Called with the result.
    """

    payload: bytes
    request_id: str
    on_result: Callable[[InvocationResult], None]


@dataclass(frozen=True, slots=True)
class FunctionDestinations:
    """Where Lambda sends events that it discards. It sends to both where both are configured.

    Attributes:
        on_failure: The on-failure destination, for records.
        dlq: The function's dead-letter queue, for events.
    """

    on_failure: Destination | None = None
    dlq: Destination | None = None


@dataclass(slots=True)
class AsyncQueue:
    """Accepts events and brings each to its final state. All methods run as actions of the scheduler.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

    Attributes:
        waits: The events that wait for their next attempt.
    """

    settings: PipelineSettings
    scheduler: Scheduler
    counters: DeliveryCounters
    metrics: PlatformMetrics
    destinations: FunctionDestinations
    invokers: Sequence[Invoker]
    ids: IdGenerator
    random: Random
    waits: Waits = field(default_factory=Waits)
    _ready: deque[_QueuedEvent] = field(default_factory=deque)
    _waiting: deque[SyncInvocation] = field(default_factory=deque)
    _idle: deque[Invoker] = field(init=False)

    def __post_init__(self) -> None:
        self._idle = deque(self.invokers)

    @property
    def ready(self) -> int:
        """Events that wait for a worker."""
        return len(self._ready)

    def accept(self, payload: bytes, tag: Any, request_id: str, refusals: int = 0) -> None:
        """Queue an event, as Lambda does when it answers 202 to `Invoke` with `InvocationType=Event`."""
        self.metrics.add("AWS/Lambda", "AsyncEventsReceived")
        root = self.ids.trace_root(self.scheduler.now())
        queued = _QueuedEvent(payload, tag, request_id, root, self.scheduler.now(), refusals)
        if self.settings.invoke.reserved_concurrency == 0:
            self._send_to_destinations(queued, Condition.ZERO_RESERVED_CONCURRENCY)
            return
        self._put(queued)

    def invoke(self, invocation: SyncInvocation) -> None:
        """Invoke the function as soon as a worker is idle, before the events that are queued.

        Lambda neither queues nor retries a synchronous invocation, and sends it to no destination.
        """
        self._waiting.append(invocation)
        self._read()

    def _put(self, queued: _QueuedEvent) -> None:
        self.waits.end(id(queued))
        self._ready.append(queued)
        self._read()

    def _read(self) -> None:
        """Hand events to idle workers."""
        reserved = self.settings.invoke.reserved_concurrency
        while self._waiting and self._idle:
            self._invoke_now(self._waiting.popleft(), self._idle.popleft())
        while self._ready and self._idle:
            queued = self._ready.popleft()
            if self._age(queued) > self.settings.invoke.maximum_event_age_s:
                self._send_to_destinations(queued, Condition.EVENT_AGE_EXCEEDED)
            elif reserved is not None and len(self.invokers) - len(self._idle) >= reserved:
                throttled = InvocationResult("throttled", b"", queued.request_id, 0, cold_start=False)
                self._handle_result(queued, throttled)
            else:
                self._invoke(queued, self._idle.popleft())

    def _invoke(self, queued: _QueuedEvent, invoker: Invoker) -> None:
        self.metrics.add("AWS/Lambda", "AsyncEventAge", round(self._age(queued) * 1000), "Milliseconds")
        invocation = partial(
            invoker.invoke,
            queued.payload,
            trace_header=self.ids.trace_header(queued.trace_root),
            request_id=queued.request_id,
            timeout_s=self.settings.timeout_s,
        )
        self.scheduler.perform(invocation, partial(self._on_result, queued, invoker), lambda result: result.duration_s)

    def _invoke_now(self, waiting: SyncInvocation, invoker: Invoker) -> None:
        invocation = partial(
            invoker.invoke,
            waiting.payload,
            trace_header=self.ids.trace_header(self.ids.trace_root(self.scheduler.now())),
            request_id=waiting.request_id,
            timeout_s=self.settings.timeout_s,
        )
        self.scheduler.perform(
            invocation, partial(self._on_sync_result, waiting, invoker), lambda result: result.duration_s
        )

    def _on_sync_result(self, waiting: SyncInvocation, invoker: Invoker, result: InvocationResult) -> None:
        self._idle.append(invoker)
        self.counters.attempt(result)
        refused = result.is_refused
        if result.status == "throttled":
            self.metrics.add("AWS/Lambda", "Throttles")
        elif not refused:
            self._count_invocation(result)
        self.counters.finish(
            DeliveryResult(
                disposition_of(result.payload) if result.status == "ok" else Disposition.RETURNED,
                waiting.payload,
                None,
                attempts=1,
                throttles=int(refused),
                failures=int(not refused and result.status != "ok"),
                request_id=waiting.request_id,
                last=result,
            )
        )
        waiting.on_result(result)
        self._read()

    def _count_invocation(self, result: InvocationResult) -> None:
        self.metrics.add("AWS/Lambda", "Invocations")
        self.metrics.add("AWS/Lambda", "Duration", round(result.duration_s * 1000, 2), "Milliseconds")
        if result.status != "ok":
            self.metrics.add("AWS/Lambda", "Errors")

    def _on_result(self, queued: _QueuedEvent, invoker: Invoker, result: InvocationResult) -> None:
        self._idle.append(invoker)
        self._handle_result(queued, result)
        self._read()

    def _handle_result(self, queued: _QueuedEvent, result: InvocationResult) -> None:
        self.counters.attempt(result)
        queued.attempts += 1
        queued.last = result
        if result.is_refused:
            queued.throttles += 1
            if result.status == "throttled":
                self.metrics.add("AWS/Lambda", "Throttles")
            self._retry_later(queued, queue_wait(queued.throttles, self.random))
            return
        self._count_invocation(result)
        if result.status == "ok":
            self._finish(queued, disposition_of(result.payload))
            if self.random.random() < self.settings.invoke.duplicate_probability:
                self._deliver_again(queued)
            return
        queued.failures += 1
        if queued.failures > self.settings.invoke.maximum_retry_attempts:
            self._send_to_destinations(queued, Condition.RETRIES_EXHAUSTED)
        else:
            self._retry_later(queued, FUNCTION_ERROR_WAITS_S[queued.failures - 1])

    def _retry_later(self, queued: _QueuedEvent, wait_s: float) -> None:
        """Return an event to the queue after a wait; discard it now if it would be too old by then."""
        if self._age(queued) + wait_s > self.settings.invoke.maximum_event_age_s:
            self._send_to_destinations(queued, Condition.EVENT_AGE_EXCEEDED)
            return
        queued.skipped_s += wait_s * (1 - self.scheduler.scale)
        due = self.scheduler.now() + wait_s * self.scheduler.scale
        self.waits.begin(id(queued), Wait(queued.attempts + 1, due))
        self.scheduler.call_later(wait_s, partial(self._put, queued))

    def _deliver_again(self, queued: _QueuedEvent) -> None:
        """Deliver an event again, with the same request ID: Lambda's queue is eventually consistent."""
        self.counters.redelivered += 1
        duplicate = _QueuedEvent(
            queued.payload, queued.tag, queued.request_id, queued.trace_root, queued.queued_at, redelivered=True
        )
        wait_s = self.random.random() * _DUPLICATE_WITHIN_S
        duplicate.skipped_s = queued.skipped_s + wait_s * (1 - self.scheduler.scale)
        self.scheduler.call_later(wait_s, partial(self._put, duplicate))

    def _send_to_destinations(self, queued: _QueuedEvent, condition: Condition) -> None:
        """Send a discarded event to the failure destinations.

        `AsyncEventsDropped` counts the event also when a destination accepts it.
        """
        self.metrics.add("AWS/Lambda", "AsyncEventsDropped")
        messages: list[tuple[Disposition, Destination, DestinationMessage]] = []
        if self.destinations.on_failure is not None:
            record = on_failure_record(
                self.settings.function_arn,
                queued.payload,
                request_id=queued.request_id,
                condition=condition,
                attempts=queued.attempts,
                last=queued.last,
                now=self.scheduler.now(),
            )
            messages.append((Disposition.ON_FAILURE, self.destinations.on_failure, record))
        if self.destinations.dlq is not None:
            message = lambda_dlq_message(
                queued.payload, request_id=queued.request_id, condition=condition, last=queued.last
            )
            messages.append((Disposition.LAMBDA_DLQ, self.destinations.dlq, message))
        if messages:
            on_sent = partial(self._on_sent, queued, condition)
            self.scheduler.perform(partial(_send, messages), on_sent, lambda _: 0.0)
        else:
            self._finish(queued, Disposition.DROPPED, condition)

    def _on_sent(
        self, queued: _QueuedEvent, condition: Condition, sent: list[tuple[Disposition, bytes | None]]
    ) -> None:
        """Record what the destinations did; `sent` has the body of each message that was not accepted."""
        accepted = [disposition for disposition, unsent in sent if unsent is None]
        for disposition, unsent in sent:
            if unsent is not None:
                name = "DestinationDeliveryFailures" if disposition is Disposition.ON_FAILURE else "DeadLetterErrors"
                self.metrics.add("AWS/Lambda", name)
        unsent_bodies = () if accepted else tuple(unsent for _, unsent in sent if unsent is not None)
        self._finish(queued, accepted[0] if accepted else Disposition.DROPPED, condition, unsent_bodies)

    def _finish(
        self,
        queued: _QueuedEvent,
        disposition: Disposition,
        condition: Condition | None = None,
        unsent: tuple[bytes, ...] = (),
    ) -> None:
        self.counters.finish(
            DeliveryResult(
                disposition,
                queued.payload,
                queued.tag,
                attempts=queued.attempts,
                throttles=queued.throttles,
                failures=queued.failures,
                refusals=queued.refusals,
                redelivered=queued.redelivered,
                age_s=self._age(queued),
                request_id=queued.request_id,
                last=queued.last,
                condition=condition,
                unsent=unsent,
            )
        )

    def _age(self, queued: _QueuedEvent) -> float:
        return self.scheduler.now() - queued.queued_at + queued.skipped_s


def _send(
    messages: list[tuple[Disposition, Destination, DestinationMessage]],
) -> list[tuple[Disposition, bytes | None]]:
    sent: list[tuple[Disposition, bytes | None]] = []
    for disposition, destination, message in messages:
        try:
            destination(message)
        except DestinationError:
            sent.append((disposition, message.body))
        else:
            sent.append((disposition, None))
    return sent
