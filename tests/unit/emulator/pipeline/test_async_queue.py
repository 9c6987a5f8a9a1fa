"""Lambda's asynchronous invocation, compared with AWS's documentation.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html (errors, throttles, age),
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html (destinations, dead-letter queue, zero
concurrency), https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html (metrics).
"""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.environment import trace_root
from emulator.lambda_runtime.worker import Status
from emulator.pipeline.model import AsyncInvokeConfig, Condition, Disposition, PipelineSettings
from emulator.pipeline.pipeline import FailureDestinations, InputEvent
from tests.support.pipeline_helpers import FAILED, PAYLOAD, MemoryDestination, simulation

HOUR = 3600.0
FUNCTION_ERRORS: list[Status] = ["error", "timeout", "crashed", "init_error"]
SERVICE_ERRORS: list[Status] = ["throttled", "system_error"]


def test_success_is_one_attempt() -> None:
    done = simulation().deliver()

    assert (done.result.disposition, done.result.attempts, done.result.payload) == (
        Disposition.MARKED,
        1,
        PAYLOAD,
    )
    assert done.result.request_id == done.function.invocations[0].request_id
    assert done.function.invocations[0].timeout_s == 30


@pytest.mark.parametrize("failure", FUNCTION_ERRORS)
def test_function_error_is_retried_after_one_and_two_minutes(failure: Status) -> None:
    destination = MemoryDestination()

    done = simulation(failure, destinations=FailureDestinations(on_failure=destination)).deliver()

    assert done.function.waits() == [60, 120]
    assert (done.result.disposition, done.result.condition) == (
        Disposition.ON_FAILURE,
        Condition.RETRIES_EXHAUSTED,
    )
    metrics = done.metrics()
    assert (metrics["Invocations"], metrics["Errors"], metrics["AsyncEventsDropped"]) == (3, 3, 1)
    assert "Throttles" not in metrics


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_maximum_retry_attempts(retries: int) -> None:
    done = simulation("error", invoke=AsyncInvokeConfig(maximum_retry_attempts=retries)).deliver()

    assert done.result.attempts == 1 + retries


def test_attempts_share_request_id_and_trace_but_not_the_parent() -> None:
    invocations = simulation("error").deliver().function.invocations

    assert len({invocation.request_id for invocation in invocations}) == 1
    assert len({trace_root(invocation.trace_header) for invocation in invocations}) == 1
    assert len({invocation.trace_header for invocation in invocations}) == 3


@pytest.mark.parametrize("failure", SERVICE_ERRORS)
def test_throttles_and_system_errors_back_off(failure: Status) -> None:
    """From one second, exponentially, to five minutes, for six hours."""
    destination = MemoryDestination()

    done = simulation(failure, destinations=FailureDestinations(on_failure=destination)).deliver()

    waits = done.function.waits()
    assert waits[0] == 1
    assert all(1 <= wait <= 300 for wait in waits)
    assert max(waits) > 250
    for number, wait in enumerate(waits, 1):
        assert wait <= 2.0 ** (number - 1), "exponential from one second"
    assert 5.9 * HOUR < sum(waits) <= 6 * HOUR
    assert done.result.condition is Condition.EVENT_AGE_EXCEEDED
    metrics = done.metrics()
    assert "Invocations" not in metrics, "a throttled attempt is no invocation"
    assert "Errors" not in metrics
    assert metrics.get("Throttles", 0) == (done.result.attempts if failure == "throttled" else 0)
    (record,) = destination.bodies()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["responseContext"]["statusCode"] == (429 if failure == "throttled" else 500)
    assert "responsePayload" not in record


def test_throttles_do_not_count_as_retries_of_function_errors() -> None:
    answers: list[Status] = ["throttled", "throttled", "throttled", "error", "throttled", "error", "ok"]

    done = simulation(*answers).deliver()

    assert (done.result.disposition, done.result.attempts, done.result.throttles) == (
        Disposition.MARKED,
        7,
        4,
    )


def test_maximum_event_age() -> None:
    done = simulation("error", invoke=AsyncInvokeConfig(maximum_event_age_s=150)).deliver()

    assert done.function.waits() == [60]
    assert done.result.condition is Condition.EVENT_AGE_EXCEEDED
    assert done.result.age_s == 60, "another wait of two minutes would be too long"


def test_event_that_waits_too_long_for_a_worker_is_not_invoked() -> None:
    destination = MemoryDestination()
    waiting = simulation(
        duration_s=90,
        invoke=AsyncInvokeConfig(maximum_event_age_s=60),
        destinations=FailureDestinations(on_failure=destination),
    )
    waiting.pipeline.put_event(PAYLOAD)
    waiting.pipeline.put_event(PAYLOAD)

    done = waiting.run()

    assert done.dispositions() == [Disposition.MARKED, Disposition.ON_FAILURE]
    (record,) = destination.bodies()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0


def test_reserved_concurrency_of_zero_sends_to_the_destinations() -> None:
    destination, dlq = MemoryDestination(), MemoryDestination()

    done = simulation(
        invoke=AsyncInvokeConfig(reserved_concurrency=0),
        destinations=FailureDestinations(on_failure=destination, lambda_dlq=dlq),
    ).deliver()

    assert done.function.invocations == []
    assert (done.result.disposition, done.result.age_s) == (Disposition.ON_FAILURE, 0)
    (record,) = destination.bodies()
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert "responseContext" not in record
    assert dlq.messages[0].attributes["ErrorCode"] == 429


def test_invocations_beyond_reserved_concurrency_are_throttled() -> None:
    crowd = simulation(workers=3, duration_s=0.5, invoke=AsyncInvokeConfig(reserved_concurrency=1))
    for _ in range(3):
        crowd.pipeline.put_event(PAYLOAD)

    done = crowd.run()

    assert done.dispositions() == [Disposition.MARKED] * 3
    assert done.metrics()["Throttles"] >= 2
    at = [invocation.at for invocation in done.function.invocations]
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(at)), "one at a time"


def test_on_failure_record_has_lambda_s_format() -> None:
    destination = MemoryDestination()
    payload = b'{"detail": 9007199254740993.10}'
    failed = simulation("error", destinations=FailureDestinations(on_failure=destination))
    request_id = failed.pipeline.invoke_async(payload)

    failed.run()

    (message,) = destination.messages
    assert b'"requestPayload":{"detail": 9007199254740993.10}' in message.body, "the event, byte for byte"
    assert message.attributes == {}
    record = json.loads(message.body)
    assert record == {
        "version": "1.0",
        "timestamp": "2025-07-31T20:03:00.000Z",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{PipelineSettings().function_arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": json.loads(payload),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": json.loads(FAILED),
    }


def test_function_dlq_gets_the_event_and_the_error() -> None:
    dlq = MemoryDestination()

    done = simulation("error", destinations=FailureDestinations(lambda_dlq=dlq)).deliver()

    (message,) = dlq.messages
    assert message.body == PAYLOAD
    assert message.attributes == {
        "RequestID": done.result.request_id,
        "ErrorCode": 200,
        "ErrorMessage": "category=throttling",
    }
    assert done.result.disposition is Disposition.LAMBDA_DLQ


def test_both_destinations_get_a_message() -> None:
    destination, dlq = MemoryDestination(), MemoryDestination()

    done = simulation("error", destinations=FailureDestinations(on_failure=destination, lambda_dlq=dlq)).deliver()

    assert (len(destination.messages), len(dlq.messages)) == (1, 1)
    assert done.result.disposition is Disposition.ON_FAILURE


@pytest.mark.parametrize(
    ("destinations", "metrics"),
    [
        (FailureDestinations(), {}),
        (FailureDestinations(on_failure=MemoryDestination(broken=True)), {"DestinationDeliveryFailures": 1}),
        (FailureDestinations(lambda_dlq=MemoryDestination(broken=True)), {"DeadLetterErrors": 1}),
    ],
)
def test_missing_or_failing_destination_drops_the_event(
    destinations: FailureDestinations, metrics: dict[str, Any]
) -> None:
    done = simulation("error", destinations=destinations).deliver()

    assert done.result.disposition is Disposition.DROPPED
    totals = done.metrics()
    assert totals["AsyncEventsDropped"] == 1
    names = ("DestinationDeliveryFailures", "DeadLetterErrors")
    assert {name: totals[name] for name in names if name in totals} == metrics
    assert len(done.result.unsent) == len(metrics), "the result has each message that was not accepted"


def test_one_accepting_destination_is_enough() -> None:
    dlq = MemoryDestination()

    done = simulation(
        "error", destinations=FailureDestinations(on_failure=MemoryDestination(broken=True), lambda_dlq=dlq)
    ).deliver()

    assert (done.result.disposition, done.result.unsent) == (Disposition.LAMBDA_DLQ, ())
    assert done.metrics()["DestinationDeliveryFailures"] == 1


def test_duplicate_probability_repeats_successful_deliveries() -> None:
    repeating = simulation(invoke=AsyncInvokeConfig(duplicate_probability=0.3), seed=4)

    done = repeating.run(InputEvent(PAYLOAD) for _ in range(1000))

    counters = done.pipeline.counters
    assert counters.received == 1000
    assert 300 < counters.redelivered < 600, "a redelivered event may be redelivered, too"
    assert sum(result.redelivered for result in done.results) == counters.redelivered
    first = {result.request_id for result in done.results if not result.redelivered}
    assert {result.request_id for result in done.results if result.redelivered} <= first


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"outcome": "else"}', b'{"outcome": "retry"}', b'{"outcome": []}']
)
def test_response_without_an_outcome(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.pipeline_helpers.MARKED", body)

    assert simulation().deliver().result.disposition is Disposition.NO_OUTCOME


def test_async_event_age_grows_with_each_attempt() -> None:
    done = simulation("error", "error", "ok").deliver()

    points = [point for point in done.points if point.metric == "AsyncEventAge"]
    assert [(point.timestamp[11:16], point.maximum) for point in points] == [
        ("20:00", 0),
        ("20:01", 60_000),
        ("20:03", 180_000),
    ]


def test_bodies_have_only_characters_that_sqs_accepts() -> None:
    payload = '["\uffff\ufffe", "ü"]'.encode()
    destination, dlq = MemoryDestination(), MemoryDestination()

    simulation("error", destinations=FailureDestinations(on_failure=destination, lambda_dlq=dlq)).deliver(payload)

    for message in (*destination.messages, *dlq.messages):
        assert not set("\uffff\ufffe") & set(message.body.decode())
    assert destination.bodies()[0]["requestPayload"] == ["\uffff\ufffe", "ü"]
    assert dlq.bodies() == [["\uffff\ufffe", "ü"]]


def history(seed: int, answers: list[Status]) -> list[object]:
    destination = MemoryDestination()
    invoke = AsyncInvokeConfig(duplicate_probability=0.2)
    done = simulation(
        *answers,
        destinations=FailureDestinations(on_failure=destination),
        invoke=invoke,
        seed=seed,
        workers=2,
        duration_s=0.3,
    ).run(InputEvent(PAYLOAD, number) for number in range(20))
    return [done.results, done.points, destination.messages, done.function.invocations]


STATUSES = st.sampled_from(["ok", "error", "timeout", "crashed", "throttled", "system_error"])


@given(answers=st.lists(STATUSES, min_size=1, max_size=30), seed=st.integers(0, 2**32))
def test_same_seed_gives_the_same_history(answers: list[Status], seed: int) -> None:
    assert history(seed, answers) == history(seed, answers)


@given(
    answers=st.lists(STATUSES, min_size=1, max_size=60),
    age=st.floats(60, 6 * HOUR),
    attempts=st.integers(0, 2),
    reserved=st.none() | st.integers(0, 3),
    duplicates=st.floats(0, 0.5),
    destinations=st.tuples(*[st.sampled_from([None, True, False])] * 2),
    workers=st.integers(1, 4),
    events=st.integers(1, 12),
)
def test_every_delivery_reaches_one_final_state(
    answers: list[Status],
    age: float,
    attempts: int,
    reserved: int | None,
    duplicates: float,
    destinations: tuple[bool | None, bool | None],
    workers: int,
    events: int,
) -> None:
    on_failure, dlq = (None if works is None else MemoryDestination(broken=not works) for works in destinations)
    invoke = AsyncInvokeConfig(attempts, age, reserved, duplicates)

    done = simulation(
        *answers,
        invoke=invoke,
        destinations=FailureDestinations(on_failure=on_failure, lambda_dlq=dlq),
        workers=workers,
        duration_s=1,
    ).run(InputEvent(PAYLOAD, number) for number in range(events))

    assert sorted(result.tag for result in done.results if not result.redelivered) == list(range(events))
    metrics = done.metrics()
    assert metrics["AsyncEventsReceived"] == events
    discarded = [result for result in done.results if result.condition is not None]
    assert metrics.get("AsyncEventsDropped", 0) == len(discarded)
    assert metrics.get("Invocations", 0) == sum(result.attempts - result.throttles for result in done.results)
    for result in done.results:
        assert result.attempts - result.throttles <= 1 + attempts
        assert (result.condition is None) == (result.disposition is Disposition.MARKED)
        assert bool(result.unsent) == (result.disposition is Disposition.DROPPED and destinations != (None, None))
    for destination, disposition in ((on_failure, Disposition.ON_FAILURE), (dlq, Disposition.LAMBDA_DLQ)):
        if destination is not None and not destination.broken:
            assert len(destination.messages) == len(discarded)
            assert disposition is not Disposition.ON_FAILURE or all(
                result.disposition is disposition for result in discarded
            )
