"""The function does the same with a fast and with a standard cold start, and in the layer, in every fault.

Each is a process of its own.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from emulator.faults import (
    Exchange,
    Fault,
    FaultProxy,
    aws_error,
    garbage_ok,
    hang_up,
    http_status,
    lost_reply,
    sqs_error,
    throttled,
    truncated,
)
from emulator.lambda_runtime.worker import InvocationResult
from tests.integration.cases import CASES, DELAYS
from tests.integration.harness import Services
from tests.support.events import DATE, unique_event
from tests.support.export_modes import export_mode_variables
from tests.support.harness import function_environ
from tests.support.sandbox import Sandbox, sandbox_process
from tests.support.thorough import THOROUGH, few

ADOT = ("aws.local.", "aws.remote.", "net.peer.name")
"""Begin the names of Application Signals' attributes, and of the one that the layer leaves out."""

TIMEOUT = 3.5
"""Seconds; enough for one attempt (1 s) and the end of an invocation (2 s)."""

_VOLATILE_HEADERS = {"amz-sdk-invocation-id", "authorization", "content-length", "host", "user-agent", "x-amz-date"}
_ID = r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|\b[0-9a-f]{16}\b|\b[0-9a-f]{24}\b|[0-9a-f]{32,40}"
_NORMALIZED = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16}"), "TRACE"),
    (re.compile(_ID), "ID"),
    (re.compile(r"(SYM|event|correlation|envelope)-\d+"), r"\1-N"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
)
_VOLATILE_NAMES = re.compile("_ms$|_unix_nano$|Duration$|Latency$|Time$|Timestamp|Memory|^net.peer.port$|^server.port$")


def drip(exchange: Exchange) -> None:
    """Answer a byte at a time and never end: no timeout of a socket is reached."""
    exchange.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while exchange.pause(0.1):
        exchange.write(b".")


TAKEN = few(CASES, of=3)
"""The errors are distinguished in code that both starts share: test_write_failures.py has all of them."""

SCRIPTS: Mapping[str, tuple[Fault, ...]] = {
    "success": (),
    **{f"{case} always": (case.fault,) * 20 for case in TAKEN},
    **{f"{case} once": (case.fault,) for case in few(CASES, of=3, start=1) if len(DELAYS[case.category]) > 1},
    **{
        f"{fault.name} after the commit": (fault,)
        for fault in (
            *(lost_reply(), truncated(), garbage_ok(commit=True), http_status(502, commit=True)),
            aws_error("InternalServerError", 500, commit=True),
        )
    },
    "lost twice, throttled, through": (lost_reply(), lost_reply(), throttled()),
}
QUEUE_FAULTS = (
    throttled(),
    sqs_error("AWS.SimpleQueueService.NonExistentQueue"),
    hang_up(),
    garbage_ok(),
    http_status(403),
)


class Recorder:
    """Runs the scenarios in one process and records everything that leaves it, without IDs and times.

    Args:
        services: The tables and the queue.
        variables: Environment variables of the function.
    """

    def __init__(self, services: Services, variables: Mapping[str, str]) -> None:
        self._services = services
        self._variables = variables

    def record(self) -> Iterator[tuple[str, Any]]:
        """Yield the name of each scenario with what was recorded."""
        tables, queue = self._services.tables, self._services.queue
        with FaultProxy(tables.url) as self._dynamodb, FaultProxy(queue.url) as self._sqs:
            environ = function_environ(
                tables,
                queue,
                AWS_ENDPOINT_URL_DYNAMODB=self._dynamodb.url,
                AWS_ENDPOINT_URL_SQS=self._sqs.url,
                **self._variables,
            )
            with sandbox_process(environ, handler="tests.support.wrapping_handlers.without_waits") as self._sandbox:
                yield from self._scenarios()
            assert self._sandbox.stderr == []

    def _scenarios(self) -> Iterator[tuple[str, Any]]:
        for name, faults in SCRIPTS.items():
            yield name, self._run(self._event(), faults)
        for fault in QUEUE_FAULTS:
            yield f"queue: {fault.name}", self._run(unique_event(), (), (fault,) * 5)
        yield "invalid", self._run(unique_event({"asset_symbol": "", "earnings_date": 1}))
        yield "no event", self._run([1, 2**70, "\ud83d"])
        event = self._event()
        yield "every response lost", self._run(event, (lost_reply(),) * 3)
        yield "every response lost, retried by Lambda", self._run(event)
        yield "no time for an attempt", self._run(self._event(), timeout_s=0.5)
        event = self._event()
        yield "deadline", self._run(event, (Fault("drip", drip),), timeout_s=TIMEOUT)
        yield "deadline, retried by Lambda", self._run(event)

    def _event(self) -> dict[str, Any]:
        event = unique_event()
        self._services.tables.put_row(event["detail"]["asset_symbol"], DATE)
        return event

    def _run(
        self, event: Any, faults: tuple[Fault, ...] = (), queue_faults: tuple[Fault, ...] = (), timeout_s: float = 60
    ) -> Any:
        sandbox, proxies = self._sandbox, (self._dynamodb, self._sqs)
        for proxy, script in zip(proxies, (faults, queue_faults), strict=True):
            with proxy._lock:
                proxy._script.clear()
            proxy.script(*script)
        self._services.queue.drain()  # dead letters of other tests
        before = len(sandbox.stdout), len(sandbox.spans), *(len(proxy.requests) for proxy in proxies)
        result = sandbox.invoke(event, timeout_s=timeout_s)
        requests = [proxy.requests[start:] for proxy, start in zip(proxies, before[2:], strict=True)]
        return normalized(
            {
                "response": _response(result),
                "lines": _lines(sandbox, before[0]),
                "spans": sandbox.spans[before[1] :],
                "requests": [[_request(recorded.request) for recorded in sent] for sent in requests],
                "dead letters": [
                    [dead_letter.body, dict(dead_letter.attributes)] for dead_letter in self._services.queue.drain()
                ],
                "row": self._row(event),
            }
        )

    def _row(self, event: Any) -> Any:
        if not isinstance(event, dict):
            return None
        key = str(event["detail"]["asset_symbol"]) or "none", DATE
        return [self._services.tables.row(*key), self._services.tables.audit(*key)]


def _response(result: InvocationResult) -> Any:
    return [result.status, json.loads(result.payload) if result.payload else None, result.error_text()]


def _lines(sandbox: Sandbox, start: int) -> list[Any]:
    return [json.loads(line) for line in sandbox.stdout[start:]]


def _request(request: Any) -> Any:
    headers = {name: value for name, value in request.headers.items() if name not in _VOLATILE_HEADERS}
    return [request.method, request.path, headers, request.json]


def normalized(thing: Any, name: str = "") -> Any:
    """Return JSON without what differs from run to run: times, IDs, numbers of rows, ports, sizes of memory."""
    if isinstance(thing, dict):
        return {key: normalized(value, name if _VOLATILE_NAMES.search(name) else key) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [normalized(item, name) for item in thing]
    if isinstance(thing, str):
        for pattern, replacement in _NORMALIZED:
            thing = pattern.sub(replacement, thing)
        return thing
    volatile = isinstance(thing, int | float) and not isinstance(thing, bool) and _VOLATILE_NAMES.search(name)
    return "NUMBER" if volatile else thing


@pytest.fixture(scope="module")
def fast(services: Services) -> dict[str, Any]:
    """Everything that leaves a function with a fast start."""
    return dict(Recorder(services, {"HANDLER_COLD_START": "fast"}).record())


@pytest.fixture(scope="module")
def standard(services: Services) -> dict[str, Any]:
    """Everything that leaves a function with a standard start."""
    return dict(Recorder(services, {"HANDLER_COLD_START": "standard"}).record())


@pytest.fixture(scope="module")
def layer(services: Services) -> dict[str, Any]:
    """Everything that leaves a function in ADOT's layer."""
    return dict(Recorder(services, export_mode_variables("layer")).record())


def outcome(recorded: Any) -> tuple[str | None, str | None]:
    """Return the category and the code of the error in the outcome's log line."""
    (line,) = [line for line in recorded["lines"] if line.get("event_type") == "event_outcome"]
    return line.get("error_category"), line.get("error_code")


def test_the_scenarios_happen(standard: dict[str, Any]) -> None:
    for case in TAKEN:
        assert outcome(standard[f"{case} always"]) == (case.category, case.code)
    assert outcome(standard["deadline"])[0] == "timeout"
    assert standard["deadline"]["response"][0] == "timeout"
    assert outcome(standard["no time for an attempt"]) == ("timeout", "NoTimeForAnAttempt")
    assert outcome(standard["success"]) == (None, None)


def test_both_starts_agree(fast: dict[str, Any], standard: dict[str, Any]) -> None:
    assert fast.keys() == standard.keys()
    for name, recorded in fast.items():
        assert recorded == standard[name], name


@pytest.mark.skipif(
    not THOROUGH, reason="one process and all faults more: a thorough run, as in the soak step of .ci/run"
)
def test_direct_mode_and_the_layer_agree(fast: dict[str, Any], layer: dict[str, Any]) -> None:
    assert fast.keys() == layer.keys()
    for name, recorded in fast.items():
        assert in_any_mode(layer[name]) == in_any_mode(recorded), name


def in_any_mode(recorded: Any) -> Any:
    """Return what was recorded, without what is ADOT's own: the resource, and the attributes of Application Signals.

    In direct mode, the exception is the first of the span's events, whenever it was.
    """
    spans = [
        {
            **span,
            "resource": None,
            "events": sorted(span["events"], key=repr),
            "attributes": {name: value for name, value in span["attributes"].items() if not name.startswith(ADOT)},
        }
        for span in recorded["spans"]
    ]
    return {**recorded, "spans": spans}
