"""With any timeout and any faults of AWS, the reserve stays unspent and every attempt is counted."""

from copy import replace
from itertools import cycle

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st

from handler.settings import FLUSH_RESERVE_SECONDS
from tests.support.events import eventbridge_event
from tests.support.invariants import check_invocation
from tests.support.scripted_aws import (
    COMMITTED,
    DEAD_LETTER,
    NO_SUCH_ROW,
    SENT,
    WRITE,
    Step,
    already,
    aws_error,
    cancelled,
    raising,
    reply,
)
from tests.unit.handler.harness import HandlerHarness, Run, settings

VALID = eventbridge_event({"asset_symbol": "AAPL", "earnings_date": "2025-07-31", "event_id": "event-1"})
INVALID = eventbridge_event({"asset_symbol": "AAPL"})
BUDGET_LOST_IN_FLOATS = 1e-6

EXPECTED_DELAYS = {
    "throttling": (1.0, 30.0),
    "conflict": (0.05, 30.0),
    "network": (0.1, 30.0),
    "dynamodb": (0.1, 30.0),
}
AT_MOST_THREE = ("network", "dynamodb")

NO_REPLY = [
    raising(lambda: ReadTimeoutError(endpoint_url="https://aws")),
    raising(lambda: ConnectTimeoutError(endpoint_url="https://aws")),
    raising(lambda: EndpointConnectionError(endpoint_url="https://aws")),
    raising(lambda: ConnectionClosedError(endpoint_url="https://aws")),
    raising(lambda: HTTPClientError(error="reset")),
]
ANYWHERE = [
    *NO_REPLY,
    aws_error("ThrottlingException"),
    aws_error("InternalServerError", 500),
    aws_error("AccessDeniedException"),
    aws_error("ResourceNotFoundException"),
    aws_error("SomethingNew"),
    Step(502, b"<html>Bad Gateway</html>"),
    Step(503, b""),
    Step(429, b"slow down"),
    Step(200, b"\xff"),
    Step(200, b"<html>"),
    Step(500, b"[]"),
]
FROM_DYNAMODB = [
    COMMITTED,
    NO_SUCH_ROW,
    already("event-1"),
    already("event-2"),
    cancelled("TransactionConflict", None),
    cancelled(None, "ThrottlingError"),
    cancelled("ThrottlingError", "AccessDenied"),
    cancelled(None, "ConditionalCheckFailed"),
    cancelled(),
    aws_error("TransactionInProgressException"),
    aws_error("ProvisionedThroughputExceededException"),
    aws_error("IdempotentParameterMismatchException"),
]
FROM_SQS = [SENT, reply({}), aws_error("QueueDoesNotExist"), aws_error("RequestThrottled", 403)]
PERSISTENT = [
    aws_error("ThrottlingException"),
    cancelled("TransactionConflict", None),
    aws_error("InternalServerError", 500),
    raising(lambda: ReadTimeoutError(endpoint_url="https://aws")),
]


def scripts(steps: list[Step]) -> st.SearchStrategy[list[tuple[Step, float]]]:
    """Steps, each with the share of the worst case that it takes; long rows of one trouble are likely."""
    share = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)
    mixed = st.lists(st.tuples(st.sampled_from(steps), share), min_size=1, max_size=8)
    same = st.tuples(st.sampled_from(PERSISTENT), share)
    stubborn = st.builds(lambda step, times, then: [step] * times + then, same, st.integers(1, 15), mixed)
    return mixed | stubborn


def timed(script: list[tuple[Step, float]], worst: float) -> list[Step]:
    return [step.taking(share * worst) for step, share in script]


@pytest.mark.timeout(240)
@given(
    event=st.sampled_from([VALID, VALID, VALID, INVALID]),
    timeout=st.sampled_from([3.0, 6.0, 10.0, 30.0, 60.0]) | st.floats(0, 900),
    connect=st.just(1.0) | st.floats(0.01, 20),
    read=st.just(3.0) | st.floats(0.01, 20),
    dynamodb=scripts(ANYWHERE + FROM_DYNAMODB),
    sqs=scripts(ANYWHERE + FROM_SQS),
    jitter=st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_the_reserve_is_unspent_and_each_attempt_declared(
    *,
    harness: HandlerHarness,
    event: object,
    timeout: float,
    connect: float,
    read: float,
    dynamodb: list[tuple[Step, float]],
    sqs: list[tuple[Step, float]],
    jitter: list[float],
) -> None:
    using = replace(settings(), connect_timeout=connect, read_timeout=read)
    shares = cycle(jitter)
    sandbox = harness.sandbox(using, jitter=lambda low, high: low + (high - low) * next(shares))
    run = harness.invoke(
        event,
        dynamodb=timed(dynamodb, using.attempt_timeout),
        sqs=timed(sqs, using.attempt_timeout),
        timeout=timeout,
        sandbox=sandbox,
    )
    check_reserve(run, timeout)
    check_requests(run)
    check_waits(run)


def check_reserve(run: Run, timeout: float) -> None:
    if timeout >= FLUSH_RESERVE_SECONDS:
        assert run.remaining >= FLUSH_RESERVE_SECONDS - BUDGET_LOST_IN_FLOATS
    else:
        assert run.requests == []
    assert run.outcome_line["error_code" if run.error else "outcome"] != "DeadlineExceeded"  # the watchdog slept


def check_requests(run: Run) -> None:
    """Check that what the function reports agrees with its requests."""
    check_invocation(run)
    writes, dead_letters = run.sent(WRITE), run.sent(DEAD_LETTER)
    assert run.outcome_line["attempts"] == len(writes)
    assert run.metric_line.get("Operations", 0) == int(bool(writes))
    assert len(run.backoffs) == max(0, len(writes) - 1) + max(0, len(dead_letters) - 1)
    assert len({write["ClientRequestToken"] for write in writes}) == int(bool(writes))
    calls = [span["attributes"]["rpc.method"] for span in run.spans if span["kind"] == "CLIENT"]
    assert calls == [request.operation for request in run.requests]


def check_waits(run: Run) -> None:
    for category, delay in run.backoffs:
        low, high = EXPECTED_DELAYS[category]
        assert low <= delay <= high
    for category in AT_MOST_THREE:  # for each of the two services
        assert [name for name, _ in run.backoffs].count(category) <= 2 * 2


def test_a_row_of_throttles_uses_the_time_there_is(harness: HandlerHarness) -> None:
    run = harness.invoke(VALID, dynamodb=[aws_error("ThrottlingException")], timeout=900.0)
    delays = [delay for _, delay in run.backoffs]
    assert delays[:6] == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert set(delays[5:]) == {15.0}
    assert 2.0 < run.remaining < 2.0 + 4.0 + 15.0  # one more would not have fitted
