"""The function in the event pipeline, in simulated time, with DynamoDB Local and a real queue."""

import json
from collections import Counter
from typing import Any

from emulator.faults import FaultProxy, http_status
from emulator.pipeline.destinations import SqsDestination
from emulator.pipeline.invokers import InProcessContext, InProcessInvoker
from emulator.pipeline.model import AsyncInvokeConfig, DeliveryResult, Disposition, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.scheduler import SimulatedScheduler
from emulator.services.sqs import drain, sqs_client
from tests.support.events import event
from tests.support.harness import function_environ, function_harness
from tests.support.stores import DeadLetters, Tables

DATE = "2025-07-31"
WRITE = "TransactWriteItems"


def run(
    events: list[dict[str, Any]],
    tables: Tables,
    dead_letters: DeadLetters,
    settings: PipelineSettings,
    **environ: str,
) -> list[DeliveryResult]:
    """Deliver events to the function in this process; return the result of each delivery."""
    endings: list[DeliveryResult] = []
    client = sqs_client(dead_letters.url)
    with function_harness(function_environ(tables, dead_letters, **environ)) as invoke:

        def handler(received: Any, context: InProcessContext) -> dict[str, Any] | None:
            before = invoke.clock.now
            invoked = invoke(received, trace_header=context.trace_header, request_id=context.aws_request_id)
            context.advance(invoke.clock.now - before)
            if invoked.error is not None:
                raise invoked.error
            return invoked.answer

        destination = SqsDestination(client, dead_letters.queue_url)
        pipeline = EventPipeline(
            SimulatedScheduler(),
            [InProcessInvoker(handler)] * 2,
            settings,
            destinations=FailureDestinations(on_failure=destination),
            on_result=endings.append,
        )
        pipeline.run(InputEvent(json.dumps(envelope).encode(), envelope["id"]) for envelope in events)
    client.close()
    return endings


def test_duplicates_mark_once_and_permanent_failures_are_dead_lettered(
    tables: Tables, dead_letters: DeadLetters
) -> None:
    rows = [(f"S{number}", DATE) for number in range(30)]
    for row in rows:
        tables.put_row(*row)
    events = [event(symbol, date, number) for number, (symbol, date) in enumerate(rows)]
    events += [event("UNKNOWN", DATE, 100), event("S1", "not a day", 101)]
    chosen = PipelineSettings(invoke=AsyncInvokeConfig(duplicate_probability=0.3), seed=1)

    endings = run(events, tables, dead_letters, chosen)

    first = Counter(delivery_result.disposition for delivery_result in endings if not delivery_result.redelivered)
    assert first == {Disposition.MARKED: 30, Disposition.DEAD_LETTERED: 2}
    again = [delivery_result.disposition for delivery_result in endings if delivery_result.redelivered]
    assert set(again) <= {Disposition.DUPLICATE, Disposition.DEAD_LETTERED}
    assert Disposition.DUPLICATE in again
    assert all(len(tables.audit(*row)) == 1 for row in rows)
    assert len(drain(dead_letters.endpoint)) == 2 + again.count(Disposition.DEAD_LETTERED)


def test_failing_database_ends_in_an_on_failure_record(tables: Tables, dead_letters: DeadLetters) -> None:
    tables.put_row("AAPL", DATE)
    sent = event("AAPL", DATE, 1)

    with FaultProxy(tables.url, *[http_status(500)] * 9, operation=WRITE) as proxy:
        (delivery_result,) = run([sent], tables, dead_letters, PipelineSettings(), AWS_ENDPOINT_URL_DYNAMODB=proxy.url)
        assert proxy.unused == ()

    assert (delivery_result.disposition, delivery_result.attempts) == (Disposition.ON_FAILURE, 3)
    assert 180 < delivery_result.age_s < 200, "the function's own waits are part of it"
    (dead_letter,) = drain(dead_letters.endpoint)
    record = json.loads(dead_letter.body)
    assert record["requestPayload"] == sent
    assert record["responsePayload"]["errorType"] == "EventNotProcessed"
    assert "category=dynamodb" in record["responsePayload"]["errorMessage"]
