"""Sandboxes that were restored from one snapshot: what is unique, fresh or secret comes after the restore."""

import base64
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.faults import (
    Fault,
    FaultProxy,
    Reply,
    answer,
    aws_error,
    cancelled,
    endless,
    forward,
    http_status,
    reset_before,
    sqs_error,
    stall,
    throttled,
)
from emulator.lambda_runtime.span_receiver import HEADER, SpanDict, decode_datagram
from tests.integration.conftest import NewHarness
from tests.integration.harness import Services
from tests.integration.modes import COLLECTOR, DIRECT, LAYERS, sandbox_in_mode
from tests.support.events import DATE, unique_event
from tests.support.harness import function_environ
from tests.support.snapshots import SNAP_START, Planned, Snapshot, restore
from tests.support.telemetry import emf_values
from tests.support.udp import SpanSocket, span_socket

SANDBOXES = 3
EVENTS = 2
SPANS_AN_EVENT = 3
"""The root, and one for each attempt: the one that conflicts and the one that succeeds."""

FULL, FAST = "layer, full", "layer, fast start"
TOKEN = "token-of-the-container-endpoint"
DUMMY_KEY = "AKIAIOSFODNN7EXAMPLE"
ACCEPTED = Reply(200, b"", {"Content-Type": "application/x-protobuf"})


def credentials(number: int) -> Fault:
    """What the container endpoint responds to the sandbox of this number."""
    body = {
        "AccessKeyId": f"KEY{number}",
        "SecretAccessKey": "secret",
        "Token": "session",
        "Expiration": (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return answer(Reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"}))


@dataclass(frozen=True)
class Surroundings:
    """Everything that a sandbox can reach.

    Attributes:
        settings: Environment variables.
    """

    settings: Mapping[str, str]
    dynamodb: FaultProxy
    sqs: FaultProxy
    collector: FaultProxy
    endpoint: FaultProxy
    _daemon: SpanSocket
    _services: Services

    def spans(self) -> list[SpanDict]:
        """All spans since the last call."""
        sampled = json.dumps(HEADER).encode() + b"\nT1S"
        posted = [sampled + base64.b64encode(each.request.body) for each in self.collector.requests]
        return [span for datagram in [*self._daemon.take_raw(), *posted] for span in decode_datagram(datagram)]

    def events(self, count: int = EVENTS) -> list[dict[str, Any]]:
        """Events, for each of which there is a row."""
        events = [unique_event() for _ in range(count)]
        for event in events:
            self._services.tables.put_row(event["detail"]["asset_symbol"], DATE)
        return events

    def audit_entries(self, event: Mapping[str, Any]) -> int:
        """How often the event's row was marked."""
        return len(self._services.tables.audit(event["detail"]["asset_symbol"], DATE))


@contextmanager
def surroundings(services: Services, mode: str, *writes: Fault, sandboxes: int, **more: str) -> Iterator[Surroundings]:
    """Services behind proxies, with credentials for each sandbox.

    Args:
        services: What the proxies forward to.
        mode: The export mode.
        writes: Faults of the transactions, in order.
        sandboxes: How many ask for credentials, with one more for each that sends a dead letter.
        more: Environment variables.
    """
    with (
        FaultProxy(services.tables.url, *writes, operation="TransactWriteItems") as dynamodb,
        FaultProxy(services.queue.url) as sqs,
        FaultProxy("http://127.0.0.1:1", otherwise=answer(ACCEPTED)) as collector,
        FaultProxy("http://127.0.0.1:1", *map(credentials, range(sandboxes))) as endpoint,
        span_socket() as daemon,
    ):
        of_mode = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} if mode == COLLECTOR else LAYERS.get(mode, {})
        given = {
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url,
            "AWS_ENDPOINT_URL_SQS": sqs.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
            "AWS_XRAY_DAEMON_ADDRESS": daemon.endpoint,
            "AWS_CONNECT_TIMEOUT_SECONDS": "30",
            "AWS_READ_TIMEOUT_SECONDS": "50",
            **of_mode,
            **more,
        }
        settings = function_environ(services.tables, services.queue, **given)
        yield Surroundings(settings, dynamodb, sqs, collector, endpoint, daemon, services)


@pytest.mark.parametrize("mode", [DIRECT, COLLECTOR, FAST, FULL])
def test_restored_sandboxes_share_nothing(services: Services, mode: str) -> None:
    """No ID, no delay, no credentials, no connection; and the priming has left nothing."""
    writes = [cancelled("TransactionConflict", "None"), forward()] * (EVENTS * SANDBOXES)
    with surroundings(services, mode, *writes, sandboxes=SANDBOXES) as around:
        planned = [Planned(around.events()) for _ in range(SANDBOXES)]
        snapshot = restore(around.settings, *planned)
        spans = around.spans()

        assert_clean(snapshot, mode)
        assert [sandbox.responses for sandbox in snapshot.sandboxes] == [
            [{"outcome": "marked", "correlation_id": event["detail"]["correlation_id"]} for event in sandbox.events]
            for sandbox in planned
        ]
        assert {around.audit_entries(event) for sandbox in planned for event in sandbox.events} == {1}
        assert [attempt.request.headers["authorization"] for attempt in around.endpoint.requests] == [TOKEN] * SANDBOXES
        assert keys_of(around.dynamodb) == [f"KEY{number}" for number in range(SANDBOXES) for _ in range(2 * EVENTS)]
        assert around.sqs.requests == ()
        # An event begins a trace; each has the spans of its attempts, and there are no others.
        assert len(spans) == len({span["span_id"] for span in spans}) == SANDBOXES * EVENTS * SPANS_AN_EVENT
        assert len({span["trace_id"] for span in spans}) == SANDBOXES * EVENTS
        assert len({span["resource"]["faas.instance"] for span in spans} - {""}) == SANDBOXES
        assert {group for span in spans for group in log_groups(span)} == {"/aws/lambda/MarkEarningsProcessed"}
    delays = [line["delay_ms"] for sandbox in snapshot.sandboxes for line in sandbox.logs if "delay_ms" in line]
    assert len(delays) == len(set(delays)) == SANDBOXES * EVENTS
    for sandbox in snapshot.sandboxes:
        assert_started_once(sandbox.metrics)
        assert [line["cold_start"] for line in sandbox.logs if line["event_type"] == "event_outcome"] == [True, False]


def test_without_the_hooks_the_layers_ids_would_be_shared(services: Services) -> None:
    """What the hook is for. If this fails, ADOT has learned to do without the process-wide generator."""
    with surroundings(services, FAST, sandboxes=0, AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local") as around:
        planned = [Planned(around.events(1)) for _ in range(2)]
        process = restore(around.settings, *planned, with_hooks=False)
        spans = around.spans()

    assert process.modules == []  # without SnapStart, nothing of it is loaded
    assert len(spans) == 4
    assert len({span["span_id"] for span in spans}) == 2


def test_lambdas_own_runtime_client_runs_both_hooks(services: Services) -> None:
    with sandbox_in_mode(services, DIRECT, **SNAP_START) as running:
        spans = running.mark_a_row()
        (line,) = running.sandbox.metrics

    (instance,) = {span["resource"]["faas.instance"] for span in spans}
    assert len(instance) == 32
    assert (line["ColdStarts"], "InitDuration" in line) == (1, True)
    assert running.sandbox.stderr == []


@pytest.mark.parametrize("mode", [DIRECT, FAST])
def test_faults_after_a_restore(services: Services, mode: str) -> None:
    """Each ends as it does in a sandbox that was started: throttled, reset, denied, hanging, killed."""
    writes = (
        *(throttled(), forward()),
        *(reset_before(), forward()),
        aws_error("AccessDeniedException"),
        endless(0.2),  # each byte is in time
        *(stall(commit=True), forward(), forward()),
    )
    timeouts = {"AWS_CONNECT_TIMEOUT_SECONDS": "1", "AWS_READ_TIMEOUT_SECONDS": "1.5"}
    with surroundings(services, mode, *writes, sandboxes=7, **timeouts) as around:
        throttled_one, reset, denied, hanging, killed = ([event] for event in around.events(5))
        snapshot = restore(
            around.settings,
            Planned(throttled_one),
            Planned(reset),
            Planned(denied),
            Planned(hanging, deadline_s=5.5, killed_after_s=9.0),  # by Lambda, at the deadline
            Planned(killed, killed_after_s=1.0),
            Planned([*killed, *hanging]),
        )
        assert_clean(snapshot, mode)
        assert [around.audit_entries(event) for event in (*throttled_one, *reset, *hanging, *killed)] == [1] * 4
        assert around.audit_entries(*denied) == 0

    ends = [[each.get("outcome", "raised") for each in sandbox.responses] for sandbox in snapshot.sandboxes]
    assert ends[:5] == [["marked"], ["marked"], ["dead_lettered"], [], []]
    assert ends[5] in (["marked", "marked"], ["duplicate", "marked"])  # the killed process may have been too slow
    assert [sandbox.killed for sandbox in snapshot.sandboxes] == [False, False, False, True, True, False]
    assert [emf_values(sandbox.metrics, "Retries") for sandbox in snapshot.sandboxes[:2]] == [[1], [1]]
    assert [line["event_type"] for line in snapshot.sandboxes[2].logs] == ["event_outcome", "access_denied"]
    assert [line["error_code"] for line in snapshot.sandboxes[3].logs] == ["DeadlineExceeded"]  # by the watchdog


def assert_clean(snapshot: Snapshot, mode: str) -> None:
    """Nothing remains of the priming."""
    assert snapshot.output == ""
    assert snapshot.stream_sockets == 0
    assert {host for host in snapshot.hosts if not host.startswith("127.0.0.1")} == set()
    # ADOT's batch processor restarts its thread after a fork; on Lambda, threads are in the snapshot.
    assert snapshot.threads == (["OtelBatchSpanRecordProcessor"] if mode == FULL else [])


def assert_started_once(metrics: Iterable[Mapping[str, Any]]) -> None:
    """A sandbox reports its start with its first event, and each event once."""
    lines = list(metrics)
    assert emf_values(lines, "ColdStarts") == [1]
    assert len(emf_values(lines, "InitDuration")) == 1
    assert emf_values(lines, "EventsReceived") == [1] * len(lines)


def keys_of(proxy: FaultProxy) -> list[str]:
    """The access keys with which requests were signed."""
    headers = [each.request.headers["authorization"] for each in proxy.requests]
    return [header.partition("Credential=")[2].partition("/")[0] for header in headers]


def log_groups(span: SpanDict) -> list[str]:
    groups = span["resource"]["aws.log.group.names"]
    return [groups] if isinstance(groups, str) else groups


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
