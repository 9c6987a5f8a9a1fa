"""The `layer` export mode: tracing in ADOT's TracerProvider.

The layer has set it up before the function was imported, or the function sets ADOT's fast start up while it starts.
Imported in this mode only. The provider is the one of the OpenTelemetry SDK, or the smaller one of ADOT's fast start:
this module uses what both have, and patches neither. Processors, exporters and sampler are the layer's. A processor of
ours sets the attributes of the event, and the tracer of AWS calls is wrapped, because a span cannot be redacted any
more once the layer's processors have it.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext, TraceFlags
from opentelemetry.util.types import Attributes

from otel import semconv
from otel.exporters.bounded import Bounded
from otel.instrumentation import Instrumentation
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.tracing.client_tracer import ClientTracer, ClientTracerProvider
from otel.tracing.root_span import RootSpans, event_faults
from otel.tracing.sampling import ParentSampler
from otel.tracing.span_processor import MOST_SECONDS, EventSpanProcessor
from otel.tracing.tracing import Tracing

if TYPE_CHECKING:
    from contextlib import _GeneratorContextManager

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan

SPANS_PER_FLUSH = 10
"""Number of ended spans that is flushed at once, also in the middle of an event: the fast start puts all of its spans
into one datagram, and loses them if that is too large. Ten is what ADOT's default setup puts into one."""

_OLD_NAME = "net.peer.name"
"""For older tools, what `server.address` and `server.port` say; ADOT's encoder makes every attribute expensive."""

_ACCESS_KEY = "access_key"
"""Part of the names of the attributes in which ADOT puts the access key ID on spans of AWS calls."""


def start_adot() -> None:
    """Set ADOT's fast start up: the layer's script leaves that to the function.

    Call it inside of the cold start: what ADOT imports is then left out as far as nothing uses it.

    Raises:
        Exception: Whatever ADOT raises; there is no TracerProvider then.
    """
    from amazon.opentelemetry.distro.opentelemetry_lite_sdk import configure_lite_mode  # type: ignore[import-untyped]

    configure_lite_mode()


def join_layer(settings: TelemetrySettings, instrumentation: Instrumentation, environ: Mapping[str, str]) -> Tracing:
    """Return tracing in the layer's TracerProvider.

    Args:
        settings: Telemetry settings.
        instrumentation: The names of the function.
        environ: Holds the sampler's variables.
    """
    provider: Any = trace.get_tracer_provider()
    # The fast start sends to a socket that does not block; only a name would have to be resolved.
    may_wait = not (settings.adot_fast_start and settings.daemon[0].replace(".", "").isdecimal())
    log = logging.getLogger(type(provider).__module__) if settings.adot_fast_start else None
    exporter = AdotLayerExporter(provider, may_wait=may_wait, log=log)
    spans = LayerSpanProcessor(exporter, can_sample_all=settings.adot_fast_start)
    provider.add_span_processor(spans)
    tracer = provider.get_tracer(instrumentation.scope, settings.function_version, semconv.SCHEMA_URL)
    sampler = ParentSampler(environ) if settings.adot_fast_start else None
    faults = event_faults(settings, instrumentation)
    root_spans = LayerRootSpans(tracer, settings, faults, sampler)
    clients = ClientTracerProvider(provider, lambda tracer: LayerClientTracer(tracer, spans))
    return Tracing(provider, spans, root_spans, clients)


class LayerRootSpans(RootSpans):
    """Makes the root spans, also inside of a span around the handler, as AWS's own wrapper makes one.

    Args:
        tracer: Starts the spans.
        settings: Name and version of the function, and where parents come from.
        not_faults: See `RootSpans`.
        sampler: Decides where the TracerProvider has no sampler; None where it has one.
    """

    def __init__(
        self,
        tracer: trace.Tracer,
        settings: TelemetrySettings,
        not_faults: frozenset[str] = frozenset(),
        sampler: ParentSampler | None = None,
    ) -> None:
        super().__init__(tracer, settings, not_faults)
        self._sampler = sampler

    def start(
        self, record: EventRecord, traceparent: object, environ: Mapping[str, str]
    ) -> "_GeneratorContextManager[Span]":
        """Start the root span; the span around it becomes its parent and gets the attributes that X-Ray indexes."""
        around = trace.get_current_span()
        started = super().start(record, traceparent, environ)
        return self._inside(around, started, record) if around.is_recording() else started

    @contextmanager
    def _inside(self, around: Span, started: "_GeneratorContextManager[Span]", record: EventRecord) -> Iterator[Span]:
        with started as span:
            try:
                yield span
            finally:
                attributes = {
                    semconv.CORRELATION_ID: record.correlation_id,
                    **record.subject,
                    semconv.OUTCOME: record.outcome,
                    semconv.ERROR_CATEGORY_ATTRIBUTE: record.error_category,
                    semconv.ERROR_CODE: record.error_code,
                }
                known = {name: value for name, value in attributes.items() if value is not None}
                around.set_attributes({**known, semconv.XRAY_ANNOTATIONS: tuple(known)})

    def _parent(self, environ: Mapping[str, str], traceparent: object) -> tuple[context_api.Context, SpanContext]:
        parent, linked = super()._parent(environ, traceparent)
        if trace.get_current_span().is_recording():
            return context_api.get_current(), linked
        return self._sampler.parent(parent) if self._sampler else parent, linked


class LayerSpanProcessor(EventSpanProcessor):
    """Sets the attributes of the event on every span, and counts those that have ended: the layer exports them.

    Args:
        exporter: Flushes the layer's processors.
        can_sample_all: Whether the layer asks for the sampled flag of a span only when it exports it. The fast start
            does; the SDK gives a span to another exporter by that flag when the span ends.
    """

    def __init__(self, exporter: "AdotLayerExporter", *, can_sample_all: bool = False) -> None:
        super().__init__(exporter)
        self.can_sample_all = can_sample_all
        self._spare_seconds = MOST_SECONDS
        """What is left for flushes in the middle of an event."""

    def on_end(self, span: "ReadableSpan") -> None:
        """Flush the ended spans once they fill a datagram."""
        self._ended.append(span)
        if len(self._ended) >= SPANS_PER_FLUSH and self._spare_seconds > 0:
            spans = self._ended[:]
            del self._ended[: len(spans)]
            started = time.perf_counter()
            try:
                self._dropped += self._exporter.export(spans, self._spare_seconds, False)
            except Exception:  # noqa: BLE001 - it would be raised in the AWS call whose span ends
                self._dropped += len(spans)
            self._spare_seconds -= time.perf_counter() - started

    def _on_ending(self, span: "SdkSpan") -> None:
        """Do nothing; the SDK calls this of every processor, ADOT's fast start does not."""

    def flush(self, seconds: float = MOST_SECONDS, *, all_sampled: bool = False) -> int:
        """Export the spans that have ended, within this time; return how many were lost.

        Those that were flushed in the middle of the event are sent as they were sampled then.
        """
        self._spare_seconds = MOST_SECONDS
        if all_sampled and self.can_sample_all:
            for span in self._ended:
                set_sampled(span)
        return super().flush(seconds, all_sampled=all_sampled)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Do nothing: `flush` has the provider flush all of its processors, and this is one of them."""
        del timeout_millis
        return True


class AdotLayerExporter:
    """Exports spans by the layer's own processors and exporters.

    They get a time limit, and exceed it: name resolution and the exporters' retries do not count towards it.

    Args:
        provider: Has the processors.
        may_wait: Whether an export may have to wait; it then runs in a thread, with a timeout.
        log: The logger of ADOT's fast start, which reports a failed export nowhere else; None for its SDK.
    """

    def __init__(self, provider: Any, *, may_wait: bool = True, log: logging.Logger | None = None) -> None:
        self._provider = provider
        self._worker = Bounded("layer") if may_wait else None
        self._log = log
        self._failed = False
        if log is not None:
            log.addFilter(self._watch)

    def _watch(self, record: logging.LogRecord) -> bool:
        self._failed = self._failed or record.levelno >= logging.ERROR
        return True

    def export(self, spans: "Sequence[ReadableSpan]", seconds: float, all_sampled: bool = False) -> int:
        """Flush the layer's processors, which have these spans; return how many were lost as far as they report it.

        ADOT sends the spans as their context says: `LayerSpanProcessor` sets it.
        """
        del all_sampled
        self._failed = False
        if self._worker is None:
            sent = self._provider.force_flush()
        else:
            try:
                sent = self._worker.run(lambda: self._provider.force_flush(int(seconds * 1000)), seconds)
            except TimeoutError:
                sent = False
        return len(spans) if sent is False or self._failed else 0

    def close(self) -> None:
        """End the thread; the layer's exporters are closed with their provider."""
        if self._log is not None:
            self._log.removeFilter(self._watch)
        if self._worker is not None:
            self._worker.close()


def set_sampled(span: Any) -> None:
    """Set the sampled flag of a span of ADOT's fast start; only its next export has to do with it."""
    context = span.get_span_context()
    if not context.trace_flags.sampled:
        flags = TraceFlags(context.trace_flags | TraceFlags.SAMPLED)
        ids = context.trace_id, context.span_id
        span._context = SpanContext(*ids, context.is_remote, flags, context.trace_state)  # noqa: SLF001 - no public way


class LayerClientTracer(ClientTracer):
    """Makes spans of AWS calls without the access key ID.

    Args:
        tracer: The layer's.
        spans: Says whether to drop optional detail.
    """

    def __init__(self, tracer: trace.Tracer, spans: EventSpanProcessor) -> None:
        super().__init__(tracer)
        self._spans = spans

    def start_span(self, name: str, *args: Any, **kwargs: Any) -> Span:
        """Start a span; only `attributes` passed by name are redacted."""
        return self._tracer.start_span(name, *args, **{**kwargs, "attributes": self._allowed(kwargs.get("attributes"))})

    def _allowed(self, attributes: Attributes) -> Attributes:
        allowed = {**(attributes or {})}
        if self._spans.shedding:
            return {name: allowed[name] for name in allowed if name in semconv.ESSENTIAL_ATTRIBUTES}
        allowed.pop(_OLD_NAME, None)
        if _ACCESS_KEY in "".join(allowed):  # one search in place of one for each name
            return {name: value for name, value in allowed.items() if _ACCESS_KEY not in name}
        return allowed
