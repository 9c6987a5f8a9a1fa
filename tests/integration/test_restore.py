"""Sandboxes that were restored from one snapshot: what one of them draws at random, no other does."""

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from emulator.faults import Fault, cancelled, forward, http_status, reset_before, sqs_error, throttled
from tests.integration.conftest import NewHarness
from tests.integration.harness import Services
from tests.integration.modes import MODES, sandbox_in_mode
from tests.support.events import unique_event

SANDBOXES = 3
EVENTS = 2
SPANS_AN_EVENT = 3
"""The root, and one for each attempt: the throttled one and the one that succeeds."""


@dataclass(frozen=True)
class Drawn:
    """What one sandbox drew.

    Attributes:
        trace_ids: 32 hex digits each.
        span_ids: 16 hex digits each.
        delays_ms: Of the waits between attempts.
    """

    trace_ids: set[str]
    span_ids: set[str]
    delays_ms: set[float]


@pytest.mark.parametrize("mode", MODES)
def test_restored_sandboxes_share_no_id_and_no_delay(services: Services, mode: str) -> None:
    with ThreadPoolExecutor(SANDBOXES) as executor:
        drawn = list(executor.map(lambda _: restored(services, mode, "snap-start"), range(SANDBOXES)))

    assert {len(each.trace_ids) for each in drawn} == {EVENTS}
    assert {len(each.span_ids) for each in drawn} == {EVENTS * SPANS_AN_EVENT}
    assert {len(each.delays_ms) for each in drawn} == {EVENTS}
    assert common(each.trace_ids for each in drawn) == set()
    assert common(each.span_ids for each in drawn) == set()
    assert common(each.delays_ms for each in drawn) == set()


@pytest.mark.parametrize("mode", ["layer, full", "layer, fast start"])
def test_without_the_hook_the_layers_ids_would_be_shared(services: Services, mode: str) -> None:
    """What the hook is for. If this fails, ADOT has learned to do without the process-wide generator."""
    with ThreadPoolExecutor(SANDBOXES) as executor:
        drawn = list(executor.map(lambda _: restored(services, mode, "on-demand"), range(SANDBOXES)))

    shared_traces = 0 if mode == "layer, fast start" else EVENTS  # there, the function starts the traces
    assert len(common(each.trace_ids for each in drawn)) == shared_traces
    assert len(common(each.span_ids for each in drawn)) == EVENTS * SPANS_AN_EVENT
    assert common(each.delays_ms for each in drawn) == set()


def test_no_event_draws_from_the_process_wide_generator(new_harness: NewHarness) -> None:
    """Whatever happens to it: what it would draw, the other sandboxes would draw, too."""
    harness = new_harness(jitter=None)
    events = [harness.event_for_a_row() for _ in range(3)]
    before = random.getstate()

    harness.dynamodb.script(throttled(), cancelled("TransactionConflict", "None"), reset_before(), http_status(503))
    harness.sqs.script(sqs_error("ThrottlingException"))
    invoked = [harness.function(event) for event in (*events, events[0], unique_event(), {"not": "an event"}, "x")]

    assert random.getstate() == before
    outcomes = [each.outcome_line["outcome"] for each in invoked]
    assert outcomes == ["marked"] * 3 + ["duplicate"] + ["dead_lettered"] * 3
    waits = [wait for each in invoked for wait in each.waits]
    assert len(set(waits)) == len(waits) == 5


def common[T](of_each: Iterable[set[T]]) -> set[T]:
    """What more than one of them has."""
    sets = list(of_each)
    return {thing for each in sets for thing in each if sum(thing in other for other in sets) > 1}


def restored(services: Services, mode: str, initialization_type: str) -> Drawn:
    """Start a sandbox with the state of the snapshot, and deliver events, each of which is throttled once."""
    script: list[Fault] = [throttled(), forward()] * EVENTS
    handler = "tests.support.restored.lambda_handler"
    more = {"AWS_LAMBDA_INITIALIZATION_TYPE": initialization_type}
    with sandbox_in_mode(services, mode, *script, handler=handler, **more) as running:
        spans = [span for _ in range(EVENTS) for span in running.mark_a_row()]
        delays = [line["delay_ms"] for line in running.sandbox.logs if "delay_ms" in line]
    return Drawn({span["trace_id"] for span in spans}, {span["span_id"] for span in spans}, set(delays))
