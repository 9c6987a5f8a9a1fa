"""Priming: events that the function processes before the snapshot, and of which nothing remains but warm code.

They go through a second `Processor` with the function's own clients and tracing. Log and metric lines are discarded;
requests and spans go to a server of this process (`loopback`), signed with dummies.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from handler import contract
from handler.aws import credentials_of
from handler.calendar_store import CalendarStore
from handler.dead_letters import DeadLetterQueue
from handler.outcome import INSTRUMENTATION, OutcomeKind
from handler.processor import Processor
from handler.settings import Settings
from handler.snapshot.loopback import Loopback, loopback
from handler.snapshot.tls import preload_authorities
from otel import memory
from otel.telemetry import Telemetry
from otel.watchdog import Watchdog

TRACE_HEADER = "Root=1-00000000-000000000000000000000000;Parent=0000000000000001;Sampled=1"
_TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


class PrimingError(Exception):
    """An event of the priming has another outcome than it should."""


class Context:
    """Lambda's context object of a priming event."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, settings: Settings) -> None:
        telemetry = settings.telemetry
        self.invoked_function_arn = f"arn:aws:lambda:{settings.region}:000000000000:function:{telemetry.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the deadline."""
        return 900_000  # whatever timeouts are set, there is time for each attempt


class _NoWatchdog(Watchdog):
    """Starts no thread: none may be in the snapshot."""

    def arm(self, *_: object) -> None:
        """Do nothing."""


class Case(NamedTuple):
    """A priming event.

    Attributes:
        replies: What AWS answers, in order.
        outcome: How the event ends.
    """

    replies: tuple[tuple[int, dict[str, Any]], ...]
    outcome: OutcomeKind


def _cancelled(row: Mapping[str, Any] | None) -> tuple[int, dict[str, Any]]:
    failed = {"Code": "ConditionalCheckFailed", "Message": "", **({"Item": row} if row else {})}
    return 400, {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "",
        "CancellationReasons": [failed, {"Code": "None"}],
    }


_COMMITTED = (200, {"ConsumedCapacity": [{"TableName": "priming", "CapacityUnits": 2.0}]})
_THROTTLED = (400, {"__type": "com.amazon.coral.availability#ThrottlingException", "message": ""})
_SENT = (200, {"MessageId": "priming"})
_MARKED_ROW = {contract.PROCESSED: {"BOOL": True}, contract.PROCESSED_BY: {"S": "priming"}}

CASES = (
    Case((_THROTTLED, _COMMITTED), OutcomeKind.MARKED),
    Case((_cancelled(_MARKED_ROW),), OutcomeKind.DUPLICATE),
    Case((_cancelled(None), _SENT), OutcomeKind.DEAD_LETTERED),
    Case((_COMMITTED,), OutcomeKind.MARKED),  # last: what an attempt leaves in a connection pool is of a success
)


def priming_event(settings: Settings) -> dict[str, Any]:
    """Return an event that the function accepts, with every field that producers send."""
    keys = dict(zip(contract.KEY_FIELDS, contract.PROBE_KEY, strict=True))
    return {
        "version": "0",
        "id": "00000000-0000-4000-8000-000000000000",
        "source": settings.event_source,
        "detail-type": contract.DETAIL_TYPE,
        "account": "000000000000",
        "time": "2026-02-03T21:05:00Z",
        "region": settings.region,
        "resources": [],
        "detail": {
            **keys,
            "event_id": "priming",
            "correlation_id": "priming",
            contract.PROCESSED_AT: "2026-02-03T21:04:58Z",
            "traceparent": "00-00000000000000000000000000000001-0000000000000001-01",
        },
    }


def prime(settings: Settings, dynamodb: Any, dead_letters: DeadLetterQueue, tracing: Any) -> None:
    """Process the priming events.

    Args:
        settings: Those of the function.
        dynamodb: Its client.
        dead_letters: Its queue; creates its client now.
        tracing: Its tracing; None without.

    Raises:
        PrimingError: An event has another outcome than it should.
    """
    sqs = dead_letters.client()
    for client in (dynamodb, sqs):
        preload_authorities(client)
    memory.used_mb()
    if any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in os.environ):
        return  # the requests would leave through the proxy
    with ExitStack() as stack:
        server = stack.enter_context(loopback())
        stack.enter_context(_quiet())
        for client in (dynamodb, sqs):
            stack.enter_context(_redirected(client, server))
        if tracing is not None:
            from otel.tracing.rehearsal import rehearsing

            tracing = stack.enter_context(rehearsing(tracing, settings.telemetry, server.url, server.daemon))
        processor = _second_processor(settings, dynamodb, sqs, tracing)
        for case in CASES:
            server.replies[:] = case.replies
            outcome = processor(json.loads(json.dumps(priming_event(settings))), Context(settings))["outcome"]
            if outcome != case.outcome:
                raise PrimingError


def _second_processor(settings: Settings, dynamodb: Any, sqs: Any, tracing: Any) -> Processor:
    """Return a function whose lines are discarded, and which waits for nothing."""
    telemetry = Telemetry(
        settings.telemetry,
        INSTRUMENTATION,
        write=lambda _: None,
        tracing=tracing,
        init_duration_ms=0.0,
        watchdog=_NoWatchdog(),
        used_mb=lambda: 0.0,
    )
    return Processor(
        settings,
        calendar=CalendarStore(dynamodb, settings),
        dead_letters=DeadLetterQueue(lambda: sqs, settings.dead_letter_queue_url),
        telemetry=telemetry,
        jitter=lambda _low, _high: 0.0,
    )


@contextmanager
def _redirected(client: Any, server: Loopback) -> Iterator[None]:
    """Send the requests of a client to the server inside the block, signed with dummies, and leave no connection."""
    client.meta.events.register_first("before-send", server.redirect)
    try:
        with credentials_of(client).replaced_by(server.url):
            yield
    finally:
        client.meta.events.unregister("before-send", server.redirect)
        client.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop the log lines of libraries inside the block, and give the events a trace header."""
    before = os.environ.get(_TRACE_VARIABLE)
    disabled = logging.root.manager.disable
    os.environ[_TRACE_VARIABLE] = TRACE_HEADER
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        if before is None:
            del os.environ[_TRACE_VARIABLE]
        else:
            os.environ[_TRACE_VARIABLE] = before
