"""IDs of traces and spans, from the kernel's randomness.

Never from the process-wide generator, as the SDK's own `RandomIdGenerator`: sandboxes that are restored from one
snapshot share the state of that generator, and would give different spans the same IDs.
"""

import os
import time


def new_span_id() -> int:
    """A span ID: 64 random bits, not all zero, which OpenTelemetry takes for no ID."""
    span_id = 0
    while not span_id:
        span_id = int.from_bytes(os.urandom(8))
    return span_id


def new_trace_id() -> int:
    """A trace ID of X-Ray's own form: the time in seconds (32 bits), then 96 random bits.

    X-Ray takes IDs that are random throughout, too, but older agents and collectors drop those that, read in this form,
    are of a time more than 30 days ago.
    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    return int(time.time()) << 96 | int.from_bytes(os.urandom(12))
