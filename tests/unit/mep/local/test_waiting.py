"""The progress line of a run states what the run waits for."""

import pytest

from emulator.pipeline.rule_target import InvokeError
from emulator.pipeline.waits import PipelineStatus, Wait
from mep.local.waiting import waiting_text
from tests.support.pipeline_helpers import PAYLOAD, simulation

NOW = 1000.0


@pytest.mark.parametrize(
    ("status", "exhausted", "text"),
    [
        (PipelineStatus(0, ()), True, ""),
        (PipelineStatus(0, ()), False, "waiting for more events"),
        (PipelineStatus(3, ()), False, ""),
        (PipelineStatus(1, ()), True, "waiting for the function: 1 event"),
        (PipelineStatus(2, (Wait(2, NOW + 9),)), True, "waiting for the function: 2 events"),
        (
            PipelineStatus(2, (Wait(2, NOW + 26.5), Wait(2, NOW + 30))),
            True,
            "waiting for Lambda's second attempt of 2 events, 27 s",
        ),
        (PipelineStatus(1, (Wait(3, NOW + 1),)), False, "waiting for Lambda's third attempt of 1 event, 1 s"),
        (PipelineStatus(1, (Wait(11, NOW - 1),)), True, "waiting for Lambda's 11th attempt of 1 event, 0 s"),
        (
            PipelineStatus(1200, (*[Wait(3, NOW + 20)] * 1199, Wait(2, NOW + 4))),
            True,
            "waiting for further attempts of 1,200 events, the next in 4 s",
        ),
    ],
)
def test_text(status: PipelineStatus, *, exhausted: bool, text: str) -> None:
    assert waiting_text(status, exhausted=exhausted, now=lambda: NOW) == text


def test_a_pipeline_knows_its_waits() -> None:
    done = simulation("error", "error", "ok")
    seen = []
    start = done.scheduler.now()
    done.pipeline.put_event(PAYLOAD)
    for until in (30, 90, 400):
        done.scheduler.run(until=start + until)
        seen.append([(wait.attempt, wait.due - start) for wait in done.pipeline.status().waits])

    assert seen == [[(2, 60)], [(3, 180)], []]
    assert done.pipeline.status().live == 0


def test_a_pipeline_knows_the_waits_of_its_rule() -> None:
    errors = [InvokeError("THROTTLING", "busy"), None]
    done = simulation("ok", invoke_api=lambda _: errors.pop(0))
    done.pipeline.put_event(PAYLOAD)
    done.scheduler.run(until=done.scheduler.now())
    status = done.pipeline.status()

    assert [(wait.attempt, wait.service) for wait in status.waits] == [(2, "EventBridge")]
    assert "EventBridge's second attempt of 1 event" in waiting_text(status, exhausted=True)
    assert done.run().pipeline.status().waits == ()
