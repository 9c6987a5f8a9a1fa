"""A secret in an environment variable appears in nothing that the function's process emits."""

import json

import pytest

from tests.integration.harness import Services
from tests.integration.modes import COLLECTOR, DIRECT, LAYERS, sandbox_in_mode
from tests.integration.sentinel import CORE, leaks
from tests.integration.variables import LAYER_DEFAULT, NO_EFFECT
from tests.support.events import unique_event
from tests.support.sandbox import Sandbox

WELL_FORMED = {
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{CORE}",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"x-key={CORE}",
    "NO_PROXY": f"127.0.0.1,{CORE}.invalid",
    "HTTPS_PROXY": f"http://user:{CORE}@127.0.0.1:9",
}


def emitted(sandbox: Sandbox) -> list[str | bytes]:
    return [*sandbox.stdout, *sandbox.stderr, *sandbox.datagrams, json.dumps(sandbox.spans)]


MODES = [DIRECT, COLLECTOR, *(mode for mode in LAYERS if mode.endswith(("fast start", "full")))]


@pytest.mark.parametrize("mode", MODES)
def test_in_values_that_are_taken(services: Services, mode: str) -> None:
    """In the variables without effect, and well-formed in those that carry secrets."""
    refused = {"no_proxy", *(LAYER_DEFAULT if mode in LAYERS else ())}
    given = {**dict.fromkeys(set(NO_EFFECT) - refused, f"s3 {CORE}"), **WELL_FORMED, "DATABASE_PASSWORD": CORE}
    services.dead_letters.extend(services.queue.drain())  # of other tests
    with sandbox_in_mode(services, mode, **given) as function:
        function.mark_a_row()
        results = [function.sandbox.invoke(event) for event in (unique_event(), {"not": "an event"})]
        dead_letters = services.queue.drain()

        assert leaks(*emitted(function.sandbox), json.dumps(function.spans)) == []
        assert leaks(*(result.payload for result in results)) == []
        assert leaks(*(json.dumps(dict(dead_letter.attributes)) for dead_letter in dead_letters)) == []
        assert len(dead_letters) == 2
