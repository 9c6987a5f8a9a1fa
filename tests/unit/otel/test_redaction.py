"""What is removed from a span, and what is not."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from otel import semconv
from otel.semconv import ESSENTIAL_ATTRIBUTES
from otel.tracing.redaction import redact_span
from tests.unit.otel.generated_spans import provider, span_contexts


def failed_span(links: list[Link], **attributes: str) -> ReadableSpan:
    """A span whose block raised."""
    with provider() as (maker, ended):
        tracer = maker.get_tracer("test", "1.2")
        with (
            contextlib.suppress(ValueError),
            tracer.start_as_current_span("call", kind=SpanKind.CLIENT, attributes=attributes, links=links) as span,
        ):
            span.add_event(semconv.RETRY_EVENT, {"attempt": 1}, timestamp=5)
            span.add_event("optional", {"detail": "d"}, timestamp=6)
            raise ValueError("s3cret")
        return ended[0]


@given(st.lists(span_contexts(), max_size=3), st.booleans())
def test_everything_else_is_unchanged(linked: list[SpanContext], shedding: bool) -> None:
    span = failed_span([Link(context) for context in linked], correlation_id="c", error_category="network")
    cleaned = redact_span(span, shedding=shedding)

    for part in ("name", "parent", "resource", "links", "kind", "start_time", "end_time", "instrumentation_scope"):
        assert getattr(cleaned, part) == getattr(span, part)
    assert cleaned.get_span_context() == span.get_span_context()
    assert cleaned.attributes == {"correlation_id": "c", "error_category": "network"}
    assert 5 in [event.timestamp for event in cleaned.events]
    assert "s3cret" not in cleaned.to_json()


@pytest.mark.parametrize(("category", "description"), [("network", "network"), (None, None)])
def test_the_description_of_an_exception_becomes_the_category(category: str | None, description: str | None) -> None:
    attributes = {} if category is None else {"error_category": category}

    cleaned = redact_span(failed_span([], **attributes), shedding=False)

    assert cleaned.status.status_code is StatusCode.ERROR
    assert cleaned.status.description == description


def test_a_span_without_exceptions_is_the_same_object() -> None:
    with provider() as (maker, ended):
        span = maker.get_tracer("test").start_span("call", attributes={"optional": 1})
        span.add_event("optional")
        span.set_status(Status(StatusCode.ERROR, "network"))
        span.end()

        assert redact_span(ended[0], shedding=False) is ended[0]


def test_a_handled_exception_is_not_an_error() -> None:
    with provider() as (maker, ended):
        span = maker.get_tracer("test").start_span("call")
        span.record_exception(ValueError("s3cret"))
        span.set_status(StatusCode.OK)
        span.end()

        cleaned = redact_span(ended[0], shedding=False)

    assert cleaned.status.status_code is StatusCode.OK
    assert [(event.name, dict(event.attributes or {})) for event in cleaned.events] == [
        ("exception", {"exception.type": "ValueError"})
    ]


@pytest.mark.parametrize("attributes", [{}, {"error_category": "s3cret"}], ids=["of a library", "of the function"])
def test_events_stay_in_their_order(attributes: dict[str, str]) -> None:
    cleaned = redact_span(failed_span([], **attributes), shedding=False)

    assert [event.name for event in cleaned.events] == [semconv.RETRY_EVENT, "optional", semconv.EXCEPTION_EVENT]


def test_under_memory_pressure() -> None:
    kept = dict.fromkeys(ESSENTIAL_ATTRIBUTES - {semconv.XRAY_ANNOTATIONS}, "kept")

    cleaned = redact_span(failed_span([], optional="dropped", **kept), shedding=True)

    assert cleaned.attributes == kept
    assert sorted(event.name for event in cleaned.events) == [semconv.EXCEPTION_EVENT, semconv.RETRY_EVENT]
