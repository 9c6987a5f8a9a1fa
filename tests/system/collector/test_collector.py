"""What X-Ray and CloudWatch receive from a collector with `deploy/compose/collector.yaml`."""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

import pytest

from emulator.faults import FaultProxy, Reply, answer
from tests.support.telemetry import attributes, check_emf
from tests.system.collector.collector import AWS_CONFIG, running, validate
from tests.system.collector.conftest import DATE, Exported

pytestmark = pytest.mark.usefixtures("binary")

# As in docker-compose.yml.
COMPOSE = {
    "AWS_REGION": "us-east-1",
    "TRACE_EXPORTERS": "[otlphttp/backend]",
    "METRIC_EXPORTERS": "[debug]",
    "OTLP_BACKEND": "http://jaeger:4318",
}
IN_TROUBLE = ("error", "fault", "throttle", "cause")


def trouble(segment: Mapping[str, Any]) -> set[str]:
    """What X-Ray shows in red or yellow."""
    return {name for name in IN_TROUBLE if segment.get(name)}


def calls(exported: Exported) -> list[dict[str, Any]]:
    """The documents of all AWS calls."""
    return [document for document in exported.documents if document.get("type") == "subsegment"]


@pytest.mark.parametrize("environ", [{}, AWS_CONFIG, COMPOSE], ids=["nothing set", "AWS", "docker-compose"])
def test_the_configuration_is_valid(environ: Mapping[str, str]) -> None:
    judged = validate(environ)

    assert (judged.returncode, judged.stderr) == (0, "")


@pytest.mark.parametrize(
    "wrong",
    [
        "exporters.awsxray.indexed_attribute=[correlation_id]",
        "exporters.awsemf.dimension_rollup=NoDimensionRollup",
        "service.pipelines.traces.exporters=[xray]",
        "processors.batch.timeout=soon",
    ],
)
def test_the_validation_sees_mistakes(wrong: str) -> None:
    judged = validate(AWS_CONFIG, wrong)

    assert judged.returncode != 0
    assert judged.stderr


def test_every_document_is_found_by_what_is_searched_for(exported: Exported) -> None:
    def found(name: str) -> list[tuple[str, dict[str, str]]]:
        """Name and annotations of each segment, without those that all have."""
        common = {"correlation_id": exported.sent[name].answer["correlation_id"], "earnings_date": DATE}
        segments = exported.segments(name)
        assert all(common.items() <= segment["annotations"].items() for segment in segments)
        own = [{key: value for key, value in each["annotations"].items() if key not in common} for each in segments]
        return [(segment["name"], annotations) for segment, annotations in zip(segments, own, strict=True)]

    aapl, msft, ibm = ({"asset_symbol": symbol} for symbol in ("AAPL", "MSFT", "IBM"))
    root = "MarkEarningsProcessed"
    assert found("marked") == [(root, aapl | {"outcome": "marked"}), ("DynamoDB", aapl)]
    assert found("duplicate") == [(root, aapl | {"outcome": "duplicate"}), ("DynamoDB", aapl)]
    assert found("throttled") == [
        (root, msft | {"outcome": "marked"}),
        ("DynamoDB", msft | {"error_category": "throttling"}),
        ("DynamoDB", msft),
    ]
    assert found("no row") == [
        (root, ibm | {"outcome": "dead_lettered", "error_category": "not_found"}),
        ("DynamoDB", ibm),
        ("SQS", ibm),
    ]
    assert len(exported.documents) == 10, "each once, and nothing else"


def test_documents_hang_together_below_lambdas_own_segment(exported: Exported) -> None:
    for name, sent in exported.sent.items():
        root, *below = exported.segments(name)
        assert "type" not in root
        assert root["parent_id"] == sent.header["Parent"]
        assert {each["type"] for each in below} == {"subsegment"}
        assert {each["parent_id"] for each in below} == {root["id"]}


def test_calls_of_aws_are_shown_as_such(exported: Exported) -> None:
    assert {call["namespace"] for call in calls(exported)} == {"aws"}
    for call in calls(exported):
        assert call["aws"]["request_id"]
        if call["name"] == "DynamoDB":
            assert call["aws"]["operation"] == "TransactWriteItems"
            assert call["aws"]["table_names"] == exported.tables
        else:
            assert call["aws"]["operation"] == "SendMessage"
            assert call["aws"]["queue_url"].endswith(f"/{exported.queue}")


def test_only_what_went_wrong_looks_wrong(exported: Exported) -> None:
    seen = {name: [trouble(segment) for segment in exported.segments(name)] for name in exported.sent}

    assert seen == {
        "marked": [set(), set()],
        "duplicate": [set(), set()],
        "throttled": [set(), {"error", "cause"}, set()],  # DynamoDB throttles with 400: X-Ray's `throttle` is for 429
        "no row": [{"fault", "cause"}, set(), set()],  # the condition's answer is no error: the event is
    }
    _, refused, _ = exported.segments("throttled")
    assert [cause["message"] for cause in refused["cause"]["exceptions"]] == ["throttling"]
    assert refused["metadata"]["default"]["error.type"] == "ProvisionedThroughputExceededException"


def test_the_producers_trace_is_linked_to(exported: Exported) -> None:
    linked = {name: exported.segments(name)[0].get("links") for name in exported.sent}

    link = {"trace_id": "1-4bf92f35-77b34da6a3ce929d0e0e4736", "id": "00f067aa0ba902b7"}
    assert linked == {"marked": None, "duplicate": None, "throttled": [link], "no row": None}


def test_another_backend_gets_the_same_spans(exported: Exported) -> None:
    assert {span.span_id.hex() for span in exported.spans} == {document["id"] for document in exported.documents}
    assert len(exported.spans) == len(exported.documents)
    assert all("correlation_id" in attributes(span.attributes) for span in exported.spans)


def otlp_attributes(plain: Mapping[str, str]) -> list[dict[str, Any]]:
    """Attributes in the JSON form of OTLP."""
    return [{"key": name, "value": {"stringValue": value}} for name, value in plain.items()]


def passed_on(path: str, body: object, exporter: str) -> Any:
    """Send OTLP as JSON; return the one request that an exporter makes of it, its body decoded."""
    accepted = answer(Reply(200, b'{"nextSequenceToken": "1"}', {"Content-Type": "application/x-amz-json-1.1"}))
    with FaultProxy("http://127.0.0.1:1", *[accepted] * 10) as aws:
        with running({}, f"exporters.{exporter}.endpoint={aws.url}") as endpoint:
            sent = Request(endpoint + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
            with urlopen(sent, timeout=30) as reply:
                assert reply.status == 200
        (recorded,) = aws.requests
    return recorded.request.json


def test_spans_of_others_are_found_by_the_same_keys() -> None:
    keys = {"correlation_id": "follow-me", "asset_symbol": "AAPL", "earnings_date": DATE, "outcome": "published"}
    span = {
        "traceId": f"{int(time.time()):08x}{'1' * 24}",
        "spanId": "2" * 16,
        "name": "publish",
        "kind": 2,
        "startTimeUnixNano": str(time.time_ns()),
        "endTimeUnixNano": str(time.time_ns()),
        "attributes": otlp_attributes({**keys, "error_category": "network", "something": "else"}),
    }

    sent = passed_on("/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}, "awsxray")

    (document,) = map(json.loads, sent["TraceSegmentDocuments"])
    assert document["annotations"] == {**keys, "error_category": "network"}


def test_an_id_is_no_dimension_of_a_metric() -> None:
    labels = {"Environment": "test", "ErrorCategory": "network", "correlation_id": "follow-me"}
    point = {"asDouble": 3, "timeUnixNano": str(time.time_ns()), "attributes": otlp_attributes(labels)}
    metric = {"name": "Backlog", "unit": "Count", "gauge": {"dataPoints": [point]}}

    sent = passed_on("/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}, "awsemf")

    assert sent["logGroupName"] == "/metrics/mark-earnings-processed"
    (line,) = sent["logEvents"]
    document = json.loads(line["message"])
    check_emf(document)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "MarkEarningsProcessed"
    assert directive["Dimensions"] == [["Environment"], ["Environment", "ErrorCategory"]]
    assert (document["Backlog"], document["correlation_id"]) == (3, "follow-me")
