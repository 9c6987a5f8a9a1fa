"""IDs come from the kernel and are valid, whatever it returns."""

import os
import random
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN_ID, SpanContext

from otel.tracing.ids import new_span_id, new_trace_id
from otel.tracing.provider import KernelIds


def test_ids_are_valid_and_differ() -> None:
    contexts = [SpanContext(new_trace_id(), new_span_id(), is_remote=False) for _ in range(1_000)]

    assert all(context.is_valid for context in contexts)
    assert len({context.trace_id for context in contexts}) == len({context.span_id for context in contexts}) == 1_000


def test_the_process_wide_generator_is_not_used() -> None:
    drawn = []
    for _ in range(2):
        random.seed(7)
        before = random.getstate()
        drawn += [new_trace_id() & (1 << 96) - 1, new_span_id()]
        assert random.getstate() == before
    assert len(set(drawn)) == 4


def test_a_trace_id_begins_with_the_time() -> None:
    before = int(time.time())
    seconds = new_trace_id() >> 96

    assert before <= seconds <= int(time.time())


def test_no_span_id_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([bytes(8), bytes(8), b"\0" * 7 + b"\1"])
    monkeypatch.setattr(os, "urandom", lambda _: next(answers))

    assert new_span_id() == 1 != INVALID_SPAN_ID


def test_the_sdk_uses_them_and_flags_them_as_random() -> None:
    provider = TracerProvider(id_generator=KernelIds(), shutdown_on_exit=False)
    random.seed(7)
    before = random.getstate()

    with provider.get_tracer("a library").start_as_current_span("root") as span:
        context = span.get_span_context()

    assert random.getstate() == before
    assert context.is_valid
    assert context.trace_flags.random_trace_id
