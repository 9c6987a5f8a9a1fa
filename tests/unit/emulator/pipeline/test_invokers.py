"""The invokers of the pipeline: a container behind its emulator, and a callable in this process."""

import json
import socket
from typing import Any

import pytest

from emulator.lambda_runtime.worker import Status
from emulator.pipeline.invokers import ContainerInvoker, InProcessContext, InProcessInvoker, ProcessCrashed
from emulator.pipeline.model import Disposition
from emulator.pipeline.pipeline import EventPipeline, InputEvent
from emulator.pipeline.scheduler import SimulatedScheduler
from tests.support.pipeline_helpers import PAYLOAD
from tests.support.runtime_interface_emulator import emulator


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"outcome": "marked"}', "ok"),
        (200, b'{"outcome": "dead_lettered", "errorMessage": "of the function"}', "ok"),
        (200, b"null", "ok"),
        (200, b'{"errorMessage": "x", "errorType": "EventNotProcessed"}', "error"),
        (200, b"2025-07-31T20:00:00.000Z 1-2-3 Task timed out after 3.00 seconds\n\n", "timeout"),
        (502, b'{"errorMessage": "RequestId: 1 Error: Runtime exited", "errorType": "Runtime.ExitError"}', "crashed"),
        (502, b"", "crashed"),
        (429, b"", "throttled"),
    ],
)
def test_emulator_responses_become_lambda_s_statuses(status: int, body: bytes, expected: Status) -> None:
    with emulator(status, body) as (url, sent):
        result = ContainerInvoker(url).invoke(PAYLOAD, trace_header="Root=1", request_id="r")

    assert (result.status, result.request_id) == (expected, "r")
    assert sent == [PAYLOAD]
    if expected not in {"ok", "throttled"} and body:
        assert json.loads(result.payload)["errorMessage"]


def test_missing_container_is_a_system_error() -> None:
    assert ContainerInvoker("http://127.0.0.1:9").invoke(PAYLOAD, trace_header="").status == "system_error"


def test_silent_container_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the connection waits in the backlog
        invoker = ContainerInvoker(f"http://127.0.0.1:{silent.getsockname()[1]}", grace_s=0)
        assert invoker.invoke(PAYLOAD, trace_header="", timeout_s=0.05).status == "timeout"


def sleep(_: Any, context: InProcessContext) -> dict[str, str]:
    context.advance(20)
    assert context.get_remaining_time_in_millis() < 10_000
    context.advance(5)
    return {"outcome": "marked"}


def test_time_of_a_callable_is_simulated() -> None:
    scheduler = SimulatedScheduler()
    begun = scheduler.now()
    pipeline = EventPipeline(scheduler, [InProcessInvoker(sleep, overhead_s=1)])

    pipeline.run([InputEvent(PAYLOAD)])

    assert pipeline.counters.dispositions[Disposition.MARKED] == 1
    assert scheduler.now() - begun == 26


@pytest.mark.parametrize(
    ("raised", "status"), [(RuntimeError("no"), "error"), (ProcessCrashed(), "crashed"), (None, "timeout")]
)
def test_failures_of_a_callable(raised: BaseException | None, status: Status) -> None:
    def fails(_: Any, context: InProcessContext) -> None:
        if raised is not None:
            raise raised
        try:
            context.advance(31)
        except Exception:
            return

    result = InProcessInvoker(fails).invoke(PAYLOAD, trace_header="")

    assert result.status == status
    assert json.loads(result.payload)["errorType"]
    assert (result.duration_s == 30) == (status == "timeout")
