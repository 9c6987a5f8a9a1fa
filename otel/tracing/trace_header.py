"""Lambda's trace header: the trace that an event belongs to, its parent, and whether it is sampled.

It comes in more than one form. In Lambda's default tracing mode, PassThrough, it has `Root` and `Lineage` only; a
caller may leave the decision open (`Sampled=?`) or name no parent. The stock X-Ray propagator reads nothing of a header
that lacks a part, has another `Sampled` or ends in `;`: the event would begin a trace that nobody knows, sampled.
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
    """Stands for the parent where the header names a trace but no span: samplers and tracers want a whole parent.

    Its span ID is made up. The span below it is the first of its trace that is known.
    """


def read_trace_header(header: str | None) -> context_api.Context:
    """The context that a trace header stands for.

    `Root` makes the trace ID whatever else is there. Without a usable `Parent`, the current span of the context is a
    `TraceOnly`. Only `Sampled=1` is sampled: a header that leaves the decision open is of an invocation that Lambda
    does not trace. Samplers that ask the parent follow that, `always_on` does not. Unknown fields are ignored, as are
    blanks and empty fields; of a field that comes twice, the last one counts.

    Args:
        header: fields `NAME=VALUE`, separated by `;`; None where there is none.

    Returns:
        A context with that span as the current one; an empty context where there is no usable `Root`.
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
    kind, span_id = (NonRecordingSpan, parent_id) if parent_id else (TraceOnly, new_span_id())
    span = kind(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags))
    return trace.set_span_in_context(span, context_api.Context())


def _trace_id(root: str) -> int:
    """The trace ID; 0 where the text is none."""
    version, _, rest = root.partition("-")
    seconds, _, unique = rest.partition("-")
    usable = version == _VERSION and len(seconds) == _TIME_DIGITS and len(unique) == _UNIQUE_DIGITS
    return _number(seconds + unique, _TIME_DIGITS + _UNIQUE_DIGITS) if usable else 0


def _number(digits: str, length: int) -> int:
    """The hexadecimal number of this many digits; 0, which no ID is, where the text is none."""
    return int(digits, 16) if len(digits) == length and not digits.strip(_HEX) else 0
