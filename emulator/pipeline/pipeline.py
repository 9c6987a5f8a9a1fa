"""The chain as a whole: a bus with one rule, Lambda's queue, the function, and the nets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Literal

from emulator.pipeline.archive import Archive
from emulator.pipeline.async_queue import AsyncQueue, FunctionDestinations
from emulator.pipeline.bus import Bus, Entry
from emulator.pipeline.counters import DeliveryCounters
from emulator.pipeline.destinations import Destination
from emulator.pipeline.dispositions import DeliveryResult, Disposition
from emulator.pipeline.ids import IdGenerator
from emulator.pipeline.invokers import Invoker
from emulator.pipeline.patterns import EventPattern
from emulator.pipeline.platform_metrics import DataPoint, PlatformMetrics, rule_dimensions
from emulator.pipeline.rule_target import InvokeApi, LambdaTarget
from emulator.pipeline.scheduler import Action, Scheduler
from emulator.pipeline.settings import PipelineSettings


@dataclass(frozen=True, slots=True)
class InputEvent:
    """An event of the input.

    Attributes:
        payload: JSON. For the bus it is an envelope.
        tag: Comes back with its ending.
        entry: Where it goes in: the bus, or Lambda's `Invoke` straight away.
        at: Unix time in seconds at which it comes; None for as soon as there is room.
    """

    payload: bytes
    tag: Any = None
    entry: Literal["bus", "function"] = "bus"
    at: float | None = None


@dataclass(frozen=True, slots=True)
class FailureDestinations:
    """Every net of the chain; None where there is none.

    Attributes:
        on_failure: Lambda's on-failure destination.
        lambda_dlq: The function's classic dead-letter queue.
        rule_dlq: The rule target's dead-letter queue.
    """

    on_failure: Destination | None = None
    lambda_dlq: Destination | None = None
    rule_dlq: Destination | None = None


class EventPipeline:
    """EventBridge to Lambda to the nets. Everything that is taken in ends in exactly one place.

    `put_event`, `put_entry`, `invoke_async` and `replay` take things in, from any thread, at any time; `run` lets them
    happen, with an input of any length beside, until nothing is left to happen.

    Attributes:
        account: What came of everything so far.
        metrics: The platform's own metrics.

    Args:
        timeline: Simulated or real time.
        invokers: The function's workers: how many there are is how many run at once.
        settings: The rest.
        destinations: The nets.
        pattern: The rule's; None matches everything.
        archive: Keeps what comes onto the bus.
        invoke_api: Lambda's Invoke API, to let it refuse; None takes everything.
        on_end: Called with each ending, in the chain's thread.
        on_data_point: Called with the platform's metrics, minute by minute, in the chain's thread.

    Raises:
        ValueError: There is no invoker.
    """

    def __init__(
        self,
        timeline: Scheduler,
        invokers: Sequence[Invoker],
        settings: PipelineSettings | None = None,
        *,
        destinations: FailureDestinations | None = None,
        pattern: EventPattern | None = None,
        archive: Archive | None = None,
        invoke_api: InvokeApi | None = None,
        on_end: Callable[[DeliveryResult], None] | None = None,
        on_data_point: Callable[[DataPoint], None] | None = None,
    ) -> None:
        if not invokers:
            raise ValueError("a chain needs at least one invoker: without, nothing that is queued would ever end")
        settings, destinations = settings or PipelineSettings(), destinations or FailureDestinations()
        self._settings = settings
        self._timeline = timeline
        self._ahead = 2 * len(invokers)
        self._arriving = 0
        self._timed = False
        self._identities = IdGenerator(settings.seed)
        random = Random(f"chain {settings.seed}")
        self.account = DeliveryCounters(on_end)
        self.metrics = PlatformMetrics(
            timeline.now,
            on_data_point,
            {
                "AWS/Lambda": {"FunctionName": settings.function_arn.rpartition(":")[2]},
                "AWS/Events": rule_dimensions(settings.rule_arn),
            },
        )
        self._queue = AsyncQueue(
            settings,
            timeline,
            self.account,
            self.metrics,
            FunctionDestinations(destinations.on_failure, destinations.lambda_dlq),
            invokers,
            self._identities,
            random,
        )
        self._target = LambdaTarget(
            settings,
            timeline,
            self.account,
            self.metrics,
            self._queue,
            destinations.rule_dlq,
            invoke_api,
            self._identities,
            random,
        )
        self._bus = Bus(pattern, archive, timeline.now, self._matched, self._filtered)

    def put_event(self, envelope: bytes, tag: Any = None) -> None:
        """Put an event onto the bus as it is, its envelope included. Any thread may call this."""
        self._timeline.post(partial(self._onto_bus, envelope, tag))

    def put_entry(self, entry: Entry, tag: Any = None) -> str:
        """Publish an event, as `PutEvents` does: it gets an envelope of its own. Any thread may call this.

        Returns:
            The new event's `id`.
        """
        event_id = self._identities.new()
        self.put_event(entry.envelope(event_id, self._timeline.now()), tag)
        return event_id

    def invoke_async(self, payload: bytes, tag: Any = None) -> str:
        """Queue an event for the function straight away, as `Invoke` with `InvocationType=Event`. From any thread.

        Returns:
            The request ID.
        """
        request_id = self._identities.new()
        self._timeline.post(partial(self._into_queue, payload, tag, request_id))
        return request_id

    def replay(self, name: str, start: float, end: float, pattern: EventPattern | None = None) -> Iterator[InputEvent]:
        """Return a replay of the archive as an input for `run`; see `emulator.pipeline.bus.Bus.replayed`."""
        return (InputEvent(payload, name) for payload in self._bus.replayed(name, start, end, pattern))

    def run(self, arrivals: Iterable[InputEvent] = ()) -> None:
        """Let everything happen until nothing is left to happen.

        Args:
            arrivals: The input: read a few ahead of the workers, however long it is, in the calling thread. Those with
                a time must come in the order of their time.

        Raises:
            BaseException: What a callback, a net, an invoker or the input raised; see `Scheduler.run`.
        """
        try:
            self._timeline.run(map(self._is_accepting, arrivals), self._capacity)
        finally:
            self.metrics.flush()

    def _capacity(self) -> int:
        live = self._settings.live_limit - self.account.live - self._arriving
        if self._timed:  # what comes at its own time does not wait for a worker to be free
            return min(self._ahead - self._arriving, live)
        return min(self._ahead - self._queue.ready - self._arriving, live)

    def _is_accepting(self, arrival: InputEvent) -> Action:
        return partial(self._accept, arrival)

    def _accept(self, arrival: InputEvent) -> None:
        self._timed = arrival.at is not None
        if arrival.at is not None and (wait_s := arrival.at - self._timeline.now()) > 0:
            self._arriving += 1
            self._timeline.call_later(wait_s, partial(self._accepted, arrival))
        else:
            self._deliver(arrival)

    def _accepted(self, arrival: InputEvent) -> None:
        self._arriving -= 1
        self._deliver(arrival)

    def _deliver(self, arrival: InputEvent) -> None:
        if arrival.entry == "bus":
            self._onto_bus(arrival.payload, arrival.tag)
        else:
            self._into_queue(arrival.payload, arrival.tag, self._identities.new())

    def _onto_bus(self, payload: bytes, tag: Any) -> None:
        self.account.received += 1
        self._bus.receive(payload, tag)

    def _into_queue(self, payload: bytes, tag: Any, request_id: str) -> None:
        self.account.received += 1
        self._queue.accept(payload, tag, request_id)

    def _matched(self, payload: bytes, tag: Any) -> None:
        self.metrics.add("AWS/Events", "MatchedEvents")
        self.metrics.add("AWS/Events", "TriggeredRules")
        self._target.deliver(payload, tag)

    def _filtered(self, payload: bytes, tag: Any) -> None:
        self.account.end(
            DeliveryResult(
                disposition=Disposition.FILTERED,
                payload=payload,
                tag=tag,
                tries=0,
                throttles=0,
                refusals=0,
                redelivered=False,
                age_s=0,
                request_id="",
                last=None,
                condition=None,
            )
        )
