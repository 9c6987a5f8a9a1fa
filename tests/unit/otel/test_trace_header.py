"""Lambda's trace header in every form: the context, and the exported spans."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.trace import SpanContext

from otel.tracing.trace_header import TraceOnly, read_trace_header
from otel.tracing.tracing import Tracing
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID
from tests.support.udp import SpanSocket
from tests.unit.otel.tracing_harness import NewTracing, make_child, run_event

ROOT = TRACE_HEADER.partition(";")[0]


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.integers(min_value=1, max_value=16**digits - 1).map(lambda number: f"{number:0{digits}x}")


@dataclass(frozen=True)
class Form:
    """A header and its meaning.

    Attributes:
        text: It.
        trace_id: 32 hex digits; None where its `Root` is unusable or missing.
        parent_id: 16 hex digits of the parent.
        sampled: The `Sampled` flag.
    """

    text: str
    trace_id: str | None
    parent_id: str | None
    sampled: bool


BROKEN_ROOTS = st.sampled_from(
    [
        *("", "1", "x", "1--", f"2-{TRACE_ID[:8]}-{TRACE_ID[8:]}", TRACE_ID, f"1-{TRACE_ID}", f"1-{TRACE_ID[:8]}-"),
        *(f"1-{0:08x}-{0:024x}", f"1-{TRACE_ID[:8]}-{TRACE_ID[8:]}0", f"1-{TRACE_ID[:8]}-{TRACE_ID[8:-1]}g"),
        *(
            f"1-{TRACE_ID[:8]}-{TRACE_ID[8:-2]}_0",
            f"1-0x{TRACE_ID[:6]}-{TRACE_ID[8:]}",
            f"1-+{TRACE_ID[:7]}-{TRACE_ID[8:]}",
        ),
        f"1-{TRACE_ID[:8]}-{TRACE_ID[8:-1]}٣",  # a digit, but not ASCII
    ]
)
BROKEN_PARENTS = st.sampled_from(["", "0" * 16, "y", PARENT_ID[1:], f"{PARENT_ID}0", f"0x{PARENT_ID[2:]}", "5_" * 8])
OTHERS = st.sampled_from(
    [
        *("", "Lineage=061379e8:0", "Lineage=061379e8:0|cbc84ad3:0", "Self=1-68d1f2a3-0123456789abcdef01234567", "x"),
        *("root=1-68d1f2a3-0123456789abcdef01234567", "Key=a=b", "=", "=1", "Sampled", "Parent", "Root"),
    ]
)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """Headers of every form: each field valid, invalid or missing, in any order, with other fields and blanks."""
    trace_id = draw(st.none() | hexadecimal(32))
    parent_id = draw(st.none() | hexadecimal(16))
    sampled = draw(st.sampled_from([None, "1", "0", "?", "", "true", "11"]))
    root = draw(st.none() | BROKEN_ROOTS) if trace_id is None else f"1-{trace_id[:8]}-{trace_id[8:]}"
    parent = draw(st.none() | BROKEN_PARENTS) if parent_id is None else parent_id
    if draw(st.booleans()):
        root, parent = root and root.upper(), parent and parent.upper()
    named = {"Root": root, "Parent": parent, "Sampled": sampled}
    blanks = st.sampled_from(["", " ", "\t", "  "])
    fields = [
        "".join([draw(blanks), name, draw(blanks), "=", draw(blanks), value, draw(blanks)])
        for name, value in named.items()
        if value is not None
    ]
    others = OTHERS.filter(lambda other: named.get(other.partition("=")[0]) is None)  # no duplicate fields
    fields = draw(st.permutations(fields + draw(st.lists(others, max_size=3))))
    return Form(";".join(fields) + draw(st.sampled_from(["", ";", "; ", ";;"])), trace_id, parent_id, sampled == "1")


def parent_of(header: str | None) -> trace.Span:
    return trace.get_current_span(read_trace_header(header))


@given(forms())
def test_root_is_the_trace(form: Form) -> None:
    span = parent_of(form.text)

    context = span.get_span_context()
    if form.trace_id is None:
        assert not context.is_valid
        return
    assert context.is_valid
    assert context.is_remote
    assert f"{context.trace_id:032x}" == form.trace_id
    assert context.trace_flags.sampled is form.sampled
    assert isinstance(span, TraceOnly) is (form.parent_id is None)
    if form.parent_id is not None:
        assert f"{context.span_id:016x}" == form.parent_id


@given(forms())
def test_the_stock_propagator_agrees_where_it_reads(form: Form) -> None:
    stock = trace.get_current_span(AwsXRayPropagator().extract({"X-Amzn-Trace-Id": form.text})).get_span_context()

    if stock.is_valid and form.trace_id and form.parent_id:
        assert tuple(stock) == tuple(parent_of(form.text).get_span_context())


@given(hexadecimal(32), hexadecimal(16), st.sampled_from("01"))
def test_the_stock_propagator_agrees_on_a_complete_header(trace_id: str, parent_id: str, sampled: str) -> None:
    header = f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={parent_id};Sampled={sampled}"
    stock = trace.get_current_span(AwsXRayPropagator().extract({"X-Amzn-Trace-Id": header})).get_span_context()

    assert stock.is_valid
    assert tuple(parent_of(header).get_span_context()) == tuple(stock)


@given(st.text() | st.text(alphabet="Root=1-;Parent=Sampled?0af "))
def test_any_text_is_a_context(header: str) -> None:
    assert isinstance(parent_of(header).get_span_context(), SpanContext)


def test_the_last_duplicate_field_counts() -> None:
    context = parent_of(f"Root=x;Sampled=0;{TRACE_HEADER}").get_span_context()

    assert f"{context.trace_id:032x}" == TRACE_ID
    assert context.trace_flags.sampled


@pytest.mark.parametrize("header", [None, ""])
def test_no_header(header: str | None) -> None:
    assert not parent_of(header).get_span_context().is_valid


def test_a_generated_parent_is_new_each_time() -> None:
    assert len({parent_of(ROOT).get_span_context().span_id for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("rest", "kind"),
    [("", "T1U"), (";Lineage=061379e8:0", "T1U"), (";Sampled=?", "T1U"), (";Sampled=0", "T1U"), (";Sampled=1", "T1S")],
)
def test_a_generated_parent_is_not_exported(rest: str, kind: str, tracing: Tracing, spans: SpanSocket) -> None:
    record = run_event(tracing, header=f"{ROOT}{rest}", inside=make_child(tracing))

    (datagram,) = spans.take()
    child, root = datagram.spans
    assert datagram.kind == kind
    assert root.parent_span_id == b""
    assert not root.flags & 0x200, "no remote parent either"
    assert child.parent_span_id == root.span_id
    assert {span.trace_id.hex() for span in datagram.spans} == {TRACE_ID} == {record.trace_id}


@pytest.mark.parametrize(
    ("sampler", "kind"),
    [
        ("always_on", "T1S"),
        ("always_off", "T1U"),
        ("traceidratio", "T1S"),
        ("parentbased_always_on", "T1U"),
        ("parentbased_traceidratio", "T1U"),
    ],
)
def test_samplers_that_ignore_the_parent(
    sampler: str, kind: str, new_tracing: NewTracing, spans: SpanSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    tracing = new_tracing()

    run_event(tracing, header=f"{ROOT};Lineage=061379e8:0", inside=make_child(tracing))

    (datagram,) = spans.take()
    assert (datagram.kind, len(datagram.spans)) == (kind, 2)
