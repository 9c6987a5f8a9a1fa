"""The link to the producer's span."""

import pytest

from otel.tracing.tracing import Tracing
from tests.support.telemetry import TRACE_ID
from tests.support.udp import SpanSocket
from tests.unit.otel.tracing_harness import PRODUCER, only, run_event


def test_the_producers_span_is_linked(tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, traceparent=PRODUCER)

    _, root = only(spans)
    (link,) = root.links
    assert link.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert link.span_id.hex() == "b7ad6b7169203331"
    assert link.flags & 0x300 == 0x300  # a remote parent
    assert root.trace_id.hex() == TRACE_ID  # linked, not continued


@pytest.mark.parametrize(
    "traceparent",
    [
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",  # a later version in this format
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
    ],
)
def test_other_valid_formats_are_linked(traceparent: str, tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, traceparent=traceparent)

    _, root = only(spans)
    assert [link.span_id.hex() for link in root.links] == ["b7ad6b7169203331"]


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        7,
        {"traceparent": PRODUCER},
        PRODUCER.encode(),
        PRODUCER + "\n",
        PRODUCER.upper(),
        " " + PRODUCER,
        PRODUCER + "-extra",
        PRODUCER.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "00-" + "0" * 32 + "-" + "0" * 16 + "-00",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "\u0660\u0660-" + PRODUCER[3:],  # digits, but not ASCII
    ],
)
def test_an_invalid_traceparent_is_ignored(traceparent: object, tracing: Tracing, spans: SpanSocket) -> None:
    run_event(tracing, traceparent=traceparent)

    _, root = only(spans)
    assert list(root.links) == []
