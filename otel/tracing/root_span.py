"""The root span of each event, and what every span of the event carries."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, TraceFlags

from otel import semconv
from otel.instrumentation import Instrumentation
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.tracing.span_processor import EVENT_KEY, record_error, with_results
from otel.tracing.trace_header import LAMBDA_TRACE_HEADER, TraceOnly, read_trace_header

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")

SetAttributes = Callable[[Span, Mapping[str, Any]], None]


class RootSpans:
    """Makes the root spans.

    Args:
        tracer: Starts the spans.
        settings: Name and version of the function, and where parents come from.
        not_faults: Error categories that are recorded as an exception, without the status ERROR.
        set_attributes: See `EventSpanProcessor.set_attributes`.
    """

    def __init__(
        self,
        tracer: trace.Tracer,
        settings: TelemetrySettings,
        not_faults: frozenset[str] = frozenset(),
        set_attributes: SetAttributes = lambda span, attributes: span.set_attributes(attributes),
    ) -> None:
        self._tracer = tracer
        self._name = settings.function_name
        self._version = settings.function_version
        self._parent_source = settings.parent_source
        self._not_faults = not_faults
        self._set_attributes = set_attributes

    @contextmanager
    def start(self, record: EventRecord, traceparent: object, environ: Mapping[str, str]) -> Iterator[Span]:
        """Start the root span of an event, current inside the block.

        Args:
            record: Gives the attributes; gets the IDs of trace and span.
            traceparent: `detail.traceparent` as it came; linked to if it is valid, or the parent.
            environ: Holds Lambda's trace header.
        """
        event_attributes = {semconv.CORRELATION_ID: record.correlation_id}
        parent, linked_context = self._parent(environ, traceparent)
        links = [Link(linked_context)] if linked_context.is_valid else []
        record.linked_trace_id = f"{linked_context.trace_id:032x}" if links else None
        # Attributes come after the start: those that a span starts with are set one by one, with a lock for each.
        span = self._tracer.start_span(self._name, parent, SpanKind.SERVER, links=links)
        attributes = {
            "faas.trigger": "pubsub",
            "faas.invocation_id": record.request_id,
            "faas.coldstart": record.cold_start,
            **arn_attributes(record.invoked_arn, self._version),
            **account_attribute(record.invoked_arn),
        }
        self._set_attributes(span, attributes)
        if isinstance(trace.get_current_span(parent), TraceOnly):
            # This parent only carries the trace ID and the sampling decision: it must not be exported. There is no
            # other way to pass both to every provider; the layer's fast start knows parents only.
            span._parent = None  # type: ignore[attr-defined] # noqa: SLF001 - no public way to unset it
        context = span.get_span_context()
        record.trace_id, record.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        record.trace_sampled = context.trace_flags.sampled
        inside = trace.set_span_in_context(span, context_api.set_value(EVENT_KEY, event_attributes, parent))
        token = context_api.attach(inside)
        try:
            yield span
        finally:
            context_api.detach(token)
            self.set_outcome(span, record)
            span.end()

    def set_event_attributes(self, record: EventRecord) -> None:
        """Set the subject of the event on every span that starts after this; the root span gets it when it ends."""
        attributes = context_api.get_value(EVENT_KEY)
        if isinstance(attributes, dict):
            attributes.update(record.subject)

    def set_outcome(self, span: Span, record: EventRecord) -> None:
        """Set the subject and the outcome of the event on its root span.

        Args:
            span: The root span.
            record: What is known of the event.
        """
        event_attributes = {semconv.CORRELATION_ID: record.correlation_id, **record.subject}
        attributes = {
            **event_attributes,
            semconv.OUTCOME: record.outcome,
            semconv.ERROR_CATEGORY_ATTRIBUTE: record.error_category,
            semconv.ERROR_CODE: record.error_code,
            semconv.FUNCTION_VERSION: self._version,
            semconv.LINKED_TRACE_ID: record.linked_trace_id,
            "error.type": record.error_code,
            "attempts": record.operations + record.retries,
            "same_event": record.same_event,
            semconv.DYNAMODB_THROTTLING_REASONS: record.throttling_reasons or None,
        }
        known = {name: value for name, value in attributes.items() if value is not None}
        self._set_attributes(span, {**known, semconv.XRAY_ANNOTATIONS: with_results(tuple(event_attributes), known)})
        if record.error_category is not None:
            code = record.error_code or record.error_category
            is_fault = record.error_category not in self._not_faults
            record_error(span, record.error_category, code, is_fault=is_fault)

    def _parent(self, environ: Mapping[str, str], traceparent: object) -> tuple[context_api.Context, SpanContext]:
        """Return the context with the parent of the root span, and the span context to link to, which may be invalid.

        If Lambda's trace header is not the parent, it is linked to: another backend does not know its spans, and the
        sampling decision of X-Ray is not that of the other backend.
        """
        of_lambda, producer = read_trace_header(environ.get(LAMBDA_TRACE_HEADER)), read_traceparent(traceparent)
        if self._parent_source == "lambda":
            return of_lambda, producer
        span = trace.get_current_span(of_lambda)
        linked = trace.INVALID_SPAN_CONTEXT if isinstance(span, TraceOnly) else span.get_span_context()
        if self._parent_source == "traceparent" and producer.is_valid:
            return trace.set_span_in_context(trace.NonRecordingSpan(producer), context_api.Context()), linked
        return context_api.Context(), linked


def event_faults(settings: TelemetrySettings, instrumentation: Instrumentation) -> frozenset[str]:
    """Return the error categories that leave the status of the root span unset.

    Application Signals counts every span with the status ERROR as a fault of the function, and so do its objectives.
    """
    return instrumentation.event_faults if settings.application_signals else frozenset()


@lru_cache(maxsize=8)
def account_attribute(invoked_arn: str) -> Mapping[str, str]:
    """Return the account of the function where X-Ray's exporter reads it; nothing where the text is no ARN."""
    account = arn_attributes(invoked_arn, "").get("cloud.account.id")
    return {} if account is None else {semconv.ACCOUNT_ID: account}


@lru_cache(maxsize=8)
def arn_attributes(invoked_arn: str, version: str) -> Mapping[str, str]:
    """Return what the ARN of an invocation says about the function; nothing where the text is no ARN of a function.

    `cloud.resource_id` has the version in place of an alias: https://opentelemetry.io/docs/specs/semconv/faas/aws-lambda/

    Args:
        invoked_arn: `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME`, mostly with `:ALIAS` or `:VERSION`.
        version: Version of the function.
    """
    parts = invoked_arn.split(":")
    if len(parts) < 7 or parts[0] != "arn":
        return {}
    resource = ":".join([*parts[:7], *([] if version == "$LATEST" else [version])])
    return {
        "cloud.account.id": parts[4],
        "cloud.resource_id": resource,
        "aws.lambda.invoked_arn": invoked_arn,
    }


def read_traceparent(text: object) -> SpanContext:
    """Return the context of a W3C traceparent; an invalid context if the text is none."""
    match = _TRACEPARENT.match(text) if isinstance(text, str) else None
    if match is None or match[1] == "ff":
        return trace.INVALID_SPAN_CONTEXT
    flags = TraceFlags(int(match[4], 16))
    return SpanContext(int(match[2], 16), int(match[3], 16), is_remote=True, trace_flags=flags)
