"""Fixtures: the function's events, sent once through the collector, for all tests of this directory."""

import gzip
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from emulator.environment import FunctionConfig, new_trace_header
from emulator.faults import FaultProxy, Reply, answer, forward, throttled
from emulator.lambda_runtime.worker import Worker
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from emulator.services.tables import create_tables
from tests.support.events import event
from tests.support.harness import function_environ
from tests.support.sandbox import PATIENCE
from tests.support.stores import DeadLetters, Tables
from tests.system.collector.collector import BINARY, running

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DATE = "2025-07-31"
PRODUCER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
"""A traceparent with a trace ID that X-Ray would not have made."""

_REQUESTS = 100


@dataclass(frozen=True, slots=True)
class Sent:
    """One event and what came of it.

    Attributes:
        header: Lambda's trace header.
        answer: What the function returned.
    """

    header: Mapping[str, str]
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exported:
    """What left the collector.

    Attributes:
        sent: The events, by what is special about them.
        documents: Every X-Ray segment document, as it came over the wire.
        spans: What the other backend received.
        tables: Names of the tables that the function writes to.
        queue: Name of its dead-letter queue.
    """

    sent: Mapping[str, Sent]
    documents: list[dict[str, Any]]
    spans: list[Span]
    tables: list[str]
    queue: str

    def segments(self, name: str) -> list[dict[str, Any]]:
        """The documents of an event, in the order they started: the root first."""
        trace_id = self.sent[name].header["Root"]
        found = [document for document in self.documents if document["trace_id"] == trace_id]
        return sorted(found, key=lambda document: document["start_time"])


@pytest.fixture(scope="session")
def binary() -> None:
    """The collector itself."""
    if not BINARY.exists():
        pytest.skip("the collector is not built (some minutes, needs Go): `make test-collector` builds it")


@pytest.fixture(scope="session")
def stores(
    dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient", queue_endpoint: QueueEndpoint
) -> tuple[Tables, DeadLetters]:
    """Tables with two rows, and a queue."""
    name = uuid.uuid4().hex
    tables = Tables(dynamodb_endpoint.url, f"calendar-{name}", f"audit-{name}", dynamodb_client)
    create_tables(dynamodb_client, tables.calendar_table, tables.audit_table)
    for symbol in ("AAPL", "MSFT"):
        tables.put_row(symbol, DATE)
    return tables, DeadLetters(create_queue(queue_endpoint.url, f"dead-letters-{name}"))


@pytest.fixture(scope="session")
def exported(binary: None, stores: tuple[Tables, DeadLetters]) -> Exported:
    """Four events through function and collector."""
    tables, dead_letters = stores
    with ExitStack() as stack:
        xray = stack.enter_context(_service(b'{"UnprocessedTraceSegments": []}'))
        backend = stack.enter_context(_service(b"", "application/x-protobuf"))
        faults = (forward(), forward(), throttled())
        dynamodb = stack.enter_context(FaultProxy(tables.url, *faults, operation="TransactWriteItems"))
        environ = {"TRACE_EXPORTERS": "[awsxray, otlphttp/backend]", "OTLP_BACKEND": backend.url}
        with running(environ, f"exporters.awsxray.endpoint={xray.url}") as endpoint:
            function = function_environ(
                tables,
                dead_letters,
                AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url,
                AWS_CONNECT_TIMEOUT_SECONDS="30",
                AWS_READ_TIMEOUT_SECONDS="60",
                OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            )
            sent = dict(_send(FunctionConfig(settings=function)))
        assert dynamodb.unused == ()
        documents = [
            json.loads(document)
            for recorded in xray.requests
            for document in recorded.request.json["TraceSegmentDocuments"]
        ]
        spans = [span for recorded in backend.requests for span in _spans(recorded.request.body)]
    queue = dead_letters.queue_url.rpartition("/")[2]
    return Exported(sent, documents, spans, [tables.calendar_table, tables.audit_table], queue)


def _service(body: bytes, content_type: str = "application/json") -> FaultProxy:
    """A service that accepts everything."""
    accepted = answer(Reply(200, body, {"Content-Type": content_type}))
    return FaultProxy("http://127.0.0.1:1", *[accepted] * _REQUESTS)


def _send(config: FunctionConfig) -> Iterator[tuple[str, Sent]]:
    first = event("AAPL", DATE, 1)
    with_a_link = event("MSFT", DATE, 2)
    with_a_link["detail"]["traceparent"] = PRODUCER
    events = {"marked": first, "duplicate": first, "throttled": with_a_link, "no row": event("IBM", DATE, 3)}
    lines: list[str] = []
    with Worker(config, lambda _, line: lines.append(line)) as worker:
        for name, each in events.items():
            header = new_trace_header()
            result = worker.invoke(json.dumps(each).encode(), trace_header=header, timeout_s=PATIENCE)
            assert result.status == "ok", result.error_text()
            yield name, Sent(dict(part.split("=", 1) for part in header.split(";")), json.loads(result.payload))
    assert not [line for line in lines if '"spans_lost"' in line]


def _spans(body: bytes) -> list[Span]:
    sent = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    return [span for resource in sent.resource_spans for scope in resource.scope_spans for span in scope.spans]
