"""The events whose spans and X-Ray segment documents are committed under `golden/`, and the form they have there.

What differs from run to run (IDs, times, ports, names of tables) has a fixed value there, and versions of libraries and
Python have none: an upgrade alone changes nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from emulator.environment import ACCOUNT_ID, REGION
from emulator.faults import Fault, aws_error, forward, reset_before, throttled
from emulator.lambda_runtime.span_receiver import SpanDict
from tests.support.events import DATE, eventbridge_event
from tests.support.stores import DeadLetters, Tables

FOLDER = Path(__file__).with_name("golden")
SPANS, SEGMENTS = FOLDER / "spans.json", FOLDER / "segments.json"
REGENERATE = (
    "if the change is meant: .venv/bin/python -m pytest --update-golden "
    "tests/integration/test_golden_spans.py tests/system/collector/test_golden_segments.py"
)
"""What a failed comparison advises. The segments need the collector, which `make test-collector` builds."""

FUNCTION = "MarkEarningsProcessed"
PRODUCER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
"""A traceparent with a trace ID that X-Ray would not have made."""
_PRODUCERS_IDS = frozenset(PRODUCER.split("-")[1:3])

ENVIRON: Mapping[str, str] = {
    "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{FUNCTION}",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2025/07/31/[7]0123456789abcdef",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
    "ENVIRONMENT": "test",
}
"""The function's variables, besides those that name its services."""

_ACCOUNT = "111122223333"
_EPOCH = 0x6B000000
"""Seconds: the time of the golden trace IDs and spans."""

_FIXED: Mapping[str, Any] = {
    "faas.invocation_id": "request",
    "aws.request_id": "REQUEST",
    "messaging.message.id": "message",
    "faas.instance": ENVIRON["AWS_LAMBDA_LOG_STREAM_NAME"],
    "server.address": f"dynamodb.{REGION}.amazonaws.com",
    "server.port": 443,
    "net.peer.name": f"dynamodb.{REGION}.amazonaws.com",
    "telemetry.sdk.version": "VERSION",
    "telemetry.auto.version": "VERSION",
    "telemetry.distro.version": "VERSION",
    "process.runtime.version": "VERSION",
}
"""Attributes with another value in each run, environment or release."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event.

    Attributes:
        name: What is special about it.
        event: As EventBridge delivers it.
        faults: What happens to its transactions, in order.
    """

    name: str
    event: Mapping[str, Any]
    faults: tuple[Fault, ...]


def steps(tables: Tables, run: str) -> list[Step]:
    """Put the rows of the events into the calendar; return the events.

    Args:
        tables: The tables.
        run: Makes symbols and IDs unique where tables are shared; see `replacements`.
    """
    for symbol in ("AAPL", "MSFT", "NVDA", "TSLA"):
        tables.put_row(f"{symbol}-{run}", DATE)
    first = _event(run, "AAPL", 1)
    linked = _event(run, "MSFT", 3, traceparent=PRODUCER)
    invalid = _event(run, "AMZN", 7) | {"detail": {"asset_symbol": f"AMZN-{run}"}}
    return [
        Step("marked", first, (forward(),)),
        Step("duplicate", first, (forward(),)),
        Step("second event", _event(run, "AAPL", 2), (forward(),)),
        Step("throttled", linked, (throttled(), forward())),
        Step("connection reset", _event(run, "NVDA", 4), (reset_before(), forward())),
        Step("no row", _event(run, "IBM", 5), (forward(),)),
        Step("denied", _event(run, "TSLA", 6), (aws_error("AccessDeniedException"),)),
        Step("invalid", invalid, ()),
    ]


def faults(of: Sequence[Step]) -> list[Fault]:
    """Return what happens to the transactions of all events, in order."""
    return [fault for step in of for fault in step.faults]


def replacements(tables: Tables, dead_letters: DeadLetters, run: str) -> dict[str, str]:
    """Return the texts of a run, and what they are in the golden files."""
    return {
        f"-{run}": "",
        tables.calendar_table: "earningsCalendar",
        tables.audit_table: "earningsAudit",
        dead_letters.queue_url: f"https://sqs.{REGION}.amazonaws.com/{_ACCOUNT}/dead-letters",
        dead_letters.queue_url.rpartition("/")[2]: "dead-letters",
        ACCOUNT_ID: _ACCOUNT,
        "function:mark-earnings-processed": f"function:{FUNCTION}",
    }


def golden_spans(spans: Sequence[SpanDict], replaced: Mapping[str, str]) -> dict[str, Any]:
    """Return the `resource` and the `spans` of a run in the form of the golden files, in the order of their starts.

    Args:
        spans: The spans, of the events in their order.
        replaced: See `replacements`.
    """
    ordered = sorted(spans, key=lambda span: span["start_time_unix_nano"])
    times = sorted({time for span in ordered for time in _times(span)})
    ids = _ids([(span["trace_id"], span["span_id"], span["parent_span_id"]) for span in ordered])
    changed = dict(replaced) | ids
    milliseconds = {time: (_EPOCH * 1000 + number) * 1_000_000 for number, time in enumerate(times)}
    resource = ordered[0]["resource"]
    assert all(span["resource"] == resource for span in ordered)
    made = [
        {
            **_replaced({name: value for name, value in span.items() if name not in _DERIVED}, changed),
            "start_time_unix_nano": milliseconds[span["start_time_unix_nano"]],
            "end_time_unix_nano": milliseconds[span["end_time_unix_nano"]],
            "events": [
                _replaced(event, changed) | {"time_unix_nano": milliseconds[event["time_unix_nano"]]}
                for event in span["events"]
            ],
        }
        for span in ordered
    ]
    return {"resource": _replaced(resource, changed), "spans": made}


_DERIVED = {"duration_ms", "resource", "events", "start_time_unix_nano", "end_time_unix_nano"}


def golden_segments(documents: Sequence[Mapping[str, Any]], replaced: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return X-Ray segment documents in the form of the golden files: as `golden_spans`, and without times.

    Args:
        documents: The documents of the events, each once.
        replaced: See `replacements`.
    """
    ordered = sorted(documents, key=lambda document: float(document["start_time"]))
    ids = _ids([(each["trace_id"], each["id"], each.get("parent_id")) for each in ordered], xray=True)
    changed = dict(replaced) | ids
    numbers = iter(range(1, 1000))
    return [_segment(document, changed, numbers) for document in ordered]


def _segment(document: Mapping[str, Any], changed: Mapping[str, str], numbers: Iterator[int]) -> dict[str, Any]:
    segment: dict[str, Any] = _replaced({n: v for n, v in document.items() if n not in _SEGMENT_TIMES}, changed)
    if "request_id" in segment.get("aws", {}):
        segment["aws"]["request_id"] = _FIXED["aws.request_id"]
    if "sdk_version" in segment.get("aws", {}).get("xray", {}):
        segment["aws"]["xray"]["sdk_version"] = "VERSION"
    if "auto_instrumentation" in segment.get("aws", {}).get("xray", {}):
        segment["aws"]["xray"]["auto_instrumentation"] = True
    for exception in segment.get("cause", {}).get("exceptions", ()):
        exception["id"] = f"exception {next(numbers)}"
    request = segment.get("http", {}).get("request", {})
    if request.get("url", "").startswith("http://127.0.0.1:"):
        request["url"] = f"http://{_FIXED['net.peer.name']}/"
    return segment


_SEGMENT_TIMES = {"start_time", "end_time"}


def made_from() -> str:
    """Return a digest of the content of the spans' file."""
    return sha256(SPANS.read_bytes()).hexdigest()


def load(file: Path) -> dict[str, Any]:
    """Return the content of a golden file."""
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def save(file: Path, content: Mapping[str, Any]) -> None:
    """Write a golden file."""
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def _event(run: str, symbol: str, number: int, **detail: str) -> dict[str, Any]:
    ids = {"event_id": f"event-{number}-{run}", "correlation_id": f"correlation-{number}-{run}"}
    members = {"asset_symbol": f"{symbol}-{run}", "earnings_date": DATE, **ids, **detail}
    return eventbridge_event(members, id=f"00000000-0000-4000-8000-{number:012d}")


def _times(span: SpanDict) -> Iterator[int]:
    yield from (span["start_time_unix_nano"], span["end_time_unix_nano"])
    yield from (event["time_unix_nano"] for event in span["events"])


def _ids(spans: Sequence[tuple[str, str, str | None]], *, xray: bool = False) -> dict[str, str]:
    """Return a fixed ID for each of these spans, their traces, and the parents that are not among them."""
    changed: dict[str, str] = {}
    own = {span_id for _, span_id, _ in spans}
    for number, (trace_id, span_id, parent_id) in enumerate(spans, 1):
        trace = len({each for each, _, _ in spans[:number]})
        changed[trace_id] = f"1-{_EPOCH:08x}-{trace:024x}" if xray else f"{_EPOCH:08x}{trace:024x}"
        changed[span_id] = f"{number:016x}"
        if parent_id is not None and parent_id not in own:
            changed[parent_id] = f"{0xAA00 + trace:016x}"
    return {old: new for old, new in changed.items() if old not in _PRODUCERS_IDS}


def _replaced(value: Any, changed: Mapping[str, str]) -> Any:
    """Return a JSON value with other texts in it, and the fixed values of what differs in each run."""
    match value:
        case str():
            for old, new in changed.items():
                value = value.replace(old, new)
            return value
        case Mapping():
            plain = {name: name.removeprefix("otel.resource.") for name in value}
            return {name: _FIXED.get(plain[name], _replaced(member, changed)) for name, member in value.items()}
        case list():
            return [_replaced(item, changed) for item in value]
    return value
