"""Dead letters on a real SQS API: nothing is lost, nothing is changed, and where the queue fails Lambda takes over."""

import json
from typing import Any

import pytest

from emulator.faults import (
    Exchange,
    Fault,
    Reply,
    answer,
    garbage_ok,
    hang_up,
    http_status,
    reset_before,
    sqs_error,
    throttled,
)
from tests.integration.conftest import NewHarness
from tests.integration.harness import Harness
from tests.support.events import unique_event
from tests.support.harness import same_json
from tests.support.signatures import EXPIRED_QUARTER, xml_error
from tests.support.strategies import SYMBOL_RULE

SEND = "SQS.SendMessage"
EMOJI_FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"

NASTY: dict[str, Any] = {
    "unicode": f"Zürich 株式会社 {EMOJI_FAMILY} \u202eevil",
    "control characters": "".join(map(chr, range(0x20))) + "\x7f\x80\x9f\u2028\u2029\ufeff",
    "what SQS refuses": "\x00\x0b\ufffe\uffff",
    "half a surrogate pair": "\ud83d and \udc00",
    "keys": {"": 1, " ": 2, "\x00": 3, "\u2028": 4, '"': 5, "\\": 6, "Symbol": 7, "symbol": 8},
    "big integers": [2**63, -(2**64), 10**40, 123456789012345678901234567890],
    "floats": [1.0, -0.0, 1e-300, 1.7976931348623157e308, 0.1],
    "look-alikes": [1, 1.0, True, "1", "true", None, "null", 0, False, "", [], {}, [[]], [{}]],
    "JSON in JSON": json.dumps({"a": [1, "\n"]}),
    "depth": [[[[[[[[[["bottom"]]]]]]]]]],
    "markup": "</script><!-- &amp; <x attribute='\"'>",
}


@pytest.mark.parametrize("what", NASTY)
def test_the_body_is_the_event_as_it_came(harness: Harness, what: str) -> None:
    event = unique_event({"note": NASTY[what], "asset_symbol": ""})
    delivered = json.loads(json.dumps(event))  # as Lambda's runtime reads it

    invoked = harness(delivered)

    (dead_letter,) = harness.dead_letters(invoked)
    assert same_json(dead_letter.body, event)
    assert invoked.outcome_line["dead_letter_id"] == dead_letter.message_id
    assert invoked.outcome_line["timings_ms"]["dead_letter"] > 0


@pytest.mark.parametrize("event", [None, True, 0, -1.5, 2**70, "", "text", [], ["list"], {}, {"detail": []}], ids=repr)
def test_whatever_is_no_event_is_kept_as_well(harness: Harness, event: object) -> None:
    invoked = harness(event)

    (dead_letter,) = harness.dead_letters(invoked)
    assert same_json(dead_letter.body, event)
    assert dead_letter.attributes["ERROR_CODE"] == "validation"
    assert invoked.answer is not None
    assert invoked.answer["violations"]
    assert invoked.outcome_line["correlation_replaced"] is True


def test_the_attributes_name_every_violation(harness: Harness) -> None:
    event = unique_event({"asset_symbol": "", "earnings_date": "2025-02-30", "eventId": "another"})
    event["detail-type"] = "somethingElse"

    invoked = harness(event)

    broken = [
        'detail-type: exactly "earningsProcessed" (received: string of 13 characters)',
        f"detail.asset_symbol: {SYMBOL_RULE} (received: string of 0 characters)",
        "detail.earnings_date: a calendar day, YYYY-MM-DD (received: string of 10 characters)",
        "detail.event_id: the same value as detail.eventId (received: string of 7 characters)",
    ]
    (dead_letter,) = harness.dead_letters(invoked)
    assert dead_letter.attributes == {
        "ERROR_CODE": "validation",
        "ERROR_MESSAGE": "; ".join(broken),
        "CORRELATION_ID": event["detail"]["correlation_id"],
        "REQUEST_ID": invoked.request_id,
        "SOURCE": "handler",
    }
    assert invoked.answer is not None
    violations = invoked.answer["violations"]
    assert [f"{item['field']}: {item['rule']} (received: {item['received']})" for item in violations] == broken
    assert harness.dynamodb.requests == (), "an invalid event is not written"


def test_the_queue_learns_the_trace_of_the_call_that_sent_it(new_harness: NewHarness) -> None:
    harness = new_harness(AWS_LAMBDA_FUNCTION_NAME="mark")  # by which botocore knows that it is in Lambda

    invoked = harness(unique_event())

    (call,) = invoked.calls(SEND)
    (request,) = [recorded.request for recorded in harness.sqs.requests]
    header = dict(part.split("=") for part in request.headers["x-amzn-trace-id"].split(";"))
    root = header["Root"].removeprefix("1-").replace("-", "")
    assert (root, header["Parent"]) == (call["trace_id"], call["span_id"])


@pytest.mark.parametrize(
    "trouble",
    [
        sqs_error("RequestThrottled", query_code="RequestThrottled"),
        sqs_error("OverLimit", query_code="OverLimit"),
        sqs_error("InvalidSignatureException", 403, EXPIRED_QUARTER, query_code="SignatureDoesNotMatch"),
        answer(Reply(403, xml_error("SignatureDoesNotMatch", EXPIRED_QUARTER)), name="expired_in_xml"),
        sqs_error("InternalError", 500),
        http_status(503),
        garbage_ok(),
        reset_before(),
        hang_up(),
    ],
    ids=lambda fault: fault.name,
)
def test_passing_trouble_with_the_queue(harness: Harness, trouble: Fault) -> None:
    event = unique_event()
    harness.sqs.script(trouble, trouble)

    invoked = harness(event)

    (dead_letter,) = harness.dead_letters(invoked)
    assert same_json(dead_letter.body, event)
    assert invoked.outcome_line["outcome"] == "dead_lettered"
    assert [call["status"] for call in invoked.calls(SEND)] == ["ERROR", "ERROR", "UNSET"]
    assert len(invoked.waits) == 2
    assert invoked.outcome_line["timings_ms"]["dead_letter"] > 0
    assert invoked.outcome_line["attempts"] == 1, "at the write"


@pytest.mark.parametrize(
    ("trouble", "attempts", "why"),
    [
        (sqs_error("RequestThrottled"), 5, "throttling: RequestThrottled"),
        (sqs_error("InternalError", 500), 3, "dynamodb: InternalError"),
        (reset_before(), 3, "network: ConnectionClosedError"),
        (http_status(502), 3, "dynamodb: Http502"),
        (sqs_error("QueueDoesNotExist"), 1, "configuration: QueueDoesNotExist"),
        (sqs_error("AccessDeniedException"), 1, "access_denied: AccessDeniedException"),
        (
            sqs_error("KmsAccessDenied", query_code="KMS.AccessDeniedException"),
            1,
            "access_denied: KMS.AccessDeniedException",
        ),
        (sqs_error("InvalidMessageContents"), 1, "internal: InvalidMessageContents"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_lasting_trouble_with_the_queue_leaves_the_event_to_lambda(
    harness: Harness, trouble: Fault, attempts: int, why: str
) -> None:
    harness.sqs.script(*[trouble] * 10)

    invoked = harness(unique_event())

    assert harness.sqs.attempts("SendMessage") == attempts
    correlation_id = invoked.outcome_line["correlation_id"]
    assert str(invoked.error) == f"category=not_found correlation_id={correlation_id} : NoSuchRow"
    assert invoked.outcome_line["dead_letter_error"] == why
    assert "dead_letter_id" not in invoked.outcome_line
    assert invoked.metric_line["EventsRetried"] == 1
    assert invoked.metric_line["ErrorCategory"] == "not_found"
    assert invoked.metric_line.get("SecurityErrors", 0) == why.startswith("access_denied")
    assert harness.dead_letters(invoked) == []


def test_no_queue_at_all(new_harness: NewHarness) -> None:
    harness = new_harness(AWS_ENDPOINT_URL_SQS="http://127.0.0.1:1")

    invoked = harness({"not": "an event"})

    assert "category=validation" in str(invoked.error)
    assert invoked.outcome_line["violations"]
    assert invoked.outcome_line["dead_letter_error"] == "network: EndpointConnectionError"


def test_an_event_too_large_for_the_queue_is_left_to_lambda(harness: Harness) -> None:
    event = unique_event({"padding": "x" * 1_100_000})

    invoked = harness(event)

    assert "category=not_found" in str(invoked.error)
    assert invoked.outcome_line["dead_letter_error"].startswith("configuration: ")
    assert len(invoked.output) < 10_000
    assert harness.dead_letters(invoked) == []


def test_the_dead_letter_shares_the_deadline_with_the_write(harness: Harness) -> None:
    harness.dynamodb.script(*[throttled()] * 3)
    harness.sqs.script(*[sqs_error("RequestThrottled")] * 10)

    invoked = harness(unique_event(), timeout=20)

    # 7 s of the 20 went to the write; of the rest 6 s are kept for an attempt and the end.
    assert invoked.waits == [1, 2, 4, 1, 2]
    assert harness.sqs.attempts("SendMessage") == 3
    assert "category=not_found" in str(invoked.error)


def test_no_time_is_left_for_the_dead_letter(harness: Harness) -> None:
    def write_for_three_seconds(exchange: Exchange) -> None:
        harness.function.clock.advance(3)
        exchange.reply(exchange.forward())

    harness.dynamodb.script(Fault("slow", write_for_three_seconds))

    invoked = harness(unique_event(), timeout=8.9)

    assert harness.sqs.requests == (), "5.9 s are left; an attempt may take 4 s, the end 2 s"
    assert "category=not_found" in str(invoked.error)
    assert invoked.outcome_line["dead_letter_error"] == "timeout: NoTimeForAnAttempt"
