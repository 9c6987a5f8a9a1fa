"""Every event has one outcome, whatever its attempts were."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_runtime.worker import InvocationResult, Status
from emulator.pipeline.model import Disposition
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.scheduler import RealTimeScheduler
from mep.local.summary import RunCounter
from tests.support.pipeline_helpers import FAILED, PAYLOAD, MemoryDestination, simulation

FAILURES: list[Status] = ["error", "timeout", "crashed", "init_error"]
ENDS: list[Status] = [*FAILURES, "throttled", "system_error", "ok"]


@given(
    ends=st.lists(st.sampled_from(ENDS), max_size=30),
    events=st.integers(0, 8),
    broken=st.booleans(),
)
def test_received_is_the_sum_of_the_outcomes(ends: list[Status], events: int, *, broken: bool) -> None:
    run = simulation(*ends, "ok", destinations=FailureDestinations(on_failure=MemoryDestination(broken=broken)))
    run.run(InputEvent(PAYLOAD, number) for number in range(events))
    counter = RunCounter()
    for result in run.results:
        counter.add(result)

    summary = counter.summary(elapsed_s=1, deliveries=run.pipeline.counters, spans=0, spans_lost=0, interrupted=False)

    assert summary.received == events
    assert summary.accounted
    taken = [*ends, *["ok"] * len(run.function.invocations)][: len(run.function.invocations)]
    assert summary.invocations == len(taken)
    assert summary.tries_raised == sum(end in FAILURES for end in taken), "also of events that were marked"
    given_up = [result for result in run.results if result.disposition is not Disposition.MARKED]
    assert summary.retry == len(given_up), "only those that were given up"
    assert all(result.failures == 3 for result in given_up)
    assert summary.undelivered == (summary.retry if broken else 0)


def test_an_interrupted_run_counts_the_attempts_of_unfinished_events() -> None:
    """Ctrl-C comes while the first event, which was raised, waits for its retry."""

    class Raising:
        def invoke(self, *_: object, **__: object) -> InvocationResult:
            return InvocationResult("error", FAILED, "r", 0, cold_start=False)

    def events() -> Iterator[InputEvent]:
        yield InputEvent(PAYLOAD)
        while not pipeline.status().waits:
            time.sleep(0.001)
        raise KeyboardInterrupt

    pipeline = EventPipeline(RealTimeScheduler(1), [Raising()])
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(events())

    summary = RunCounter().summary(elapsed_s=1, deliveries=pipeline.counters, spans=0, spans_lost=0, interrupted=True)
    assert (summary.received, summary.unfinished) == (0, 1)
    assert (summary.invocations, summary.tries_raised) == (1, 1)
