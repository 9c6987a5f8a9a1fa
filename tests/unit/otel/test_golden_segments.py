"""What the committed X-Ray segment documents mean: what an operator sees, searches for and follows.

`tests/integration/test_golden_spans.py` holds the spans that they are made of, and `make test-collector` the making.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from handler.outcome import INSTRUMENTATION
from tests.support.golden_trace import ENVIRON, FUNCTION, PRODUCER, REGENERATE, SEGMENTS, load, made_from

Segment = Mapping[str, Any]

EVENTS = ("marked", "duplicate", "second event", "throttled", "connection reset", "no row", "denied", "invalid")
IN_TROUBLE = ("error", "fault", "throttle")
DYNAMODB, SQS = "DynamoDB", "SQS"


@pytest.fixture(scope="module")
def segments() -> dict[str, list[Segment]]:
    """The segments of each event, in the order of their starts: the root first."""
    of_trace: dict[str, list[Segment]] = {}
    for segment in load(SEGMENTS)["segments"]:
        of_trace.setdefault(segment["trace_id"], []).append(segment)
    return dict(zip(EVENTS, of_trace.values(), strict=True))


def annotations(segment: Segment, *names: str) -> list[str | None]:
    return [segment.get("annotations", {}).get(name) for name in names]


def causes(segment: Segment) -> list[tuple[str, str]]:
    """Type and message of what X-Ray shows as the cause."""
    exceptions = segment.get("cause", {}).get("exceptions", ())
    return [(exception["type"], exception["message"]) for exception in exceptions]


def test_the_segments_are_made_of_the_present_spans() -> None:
    assert load(SEGMENTS)["made_from"] == made_from(), REGENERATE


def test_each_event_has_its_root_and_its_calls(segments: Mapping[str, list[Segment]]) -> None:
    names = {event: [segment["name"] for segment in found] for event, found in segments.items()}

    assert names == {
        "marked": [FUNCTION, DYNAMODB],
        "duplicate": [FUNCTION, DYNAMODB],
        "second event": [FUNCTION, DYNAMODB],
        "throttled": [FUNCTION, DYNAMODB, DYNAMODB],
        "connection reset": [FUNCTION, DYNAMODB, DYNAMODB],
        "no row": [FUNCTION, DYNAMODB, SQS],
        "denied": [FUNCTION, DYNAMODB, SQS],
        "invalid": [FUNCTION, SQS],
    }
    for root, *calls in segments.values():
        assert "type" not in root
        assert {(call["type"], call["namespace"], call["parent_id"]) for call in calls} == {
            ("subsegment", "aws", root["id"])
        }


def test_each_root_is_found_by_all_that_is_searched_for(segments: Mapping[str, list[Segment]]) -> None:
    roots = {event: found[0] for event, found in segments.items()}
    names = ("correlation_id", "asset_symbol", "outcome", "error_category", "error_code", "linked_trace_id")
    denied = "AccessDeniedException"

    assert {event: annotations(root, *names) for event, root in roots.items()} == {
        "marked": ["correlation-1", "AAPL", "marked", None, None, None],
        "duplicate": ["correlation-1", "AAPL", "duplicate", None, None, None],
        "second event": ["correlation-2", "AAPL", "duplicate", None, None, None],
        "throttled": ["correlation-3", "MSFT", "marked", None, None, PRODUCER.split("-")[1]],
        "connection reset": ["correlation-4", "NVDA", "marked", None, None, None],
        "no row": ["correlation-5", "IBM", "dead_lettered", "not_found", "NoSuchRow", None],
        "denied": ["correlation-6", "TSLA", "dead_lettered", "access_denied", denied, None],
        "invalid": [annotations(roots["invalid"], "correlation_id")[0], *_INVALID, None],
    }
    assert {annotations(root, "function_version")[0] for root in roots.values()} == {"7"}
    found = {name for root in roots.values() for name in root["annotations"]}
    assert found == set(INSTRUMENTATION.annotations), "all eight"


_INVALID = [None, "dead_lettered", "validation", "InvalidEvent"]


def test_each_call_is_found_by_its_event(segments: Mapping[str, list[Segment]]) -> None:
    for root, *calls in segments.values():
        of_event = annotations(root, "correlation_id", "asset_symbol", "earnings_date")
        for call in calls:
            assert annotations(call, "correlation_id", "asset_symbol", "earnings_date") == of_event


def test_what_went_wrong_looks_wrong_and_nothing_else(segments: Mapping[str, list[Segment]]) -> None:
    seen = {
        event: [[name for name in IN_TROUBLE if segment[name]] for segment in found]
        for event, found in segments.items()
    }

    assert seen == {
        "marked": [[], []],
        "duplicate": [[], []],  # its condition failed, as it should
        "second event": [[], []],
        "throttled": [[], ["error"], []],  # DynamoDB throttles with 400: X-Ray's `throttle` is for 429
        "connection reset": [[], ["fault"], []],
        "no row": [["fault"], [], []],
        "denied": [["fault"], ["error"], []],
        "invalid": [["fault"], []],
    }


def test_the_cause_is_the_code_of_aws(segments: Mapping[str, list[Segment]]) -> None:
    seen = {event: [causes(segment) for segment in found] for event, found in segments.items()}
    denied = [("AccessDeniedException", "access_denied")]

    assert seen == {
        "marked": [[], []],
        "duplicate": [[], []],
        "second event": [[], []],
        "throttled": [[], [("ProvisionedThroughputExceededException", "throttling")], []],
        "connection reset": [[], [("botocore.exceptions.ConnectionClosedError", "network")], []],
        "no row": [[("NoSuchRow", "not_found")], [], []],
        "denied": [denied, denied, []],
        "invalid": [[("InvalidEvent", "validation")], []],
    }


def test_attempts_after_the_first_are_marked(segments: Mapping[str, list[Segment]]) -> None:
    def metadata(name: str) -> dict[str, list[Any]]:
        return {
            event: [segment["metadata"]["default"].get(name) for segment in found]
            for event, found in segments.items()
            if any(name in segment["metadata"]["default"] for segment in found)
        }

    resent = [None, None, 1]
    assert metadata("http.request.resend_count") == {"throttled": resent, "connection reset": resent}
    assert {event: found[0] for event, found in metadata("attempts").items()} == {
        **dict.fromkeys(EVENTS, 1),
        "throttled": 2,
        "connection reset": 2,
        "invalid": 0,
    }
    assert metadata("same_event") == {"duplicate": [True, None], "second event": [False, None]}


def test_each_segment_leads_to_log_version_and_account(segments: Mapping[str, list[Segment]]) -> None:
    for root, *calls in segments.values():
        for segment in (root, *calls):
            assert segment["aws"]["cloudwatch_logs"] == [{"log_group": ENVIRON["AWS_LAMBDA_LOG_GROUP_NAME"]}]
            assert segment["aws"]["account_id"] == "111122223333"
            assert segment["service"] == {"version": "7"}
            assert "origin" not in segment, "the exporter knows none for Lambda: docs/telemetry.md"


def test_each_call_names_its_resource(segments: Mapping[str, list[Segment]]) -> None:
    queue = "https://sqs.us-east-1.amazonaws.com/111122223333/dead-letters"
    for call in (call for _, *calls in segments.values() for call in calls):
        assert call["aws"]["region"] == "us-east-1"
        if call["name"] == DYNAMODB:
            assert call["aws"]["operation"] == "TransactWriteItems"
            assert call["aws"]["table_names"] == ["earningsCalendar", "earningsAudit"]
        else:
            assert (call["aws"]["operation"], call["aws"]["queue_url"]) == ("SendMessage", queue)
            assert call["http"]["request"]["url"] == queue


def test_each_answer_of_aws_has_its_request_id(segments: Mapping[str, list[Segment]]) -> None:
    without = [
        (event, number)
        for event, found in segments.items()
        for number, segment in enumerate(found)
        if number > 0 and "request_id" not in segment["aws"]
    ]
    assert without == [("connection reset", 1)], "there was no answer"


def test_the_producers_trace_is_linked_to(segments: Mapping[str, list[Segment]]) -> None:
    linked = {event: found[0]["links"] for event, found in segments.items() if "links" in found[0]}

    assert linked == {"throttled": [{"trace_id": "1-4bf92f35-77b34da6a3ce929d0e0e4736", "id": "00f067aa0ba902b7"}]}


def test_nothing_private_is_committed() -> None:
    text = SEGMENTS.read_text() + SEGMENTS.with_name("spans.json").read_text()

    assert "127.0.0.1" not in text
    assert "injected" not in text, "AWS's messages"
    assert '"access_key' not in json.dumps(json.loads(SEGMENTS.read_text()))
