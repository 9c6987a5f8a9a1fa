"""A redriven event is the same event to the function, and links to the trace in which it failed."""

from copy import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.event import parse_event, resolve_correlation_id
from mep.dlq.audit import earnings_key
from mep.dlq.model import DeadLetter
from mep.dlq.redrive import prepare_for_redrive
from mep.dlq.sources import read_dead_letter
from otel.tracing.root_span import read_traceparent
from tests.support.dead_letters import TRACE_HEADER, event, from_lambda, from_on_failure, from_rule
from tests.support.events import SOURCE
from tests.support.strategies import fuzzed_events, valid_events

shapes = st.sampled_from([from_rule, from_lambda, from_on_failure])


def dead_letter(sent: Any, make: Any, trace: str = TRACE_HEADER) -> DeadLetter:
    body, attributes = make(sent)
    return read_dead_letter("m-1", body, attributes, {"AWSTraceHeader": trace})


@given(valid_events, shapes)
def test_a_redriven_event_is_the_same_event(sent: dict[str, Any], make: Any) -> None:
    was = dead_letter(sent, make)
    again = prepare_for_redrive(was) | {"id": "a-new-envelope"}

    parsed, original = (replace(parse_event(value, source=SOURCE), envelope_id=None) for value in (again, sent))
    assert parsed == original
    if was.correlation_id is not None:
        assert resolve_correlation_id(again).id == was.correlation_id
        assert not resolve_correlation_id(again).replaced
    assert read_traceparent(again["detail"]["traceparent"]).is_valid


@given(valid_events, shapes)
def test_a_second_redrive_only_counts(sent: dict[str, Any], make: Any) -> None:
    first = dead_letter(sent, make)
    once = prepare_for_redrive(first)
    second = dead_letter(once | {"id": "a-new-envelope"}, make)

    twice = prepare_for_redrive(second)

    assert (first.redrives, second.redrives, twice["detail"]["redrive_count"]) == (0, 1, 2)
    assert second.correlation_id == first.correlation_id or first.correlation_id is None
    assert twice["detail"] == once["detail"] | {"redrive_count": 2}


@given(valid_events, shapes)
def test_audit_entries_have_the_key_of_the_row(sent: dict[str, Any], make: Any) -> None:
    parsed = parse_event(sent, source=SOURCE)
    assert earnings_key(dead_letter(sent, make)) == "#".join(parsed.key.values())


@given(fuzzed_events, shapes)
def test_an_event_without_detail_is_unchanged(sent: Any, make: Any) -> None:
    try:
        was = dead_letter(sent, make)
    except (ValueError, RecursionError):
        return  # the test cannot serialize it
    again = prepare_for_redrive(was)
    if not (isinstance(was.event, dict) and isinstance(was.event.get("detail"), dict)):
        assert again is was.event
    elif was.event_text is not None:
        assert set(again) == set(was.event)


@pytest.mark.parametrize(
    ("header", "trace", "flags"),
    [
        (TRACE_HEADER, "68d1f2a30123456789abcdef01234567", "01"),
        (TRACE_HEADER.replace("Sampled=1", "Sampled=0"), "68d1f2a30123456789abcdef01234567", "00"),
        (TRACE_HEADER + ";Lineage=1:0abc:0", "68d1f2a30123456789abcdef01234567", "01"),
        ("Root=1-68d1f2a3-0123456789abcdef01234567", "68d1f2a30123456789abcdef01234567", None),
        ("Self=1-68d1f2a3-0123456789abcdef01234567", None, None),
        ("Root=1-68d1f2a3-short;Parent=53995c3f42cd8ad8", None, None),
        ("", None, None),
    ],
)
def test_the_trace_header_is_parsed(header: str, trace: str | None, flags: str | None) -> None:
    failed = dead_letter(event(), from_rule, header)
    assert failed.trace_id == trace
    assert (failed.traceparent and failed.traceparent[-2:]) == flags
    assert ("traceparent" in prepare_for_redrive(failed)["detail"]) == (flags is not None)
