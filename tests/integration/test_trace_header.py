"""Every form of Lambda's trace header, in every export mode: what is sent, and what the log says."""

import pytest

from emulator.lambda_runtime.span_receiver import SpanDict
from tests.integration.harness import Services
from tests.integration.modes import COLLECTOR, USUAL_MODES, ModeSandbox, sandbox_in_mode
from tests.support.telemetry import PARENT_ID, TRACE_HEADER, TRACE_ID

ROOT = TRACE_HEADER.partition(";")[0]
LINEAGE = "Lineage=061379e8:0"
PARENT = f"Parent={PARENT_ID}"
FORMS = {
    # the header: the parent that is exported, whether the trace is sampled
    TRACE_HEADER: (PARENT_ID, True),
    f"{TRACE_HEADER};": (PARENT_ID, True),
    f"{TRACE_HEADER};{LINEAGE}": (PARENT_ID, True),
    f"Sampled=1; {PARENT} ;Self=1-68d1f2a3-0123456789abcdef01234567; {ROOT}": (PARENT_ID, True),
    f"{ROOT};{PARENT};Sampled=0": (PARENT_ID, False),
    f"{ROOT};{PARENT};Sampled=?": (PARENT_ID, False),
    f"{ROOT};{PARENT}": (PARENT_ID, False),
    ROOT: (None, False),
    f"{ROOT};{LINEAGE}": (None, False),
    f"{ROOT};Sampled=?": (None, False),
    f"{ROOT};Sampled=0": (None, False),
    f"{ROOT};Sampled=1": (None, True),
    f"{ROOT};Parent=0000000000000000;Sampled=1": (None, True),
}
UNREADABLE = ("", "nonsense", "Root=1-5759e988;Parent=53995c3f42cd8ad8;Sampled=0", f"Root=1-{0:08x}-{0:024x};Sampled=0")


@pytest.mark.parametrize("mode", USUAL_MODES)
def test_the_trace_id_is_kept_whatever_form_the_header_has(services: Services, mode: str) -> None:
    with sandbox_in_mode(services, mode) as running:
        seen = {header: delivered(running, header) for header in FORMS}
        own = [delivered(running, header) for header in UNREADABLE]

    for header, (parent, sampled) in FORMS.items():
        spans, logged = seen[header]
        assert logged == TRACE_ID, header
        # ADOT's whole SDK exports unsampled spans for Application Signals only.
        exported = sampled or not mode.startswith((COLLECTOR, "layer, full"))
        assert summary(spans) == ([(TRACE_ID, parent, sampled)] if exported else []), header
        assert len(spans) == (2 if exported else 0), header
    for spans, logged in own:
        assert summary(spans) == [(logged, None, True)]
        assert logged != TRACE_ID
    assert len({logged for _, logged in own}) == len(UNREADABLE)


@pytest.mark.parametrize("mode", [mode for mode in USUAL_MODES if "fast start" not in mode])
def test_always_on_samples_what_lambda_does_not(services: Services, mode: str) -> None:
    with sandbox_in_mode(services, mode, OTEL_TRACES_SAMPLER="always_on") as running:
        spans, logged = delivered(running, f"{ROOT};{LINEAGE}")

    assert logged == TRACE_ID
    assert summary(spans) == [(TRACE_ID, None, True)]
    assert len(spans) == 2


def delivered(running: ModeSandbox, header: str) -> tuple[list[SpanDict], str]:
    """The spans of an event that came with this header, and the trace ID on its log line."""
    spans = running.mark_a_row(header)
    return spans, running.sandbox.logs[-1]["trace_id"]


def summary(spans: list[SpanDict]) -> list[tuple[str, str | None, bool]]:
    """Trace, parent, and whether it is sampled, of each root; the other spans must lie below it."""
    roots = [span for span in spans if span["kind"] == "SERVER"]
    for span in spans:
        assert span in roots or span["parent_span_id"] == roots[0]["span_id"]
        assert (span["trace_id"], span["sampled"]) == (roots[0]["trace_id"], roots[0]["sampled"])
    return [(root["trace_id"], root["parent_span_id"], root["sampled"]) for root in roots]
