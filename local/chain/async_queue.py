"""Lambda's asynchronous invocation: the queue before the function, its retries, its nets."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from local.chain.account import Account
from local.chain.backoff import FUNCTION_ERROR_WAITS_S, queue_wait
from local.chain.identity import Identities
from local.chain.invokers import Invoker
from local.chain.nets import Net, NetError, NetMessage
from local.chain.places import Condition, Ending, Place, place_of
from local.chain.platform_metrics import PlatformMetrics
from local.chain.records import lambda_dlq_message, on_failure_record
from local.chain.settings import ChainSettings
from local.chain.timeline import Timeline
from local.worker import InvocationResult

_DUPLICATE_WITHIN_S = 60.0


@dataclass(slots=True)
class _Queued:
    """An event in the queue; changes as it is tried.

    Attributes:
        skipped_s: Seconds of waiting that the scaled time left out: they count towards its age.
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
    tries: int = 0
    last: InvocationResult | None = None


@dataclass(frozen=True, slots=True)
class FunctionNets:
    """Where Lambda sends what it gives up. Both, one or none; it sends to both.

    Attributes:
        on_failure: The on-failure destination: takes records.
        dlq: The function's classic dead-letter queue: takes events.
    """

    on_failure: Net | None = None
    dlq: Net | None = None


@dataclass(slots=True)
class AsyncQueue:
    """Takes events in and brings each to one ending; everything here runs as actions of the timeline.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    """

    settings: ChainSettings
    timeline: Timeline
    account: Account
    metrics: PlatformMetrics
    nets: FunctionNets
    invokers: Sequence[Invoker]
    identities: Identities
    random: Random
    _ready: deque[_Queued] = field(default_factory=deque)
    _idle: deque[Invoker] = field(init=False)

    def __post_init__(self) -> None:
        self._idle = deque(self.invokers)

    @property
    def ready(self) -> int:
        """Events that wait for a worker."""
        return len(self._ready)

    def accept(self, payload: bytes, tag: Any, request_id: str, refusals: int = 0) -> None:
        """Queue an event: what Lambda does when it answers 202 to `Invoke` with `InvocationType=Event`."""
        self.metrics.add("AWS/Lambda", "AsyncEventsReceived")
        root = self.identities.trace_root(self.timeline.now())
        queued = _Queued(payload, tag, request_id, root, self.timeline.now(), refusals)
        if self.settings.invoke.reserved_concurrency == 0:
            self._give_up(queued, Condition.ZERO_RESERVED_CONCURRENCY)
            return
        self._put(queued)

    def _put(self, queued: _Queued) -> None:
        self._ready.append(queued)
        self._read()

    def _read(self) -> None:
        """Hand events to workers that are idle."""
        reserved = self.settings.invoke.reserved_concurrency
        while self._ready and self._idle:
            queued = self._ready.popleft()
            if self._age(queued) > self.settings.invoke.maximum_event_age_s:
                self._give_up(queued, Condition.EVENT_AGE_EXCEEDED)
            elif reserved is not None and len(self.invokers) - len(self._idle) >= reserved:
                refused = InvocationResult("throttled", b"", queued.request_id, 0, cold_start=False)
                self._judge(queued, refused)
            else:
                self._invoke(queued, self._idle.popleft())

    def _invoke(self, queued: _Queued, invoker: Invoker) -> None:
        self.metrics.add("AWS/Lambda", "AsyncEventAge", round(self._age(queued) * 1000), "Milliseconds")
        work = partial(
            invoker.invoke,
            queued.payload,
            trace_header=self.identities.trace_header(queued.trace_root),
            request_id=queued.request_id,
            timeout_s=self.settings.timeout_s,
        )
        self.timeline.perform(work, partial(self._came_back, queued, invoker), _duration)

    def _came_back(self, queued: _Queued, invoker: Invoker, result: InvocationResult) -> None:
        self._idle.append(invoker)
        self._judge(queued, result)
        self._read()

    def _judge(self, queued: _Queued, result: InvocationResult) -> None:
        queued.tries += 1
        queued.last = result
        if result.status in {"throttled", "system_error"}:
            queued.throttles += 1
            if result.status == "throttled":
                self.metrics.add("AWS/Lambda", "Throttles")
            self._try_later(queued, queue_wait(queued.throttles, self.random))
            return
        self.metrics.add("AWS/Lambda", "Invocations")
        self.metrics.add("AWS/Lambda", "Duration", round(result.duration_s * 1000, 2), "Milliseconds")
        if result.status == "ok":
            self._end(queued, place_of(result.payload))
            if self.random.random() < self.settings.invoke.duplicate_probability:
                self._deliver_again(queued)
            return
        self.metrics.add("AWS/Lambda", "Errors")
        queued.failures += 1
        if queued.failures > self.settings.invoke.maximum_retry_attempts:
            self._give_up(queued, Condition.RETRIES_EXHAUSTED)
        else:
            self._try_later(queued, FUNCTION_ERROR_WAITS_S[queued.failures - 1])

    def _try_later(self, queued: _Queued, wait_s: float) -> None:
        """Put an event back for a while; one that would be too old by then is given up now."""
        if self._age(queued) + wait_s > self.settings.invoke.maximum_event_age_s:
            self._give_up(queued, Condition.EVENT_AGE_EXCEEDED)
            return
        queued.skipped_s += wait_s * (1 - self.timeline.scale)
        self.timeline.call_later(wait_s, partial(self._put, queued))

    def _deliver_again(self, queued: _Queued) -> None:
        """The queue is eventually consistent: now and then an event comes again, with the same request ID."""
        self.account.redelivered += 1
        again = _Queued(
            queued.payload, queued.tag, queued.request_id, queued.trace_root, queued.queued_at, redelivered=True
        )
        wait_s = self.random.random() * _DUPLICATE_WITHIN_S
        again.skipped_s = queued.skipped_s + wait_s * (1 - self.timeline.scale)
        self.timeline.call_later(wait_s, partial(self._put, again))

    def _give_up(self, queued: _Queued, condition: Condition) -> None:
        """Send what is left of an event to the nets. `AsyncEventsDropped` counts it also when a net takes it."""
        self.metrics.add("AWS/Lambda", "AsyncEventsDropped")
        messages: list[tuple[Place, Net, NetMessage]] = []
        if self.nets.on_failure is not None:
            record = on_failure_record(
                self.settings.function_arn,
                queued.payload,
                request_id=queued.request_id,
                condition=condition,
                tries=queued.tries,
                last=queued.last,
                now=self.timeline.now(),
            )
            messages.append((Place.ON_FAILURE, self.nets.on_failure, record))
        if self.nets.dlq is not None:
            message = lambda_dlq_message(
                queued.payload, request_id=queued.request_id, condition=condition, last=queued.last
            )
            messages.append((Place.LAMBDA_DLQ, self.nets.dlq, message))
        if messages:
            self.timeline.perform(partial(_send, messages), partial(self._caught, queued, condition), _no_time)
        else:
            self._end(queued, Place.DROPPED, condition)

    def _caught(self, queued: _Queued, condition: Condition, sent: list[tuple[Place, bytes | None]]) -> None:
        """Book what the nets did; `sent` has the body of each message that was not taken."""
        took = [place for place, unsent in sent if unsent is None]
        for place, unsent in sent:
            if unsent is not None:
                name = "DestinationDeliveryFailures" if place is Place.ON_FAILURE else "DeadLetterErrors"
                self.metrics.add("AWS/Lambda", name)
        unsent_bodies = () if took else tuple(unsent for _, unsent in sent if unsent is not None)
        self._end(queued, took[0] if took else Place.DROPPED, condition, unsent_bodies)

    def _end(
        self, queued: _Queued, place: Place, condition: Condition | None = None, unsent: tuple[bytes, ...] = ()
    ) -> None:
        self.account.end(
            Ending(
                place=place,
                payload=queued.payload,
                tag=queued.tag,
                tries=queued.tries,
                throttles=queued.throttles,
                refusals=queued.refusals,
                redelivered=queued.redelivered,
                age_s=self._age(queued),
                request_id=queued.request_id,
                last=queued.last,
                condition=condition,
                unsent=unsent,
            )
        )

    def _age(self, queued: _Queued) -> float:
        return self.timeline.now() - queued.queued_at + queued.skipped_s


def _duration(result: InvocationResult) -> float:
    return result.duration_s


def _no_time(_: object) -> float:
    return 0.0


def _send(messages: list[tuple[Place, Net, NetMessage]]) -> list[tuple[Place, bytes | None]]:
    sent: list[tuple[Place, bytes | None]] = []
    for place, net, message in messages:
        try:
            net(message)
        except NetError:
            sent.append((place, message.body))
        else:
            sent.append((place, None))
    return sent
