"""The cost of the event pipeline alone per event, from a thousand to a million: its function does nothing.

.venv/bin/python bench/pipeline.py [EVENTS ...]
"""

import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from emulator.lambda_runtime.worker import InvocationResult
from emulator.pipeline.model import AsyncInvokeConfig, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.scheduler import RealTimeScheduler, Scheduler, SimulatedScheduler

_DEFAULT_EVENTS = (1_000, 10_000, 100_000, 1_000_000)
_SCALE = 1 / 300
_FAILS_EVERY = 50
_MARKED = b'{"outcome": "marked"}'
_FAILED = b'{"errorType": "E", "errorMessage": "it fails"}'
_EVENT = (
    b'{"version": "0", "id": "0", "source": "signal9.advisor", "detail-type": "earningsProcessed", "detail": '
    b'{"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}}'
)


class NoOpInvoker:
    """A function that does nothing, and fails on every fiftieth attempt."""

    def __init__(self) -> None:
        self._attempts = 0

    def invoke(self, payload: bytes, *, request_id: str | None = None, **_: object) -> InvocationResult:
        """Return a response at once."""
        del payload
        self._attempts += 1
        if self._attempts % _FAILS_EVERY == 0:
            return InvocationResult("error", _FAILED, request_id or "", 0.002, cold_start=False)
        return InvocationResult("ok", _MARKED, request_id or "", 0.002, cold_start=False)


def measure(name: str, scheduler: Scheduler, events: int) -> None:
    """Send a number of events through a pipeline, and print the cost."""
    settings = PipelineSettings(invoke=AsyncInvokeConfig(duplicate_probability=0.001))
    destinations = FailureDestinations(on_failure=lambda _: None)
    pipeline = EventPipeline(
        scheduler, [NoOpInvoker(), NoOpInvoker()], settings, destinations=destinations, on_data_point=lambda _: None
    )
    wall, cpu = time.perf_counter(), time.process_time()
    pipeline.run(InputEvent(_EVENT, number) for number in range(events))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if pipeline.counters.live or pipeline.counters.received != events:
        raise SystemExit("the counters are inconsistent")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"| {name} | {events:,} | {events / wall:,.0f} | {cpu / events * 1e6:.0f} | {peak_mb} |", flush=True)


def main() -> None:
    """Print a table in Markdown."""
    print("| time | events | events per second | CPU per event (µs) | peak memory (MB) |")
    print("|---|---|---|---|---|")
    for events in map(int, sys.argv[1:] or _DEFAULT_EVENTS):
        measure("simulated", SimulatedScheduler(), events)
        measure("real", RealTimeScheduler(4, scale=_SCALE), events)


if __name__ == "__main__":
    main()
