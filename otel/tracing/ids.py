"""Trace and span IDs from the kernel's random numbers.

The SDK's `RandomIdGenerator` uses the process-wide generator. Sandboxes that are restored from one snapshot share the
state of that generator and would give different spans the same IDs.
"""

import os
import time


def new_span_id() -> int:
    """Return a span ID: 64 random bits. All zeros are not a valid ID."""
    span_id = 0
    while not span_id:
        span_id = int.from_bytes(os.urandom(8))
    return span_id


def new_trace_id() -> int:
    """Return a trace ID in X-Ray's format: the time in seconds (32 bits), then 96 random bits.

    X-Ray accepts fully random IDs, too, but older agents and collectors drop those whose first 32 bits, read as a time,
    are more than 30 days ago.
    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
    """
    return int(time.time()) << 96 | int.from_bytes(os.urandom(12))
