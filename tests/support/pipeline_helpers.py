"""The event pipeline in simulated time, with a scripted function and failure destinations in memory."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from emulator.lambda_runtime.worker import InvocationResult, Status
from emulator.pipeline.destinations import DestinationError, DestinationMessage
from emulator.pipeline.model import AsyncInvokeConfig, DeliveryResult, Disposition, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.platform_metrics import DataPoint
from emulator.pipeline.scheduler import SimulatedScheduler
from tests.support.events import event

MARKED = b'{"outcome": "marked"}'
FAILED = b'{"errorType": "EventNotProcessed", "errorMessage": "category=throttling"}'
PAYLOAD = orjson.dumps(event("AAPL", "2025-07-31", 1))


class MemoryDestination:
    """A failure destination that stores its messages.

    Attributes:
        messages: The accepted messages.
        broken: Whether it rejects every message.
    """

    def __init__(self, *, broken: bool = False) -> None:
        self.messages: list[DestinationMessage] = []
        self.broken = broken

    def __call__(self, message: DestinationMessage) -> None:
        if self.broken:
            raise DestinationError("the destination is broken")
        self.messages.append(message)

    def bodies(self) -> list[Any]:
        """Return the bodies as JSON values."""
        return [json.loads(message.body) for message in self.messages]


@dataclass(frozen=True)
class Invocation:
    """One invocation of a `Script`."""

    at: float
    payload: bytes
    request_id: str
    trace_header: str
    timeout_s: float


@dataclass
class Script:
    """A function whose invocations end as scripted.

    Attributes:
        scheduler: The clock.
        answers: The status of each invocation in order; the last one repeats.
        duration_s: The simulated seconds of each invocation.
        invocations: The invocations so far.
    """

    scheduler: SimulatedScheduler
    answers: list[Status] = field(default_factory=lambda: ["ok"])
    duration_s: float = 0.0
    invocations: list[Invocation] = field(default_factory=list)

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        status = self.answers[min(len(self.invocations), len(self.answers) - 1)]
        self.invocations.append(Invocation(self.scheduler.now(), payload, request_id or "", trace_header, timeout_s))
        body = MARKED if status == "ok" else FAILED
        return InvocationResult(status, body, request_id or "", self.duration_s, cold_start=False)

    def waits(self) -> list[float]:
        """Return the seconds between one attempt and the next."""
        at = [invocation.at for invocation in self.invocations]
        return [round(later - earlier, 6) for earlier, later in pairwise(at)]


@dataclass
class Simulation:
    """A pipeline in simulated time and its output.

    Attributes:
        scheduler: The clock.
        function: The function of all workers.
        results: The result of each delivery.
        points: The platform's metrics by minute.
    """

    pipeline: EventPipeline
    scheduler: SimulatedScheduler
    function: Script
    results: list[DeliveryResult]
    points: list[DataPoint]

    def run(self, events: Iterable[InputEvent] = ()) -> "Simulation":
        """Run the pipeline and check that each delivery has one result."""
        self.pipeline.run(events)
        counters = self.pipeline.counters
        assert counters.live == 0
        assert counters.received + counters.redelivered == len(self.results)
        return self

    def deliver(self, payload: bytes = PAYLOAD) -> "Simulation":
        """Put one event onto the bus and run."""
        self.pipeline.put_event(payload)
        return self.run()

    @property
    def result(self) -> DeliveryResult:
        """The only result."""
        (result,) = self.results
        return result

    def dispositions(self) -> list[Disposition]:
        """Return the final state of each delivery."""
        return [result.disposition for result in self.results]

    def metrics(self) -> Mapping[str, float]:
        """Return the totals of Lambda's metrics, and of EventBridge's with the prefix `Rule`."""
        return {
            ("Rule" if namespace == "AWS/Events" else "") + name: value
            for (namespace, name), value in self.pipeline.metrics.totals.items()
        }


def simulation(
    *answers: Status,
    destinations: FailureDestinations | None = None,
    invoke: AsyncInvokeConfig | None = None,
    settings: Callable[[PipelineSettings], PipelineSettings] = lambda unchanged: unchanged,
    duration_s: float = 0.0,
    workers: int = 1,
    seed: int = 0,
    **more: Any,
) -> Simulation:
    """Return a pipeline in simulated time.

    Args:
        answers: The status of each invocation; the last one repeats; none for `ok`.
        destinations: The failure destinations; None for none.
        invoke: Lambda's settings.
        settings: Changes the other settings.
        duration_s: The simulated seconds of each invocation.
        workers: The number of concurrent invocations.
        seed: The seed of the pipeline.
        more: Further arguments of `EventPipeline`.
    """
    scheduler = SimulatedScheduler()
    function = Script(scheduler, list(answers) or ["ok"], duration_s)
    results: list[DeliveryResult] = []
    points: list[DataPoint] = []
    chosen = settings(PipelineSettings(invoke=invoke or AsyncInvokeConfig(), seed=seed))
    pipeline = EventPipeline(
        scheduler,
        [function] * workers,
        chosen,
        destinations=destinations,
        on_result=results.append,
        on_data_point=points.append,
        **more,
    )
    return Simulation(pipeline, scheduler, function, results, points)
