"""The layer's way out: tracing in the TracerProvider that ADOT's layer has set up before the function was imported.

Loaded only then. The provider is the OpenTelemetry SDK's, or the smaller one of ADOT's fast start: only what both have
is used here, and nothing of it is patched. The layer owns the way out: its processors, its exporters, its sampler.
Ours is added for the IDs of the event, and the tracers of AWS calls are given out through a filter, because a span
cannot be scrubbed any more once the layer's processors have it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.util.types import Attributes

from otel import semconv
from otel.exporters.bounded import Bounded
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.tracing import SCOPE, Tracing
from otel.tracing.redaction import ESSENTIAL_ATTRIBUTES
from otel.tracing.span_processor import MOST_SECONDS, BufferingSpanProcessor, set_xray_annotations

SPANS_PER_FLUSH = 10
"""So many ended spans are flushed at once, in the middle of an event: the fast start puts all that it has into one
datagram, and loses all of them when it is too large. Ten is what ADOT's default set-up puts into one."""

_ACCESS_KEY = "access_key"
"""ADOT puts the ID of the access key on spans of AWS calls, in attributes that have this in their names."""


def seed_after_restore(environ: Mapping[str, str]) -> None:
    """Seed the process-wide generator of random numbers from the kernel whenever a snapshot has been restored.

    The layer's IDs are drawn from it, and every sandbox that is restored from one snapshot begins with its state:
    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html. The hook is registered with Lambda's runtime
    client, and only where Lambda takes a snapshot: every other sandbox starts a process of its own, whose generator
    Python has seeded from the kernel.

    Args:
        environ: says how Lambda starts the sandbox.
    """
    if environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        import random

        from snapshot_restore_py import register_after_restore  # type: ignore[import-untyped]

        register_after_restore(random.seed)


class LayerTracing(Tracing):
    """Tracing of one sandbox, in somebody else's provider."""

    def __init__(self, settings: TelemetrySettings, provider: Any) -> None:
        self._settings = settings
        self.provider = provider
        self.spans = LayerSpanProcessor(provider)
        self.provider.add_span_processor(self.spans)
        self._calls = RedactingTracerProvider(provider, self.spans)
        self._tracer = provider.get_tracer(SCOPE)

    @property
    def client_tracer_provider(self) -> trace.TracerProvider:
        """Makes the spans of AWS calls, scrubbed."""
        return self._calls

    @contextmanager
    def event_span(self, record: EventRecord, traceparent: object, environ: Mapping[str, str]) -> Iterator[Span]:
        """The root span of one event; see `Tracing.event_span`.

        A span around the handler, as AWS's own wrapper makes one, becomes its parent and gets what X-Ray indexes.
        """
        around = trace.get_current_span()
        with super().event_span(record, traceparent, environ) as span:
            try:
                yield span
            finally:
                found = {name: getattr(record, name) for name in semconv.ANNOTATIONS}
                around.set_attributes({name: value for name, value in found.items() if value is not None})
                if around.is_recording():
                    set_xray_annotations(around)

    def _parent(self, environ: Mapping[str, str]) -> context_api.Context:
        if trace.get_current_span().is_recording():
            return context_api.get_current()
        return super()._parent(environ)


class LayerSpanProcessor(BufferingSpanProcessor):
    """The event's IDs onto every span. What has ended is the layer's to export: here it is only counted."""

    def __init__(self, provider: Any) -> None:
        super().__init__(AdotLayerExporter(provider))
        self._spare_seconds = MOST_SECONDS
        """What flushes in the middle of the event may still take."""

    def on_end(self, span: ReadableSpan) -> None:
        """Flush what has ended if that is enough for a datagram."""
        self._ended.append(span)
        if len(self._ended) >= SPANS_PER_FLUSH and self._spare_seconds > 0:
            spans = self._ended[:]
            del self._ended[: len(spans)]
            started = time.perf_counter()
            self._dropped += self._exporter.export(spans, self._spare_seconds)
            self._spare_seconds -= time.perf_counter() - started

    def flush(self, seconds: float = MOST_SECONDS) -> int:
        """As `BufferingSpanProcessor.flush`."""
        self._spare_seconds = MOST_SECONDS
        return super().flush(seconds)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing: the provider asks this of each processor when its own are asked to send.

        Args:
            timeout_millis: the interface's.
        """
        del timeout_millis
        return True


class AdotLayerExporter:
    """The layer's own processors and exporters, as a way out.

    They are given the time there is, and do not keep to it: names are resolved, and exporters try again.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._worker = Bounded("layer")

    def export(self, spans: Sequence[ReadableSpan], seconds: float) -> int:
        """Have the layer send what it has, which is these spans; return how many were lost as far as it tells."""
        try:
            sent = self._worker.run(lambda: self._provider.force_flush(int(seconds * 1000)), seconds)
        except TimeoutError:
            sent = False
        return len(spans) if sent is False else 0

    def close(self) -> None:
        """End the thread: whoever shuts the provider down closes its exporters."""
        self._worker.close()


class RedactingTracerProvider(trace.TracerProvider):
    """Gives the instrumentation of botocore tracers that keep secrets to themselves."""

    def __init__(self, provider: trace.TracerProvider, spans: BufferingSpanProcessor) -> None:
        self._provider = provider
        self._spans = spans

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        """The layer's tracer, filtered."""
        return RedactingTracer(self._provider.get_tracer(*args, **kwargs), self._spans)


class RedactingTracer(trace.Tracer):
    """Makes spans of AWS calls: without the access key, with exceptions by their class only."""

    def __init__(self, tracer: trace.Tracer, spans: BufferingSpanProcessor) -> None:
        self._tracer = tracer
        self._spans = spans

    def start_span(self, name: str, *args: Any, **kwargs: Any) -> Span:
        """Start a span; the arguments are the interface's, `attributes` by name."""
        return self._tracer.start_span(name, *args, **{**kwargs, "attributes": self._allowed(kwargs.get("attributes"))})

    @contextmanager
    def start_as_current_span(  # type: ignore[override]
        self,
        name: str,
        context: context_api.Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,  # noqa: ARG002 - the hooks set it, with our category
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        """Start a span and make it the current one inside the block."""
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            attributes=self._allowed(attributes),
            links=links,
            start_time=start_time,
            record_exception=False,
            set_status_on_exception=False,
            end_on_exit=end_on_exit,
        ) as span:
            try:
                yield span
            except Exception as error:
                if record_exception and not self._spans.shedding:
                    kind_of = type(error)
                    span.add_event("exception", {"exception.type": f"{kind_of.__module__}.{kind_of.__qualname__}"})
                raise

    def _allowed(self, attributes: Attributes) -> Attributes:
        return {
            name: value
            for name, value in (attributes or {}).items()
            if _ACCESS_KEY not in name and (not self._spans.shedding or name in ESSENTIAL_ATTRIBUTES)
        }
