"""Spans of AWS calls: the stock botocore instrumentation, with its gaps closed by its own hooks.

The gaps: no table names on transactions, errors that are answers (a condition that did not hold), no category, a trace
header that names Lambda's span instead of the call's.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.instrumentation.botocore.extensions import dynamodb  # noqa: F401 - every first event needs it
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.trace import Span, TracerProvider

from otel import semconv
from otel.tracing.span_processor import set_span_error

_TRANSACTION = "TransactWriteItems"
_TABLE_NAMES = "aws.dynamodb.table_names"

ClassifyResponse = Callable[[Mapping[str, Any]], str | None]
ClassifyException = Callable[[BaseException], str]


def instrument(
    provider: TracerProvider, classify_response: ClassifyResponse, classify_exception: ClassifyException
) -> None:
    """Make a client span of every AWS call from now on.

    Args:
        provider: makes the spans.
        classify_response: category of a reply; None for a success and for an expected answer.
        classify_exception: category of an exception that came instead of a reply.
    """

    def on_request(span: Span, _service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        if operation == _TRANSACTION:
            span.set_attribute(_TABLE_NAMES, _table_names(parameters))

    def on_reply(span: Span, _service: str, _operation: str, reply: Mapping[str, Any] | None) -> None:
        # Called from a `finally`: the exception is on its way up, and the span will record it by itself. The reply is
        # then none, or that of another call, which botocore made for credentials.
        error = sys.exception()
        if error is not None and (reply is None or reply is getattr(error, "response", None)):
            code = type(error).__name__ if reply is None else str(reply["Error"].get("Code"))
            set_span_error(span, classify_exception(error), code)
            return
        if reply is None:
            return
        category = classify_response(reply)
        if category is not None:
            set_span_error(span, category, str(reply["Error"].get("Code")))
            _tell_reasons(span, reply)

    logging.getLogger("opentelemetry.attributes").addFilter(_is_relevant)
    instrumentor = BotocoreInstrumentor()  # type: ignore[no-untyped-call]
    if instrumentor.is_instrumented_by_opentelemetry:  # by a layer, without these hooks: one span a call, not two
        instrumentor.uninstrument()
    # The dependency check reads the metadata of every package; the lock file has settled that already.
    instrumentor.instrument(
        tracer_provider=provider,
        request_hook=on_request,
        response_hook=on_reply,
        propagator=AwsXRayPropagator(),  # the stock one; a layer may have put another in its place
        skip_dep_check=True,
    )


def uninstrument() -> None:
    """Undo `instrument`."""
    BotocoreInstrumentor().uninstrument()  # type: ignore[no-untyped-call]
    logging.getLogger("opentelemetry.attributes").removeFilter(_is_relevant)


def _is_relevant(record: logging.LogRecord) -> bool:
    """The instrumentation looks for the ID of a refused message, too, and a warning says that there is none."""
    return semconv.MESSAGE_ID not in record.getMessage()


def propagate_from_current_span(client: Any) -> None:
    """Let a client's calls name the current span as their parent.

    botocore, inside Lambda, fills in the header that Lambda gave, and the instrumentation respects what is there:
    a queue would then know the wrong parent. This runs before botocore's own handler.
    """
    propagator = AwsXRayPropagator()

    def inject(params: dict[str, Any], **_: Any) -> None:
        propagator.inject(params["headers"])

    client.meta.events.register_first("before-call", inject)


def _tell_reasons(span: Span, reply: Mapping[str, Any]) -> None:
    from otel.tracing.throttling import throttling_reasons  # most sandboxes never need it

    attributes = getattr(span, "attributes", None) or {}
    reasons = throttling_reasons(reply, attributes.get(_TABLE_NAMES, ()))
    if reasons:
        span.set_attribute(semconv.DYNAMODB_THROTTLING_REASONS, reasons)


def _table_names(parameters: Mapping[str, Any]) -> list[str]:
    actions = (action for item in parameters.get("TransactItems", ()) for action in item.values())
    return list(dict.fromkeys(str(action["TableName"]) for action in actions))
