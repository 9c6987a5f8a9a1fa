"""The tracer of AWS calls, for the botocore instrumentation: any provider's, with fewer steps for each span.

Exceptions are recorded by class only: their text may hold a value, and the stack trace is made for nobody.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.util.types import Attributes

from otel import semconv
from otel.tracing.root_span import SetAttributes
from otel.tracing.span_processor import class_name


class ClientTracer(trace.Tracer):
    """Makes the spans of AWS calls.

    Args:
        tracer: Starts the spans.
        set_attributes: See `EventSpanProcessor.set_attributes`.
    """

    def __init__(
        self,
        tracer: trace.Tracer,
        set_attributes: SetAttributes = lambda span, attributes: span.set_attributes(attributes),
    ) -> None:
        self._tracer = tracer
        self._set_attributes = set_attributes

    def start_span(self, name: str, *args: Any, **kwargs: Any) -> Span:
        """Start a span."""
        # Attributes come after the start: those that a span starts with are set one by one, with a lock for each.
        attributes = kwargs.pop("attributes", None) or {}
        span = self._tracer.start_span(name, *args, **kwargs)
        known = {name: value for name, value in attributes.items() if value is not None}
        if semconv.CLOUD_REGION in known:  # the hook for requests does not see it on a span that is exported later
            known[semconv.REGION] = known[semconv.CLOUD_REGION]
        self._set_attributes(span, known)
        return span

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
        set_status_on_exception: bool = True,  # noqa: ARG002 - the hooks set it, with the error category
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        """Start a span and make it the current one inside the block."""
        span = self.start_span(name, context, kind, links=links, start_time=start_time, attributes=attributes)
        token = context_api.attach(trace.set_span_in_context(span))
        try:
            yield span
        except Exception as error:
            if record_exception and "error.type" not in (getattr(span, "attributes", None) or {}):
                span.add_event(semconv.EXCEPTION_EVENT, {semconv.EXCEPTION_TYPE: class_name(error)})
            raise
        finally:
            context_api.detach(token)
            if end_on_exit:
                span.end()


class ClientTracerProvider(trace.TracerProvider):
    """Gives the botocore instrumentation its tracers.

    Args:
        provider: Makes the tracers that start the spans.
        wrap: Makes a tracer of AWS calls of each.
    """

    def __init__(
        self, provider: trace.TracerProvider, wrap: Callable[[trace.Tracer], ClientTracer] = ClientTracer
    ) -> None:
        self._provider = provider
        self._wrap = wrap

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        """Return a tracer of the provider, wrapped."""
        return self._wrap(self._provider.get_tracer(*args, **kwargs))
