"""32 deliveries of one event at the same moment: one marks the row, all others see that it is marked."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from emulator.environment import FunctionConfig, new_trace_header
from emulator.faults import Fault, FaultProxy, cancelled, hold
from emulator.lambda_runtime.worker import InvocationResult, Worker, start_workers
from handler.processor import Processor
from tests.integration.harness import Services
from tests.support.clock import Clock, Invocation
from tests.support.events import unique_event
from tests.support.harness import function_environ, lambda_environment, running_processor

DELIVERIES = 32


def gate(parties: int) -> Fault:
    """Holds a request until as many are there, then lets all of them through at once."""
    return hold(partial(threading.Barrier(parties).wait, timeout=60))


@pytest.fixture
def event(services: Services) -> dict[str, Any]:
    made = unique_event()
    services.tables.put_row(made["detail"]["asset_symbol"], made["detail"]["earnings_date"])
    return made


def only_the_first_wins(services: Services, event: dict[str, Any], answers: list[dict[str, Any]]) -> None:
    assert Counter(answer["outcome"] for answer in answers) == {"marked": 1, "duplicate": DELIVERIES - 1}
    assert {answer.get("same_event", True) for answer in answers} == {True}
    detail = event["detail"]
    (entry,) = services.tables.audit(detail["asset_symbol"], detail["earnings_date"])
    row = services.tables.row(detail["asset_symbol"], detail["earnings_date"])
    assert row is not None
    assert row["processed_by_event"] == entry["event_id"] == detail["event_id"]
    assert row["updated_at"] == entry["recorded_at"], "row and audit entry are of one and the same transaction"


@pytest.mark.parametrize("conflicts", [0, DELIVERIES // 2])
def test_all_of_them_in_dynamodb_at_once(services: Services, event: dict[str, Any], conflicts: int) -> None:
    payload, at_once = json.dumps(event), DELIVERIES - conflicts
    # DynamoDB proper refuses some of them at first, where DynamoDB Local lets them wait.
    refused = cancelled("TransactionConflict", "None")
    with ExitStack() as stack:
        script = [gate(at_once)] * at_once + [refused] * conflicts + [gate(conflicts or 1)] * conflicts
        proxy = stack.enter_context(FaultProxy(services.tables.url, *script))
        given = function_environ(
            services.tables, services.queue, AWS_ENDPOINT_URL_DYNAMODB=proxy.url, OTEL_SDK_DISABLED="true"
        )
        stack.enter_context(lambda_environment(given))
        functions = [stack.enter_context(running_processor(lambda _: None)) for _ in range(DELIVERIES)]

        def deliver(function: Processor) -> dict[str, Any]:
            return function(json.loads(payload), Invocation(Clock(), 300, str(uuid4())))

        with ThreadPoolExecutor(DELIVERIES) as executor:
            answers = list(executor.map(deliver, functions))

        assert proxy.attempts("TransactWriteItems") == DELIVERIES + conflicts
        assert proxy.unused == ()
    only_the_first_wins(services, event, answers)


def test_by_four_processes(services: Services, event: dict[str, Any]) -> None:
    payload = json.dumps(event).encode()
    config = FunctionConfig(settings=function_environ(services.tables, services.queue))
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(config, lambda *_: None)) for _ in range(4)]

        def deliver(worker: Worker) -> list[InvocationResult]:
            return [worker.invoke(payload, trace_header=new_trace_header()) for _ in range(DELIVERIES // len(workers))]

        start_workers(workers)
        with ThreadPoolExecutor(len(workers)) as executor:
            results = [result for each in executor.map(deliver, workers) for result in each]

    assert {result.status for result in results} == {"ok"}
    only_the_first_wins(services, event, [json.loads(result.payload) for result in results])
