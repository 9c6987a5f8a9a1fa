"""The chain drives the container image: outcomes, Lambda's further tries, and its record in the queue."""

import json

from local.chain.chain import Arrival, Chain, Nets
from local.chain.invokers import ContainerInvoker
from local.chain.nets import SqsNet
from local.chain.places import Ending, Place
from local.chain.timeline import RealTime
from local.queue import sqs_client
from tests.image.events import DATE, event
from tests.support.containers import Rig
from tests.support.stores import DeadLetters, Tables

_SCALE = 1 / 300


def test_outcomes_and_an_event_that_is_given_up(
    image: str, rig: Rig, tables: Tables, environment: dict[str, str], dead_letters: DeadLetters
) -> None:
    tables.put_row("AAPL", DATE)
    sent = [event(), event(), event(event_id="evt-2", symbol="UNKNOWN"), {"no": "event"}]
    endings: list[Ending] = []
    client = sqs_client(dead_letters.url)
    nets = Nets(on_failure=SqsNet(client, dead_letters.queue_url))

    with rig.function(image, environment) as function:
        chain = Chain(RealTime(2, scale=_SCALE), [ContainerInvoker(function.url)], nets=nets, on_end=endings.append)
        chain.run(Arrival(json.dumps(each).encode()) for each in sent)
    nowhere = {**environment, "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}
    with rig.function(image, nowhere) as function:
        chain = Chain(RealTime(2, scale=_SCALE), [ContainerInvoker(function.url)], nets=nets, on_end=endings.append)
        chain.run([Arrival(json.dumps(sent[0]).encode())])
    client.close()

    assert [ending.place for ending in endings] == [
        Place.MARKED,
        Place.DUPLICATE,
        Place.DEAD_LETTERED,
        Place.DEAD_LETTERED,
        Place.ON_FAILURE,
    ]
    assert endings[-1].tries == 3
    records = [json.loads(letter.body) for letter in dead_letters.drain() if not letter.attributes]
    (record,) = records
    assert record["requestPayload"] == sent[0]
    assert record["responsePayload"]["errorType"] == "EventNotProcessed"
    assert "category=network" in record["responsePayload"]["errorMessage"]
