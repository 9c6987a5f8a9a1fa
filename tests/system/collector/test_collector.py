"""What X-Ray and CloudWatch receive from a collector with the configurations in `deploy/compose`."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.support.events import DATE
from tests.support.golden_trace import SPANS, load
from tests.support.telemetry import attributes, check_emf
from tests.system.collector.collector import AWS_CONFIG, AWS_EXPORTERS, AWS_OTLP
from tests.system.collector.conftest import Exported, accepting, post
from tests.system.collector.otlp import otlp_attributes, otlp_spans

pytestmark = pytest.mark.usefixtures("binaries")

# As in docker-compose.yml.
COMPOSE = {
    "AWS_REGION": "us-east-1",
    "TRACE_EXPORTERS": "[otlphttp/backend]",
    "METRIC_EXPORTERS": "[debug]",
    "OTLP_BACKEND": "http://jaeger:4318",
}


@pytest.mark.parametrize("environ", [{}, AWS_CONFIG, COMPOSE], ids=["nothing set", "AWS", "docker-compose"])
def test_the_configuration_is_valid(environ: Mapping[str, str]) -> None:
    judged = AWS_EXPORTERS.validate(environ)

    assert (judged.returncode, judged.stderr) == (0, "")


def test_the_configuration_for_awss_otlp_endpoints_is_valid_with_credentials() -> None:
    judged = AWS_OTLP.validate(AWS_CONFIG)
    without = AWS_OTLP.validate({"AWS_EC2_METADATA_DISABLED": "true"})

    assert (judged.returncode, judged.stderr) == (0, "")
    assert without.returncode != 0
    assert "could not retrieve credential provider" in without.stderr


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
    judged = AWS_EXPORTERS.validate(AWS_CONFIG, wrong)

    assert judged.returncode != 0
    assert judged.stderr


def test_both_configurations_receive_and_process_alike() -> None:
    first, second = (yaml.safe_load(each.config.read_text()) for each in (AWS_EXPORTERS, AWS_OTLP))

    assert first["receivers"] == second["receivers"]
    assert first["processors"] == second["processors"]
    assert first["extensions"]["health_check"] == second["extensions"]["health_check"]


def test_documents_hang_together_below_lambdas_own_segment(exported: Mapping[str, Exported]) -> None:
    for each in exported.values():
        for header in each.headers:
            own = [document for document in each.documents if document["trace_id"] == header["Root"]]
            root, *below = sorted(own, key=lambda document: document["start_time"])
            assert root["parent_id"] == header["Parent"]
            assert {call["parent_id"] for call in below} == {root["id"]}


def test_another_backend_gets_the_same_spans(exported: Mapping[str, Exported]) -> None:
    for each in exported.values():
        assert {span.span_id.hex() for span in each.spans} == {document["id"] for document in each.documents}
        assert len(each.spans) == len(each.documents)
        assert all("correlation_id" in attributes(span.attributes) for span in each.spans)


METRIC = {
    "name": "Backlog",
    "unit": "Count",
    "gauge": {
        "dataPoints": [
            {
                "asDouble": 3,
                "timeUnixNano": str(time.time_ns()),
                "attributes": otlp_attributes(
                    {"Environment": "test", "ErrorCategory": "network", "correlation_id": "follow-me"}
                ),
            }
        ]
    },
}
METRICS = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [METRIC]}]}]}).encode()


def test_awss_otlp_endpoints_get_signed_requests() -> None:
    with accepting() as traces, accepting() as metrics:
        ends = (
            f"exporters.otlphttp/traces.traces_endpoint={traces.url}/v1/traces",
            f"exporters.otlphttp/metrics.metrics_endpoint={metrics.url}/v1/metrics",
        )
        with AWS_OTLP.running({"AWS_REGION": "eu-west-1"}, *ends) as endpoint:
            post(f"{endpoint}/v1/traces", otlp_spans(load(SPANS)), "application/json")
            post(f"{endpoint}/v1/metrics", METRICS, "application/json")
        (spans,), (points,) = traces.requests, metrics.requests

    assert (spans.request.path, points.request.path) == ("/v1/traces", "/v1/metrics")
    for request, service in ((spans.request, "xray"), (points.request, "monitoring")):
        algorithm, credential, signed, _ = request.headers["authorization"].replace(",", "").split()
        assert algorithm == "AWS4-HMAC-SHA256"
        assert credential.split("/", 2)[2] == f"eu-west-1/{service}/aws4_request"
        assert "x-amz-date" in signed.split("=")[1].split(";")


def test_the_otlp_endpoints_are_those_of_the_region() -> None:
    exporters = yaml.safe_load(AWS_OTLP.config.read_text())["exporters"]
    region = "${env:AWS_REGION:-us-east-1}"

    assert exporters["otlphttp/traces"]["traces_endpoint"] == f"https://xray.{region}.amazonaws.com/v1/traces"
    assert exporters["otlphttp/metrics"]["metrics_endpoint"] == f"https://monitoring.{region}.amazonaws.com/v1/metrics"


def passed_on(path: str, body: bytes, exporter: str) -> Any:
    """Send OTLP as JSON; return the one request that an exporter makes of it, its body decoded."""
    with accepting(b'{"nextSequenceToken": "1"}', "application/x-amz-json-1.1") as aws:
        with AWS_EXPORTERS.running({}, f"exporters.{exporter}.endpoint={aws.url}") as endpoint:
            post(endpoint + path, body, "application/json")
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
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()

    sent = passed_on("/v1/traces", body, "awsxray")

    (document,) = map(json.loads, sent["TraceSegmentDocuments"])
    assert document["annotations"] == {**keys, "error_category": "network"}


def test_an_id_is_no_dimension_of_a_metric() -> None:
    sent = passed_on("/v1/metrics", METRICS, "awsemf")

    assert sent["logGroupName"] == "/metrics/mark-earnings-processed"
    (line,) = sent["logEvents"]
    document = json.loads(line["message"])
    check_emf(document)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "MarkEarningsProcessed"
    assert directive["Dimensions"] == [["Environment"], ["Environment", "ErrorCategory"]]
    assert (document["Backlog"], document["correlation_id"]) == (3, "follow-me")
