"""`traces.otlp.jsonl` of a run, read by OpenTelemetry's own library for OTLP/JSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from opentelemetry.proto_json.common.v1.common import AnyValue, KeyValue
from opentelemetry.proto_json.trace.v1.trace import Span, TracesData

from mep.local.jsonl import read_jsonl


def spans(folder: Path) -> Iterator[tuple[Span, dict[str, Any], str]]:
    """Yield each span with the attributes of its resource and its scope."""
    for line in (folder / "traces.otlp.jsonl").read_text().splitlines():
        for resource_spans in TracesData.from_json(line).resource_spans:
            assert resource_spans.resource is not None
            for scope_spans in resource_spans.scope_spans:
                assert scope_spans.scope is not None
                for span in scope_spans.spans:
                    yield span, attributes(resource_spans.resource.attributes), str(scope_spans.scope.name)


def hexadecimal(identifier: bytes | None) -> str:
    return (identifier or b"").hex()


def attributes(pairs: list[KeyValue]) -> dict[str, Any]:
    return {str(pair.key): value(pair.value) for pair in pairs}


def value(any_value: AnyValue | None) -> Any:
    assert any_value is not None
    if any_value.array_value is not None:
        return [value(each) for each in any_value.array_value.values]
    found = (any_value.string_value, any_value.int_value, any_value.double_value, any_value.bool_value)
    (only,) = [each for each in found if each is not None]
    return only


def test_it_has_the_spans_of_the_run(folder: Path) -> None:
    read = [
        {
            "name": span.name,
            "trace_id": hexadecimal(span.trace_id),
            "span_id": hexadecimal(span.span_id),
            "parent_span_id": hexadecimal(span.parent_span_id) or None,
            "kind": Span.SpanKind(span.kind or 0).name.removeprefix("SPAN_KIND_"),
            "start_time_unix_nano": span.start_time_unix_nano,
            "end_time_unix_nano": span.end_time_unix_nano,
            "attributes": attributes(span.attributes),
            "events": [[event.name, event.time_unix_nano, attributes(event.attributes)] for event in span.events],
            "links": [[hexadecimal(link.trace_id), hexadecimal(link.span_id)] for link in span.links],
            "resource": resource,
            "scope": scope,
        }
        for span, resource, scope in spans(folder)
    ]
    expected = [
        {name: span[name] for name in read[0].keys() - {"events", "links"}}
        | {
            "events": [[event["name"], event["time_unix_nano"], event["attributes"]] for event in span["events"]],
            "links": [[link["trace_id"], link["span_id"]] for link in span["links"]],
        }
        for span in read_jsonl(folder / "spans.jsonl")
    ]
    assert len(read) > 20
    assert [span for span in read if span["events"]], "a throttled write has an event"
    assert [span for span in read if span["links"]], "a producer's trace is linked"
    assert read == expected


def test_a_line_has_the_encoding_of_the_specification(folder: Path) -> None:
    """IDs are hexadecimal, 64-bit integers are texts, enumerations are numbers, names are in lowerCamelCase."""
    line = orjson.loads((folder / "traces.otlp.jsonl").read_bytes().splitlines()[0])
    span = line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]

    assert (len(span["traceId"]), len(span["spanId"])) == (32, 16)
    assert isinstance(span["startTimeUnixNano"], str)
    assert isinstance(span["kind"], int)
