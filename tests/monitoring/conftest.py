"""Fixtures: what the function really told of each kind of event, recorded once."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.cases import CASES, DELAYS
from tests.integration.conftest import services
from tests.integration.rig import Rig, Services, event_for_no_row
from tests.support.faults import Exchange, Fault, FaultProxy, slow, throttled
from tests.support.function import function, settings, shortest

__all__ = ["services"]

EACH = 5
"""How many events of each kind are run."""

SLOW_SECONDS = 0.9
"""How long a slow event takes: longer than five sixths of a second."""

Told = Mapping[str, list[dict[str, Any]]]
"""EMF documents by kind of event: `marked`, `duplicate`, `second`, `helped`, `slow`, `full`, and the categories."""


def make_rig(stack: ExitStack, services: Services, **environ: str) -> Rig:
    dynamodb = stack.enter_context(FaultProxy(services.tables.url))
    sqs = stack.enter_context(FaultProxy(services.queue.url))
    between = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url, "AWS_ENDPOINT_URL_SQS": sqs.url, "ENVIRONMENT": "test"}
    given = settings(services.tables, services.queue, **(between | environ))
    return Rig(stack.enter_context(function(given, jitter=shortest)), services, dynamodb, sqs)


@pytest.fixture(scope="session")
def told(services: Services) -> Told:
    """Every kind of event, run on DynamoDB Local through a proxy that makes the faults."""
    found: dict[str, list[dict[str, Any]]] = {}
    with ExitStack() as stack:
        rig = make_rig(stack, services)
        rig(rig.event_for_a_row())  # the cold start, which is news in itself
        for kind in (*_SIMPLE, "validation", "timeout", "duplicate", "second", "helped", "slow"):
            found[kind] = [_run(rig, kind) for _ in range(EACH)]
    with ExitStack() as stack:
        small = make_rig(stack, services, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="16")  # far less than this process has
        found["full"] = [small(small.event_for_a_row()).metric_line for _ in range(EACH)]
    return found


_SIMPLE: Mapping[str, Fault | None] = {
    "marked": None,
    "not_found": None,
    **{
        category: next(case.fault for case in CASES if case.category == category)
        for category in ("throttling", "network", "conflict", "dynamodb", "access_denied", "configuration", "internal")
    },
}


def _run(rig: Rig, kind: str) -> dict[str, Any]:
    event = rig.event_for_a_row() if kind != "not_found" else event_for_no_row()
    match kind:
        case "validation":
            event["detail"]["earnings_date"] = "soon"
        case "timeout":
            rig.dynamodb.script(_overslept(rig))
            return rig.function(event).metric_line
        case "duplicate":
            rig(event)
        case "second":
            rig(event)
            event["detail"]["event_id"] += "-again"
        case "slow":
            rig.dynamodb.script(slow(SLOW_SECONDS))
        case "helped":
            rig.dynamodb.script(throttled(), throttled())
        case _:
            fault = _SIMPLE[kind]
            if fault is not None:
                rig.dynamodb.script(*[fault] * (len(DELAYS[kind]) + 1), operation="TransactWriteItems")
    return rig(event).metric_line


def _overslept(rig: Rig) -> Fault:
    """A reply that comes after the deadline: the watchdog strikes meanwhile."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        rig.function.clock.advance(60)
        exchange.reply(reply)

    return Fault("overslept", act)
