"""The sampler of ADOT's fast start decides as the SDK's samplers do, and keeps the trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision

from otel.settings.environ import SAMPLERS
from otel.tracing.sampling import ParentSampler
from otel.tracing.trace_header import TraceOnly, read_trace_header
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID

ROOT = f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]}"
HEADERS = (None, ROOT, f"{ROOT};Sampled=1", f"{ROOT};Lineage=1:2:0", TRACE_HEADER, TRACE_HEADER.replace("d=1", "d=0"))


@given(name=st.sampled_from(("", *SAMPLERS)), ratio=st.none() | st.floats(0, 1), header=st.sampled_from(HEADERS))
def test_decides_as_the_sdk_does(name: str, ratio: float | None, header: str | None) -> None:
    variables = {"OTEL_TRACES_SAMPLER": name} | ({} if ratio is None else {"OTEL_TRACES_SAMPLER_ARG": str(ratio)})
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in variables.items():
            patch.setenv(variable, value)
        sampler = TracerProvider(shutdown_on_exit=False).sampler

    context = read_trace_header(header)
    parent = trace.get_current_span(ParentSampler(variables).parent(context)).get_span_context()

    expected = sampler.should_sample(context, parent.trace_id, "event").decision
    assert parent.trace_flags.sampled is (expected is Decision.RECORD_AND_SAMPLE)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("header", HEADERS)
def test_keeps_what_the_header_has(name: str, header: str | None) -> None:
    span = trace.get_current_span(ParentSampler({"OTEL_TRACES_SAMPLER": name}).parent(read_trace_header(header)))

    parent = span.get_span_context()
    assert parent.is_valid
    assert parent.is_remote
    assert (f"{parent.trace_id:032x}" == TRACE_ID) is (header is not None)
    has_parent = header is not None and "Parent" in header
    assert (f"{parent.span_id:016x}" == PARENT_ID) is has_parent
    assert isinstance(span, TraceOnly) is not has_parent


def test_each_new_trace_has_an_id_of_its_own() -> None:
    sampler = ParentSampler({"OTEL_TRACES_SAMPLER": "always_on"})
    spans = [trace.get_current_span(sampler.parent(read_trace_header(None))) for _ in range(100)]

    assert len({span.get_span_context().trace_id for span in spans}) == 100
