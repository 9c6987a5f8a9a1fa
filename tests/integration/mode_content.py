"""The same events through the function in one export mode, and what arrives of them, except for what always varies."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from emulator.faults import throttled
from tests.integration.harness import Services
from tests.integration.modes import ModeSandbox, sandbox_in_mode
from tests.support.events import DATE, unique_event
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID, attributes
from tests.support.udp import decode

PRODUCER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = TRACE_HEADER.replace("Sampled=1", "Sampled=0")
PASS_THROUGH = f"{TRACE_HEADER.partition(';')[0]};Lineage=061379e8:0"

_ALL_ATTEMPTS = 5
"""As many as fit into 30 s with the shortest waits."""

_VARIES = {
    *("correlation_id", "asset_symbol", "faas.invocation_id", "aws.request_id", "messaging.message.id"),
    *("net.peer.name", "net.peer.port", "server.address", "server.port", "messaging.url", "url.full"),
    *("aws.remote.resource.cfn.primary.identifier", "aws.remote.resource.identifier", "aws.sqs.queue.url"),
    *("faas.instance", "service.instance.id", "telemetry.sdk.version"),
}
"""Attributes that have a value of their own in each run: only that they are there counts."""

type Facts = dict[str, Any]
"""What a span says, by the name of what it says."""


@dataclass(frozen=True)
class Content:
    """What arrived from one export mode.

    Attributes:
        spans: The spans of each event in the order of their starts, by the name of the event.
        outcomes: What the function answered, by the name of the event.
        variables: The environment variables that the process read.
    """

    spans: Mapping[str, list[Facts]]
    outcomes: Mapping[str, str]
    variables: frozenset[str]


def content_of(services: Services, mode: str, folder: Path) -> Content:
    """Send every kind of event through one process of the function.

    Args:
        services: What it writes to.
        mode: One of `tests.integration.modes.MODES`.
        folder: For the record of the variables.
    """
    record = folder / f"{mode}.txt"
    faults = [throttled()] * (_ALL_ATTEMPTS + 1)
    handler = "tests.support.recorded_environ.lambda_handler"
    # With Application Signals ADOT's whole SDK exports unsampled spans, too.
    variables = {"RECORDED_VARIABLES": str(record), "OTEL_AWS_APPLICATION_SIGNALS_ENABLED": "true"}
    with sandbox_in_mode(services, mode, *faults, handler=handler, **variables) as running:
        spans, outcomes = {}, {}
        for name, event, header in _events(services):
            before = len(running.sandbox.datagrams), len(running.posted)
            result = running.sandbox.invoke(event, trace_header=header)
            spans[name] = _facts(_arrived(running, *before))
            outcomes[name] = json.loads(result.payload).get("outcome", result.status)
        assert running.sandbox.stderr == []
    return Content(spans, outcomes, frozenset(record.read_text(encoding="utf-8").splitlines()))


def _events(services: Services) -> Iterator[tuple[str, object, str]]:
    """Yield the name of an event, the event and Lambda's trace header."""

    def for_a_row(**detail: Any) -> dict[str, Any]:
        event = unique_event(detail)
        services.tables.put_row(event["detail"]["asset_symbol"], DATE)
        return event

    marked, redriven = for_a_row(), for_a_row(traceparent=PRODUCER)
    detail = {**marked["detail"], "event_id": "another", "correlation_id": "another"}
    yield "raised after all attempts", for_a_row(), TRACE_HEADER
    yield "marked at the second attempt", for_a_row(), TRACE_HEADER
    yield "marked", marked, TRACE_HEADER
    yield "the same again", marked, TRACE_HEADER
    yield "another for the same row", {**marked, "detail": detail}, TRACE_HEADER
    yield "no such row", unique_event(), TRACE_HEADER
    yield "invalid", {"detail": {"asset_symbol": 1}}, TRACE_HEADER
    yield "redriven", redriven, TRACE_HEADER
    yield "unsampled", for_a_row(), UNSAMPLED
    yield "unsampled, no such row", unique_event(), UNSAMPLED
    yield "without a trace header", for_a_row(), ""
    yield "without a parent", for_a_row(), PASS_THROUGH


def _arrived(running: ModeSandbox, datagrams: int, posts: int) -> list[tuple[TracesData, bool]]:
    decoded = [decode(datagram) for datagram in running.sandbox.datagrams[datagrams:]]
    of_daemon = [(each.data, each.kind == "T1S") for each in decoded]
    return of_daemon + [(TracesData.FromString(body), True) for body in running.posted[posts:]]


def _facts(arrived: list[tuple[TracesData, bool]]) -> list[Facts]:
    found = []
    for data, sampled in arrived:
        for resource in data.resource_spans:
            of_resource = _named("resource", attributes(resource.resource.attributes))
            of_resource["resource schema"] = resource.schema_url
            for scope in resource.scope_spans:
                of_scope = {
                    "scope": scope.scope.name,
                    "scope version": scope.scope.version,
                    "scope schema": scope.schema_url,
                    **_named("scope", attributes(scope.scope.attributes)),
                }
                found += [(span, {**of_resource, **of_scope, "sampled": sampled}) for span in scope.spans]
    found.sort(key=lambda each: each[0].start_time_unix_nano)
    assert len({span.span_id for span, _ in found}) == len(found), "each once"
    names = {span.span_id.hex(): "root" for span, _ in found if span.kind == Span.SPAN_KIND_SERVER}
    return [_of_span(span, names) | rest for span, rest in found]


def _of_span(span: Span, spans: Mapping[str, str]) -> Facts:
    known_spans = {"": "none", PARENT_ID: "Lambda's", **spans}
    traces = {TRACE_ID: "Lambda's", PRODUCER.split("-")[1]: "the producer's"}
    return {
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind),
        "trace": traces.get(span.trace_id.hex(), "its own"),
        "trace state": span.trace_state,
        "parent": known_spans.get(span.parent_span_id.hex(), "unknown"),
        "status": Status.StatusCode.Name(span.status.code),
        "status message": span.status.message,
        "links": [traces.get(link.trace_id.hex(), "unknown") for link in span.links],
        "events": [(event.name, attributes(event.attributes)) for event in span.events],
        "dropped": (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count),
        **_named("attribute", attributes(span.attributes)),
    }


def _named(kind: str, values: Mapping[str, Any]) -> Facts:
    return {f"{kind} {name}": "..." if name in _VARIES else value for name, value in values.items()}


type Difference = tuple[str, str, str, str]
"""Which part (`root`, `call`, `resource`, `spans`), what of it, and the two values; `None` where it is missing."""


def differences(ours: Content, theirs: Content) -> set[Difference]:
    """Return what differs between two modes."""
    found = set()
    for name, spans in ours.spans.items():
        others = theirs.spans[name]
        if [span["name"] for span in spans] != [span["name"] for span in others]:
            found.add(("spans", name, str(len(spans)), str(len(others))))
            continue
        for span, other in zip(spans, others, strict=True):
            role = "root" if span["kind"] == "SPAN_KIND_SERVER" else "call"
            for what in span.keys() | other.keys():
                if span.get(what) != other.get(what):
                    part = "resource" if what.startswith("resource ") else role
                    found.add((part, what.removeprefix("resource "), str(span.get(what)), str(other.get(what))))
    return found
