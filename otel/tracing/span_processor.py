"""The span processor: sets the event's attributes on every span and keeps track of the spans until the flush.

Imports nothing of the OpenTelemetry SDK: ADOT's fast start has an SDK of its own.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from otel import semconv

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, Span

EVENT_KEY = context_api.create_key("event-attributes")
"""Context key of the attributes that every span of an event carries."""

MOST_SECONDS = 1.0
"""Limit on the duration of an export: half of the 2 s that every invocation reserves for its end."""


class SpanExporter(Protocol):
    """Sends spans to a backend."""

    def export(self, spans: "Sequence[ReadableSpan]", seconds: float, all_sampled: bool, /) -> int:
        """Send spans within this time, unsampled ones as sampled if all are to be; return how many were lost."""

    def close(self) -> None:
        """Close the sockets."""


class EventSpanProcessor:
    """Sets the attributes of the event on its spans, and flushes them before the invocation returns.

    A span processor of any provider: what a provider calls is here, and its base class is not needed.

    Attributes:
        can_sample_all: Whether unsampled spans can be exported as sampled, at the flush.
    """

    can_sample_all = False

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._open: dict[int, Span] = {}
        self._ended: list[ReadableSpan] = []
        self._dropped = 0
        self.shedding = False
        self.resends = 0
        """How many attempts came before the call that the next span is for."""
        self.account: Mapping[str, str] = {}
        """The attribute of every span that names the account."""

    def on_start(self, span: "Span", parent_context: context_api.Context | None = None) -> None:
        """Set the attributes of the event and the account on the span."""
        attributes = context_api.get_value(EVENT_KEY, parent_context)
        if isinstance(attributes, Mapping):
            known = {**attributes, semconv.XRAY_ANNOTATIONS: tuple(attributes), **self.account}
            self.set_attributes(span, known)
        if self.resends:
            span.set_attribute(semconv.RESEND_COUNT, self.resends)
        self._open[id(span)] = span

    def set_attributes(self, span: trace.Span, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the function on an open span; it may show them only when it is exported."""
        span.set_attributes(attributes)

    def on_end(self, span: "ReadableSpan") -> None:
        """Count the span for the flush."""
        self._ended.append(span)

    def end_open_spans(self, category: str, code: str, root_span: trace.Span | None = None) -> None:
        """End the open spans as failed: an operator looks for the call that hangs.

        Args:
            category: Error category.
            code: Value of `error.type`.
            root_span: Has its error already: a second one would be a second cause in X-Ray.
        """
        for span in reversed(list(self._open.values())):
            if span.is_recording():
                known = getattr(span, "attributes", None) or {}
                if span is not root_span and semconv.ERROR_CATEGORY_ATTRIBUTE not in known:
                    set_span_error(span, category, code)
                span.end()

    def flush(self, seconds: float = MOST_SECONDS, *, all_sampled: bool = False) -> int:
        """Export the spans that have ended, within this time; return how many were lost since the last flush.

        Args:
            seconds: The limit.
            all_sampled: Whether to export unsampled spans as sampled, where the exporter can.

        Raises:
            Exception: Of the exporter; `take_dropped` or the next flush counts the spans.
        """
        self._open.clear()
        self.resends = 0  # or the next event's root span had the count of this event's last attempt
        spans = self._ended[:]
        del self._ended[: len(spans)]  # not a new list: the watchdog or the event's thread may append to this one
        self._dropped += len(spans)
        counted = self._dropped
        lost = self._exporter.export(spans, seconds, all_sampled) if spans else 0
        self._dropped -= counted
        return counted - len(spans) + lost

    def take_dropped(self) -> int:
        """Return how many spans were lost since the last flush that did not raise, and count from zero again."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export the spans that have ended, within this time or `MOST_SECONDS`, whichever is less."""
        return self.flush(min(timeout_millis / 1000, MOST_SECONDS)) == 0

    def shutdown(self) -> None:
        """Export the rest and close the exporter."""
        self.flush()
        self._exporter.close()


def set_span_error(span: trace.Span, category: str, code: str, exception_type: str | None = None) -> None:
    """Set the error status and attributes of an open span, and record the error as the exception that X-Ray shows.

    Args:
        span: The span.
        category: Error category.
        code: AWS's error code, or the class of an exception.
        exception_type: Qualified name of the class of an exception; None for the code.
    """
    span.set_attributes({"error.type": code, semconv.ERROR_CATEGORY_ATTRIBUTE: category, semconv.ERROR_CODE: code})
    known = getattr(span, "attributes", None) or {}
    span.set_attribute(semconv.XRAY_ANNOTATIONS, with_results(known.get(semconv.XRAY_ANNOTATIONS, ()), known))
    record_error(span, category, exception_type or code)


def record_error(span: trace.Span, category: str, exception_type: str, *, is_fault: bool = True) -> None:
    """Record an error on an open span: X-Ray makes the cause of the segment of it.

    Args:
        span: The span.
        category: Error category, in place of a message.
        exception_type: AWS's error code, or the name of a class.
        is_fault: Whether the span gets the status ERROR as well: without it, it is no fault.
    """
    exception = {semconv.EXCEPTION_TYPE: exception_type, semconv.EXCEPTION_MESSAGE: category}
    span.add_event(semconv.EXCEPTION_EVENT, exception)
    if is_fault:
        span.set_status(Status(StatusCode.ERROR, category))


def with_results(indexed: Sequence[str], attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what X-Ray indexes of a span: these names, and those of the results that it has."""
    return (*indexed, *(name for name in semconv.RESULT_ANNOTATIONS if name in attributes and name not in indexed))


def class_name(error: BaseException) -> str:
    """Return the qualified name of an exception's class, as OpenTelemetry records it."""
    module = type(error).__module__
    name = type(error).__qualname__
    return name if module == "builtins" else f"{module}.{name}"
