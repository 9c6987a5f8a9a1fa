"""One event from start to end: every path, and what is reported."""

import json
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from handler.errors import ErrorCategory, EventNotProcessed
from tests.support.events import eventbridge_event
from tests.support.invariants import TRANSACTION, check_invocation
from tests.support.scripted_aws import (
    COMMITTED,
    DEAD_LETTER,
    NO_SUCH_ROW,
    SENT,
    THROTTLED,
    WRITE,
    Step,
    already,
    aws_error,
    cancelled,
    raising,
)
from tests.support.strategies import SENTINEL, SYMBOL_RULE
from tests.unit.handler.harness import QUEUE_URL, HandlerHarness, Run, settings

EVENT = eventbridge_event(
    {
        "asset_symbol": "AAPL",
        "earnings_date": "2025-07-31",
        "event_id": "event-1",
        "correlation_id": "correlation-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
)
INVALID = eventbridge_event(
    {"asset_symbol": SENTINEL, "earnings_date": "2025-02-30", "correlation_id": "correlation-1"}
)
ACCESS_DENIED = aws_error("AccessDeniedException")
TIMED_OUT = raising(lambda: ReadTimeoutError(endpoint_url="https://dynamodb"))
SERVER_ERROR = aws_error("InternalServerError", 500)
TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar"
HOT_KEY = aws_error(
    "ThrottlingException",
    throttlingReasons=[{"reason": "TableWriteKeyRangeThroughputExceeded", "resource": TABLE}],
)
NO_CAPACITY = aws_error(
    "ProvisionedThroughputExceededException",
    ThrottlingReasons=[{"reason": "TableWriteProvisionedThroughputExceeded", "resource": TABLE}],
)
NOT_REACHED = raising(lambda: EndpointConnectionError(endpoint_url="https://sqs"))

THROTTLING_REASONS = "aws.dynamodb.throttling_reasons"


def check_run(run: Run, outcome: str, category: str | None) -> None:
    """Check the outcome, the agreement of everything that reports it, and the attempts against the requests."""
    check_invocation(run)
    assert (run.outcome_line["outcome"], run.outcome_line.get("error_category")) == (outcome, category)
    assert run.outcome_line["attempts"] == len(run.sent(WRITE))


class TestMarked:
    """The transaction committed."""

    def test_answer_and_record(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT)
        check_run(run, "marked", None)
        assert run.answer == {"outcome": "marked", "correlation_id": "correlation-1"}
        assert [request.operation for request in run.requests] == [WRITE]
        assert run.outcome_line["level"] == "INFO"
        facts = ("event_id", "request_id", "asset_symbol", "earnings_date", "cold_start")
        assert [run.outcome_line[name] for name in facts] == ["event-1", "request-1", "AAPL", "2025-07-31", True]
        assert set(run.outcome_line["timings_ms"]) == {"validate", "write", "flush", "total"}
        assert "correlation_replaced" not in run.outcome_line
        assert run.backoffs == []

    def test_the_settings_reach_the_transaction(self, harness: HandlerHarness) -> None:
        using = settings(EARNINGS_CALENDAR_TABLE="rows", EARNINGS_AUDIT_TABLE="log", AWS_LAMBDA_FUNCTION_VERSION="7")
        update, put = harness.invoke(EVENT, sandbox=harness.sandbox(using)).sent(WRITE)[0]["TransactItems"]
        assert (update["Update"]["TableName"], put["Put"]["TableName"]) == ("rows", "log")
        assert put["Put"]["Item"]["function_version"] == {"S": "7"}
        assert put["Put"]["Item"]["request_id"] == {"S": "request-1"}
        assert put["Put"]["Item"]["recorded_at"] == {"S": "2025-07-31T20:05:00.123456Z"}
        assert put["Put"]["Item"]["correlation_id"] == {"S": "correlation-1"}

    def test_another_source(self, harness: HandlerHarness) -> None:
        event = EVENT | {"source": "other.producer"}
        sandbox = harness.sandbox(settings(EVENT_SOURCE="other.producer"))
        check_run(harness.invoke(event, sandbox=sandbox), "marked", None)
        check_run(harness.invoke(event), "dead_lettered", "validation")

    def test_after_a_retry(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT, dynamodb=[THROTTLED, THROTTLED, COMMITTED])
        check_run(run, "marked", None)
        assert run.backoffs == [("throttling", 1.0), ("throttling", 2.0)]
        counts = [run.metric_line[name] for name in ("Operations", "Retries", "RetrySuccesses")]
        assert counts == [1, 2, 1]
        assert run.metric_line["RetryDelay"] == [1000.0, 2000.0]
        assert len(run.metric_line["DynamoDBLatency"]) == 3
        assert run.outcome_line["timings_ms"]["backoff"] == 3000.0
        assert run.remaining == pytest.approx(27.0)

    @pytest.mark.parametrize("answer", [NO_SUCH_ROW, already("event-1")])
    def test_only_a_write_that_was_made_is_a_retry_that_succeeded(self, harness: HandlerHarness, answer: Step) -> None:
        run = harness.invoke(EVENT, dynamodb=[THROTTLED, answer])
        assert run.metric_line["Retries"] == 1
        assert "RetrySuccesses" not in run.metric_line

    def test_an_id_that_had_to_be_replaced(self, harness: HandlerHarness) -> None:
        event = eventbridge_event({"asset_symbol": "AAPL", "earnings_date": "2025-07-31", "correlation_id": SENTINEL})
        run = harness.invoke(event)
        check_run(run, "marked", None)
        assert run.outcome_line["correlation_replaced"] is True
        assert run.metric_line["CorrelationIdsReplaced"] == 1
        assert run.sent(WRITE)[0]["TransactItems"][1]["Put"]["Item"]["correlation_id"] == {
            "S": run.outcome_line["correlation_id"]
        }
        assert "s3ntinel" not in run.output.decode()


class TestDuplicate:
    """The row was marked before."""

    @pytest.mark.parametrize(
        ("later", "outcome"), [(COMMITTED, "marked"), (already("event-1"), "duplicate"), (NO_SUCH_ROW, "dead_lettered")]
    )
    @pytest.mark.parametrize(
        ("beside", "category"),
        [("TransactionConflict", "conflict"), ("ThrottlingError", "throttling")],
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_a_failed_condition_beside_what_passes_is_asked_again(
        self, harness: HandlerHarness, later: Step, outcome: str, beside: str, category: str, *, first: bool
    ) -> None:
        reasons = ("ConditionalCheckFailed", beside) if first else (beside, "ConditionalCheckFailed")
        run = harness.invoke(EVENT, dynamodb=[cancelled(*reasons), later])
        check_run(run, outcome, "not_found" if outcome == "dead_lettered" else None)
        assert [waited for waited, _ in run.backoffs] == [category]
        spans = run.calls(TRANSACTION)
        assert [span["attributes"].get("error_category") for span in spans] == [category, None]

    @pytest.mark.parametrize(("event_id", "same"), [("event-1", True), ("event-2", False)])
    def test_answer_and_record(self, harness: HandlerHarness, event_id: str, same: bool) -> None:
        run = harness.invoke(EVENT, dynamodb=[already(event_id)])
        check_run(run, "duplicate", None)
        assert run.answer == {"outcome": "duplicate", "correlation_id": "correlation-1", "same_event": same}
        assert (run.outcome_line["level"], run.outcome_line["same_event"]) == ("WARN", same)
        assert run.metric_line.get("IdempotencyViolations", 0) == int(not same)
        assert run.sent(DEAD_LETTER) == []


class TestDeadLettered:
    """A permanent failure."""

    @staticmethod
    def attributes(run: Run) -> dict[str, str]:
        (dead_letter,) = run.sent(DEAD_LETTER)
        return {name: value["StringValue"] for name, value in dead_letter["MessageAttributes"].items()}

    def test_an_invalid_event(self, harness: HandlerHarness) -> None:
        run = harness.invoke(INVALID)
        check_run(run, "dead_lettered", "validation")
        assert run.answer is not None
        violations = run.answer["violations"]
        assert [violation["field"] for violation in violations] == ["detail.asset_symbol", "detail.earnings_date"]
        assert run.outcome_line["violations"] == violations
        assert run.outcome_line["level"] == "ERROR"
        assert run.outcome_line["dead_letter_id"] == "message-1"
        assert run.answer["error_code"] == run.outcome_line["error_code"] == "InvalidEvent"
        assert run.sent(WRITE) == []
        assert "event_id" not in run.outcome_line or run.outcome_line["event_id"] is None
        assert "s3ntinel" not in run.output.decode() + json.dumps(run.answer) + json.dumps(self.attributes(run))

    def test_its_dead_letter(self, harness: HandlerHarness) -> None:
        run = harness.invoke(INVALID)
        (dead_letter,) = run.sent(DEAD_LETTER)
        assert dead_letter["QueueUrl"] == QUEUE_URL
        assert json.loads(dead_letter["MessageBody"]) == INVALID
        assert self.attributes(run) == {
            "ERROR_CODE": "validation",
            "ERROR_MESSAGE": (
                f"detail.asset_symbol: {SYMBOL_RULE} (received: string of 17 characters); "
                "detail.earnings_date: a calendar day, YYYY-MM-DD (received: string of 10 characters)"
            ),
            "CORRELATION_ID": "correlation-1",
            "REQUEST_ID": "request-1",
            "SOURCE": "handler",
        }

    @pytest.mark.parametrize("event", [None, True, 1, 1.5, "text", [], [EVENT], {}, {"detail": None}])
    def test_what_is_no_event_at_all(self, harness: HandlerHarness, event: object) -> None:
        run = harness.invoke(event)
        check_run(run, "dead_lettered", "validation")
        assert json.loads(run.sent(DEAD_LETTER)[0]["MessageBody"]) == event

    def test_no_such_row(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT, dynamodb=[NO_SUCH_ROW])
        check_run(run, "dead_lettered", "not_found")
        assert run.answer == {
            "outcome": "dead_lettered",
            "correlation_id": "correlation-1",
            "error_category": "not_found",
            "error_code": "NoSuchRow",
        }
        assert self.attributes(run)["ERROR_MESSAGE"] == "no row for AAPL on 2025-07-31 in the calendar"
        assert self.attributes(run)["ERROR_CODE"] == "not_found"

    @pytest.mark.parametrize(
        "step", [ACCESS_DENIED, aws_error("ExpiredTokenException"), cancelled("AccessDenied"), Step(403, b"<html>")]
    )
    def test_access_denied_raises_the_alarm(self, harness: HandlerHarness, step: Step) -> None:
        run = harness.invoke(EVENT, dynamodb=[step])
        check_run(run, "dead_lettered", "access_denied")
        assert len(run.sent(WRITE)) == 1
        assert run.metric_line["SecurityErrors"] == 1
        (security,) = [line for line in run.logs if line.get("security")]
        assert (security["level"], security["error_code"]) == ("ERROR", f"DynamoDB: {run.outcome_line['error_code']}")
        assert self.attributes(run)["ERROR_CODE"] == "access_denied"

    @pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException"])
    def test_configuration(self, harness: HandlerHarness, code: str) -> None:
        run = harness.invoke(EVENT, dynamodb=[aws_error(code, message=SENTINEL)])
        check_run(run, "dead_lettered", "configuration")
        assert self.attributes(run)["ERROR_MESSAGE"] == f"DynamoDB refused the write: {code}"
        assert "SecurityErrors" not in run.metric_line
        assert "s3ntinel" not in run.output.decode()

    def test_after_the_queue_needed_a_second_attempt(self, harness: HandlerHarness) -> None:
        run = harness.invoke(INVALID, sqs=[Step(503, b""), SENT])
        check_run(run, "dead_lettered", "validation")
        assert len(run.sent(DEAD_LETTER)) == 2
        assert run.backoffs == [("dynamodb", 0.1)]
        assert "Retries" not in run.metric_line  # those are DynamoDB's
        assert set(run.outcome_line["timings_ms"]) == {"validate", "dead_letter", "backoff", "flush", "total"}


class TestRetry:
    """A transient failure outlasted the budget: Lambda takes over."""

    @pytest.mark.parametrize(
        ("step", "category", "attempts"),
        [
            (TIMED_OUT, "network", 3),
            (raising(lambda: ConnectTimeoutError(endpoint_url="https://dynamodb")), "network", 3),
            (SERVER_ERROR, "dynamodb", 3),
            (Step(200, b"<html>"), "dynamodb", 3),
            (THROTTLED, "throttling", 5),  # 1 + 2 + 4 + 8 s of waiting; the next 16 s do not fit
            (cancelled("TransactionConflict", None), "conflict", 9),
        ],
    )
    def test_answer_and_record(self, harness: HandlerHarness, step: Step, category: str, attempts: int) -> None:
        run = harness.invoke(EVENT, dynamodb=[step])
        check_run(run, "retry", category)
        assert len(run.sent(WRITE)) == attempts
        assert run.sent(DEAD_LETTER) == []
        assert run.outcome_line["level"] == "ERROR"
        assert "RetrySuccesses" not in run.metric_line

    def test_the_message_to_lambda(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT, dynamodb=[THROTTLED])
        assert str(run.error) == "category=throttling correlation_id=correlation-1 : ThrottlingException"

    def test_throttling_reasons_are_everywhere(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT, dynamodb=[HOT_KEY, NO_CAPACITY])
        check_run(run, "retry", "throttling")
        reasons = [f"TableWriteKeyRangeThroughputExceeded {TABLE}", f"TableWriteProvisionedThroughputExceeded {TABLE}"]
        code = "ProvisionedThroughputExceededException"
        assert str(run.error) == f"category=throttling correlation_id=correlation-1 : {code} ({'; '.join(reasons)})"
        assert run.outcome_line["throttling_reasons"] == reasons
        waits = [line["throttling_reasons"] for line in run.logs if "delay_ms" in line]
        assert waits == [reasons[:1], *[reasons[1:]] * (len(run.backoffs) - 1)]
        *calls, root = run.spans
        by_span = [span["attributes"].get(THROTTLING_REASONS) for span in (*calls, root)]
        assert by_span == [reasons[:1], *[reasons[1:]] * (len(calls) - 1), reasons]
        events = [event["attributes"] for event in root["events"] if event["name"] == "retry.backoff"]
        assert [attributes["throttling_reasons"] for attributes in events] == waits
        failed = run.outcome_line["failed_attempts"]
        assert [attempt["throttling_reasons"] for attempt in failed] == [reasons[:1], *[reasons[1:]] * (len(calls) - 1)]
        assert failed[-1]["error_code"] == code
        resends = [span["attributes"].get("http.request.resend_count") for span in calls]
        assert resends == [None, *range(1, len(calls))]

    def test_only_attempts_after_the_first_are_marked_as_such(self, harness: HandlerHarness) -> None:
        first = harness.invoke(EVENT, dynamodb=[HOT_KEY, COMMITTED])
        second = harness.invoke(EVENT, dynamodb=[COMMITTED])

        resends = [span["attributes"].get("http.request.resend_count") for span in (*first.spans, *second.spans)]
        assert resends == [None, 1, None, None, None], "two calls and their root, then one and its root"

    def test_throttling_reasons_stay_with_every_outcome(self, harness: HandlerHarness) -> None:
        reason = f"TableWriteKeyRangeThroughputExceeded {TABLE}"
        marked = harness.invoke(EVENT, dynamodb=[HOT_KEY, COMMITTED])
        assert (marked.outcome_line["outcome"], marked.outcome_line["throttling_reasons"]) == ("marked", [reason])
        refused = harness.invoke(EVENT, dynamodb=[HOT_KEY, ACCESS_DENIED])
        assert TestDeadLettered.attributes(refused)["THROTTLING_REASONS"] == reason
        assert TestDeadLettered.attributes(refused)["ERROR_MESSAGE"] == (
            "DynamoDB refused the write: AccessDeniedException"
        )
        lost = harness.invoke(EVENT, dynamodb=[HOT_KEY, TIMED_OUT])
        assert str(lost.error) == "category=network correlation_id=correlation-1 : ReadTimeoutError"
        assert lost.outcome_line["throttling_reasons"] == [reason]
        late = harness.invoke(EVENT, dynamodb=[HOT_KEY, COMMITTED.taking(100.0)])
        assert (late.outcome_line["error_category"], late.outcome_line["throttling_reasons"]) == ("timeout", [reason])

    def test_no_throttling_reasons_without_dynamodbs(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT, dynamodb=[THROTTLED])
        assert "throttling" in str(run.error)
        assert b"throttling_reasons" not in run.output
        assert not any(THROTTLING_REASONS in span["attributes"] for span in run.spans)

    def test_a_transaction_that_is_throttled_names_the_table(self, harness: HandlerHarness) -> None:
        run = harness.invoke(
            EVENT, dynamodb=[cancelled("ConditionalCheckFailed", "ThrottlingError"), already("event-1")]
        )
        check_run(run, "duplicate", None)
        assert run.outcome_line["throttling_reasons"] == ["ThrottlingError earningsAudit"]
        first, _, root = run.spans
        for span in (first, root):
            assert span["attributes"][THROTTLING_REASONS] == ["ThrottlingError earningsAudit"]

    def test_nothing_else_of_the_reply_gets_out(self, harness: HandlerHarness) -> None:
        reasons = [{"reason": SENTINEL, "resource": TABLE}, {"reason": "R", "resource": SENTINEL}]
        run = harness.invoke(EVENT, dynamodb=[aws_error("ThrottlingException", throttlingReasons=reasons)])
        assert run.outcome_line["throttling_reasons"] == ["R"]
        assert str(run.error).endswith(" : ThrottlingException (R)")
        assert "s3ntinel" not in run.output.decode() + str(run.error) + json.dumps(run.spans)

    def test_a_parameter_mismatch_is_a_defect_that_a_new_token_cures(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT, dynamodb=[aws_error("IdempotentParameterMismatchException")])
        check_run(run, "retry", "internal")
        assert len(run.sent(WRITE)) == 1

    @pytest.mark.parametrize("timeout", [0.0, 1.0, 6.0])
    def test_no_time_for_even_one_attempt(self, harness: HandlerHarness, timeout: float) -> None:
        run = harness.invoke(EVENT, timeout=timeout)
        check_run(run, "retry", "timeout")
        assert run.requests == []
        assert run.outcome_line["error_code"] == "NoTimeForAnAttempt"
        assert "Operations" not in run.metric_line

    def test_no_time_left_for_the_dead_letter(self, harness: HandlerHarness) -> None:
        run = harness.invoke(EVENT, timeout=8.0, dynamodb=[ACCESS_DENIED.taking(3.0)])
        check_run(run, "retry", "access_denied")
        assert run.sent(DEAD_LETTER) == []
        assert run.outcome_line["dead_letter_error"] == "timeout: NoTimeForAnAttempt"

    @pytest.mark.parametrize(
        ("sqs", "error", "attempts"),
        [
            (NOT_REACHED, "network: EndpointConnectionError", 3),
            (Step(500, b""), "dynamodb: Http500", 3),
            (aws_error("QueueDoesNotExist", service="sqs"), "configuration: QueueDoesNotExist", 1),
            (ACCESS_DENIED, "access_denied: AccessDeniedException", 1),
        ],
    )
    def test_a_queue_that_cannot_be_reached(
        self, harness: HandlerHarness, sqs: Step, error: str, attempts: int
    ) -> None:
        run = harness.invoke(INVALID, sqs=[sqs])
        check_run(run, "retry", "validation")
        assert len(run.sent(DEAD_LETTER)) == attempts
        assert run.outcome_line["dead_letter_error"] == error
        assert "dead_letter_id" not in run.outcome_line
        assert run.outcome_line["violations"]
        assert run.metric_line.get("SecurityErrors", 0) == int("access_denied" in error)

    def test_the_service_that_denied_access_is_logged(self, harness: HandlerHarness) -> None:
        run = harness.invoke(INVALID, sqs=[ACCESS_DENIED])
        (security,) = [line for line in run.logs if line.get("security")]
        assert security["error_code"] == "SQS: AccessDeniedException"

    def test_the_watchdog_reports_an_attempt_that_never_ends(self, harness: HandlerHarness) -> None:
        stuck = COMMITTED.taking(100.0)  # as a name resolution that hangs: no timeout of ours ends it
        run = harness.invoke(EVENT, dynamodb=[THROTTLED, stuck])
        assert isinstance(run.error, EventNotProcessed)
        assert str(run.error) == "category=timeout correlation_id=correlation-1 : DeadlineExceeded"
        check_run(run, "retry", "timeout")
        assert run.outcome_line["attempts"] == 2
        assert (run.metric_line["Operations"], run.metric_line["Retries"]) == (1, 1)
        assert [span["attributes"]["error_category"] for span in run.calls(TRANSACTION)] == ["throttling", "timeout"]


class TestDefect:
    """A defect of ours: the event comes back, and the exception's text goes nowhere."""

    @staticmethod
    def broken() -> Any:
        raise RuntimeError(SENTINEL)

    def test_in_a_collaborator(self, harness: HandlerHarness) -> None:
        run = harness.invoke(INVALID, sandbox=harness.sandbox(dead_letters=self.broken))
        check_run(run, "retry", "internal")
        assert str(run.error) == "category=internal correlation_id=correlation-1 : RuntimeError"
        assert run.error is not None
        assert run.error.__cause__ is None
        assert run.error.__context__ is None
        assert run.outcome_line["exception_type"] == "RuntimeError"
        assert run.outcome_line["exception_at"].startswith("test_processor.py:")
        assert "s3ntinel" not in run.output.decode() + json.dumps(run.spans)

    def test_in_the_source_of_randomness(self, harness: HandlerHarness) -> None:
        def jitter(_low: float, _high: float) -> float:
            raise RuntimeError(SENTINEL)

        run = harness.invoke(EVENT, dynamodb=[THROTTLED], sandbox=harness.sandbox(jitter=jitter))
        check_run(run, "retry", "internal")
        assert "s3ntinel" not in run.output.decode()


class TestSpans:
    """What a trace shows of each way."""

    @pytest.mark.parametrize(
        ("event", "dynamodb", "calls"),
        [
            (EVENT, [COMMITTED], [(WRITE, None)]),
            (EVENT, [already("event-1")], [(WRITE, None)]),
            (EVENT, [NO_SUCH_ROW], [(WRITE, None), (DEAD_LETTER, None)]),
            (INVALID, [COMMITTED], [(DEAD_LETTER, None)]),
            (EVENT, [THROTTLED, TIMED_OUT, COMMITTED], [(WRITE, "throttling"), (WRITE, "network"), (WRITE, None)]),
            (EVENT, [Step(200, b"[]"), COMMITTED], [(WRITE, "dynamodb"), (WRITE, None)]),
            (EVENT, [ACCESS_DENIED], [(WRITE, "access_denied"), (DEAD_LETTER, None)]),
        ],
    )
    def test_one_for_each_attempt(
        self, harness: HandlerHarness, event: object, dynamodb: list[Step], calls: list[tuple[str, str | None]]
    ) -> None:
        run = harness.invoke(event, dynamodb=dynamodb)
        *clients, root = run.spans
        attributes = [span["attributes"] for span in clients]
        assert [(members["rpc.method"], members.get("error_category")) for members in attributes] == calls
        assert all(members["correlation_id"] == "correlation-1" for members in attributes)
        assert root["kind"] == "SERVER"
        failed = ["exception"] * ("error_category" in root["attributes"])
        assert [event["name"] for event in root["events"]] == [*failed, *["retry.backoff"] * len(run.backoffs)]


@pytest.mark.parametrize("traceparent", ["traceparent", "traceParent"])
def test_a_link_to_the_producers_span(harness: HandlerHarness, traceparent: str) -> None:
    detail = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31", traceparent: EVENT["detail"]["traceparent"]}
    run = harness.invoke(eventbridge_event(detail))
    assert [link["trace_id"] for link in run.root["links"]] == ["0af7651916cd43dd8448eb211c80319c"]


def test_only_the_first_event_of_a_sandbox_is_a_cold_start(harness: HandlerHarness) -> None:
    sandbox = harness.sandbox()
    for cold in (True, False, False):
        run = harness.invoke(EVENT, sandbox=sandbox)
        assert run.outcome_line["cold_start"] is cold
        assert run.metric_line.get("ColdStarts", 0) == int(cold)


def test_each_invocation_has_a_token_of_its_own(harness: HandlerHarness) -> None:
    tokens = {harness.invoke(EVENT).sent(WRITE)[0]["ClientRequestToken"] for _ in range(3)}
    assert len(tokens) == 3


def test_a_retry_after_a_lost_reply_is_the_same_transaction(harness: HandlerHarness) -> None:
    run = harness.invoke(EVENT, dynamodb=[TIMED_OUT, COMMITTED])
    first, second = run.sent(WRITE)
    assert first == second


def test_the_category_of_each_outcome_is_one_of_the_enum(harness: HandlerHarness) -> None:
    runs = [
        harness.invoke(INVALID),
        harness.invoke(EVENT, dynamodb=[NO_SUCH_ROW]),
        harness.invoke(EVENT, dynamodb=[THROTTLED]),
        harness.invoke(EVENT, dynamodb=[TIMED_OUT]),
        harness.invoke(EVENT, dynamodb=[cancelled("TransactionConflict")]),
        harness.invoke(EVENT, dynamodb=[SERVER_ERROR]),
        harness.invoke(EVENT, dynamodb=[ACCESS_DENIED]),
        harness.invoke(EVENT, dynamodb=[aws_error("ValidationException")]),
        harness.invoke(EVENT, timeout=1.0),
        harness.invoke(INVALID, sandbox=harness.sandbox(dead_letters=TestDefect.broken)),
    ]
    assert [run.outcome_line["error_category"] for run in runs] == [category.value for category in ErrorCategory]
