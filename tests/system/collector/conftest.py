"""Fixtures: the events of the golden files, sent through the collector in every export mode, once for all tests."""

import base64
import gzip
import json
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from emulator.environment import PROJECT_ROOT, FunctionConfig, new_trace_header
from emulator.faults import FaultProxy, Reply, answer
from emulator.lambda_runtime.worker import Worker
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from tests.support.golden_trace import ENVIRON, faults, golden_segments, replacements, steps
from tests.support.harness import function_environ
from tests.support.sandbox import PATIENCE
from tests.support.stores import DeadLetters, Tables, new_tables
from tests.support.udp import HEADER, span_socket
from tests.system.collector.collector import AWS_EXPORTERS, AWS_OTLP

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DIRECT, COLLECTOR, FAST_START, FULL = "direct", "collector", "layer", "layer, default set-up"
_WRAPPER = str(PROJECT_ROOT / "deploy" / "image" / "layer" / "otel-instrument")
MODES: Mapping[str, Mapping[str, str]] = {
    DIRECT: {},
    COLLECTOR: {},
    FAST_START: {"AWS_LAMBDA_EXEC_WRAPPER": _WRAPPER},
    FULL: {"AWS_LAMBDA_EXEC_WRAPPER": _WRAPPER, "OTEL_AWS_LAMBDA_FAST_START": "false"},
}
"""Each export mode, and its variables."""

_REQUESTS = 200


class AliasedFunction(FunctionConfig):
    """A function that is invoked by an alias, as the stack's is."""

    @property
    def arn(self) -> str:
        """The ARN of the alias."""
        return f"{super().arn}:live"


@dataclass(frozen=True, slots=True)
class Exported:
    """What left the collector of the events of one export mode.

    Attributes:
        headers: Lambda's trace header of each event.
        documents: Their X-Ray segment documents, as they came over the wire.
        segments: The same in the form of the golden files.
        spans: What the other backend received.
    """

    headers: list[Mapping[str, str]]
    documents: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    spans: list[Span]


@pytest.fixture(scope="session")
def binaries() -> None:
    """The collectors themselves."""
    if not (AWS_EXPORTERS.binary.exists() and AWS_OTLP.binary.exists()):
        pytest.skip("the collectors are not built (some minutes, needs Go): `make test-collector` builds them")


@pytest.fixture(scope="session")
def exported(
    binaries: None,
    dynamodb_endpoint: DynamoDBEndpoint,
    dynamodb_client: "DynamoDBClient",
    queue_endpoint: QueueEndpoint,
) -> dict[str, Exported]:
    """The golden events through function and collector, by export mode."""
    name = uuid.uuid4().hex
    tables = new_tables(dynamodb_endpoint.url, dynamodb_client, name)
    dead_letters = DeadLetters(create_queue(queue_endpoint.url, f"dead-letters-{name}"))
    runs = {mode: f"{number}{name[:6].upper()}" for number, mode in enumerate(MODES)}
    with accepting(b'{"UnprocessedTraceSegments": []}') as xray, accepting() as backend:
        environ = {"TRACE_EXPORTERS": "[awsxray, otlphttp/backend]", "OTLP_BACKEND": backend.url}
        with AWS_EXPORTERS.running(environ, f"exporters.awsxray.endpoint={xray.url}") as endpoint:
            headers = {mode: _send(mode, runs[mode], tables, dead_letters, endpoint) for mode in MODES}
        documents = segment_documents(xray)
        spans = [span for recorded in backend.requests for span in _spans(recorded.request.body)]
    exported = {}
    for mode, sent in headers.items():
        roots = {header["Root"] for header in sent}
        own = [document for document in documents if document["trace_id"] in roots]
        exported[mode] = Exported(
            headers=sent,
            documents=own,
            segments=golden_segments(own, replacements(tables, dead_letters, runs[mode])),
            spans=[span for span in spans if _xray_id(span.trace_id) in roots],
        )
    assert sum(len(each.documents) for each in exported.values()) == len(documents), "each of a known trace"
    return exported


def accepting(body: bytes = b"", content_type: str = "") -> FaultProxy:
    """Return a service that accepts everything, and records it."""
    kind = content_type or ("application/json" if body else "application/x-protobuf")
    return FaultProxy("http://127.0.0.1:1", *[answer(Reply(200, body, {"Content-Type": kind}))] * _REQUESTS)


def segment_documents(xray: FaultProxy) -> list[dict[str, Any]]:
    """Return the documents that X-Ray was sent."""
    bodies = [recorded.request.json for recorded in xray.requests]
    return [json.loads(document) for body in bodies for document in body["TraceSegmentDocuments"]]


def post(url: str, body: bytes, content_type: str = "application/x-protobuf") -> None:
    """Send OTLP to a collector."""
    with urlopen(Request(url, body, {"Content-Type": content_type}), timeout=30) as reply:
        assert reply.status == 200


def _send(mode: str, run: str, tables: Tables, dead_letters: DeadLetters, endpoint: str) -> list[Mapping[str, str]]:
    """Send the events through a function in this mode, and its spans to the collector; return the trace headers.

    In the UDP modes the collector gets the OTLP that the datagrams carry.
    """
    events = steps(tables, run)
    lines: list[str] = []
    headers = [new_trace_header() for _ in events]
    with ExitStack() as stack:
        socket = stack.enter_context(span_socket())
        dynamodb = stack.enter_context(FaultProxy(tables.url, *faults(events), operation="TransactWriteItems"))
        settings = function_environ(
            tables,
            dead_letters,
            AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url,
            AWS_CONNECT_TIMEOUT_SECONDS="30",
            AWS_READ_TIMEOUT_SECONDS="60",
            AWS_XRAY_DAEMON_ADDRESS=socket.endpoint,
            **ENVIRON,
            **MODES[mode],
            **({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if mode == COLLECTOR else {}),
        )
        config = AliasedFunction(settings=settings)
        worker = stack.enter_context(Worker(config, lambda _, line: lines.append(line)))
        for step, header in zip(events, headers, strict=True):
            payload = json.dumps(step.event).encode()
            result = worker.invoke(payload, trace_header=header, timeout_s=PATIENCE)
            assert result.status == "ok", result.error_text()
        datagrams = socket.take_raw()
    assert dynamodb.unused == ()
    assert not [line for line in lines if '"spans_lost"' in line]
    assert bool(datagrams) == (mode != COLLECTOR)
    for datagram in datagrams:
        post(f"{endpoint}/v1/traces", base64.b64decode(datagram.removeprefix(HEADER)[3:], validate=True))
    return [dict(part.split("=", 1) for part in header.split(";")) for header in headers]


def _spans(body: bytes) -> list[Span]:
    sent = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    return [span for resource in sent.resource_spans for scope in resource.scope_spans for span in scope.spans]


def _xray_id(trace_id: bytes) -> str:
    return f"1-{trace_id.hex()[:8]}-{trace_id.hex()[8:]}"
