"""The spans of every kind of event are those from which the committed X-Ray segment documents were made.

The exporter that makes the documents runs in `make test-collector` only; what decides their meaning is held here.
"""

import uuid

import pytest

from tests.integration.conftest import NewHarness
from tests.integration.harness import Services
from tests.support.golden_trace import (
    ENVIRON,
    REGENERATE,
    SPANS,
    faults,
    golden_spans,
    load,
    replacements,
    save,
    steps,
)


def test_the_spans_are_those_of_the_committed_segments(
    new_harness: NewHarness, services: Services, request: pytest.FixtureRequest
) -> None:
    run = uuid.uuid4().hex[:8].upper()
    events = steps(services.tables, run)
    harness = new_harness(**ENVIRON)
    harness.dynamodb.script(*faults(events), operation="TransactWriteItems")

    spans = [span for step in events for span in harness.function(step.event).spans]

    assert harness.dynamodb.unused == ()
    made = golden_spans(spans, replacements(services.tables, services.queue, run))
    if request.config.getoption("--update-golden"):
        save(SPANS, made)
    assert made == load(SPANS), REGENERATE
