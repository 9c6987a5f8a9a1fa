"""Asynchronous delivery: retries, the one outcome, the on-failure record."""

import json
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import EndpointConnectionError

from local.delivery import AsyncDelivery, on_failure_record
from local.environment import trace_root
from local.worker import InvocationResult, Status

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
MARKED = b'{"outcome": "marked", "correlation_id": "c"}'
FAILED = b'{"errorType": "EventNotProcessed", "errorMessage": "category=throttling"}'


@dataclass
class FakeWorker:
    """Answers as told, one answer an invocation, and keeps what it was asked."""

    answers: list[tuple[Status, bytes]]
    asked: list[dict[str, object]] = field(default_factory=list)

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        self.asked.append({"payload": payload, "trace": trace_header, "request_id": request_id, "timeout_s": timeout_s})
        status, body = self.answers[len(self.asked) - 1]
        return InvocationResult(status, body, request_id or "", 0.1, cold_start=False)


@dataclass
class Destination:
    """Keeps the records it is sent, and the waits in between."""

    records: list[bytes] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def delivery(self) -> AsyncDelivery:
        return AsyncDelivery(ARN, self.records.append, timeout_s=7, retry_waits_s=(1, 2), sleep=self.waits.append)


@pytest.fixture
def destination() -> Destination:
    return Destination()


@pytest.mark.parametrize("outcome", ["marked", "duplicate", "dead_lettered"])
def test_an_answer_is_the_outcome_and_ends_the_delivery(destination: Destination, outcome: str) -> None:
    worker = FakeWorker([("ok", json.dumps({"outcome": outcome}).encode())])

    delivery = destination.delivery().deliver(worker, b"{}")

    assert (delivery.outcome, delivery.tries) == (outcome, 1)
    assert worker.asked[0]["payload"] == b"{}"
    assert worker.asked[0]["timeout_s"] == 7
    assert (destination.records, destination.waits) == ([], [])


@pytest.mark.parametrize("failure", ["error", "timeout", "crashed", "init_error"])
def test_a_failed_try_is_followed_by_another_that_counts(destination: Destination, failure: Status) -> None:
    worker = FakeWorker([(failure, FAILED), ("ok", MARKED)])

    delivery = destination.delivery().deliver(worker, b"{}")

    assert (delivery.outcome, delivery.tries) == ("marked", 2)
    assert destination.records == []
    assert destination.waits == [1]


def test_tries_share_request_id_and_trace_but_not_the_parent(destination: Destination) -> None:
    worker = FakeWorker([("error", FAILED)] * 3)

    destination.delivery().deliver(worker, b"{}")

    assert len({asked["request_id"] for asked in worker.asked}) == 1
    assert len({trace_root(str(asked["trace"])) for asked in worker.asked}) == 1
    assert len({asked["trace"] for asked in worker.asked}) == 3


def test_after_the_last_try_the_record_goes_to_the_destination(destination: Destination) -> None:
    worker = FakeWorker([("error", FAILED), ("timeout", FAILED), ("error", FAILED)])

    delivery = destination.delivery().deliver(worker, b'{"detail": 9007199254740993.10}')

    assert (delivery.outcome, delivery.tries, delivery.unsent_record) == ("retry", 3, None)
    assert destination.waits == [1, 2]
    (record,) = destination.records
    assert b'"requestPayload":{"detail": 9007199254740993.10}' in record, "the event, to the letter"
    parsed = json.loads(record)
    assert parsed["requestContext"] == {
        "requestId": worker.asked[0]["request_id"],
        "functionArn": f"{ARN}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert parsed["responseContext"]["functionError"] == "Unhandled"
    assert parsed["responsePayload"] == json.loads(FAILED)


def test_a_destination_that_cannot_be_reached_loses_nothing() -> None:
    def refuse(_: bytes) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    worker = FakeWorker([("error", FAILED)])

    delivery = AsyncDelivery(ARN, refuse, retry_waits_s=()).deliver(worker, b'"e"')

    assert delivery.outcome == "retry"
    assert delivery.unsent_record is not None
    assert json.loads(delivery.unsent_record)["requestPayload"] == "e"


@pytest.mark.parametrize("answer", [b"", b"null", b"[]", b'{"outcome": "else"}', b'{"outcome": "retry"}'])
def test_an_answer_without_an_outcome_is_none(destination: Destination, answer: bytes) -> None:
    assert destination.delivery().deliver(FakeWorker([("ok", answer)]), b"{}").outcome is None


def test_the_record_has_only_characters_that_sqs_takes() -> None:
    event = '["\uffff\ufffe", "ü"]'
    result = InvocationResult("crashed", b"no json", "r", 1.0, cold_start=False)

    record = on_failure_record(ARN, event.encode(), result, 1).decode()

    assert "\uffff" not in record
    assert "\ufffe" not in record
    assert json.loads(record)["requestPayload"] == ["\uffff\ufffe", "ü"]
    assert json.loads(record)["responsePayload"] is None
