"""The event pipeline invokes the container image: outcomes, Lambda's retries, and its record in the queue."""

import json

from emulator.pipeline.destinations import SqsDestination
from emulator.pipeline.invokers import ContainerInvoker
from emulator.pipeline.model import DeliveryResult, Disposition
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.scheduler import RealTimeScheduler
from emulator.services.sqs import sqs_client
from tests.support.containers import Harness
from tests.support.events import DATE
from tests.support.stores import DeadLetters, Tables
from tests.system.image.events import event

_SCALE = 1 / 300


def test_outcomes_and_an_event_that_is_given_up(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str], dead_letters: DeadLetters
) -> None:
    tables.put_row("AAPL", DATE)
    sent = [event(), event(), event(event_id="evt-2", symbol="UNKNOWN"), {"no": "event"}]
    endings: list[DeliveryResult] = []
    client = sqs_client(dead_letters.url)
    destinations = FailureDestinations(on_failure=SqsDestination(client, dead_letters.queue_url))

    with harness.function(image, environment) as function:
        pipeline = EventPipeline(
            RealTimeScheduler(2, scale=_SCALE),
            [ContainerInvoker(function.url)],
            destinations=destinations,
            on_result=endings.append,
        )
        pipeline.run(InputEvent(json.dumps(each).encode()) for each in sent)
    nowhere = {**environment, "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}
    with harness.function(image, nowhere) as function:
        pipeline = EventPipeline(
            RealTimeScheduler(2, scale=_SCALE),
            [ContainerInvoker(function.url)],
            destinations=destinations,
            on_result=endings.append,
        )
        pipeline.run([InputEvent(json.dumps(sent[0]).encode())])
    client.close()

    assert [delivery_result.disposition for delivery_result in endings] == [
        Disposition.MARKED,
        Disposition.DUPLICATE,
        Disposition.DEAD_LETTERED,
        Disposition.DEAD_LETTERED,
        Disposition.ON_FAILURE,
    ]
    assert endings[-1].attempts == 3
    records = [json.loads(dead_letter.body) for dead_letter in dead_letters.drain() if not dead_letter.attributes]
    (record,) = records
    assert record["requestPayload"] == sent[0]
    assert record["responsePayload"]["errorType"] == "EventNotProcessed"
    assert "category=network" in record["responsePayload"]["errorMessage"]
