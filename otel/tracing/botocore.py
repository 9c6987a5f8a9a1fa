"""Spans of AWS calls: the stock botocore instrumentation, and hooks that close its gaps.

The gaps: no table names on transactions, no region where X-Ray's exporter looks for it, no URL of a queue, an error
status for expected responses (a failed condition), no error category, and a trace header that names Lambda's span
instead of the one of the call.
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
from otel.tracing.span_processor import class_name, set_span_error

_TRANSACTION = "TransactWriteItems"
_TABLE_NAMES = "aws.dynamodb.table_names"

ClassifyResponse = Callable[[Mapping[str, Any]], str | None]
ClassifyException = Callable[[BaseException], str]


def instrument(
    provider: TracerProvider, classify_response: ClassifyResponse, classify_exception: ClassifyException
) -> None:
    """Make a client span of every AWS call from now on.

    Args:
        provider: Makes the spans.
        classify_response: Returns the error category of a response; None for a success and for an expected response.
        classify_exception: Returns the error category of an exception that was raised instead.
    """

    def on_request(span: Span, _service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        attributes = _missing_region(span)
        if operation == _TRANSACTION:
            attributes[_TABLE_NAMES] = _table_names(parameters)
        elif "QueueUrl" in parameters:
            attributes["url.full"] = str(parameters["QueueUrl"])  # without, X-Ray shows `http:///`
        span.set_attributes(attributes)

    def on_response(span: Span, _service: str, _operation: str, response: Mapping[str, Any] | None) -> None:
        # Called from a `finally` while the exception propagates; the span records it by itself. The response is then
        # None, or the one of another call, which botocore made to get credentials.
        error = sys.exception()
        if error is not None and (response is None or response is getattr(error, "response", None)):
            code = type(error).__name__ if response is None else str(response["Error"].get("Code"))
            set_span_error(span, classify_exception(error), code, class_name(error) if response is None else None)
            return
        if response is None:
            return
        category = classify_response(response)
        if category is not None:
            set_span_error(span, category, str(response["Error"].get("Code")))
            _set_throttling_reasons(span, response)
            _remove_missing(span)

    logging.getLogger("opentelemetry.attributes").addFilter(_is_relevant)
    instrumentor = BotocoreInstrumentor()  # type: ignore[no-untyped-call]
    if instrumentor.is_instrumented_by_opentelemetry:  # by a layer, without these hooks: one span per call, not two
        instrumentor.uninstrument()
    # The dependency check reads the metadata of every package; the lock file has fixed the versions already.
    instrumentor.instrument(
        tracer_provider=provider,
        request_hook=on_request,
        response_hook=on_response,
        propagator=AwsXRayPropagator(),  # the stock one; a layer may have put another in its place
        skip_dep_check=True,
    )


def uninstrument() -> None:
    """Undo `instrument`."""
    BotocoreInstrumentor().uninstrument()  # type: ignore[no-untyped-call]
    logging.getLogger("opentelemetry.attributes").removeFilter(_is_relevant)


def _is_relevant(record: logging.LogRecord) -> bool:
    """Whether to log: for a message that SQS rejects, OpenTelemetry warns that its ID is None."""
    return semconv.MESSAGE_ID not in record.getMessage()


def propagate_from_current_span(client: Any) -> None:
    """Put the current span into the trace header of a client's calls.

    On Lambda, botocore sets the header that Lambda gave, and the instrumentation does not replace it: consumers of a
    queue would get the wrong parent. The hook runs before botocore's own.
    """
    propagator = AwsXRayPropagator()

    def inject(params: dict[str, Any], **_: Any) -> None:
        propagator.inject(params["headers"])

    client.meta.events.register_first("before-call", inject)


def _missing_region(span: Span) -> dict[str, Any]:
    """Return the region by the name that the span lacks; under memory pressure it has neither."""
    attributes = getattr(span, "attributes", None) or {}
    if semconv.CLOUD_REGION in attributes:
        return {semconv.REGION: attributes[semconv.CLOUD_REGION]}
    if semconv.REGION in attributes:  # as ADOT's whole set-up writes it
        return {semconv.CLOUD_REGION: attributes[semconv.REGION]}
    return {}


def _set_throttling_reasons(span: Span, response: Mapping[str, Any]) -> None:
    from otel.tracing.throttling import throttling_reasons  # most sandboxes never need it

    attributes = getattr(span, "attributes", None) or {}
    reasons = throttling_reasons(response, attributes.get(_TABLE_NAMES, ()))
    if reasons:
        span.set_attribute(semconv.DYNAMODB_THROTTLING_REASONS, reasons)


def _remove_missing(span: Span) -> None:
    """Remove the attributes without a value: ADOT's fast start keeps them, and would export the text `None`."""
    attributes = getattr(span, "attributes", None)
    if isinstance(attributes, dict):  # the SDK's are not, and have values only
        for name in [name for name, value in attributes.items() if value is None]:
            del attributes[name]


def _table_names(parameters: Mapping[str, Any]) -> list[str]:
    actions = (action for item in parameters.get("TransactItems", ()) for action in item.values())
    return list(dict.fromkeys(str(action["TableName"]) for action in actions))
