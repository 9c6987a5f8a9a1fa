"""The chain in simulated time, with a function that does as it is told and nets that keep what they are sent."""

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
    """Keeps what it is sent.

    Attributes:
        messages: What it took.
        broken: Whether it refuses everything.
    """

    def __init__(self, *, broken: bool = False) -> None:
        self.messages: list[DestinationMessage] = []
        self.broken = broken

    def __call__(self, message: DestinationMessage) -> None:
        if self.broken:
            raise DestinationError("the net is broken")
        self.messages.append(message)

    def bodies(self) -> list[Any]:
        """Return the bodies as JSON values."""
        return [json.loads(message.body) for message in self.messages]


@dataclass(frozen=True)
class Asked:
    """One invocation that a `Script` was asked for."""

    at: float
    payload: bytes
    request_id: str
    trace_header: str
    timeout_s: float


@dataclass
class Script:
    """A function of which the test says how each try ends; the last answer goes on for ever.

    Attributes:
        timeline: Tells when it was asked.
        answers: A status each, in the order of the tries.
        duration_s: Seconds that each try takes.
        asked: What it was asked.
    """

    timeline: SimulatedScheduler
    answers: list[Status] = field(default_factory=lambda: ["ok"])
    duration_s: float = 0.0
    asked: list[Asked] = field(default_factory=list)

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        status = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(Asked(self.timeline.now(), payload, request_id or "", trace_header, timeout_s))
        body = MARKED if status == "ok" else FAILED
        return InvocationResult(status, body, request_id or "", self.duration_s, cold_start=False)

    def waits(self) -> list[float]:
        """Return the seconds between one try and the next."""
        at = [asked.at for asked in self.asked]
        return [round(later - earlier, 6) for earlier, later in pairwise(at)]


@dataclass
class Simulation:
    """A chain in simulated time, and all that comes out of it.

    Attributes:
        pipeline: The chain.
        timeline: Its time.
        function: What runs; there is one worker unless `workers` says otherwise.
        endings: What became of each delivery.
        points: The platform's metrics, minute by minute.
    """

    pipeline: EventPipeline
    timeline: SimulatedScheduler
    function: Script
    endings: list[DeliveryResult]
    points: list[DataPoint]

    def run(self, arrivals: Iterable[InputEvent] = ()) -> "Simulation":
        """Run it, and check that the account balances."""
        self.pipeline.run(arrivals)
        account = self.pipeline.counters
        assert account.live == 0, "nothing is on its way any more"
        assert account.received + account.redelivered == len(self.endings), "each delivery has exactly one ending"
        return self

    def deliver(self, payload: bytes = PAYLOAD) -> "Simulation":
        """Put one event onto the bus and run."""
        self.pipeline.put_event(payload)
        return self.run()

    @property
    def delivery_result(self) -> DeliveryResult:
        """The only ending."""
        (delivery_result,) = self.endings
        return delivery_result

    def dispositions(self) -> list[Disposition]:
        """Return where each delivery ended."""
        return [delivery_result.disposition for delivery_result in self.endings]

    def metrics(self) -> Mapping[str, float]:
        """Return the totals of Lambda's metrics, and of EventBridge's with `Rule` in front."""
        return {
            ("Rule" if namespace == "AWS/Events" else "") + name: value
            for (namespace, name), value in self.pipeline.metrics.totals.items()
        }


def simulation(
    *answers: Status,
    destinations: FailureDestinations | None = None,
    invoke: AsyncInvokeConfig | None = None,
    settings: Callable[[PipelineSettings], PipelineSettings] = lambda same: same,
    duration_s: float = 0.0,
    workers: int = 1,
    seed: int = 0,
    **more: Any,
) -> Simulation:
    """Return a chain in simulated time.

    Args:
        answers: How each try ends; the last goes on for ever; none for `ok`.
        destinations: None for none at all.
        invoke: Lambda's settings.
        settings: Changes the rest of the settings.
        duration_s: Seconds that each try takes.
        workers: How many tries may run at once.
        seed: Of the chain.
        more: For `EventPipeline`.
    """
    timeline = SimulatedScheduler()
    function = Script(timeline, list(answers) or ["ok"], duration_s)
    endings: list[DeliveryResult] = []
    points: list[DataPoint] = []
    chosen = settings(PipelineSettings(invoke=invoke or AsyncInvokeConfig(), seed=seed))
    pipeline = EventPipeline(
        timeline,
        [function] * workers,
        chosen,
        destinations=destinations,
        on_result=endings.append,
        on_data_point=points.append,
        **more,
    )
    return Simulation(pipeline, timeline, function, endings, points)
