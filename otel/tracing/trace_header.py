"""Lambda's trace header: the trace of an event, its parent span, and the sampling decision.

The header has more than one form. In Lambda's default tracing mode, PassThrough, it has `Root` and `Lineage` only; a
caller may defer the decision (`Sampled=?`) or omit the parent. The stock X-Ray propagator rejects a header that lacks a
part, has another `Sampled` or ends in `;`: the event would start an unrelated, sampled trace.
https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
"""

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel.tracing.ids import new_span_id

LAMBDA_TRACE_HEADER = "_X_AMZN_TRACE_ID"
"""The environment variable to which Lambda's runtime client writes the trace header of each invocation."""

_HEX = "0123456789abcdefABCDEF"
_VERSION, _TIME_DIGITS, _UNIQUE_DIGITS = "1", 8, 24
_SPAN_DIGITS = 16


class TraceOnly(NonRecordingSpan):
    """The parent where the header has a trace ID only: samplers and tracers require a complete span context.

    Its span ID is generated. Its child is the first known span of the trace.
    """


def read_trace_header(header: str | None) -> context_api.Context:
    """Return the context of a trace header.

    `Root` gives the trace ID, whatever the other fields are. Without a valid `Parent`, the current span of the context
    is a `TraceOnly`. Only `Sampled=1` is sampled: Lambda does not trace an invocation whose header defers the decision.
    Parent-based samplers follow that, `always_on` does not. Unknown fields, empty fields and blanks are ignored; the
    last of duplicate fields counts.

    Args:
        header: Fields `NAME=VALUE`, separated by `;`; None without a header.

    Returns:
        A context with that span as the current one; an empty context without a valid `Root`.
    """
    fields = {}
    for field in (header or "").split(";"):
        name, _, value = field.partition("=")
        fields[name.strip()] = value.strip()
    trace_id = _trace_id(fields.get("Root", ""))
    if not trace_id:
        return context_api.Context()
    flags = TraceFlags(TraceFlags.SAMPLED if fields.get("Sampled") == "1" else TraceFlags.DEFAULT)
    parent_id = _number(fields.get("Parent", ""), _SPAN_DIGITS)
    span_type, span_id = (NonRecordingSpan, parent_id) if parent_id else (TraceOnly, new_span_id())
    span = span_type(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags))
    return trace.set_span_in_context(span, context_api.Context())


def _trace_id(root: str) -> int:
    """Return the trace ID; 0 for any other text."""
    version, _, rest = root.partition("-")
    seconds, _, unique = rest.partition("-")
    valid = version == _VERSION and len(seconds) == _TIME_DIGITS and len(unique) == _UNIQUE_DIGITS
    return _number(seconds + unique, _TIME_DIGITS + _UNIQUE_DIGITS) if valid else 0


def _number(digits: str, length: int) -> int:
    """Return the hexadecimal number of this many digits; 0, which is not a valid ID, for any other text."""
    return int(digits, 16) if len(digits) == length and not digits.strip(_HEX) else 0
