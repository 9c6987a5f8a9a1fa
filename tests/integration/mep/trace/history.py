"""What really happened to one event: the invocations of the real function, with the records that each left."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from emulator.environment import new_trace_header
from emulator.faults import Fault
from handler.validation import format_utc
from mep.dlq.audit import Action, AuditTrail
from mep.dlq.sources import read_dead_letter
from mep.trace.aws_sources import LogLine
from mep.trace.entries import nanoseconds, time_text
from otel.event_types import EventType
from tests.integration.harness import Harness

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Invoked:
    """One invocation.

    Attributes:
        began: Before it began, nanoseconds since 1970.
        ended: After it had ended.
        outcome: The outcome that the function reported.
        lines: The log lines, that of the runtime client included, in the order in which they were written.
        spans: The spans.
    """

    began: int
    ended: int
    outcome: str
    lines: tuple[dict[str, Any], ...]
    spans: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class History:
    """One event, from its delivery to its end.

    Attributes:
        correlation_id: The event's correlation ID.
        invoked: The invocations in the order of time.
        audit: The items of the audit table.
        dead_letters: The messages in the dead-letter queue, as lines of `dlq.jsonl`.
        truth: The event's outcome.
    """

    correlation_id: str
    invoked: tuple[Invoked, ...]
    audit: tuple[dict[str, Any], ...] = ()
    dead_letters: tuple[dict[str, Any], ...] = ()
    truth: str = ""

    def write(self, folder: Path, present: Iterable[str]) -> None:
        """Write the files of a local run; those that are not in `present` are empty."""
        contents: dict[str, list[Any]] = {
            "logs": [line for each in self.invoked for line in each.lines],
            "spans": [span for each in self.invoked for span in each.spans],
            "audit": list(self.audit),
            "dlq": list(self.dead_letters),
            "calendar": [],
        }
        for name, values in contents.items():
            kept = values if name in present else []
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(value) + "\n" for value in kept))
        (folder / "summary.json").write_text("{}")

    def on_aws(self) -> "History":
        """Return the history with a minute between two invocations, as Lambda's retries come."""
        shifted = [_shift(each, 61 * SECOND * number) for number, each in enumerate(self.invoked)]
        marks = [item for item in self.audit if "operator" not in item]
        others = [item for item in self.audit if "operator" in item]
        moved = [_shift_item(item, 61 * SECOND * self._invocation_of(item)) for item in marks]
        moved += [_shift_item(item, 61 * SECOND * (len(self.invoked) - 1)) for item in others]
        return replace(self, invoked=tuple(shifted), audit=tuple(moved))

    def cloud_lines(self) -> list[LogLine]:
        """Return the lines of the log group by the time that CloudWatch Logs shows, Lambda's own included.

        The runtime client's line has whole seconds there, too: the worst that CloudWatch Logs may do.
        """
        lines = []
        for each in self.invoked:
            (request,) = {line.get("request_id", line.get("requestId")) for line in each.lines}
            start = {"time": _milliseconds(each.began), "type": "platform.start", "record": {"requestId": request}}
            status = "error" if each.outcome == "retry" else "success"
            metrics = {"durationMs": (each.ended - each.began) / 1e6}
            record = {"requestId": request, "status": status, "metrics": metrics}
            report = {"time": _milliseconds(each.ended), "type": "platform.report", "record": record}
            lines += [start, *each.lines, report]
        return [(line, _whole(line)) for line in sorted(lines, key=_whole)]

    def _invocation_of(self, item: dict[str, Any]) -> int:
        at = nanoseconds(item["recorded_at"]) or 0
        return next(number for number, each in enumerate(self.invoked) if at <= each.ended)


def _skipped(event: Any) -> dict[str, Any]:
    attributes = event["attributes"]
    return {**event, "attributes": {**attributes, "delay_ms": 0.0} if "delay_ms" in attributes else attributes}


def _whole(line: dict[str, Any]) -> int:
    """Return the time of a line in whole milliseconds."""
    at = nanoseconds(line.get("timestamp", line.get("time"))) or 0
    return at // 1_000_000 * 1_000_000


def _milliseconds(at: int) -> str:
    return f"{time_text(at)[:-4]}Z"


def _moved(text: str, by: int) -> str:
    at = datetime.fromisoformat(text) + timedelta(seconds=by // SECOND)
    return format_utc(at, "microseconds" if "." in text else "seconds")


def _shift_item(item: dict[str, Any], by: int) -> dict[str, Any]:
    return {**item, "recorded_at": _moved(item["recorded_at"], by)}


def _shift(invoked: Invoked, by: int) -> Invoked:
    lines = [{**line, "timestamp": _moved(line["timestamp"], by)} for line in invoked.lines]
    times = ("start_time_unix_nano", "end_time_unix_nano")
    spans = [
        {
            **span,
            **{name: int(span[name]) + by for name in times},
            "events": [{**event, "time_unix_nano": int(event["time_unix_nano"]) + by} for event in span["events"]],
        }
        for span in invoked.spans
    ]
    return Invoked(invoked.began + by, invoked.ended + by, invoked.outcome, tuple(lines), tuple(spans))


@dataclass
class Recorder:
    """Delivers one event, and records what happens.

    Attributes:
        harness: The function.
        event: The event.
        invoked: The invocations so far.
    """

    harness: Harness
    event: dict[str, Any]
    invoked: list[Invoked] = field(default_factory=list)
    request_id: str = ""
    _header: str = field(default_factory=new_trace_header)

    def invoke(self, *faults: Fault) -> None:
        """Invoke the function once.

        Args:
            faults: What DynamoDB answers, in order; then it answers as usual.
        """
        self.harness.dynamodb.script(*faults)
        began = time.time_ns()
        invoked = self.harness(self.event, request_id=self.request_id or None, trace_header=self._header)
        ended = time.time_ns()
        self.request_id = invoked.request_id
        # The harness skips the waits, so that they took no time.
        lines = [{**line, "delay_ms": 0.0} if "delay_ms" in line else line for line in invoked.logs]
        spans = [{**span, "events": [_skipped(event) for event in span["events"]]} for span in invoked.spans]
        if invoked.error is not None:
            lines.append(
                {
                    "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "level": "ERROR",
                    "errorMessage": str(invoked.error),
                    "errorType": type(invoked.error).__name__,
                    "requestId": invoked.request_id,
                    "stackTrace": [],
                }
            )
        outcome = str(invoked.outcome_line["outcome"])
        self.invoked.append(Invoked(began, ended, outcome, tuple(lines), tuple(spans)))

    def again(self) -> None:
        """Deliver the event again: with another request."""
        self.request_id, self._header = "", new_trace_header()

    def dead_letter(self) -> dict[str, Any]:
        """Return the function's dead letter of the last invocation, as a line of `dlq.jsonl`."""
        (outcome,) = [line for line in self.invoked[-1].lines if line.get("event_type") == EventType.EVENT_OUTCOME]
        (found,) = [
            each for each in self.harness.services.queue.drain() if each.message_id == outcome["dead_letter_id"]
        ]
        return asdict(found)

    def on_failure_record(self) -> dict[str, Any]:
        """Return Lambda's record of an event that it gave up, as a line of `dlq.jsonl`."""
        error = self.invoked[-1].lines[-1]
        record = {
            "timestamp": _milliseconds(self.invoked[-1].ended),
            "requestContext": {
                "requestId": self.request_id,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": len(self.invoked),
            },
            "requestPayload": self.event,
            "responsePayload": {name: error[name] for name in ("errorMessage", "errorType")},
        }
        return {"message_id": "on-failure-1", "body": json.dumps(record), "attributes": {}}

    def operate(self, line: dict[str, Any], actions: Sequence[Action]) -> list[dict[str, Any]]:
        """Return the audit entries of an operator's actions on a dead letter."""
        written: list[dict[str, Any]] = []

        class Client:
            def put_item(self, **call: Any) -> None:
                written.append({name: value["S"] for name, value in call["Item"].items()})

        trail = AuditTrail(Client(), "audit", "alice", lambda: datetime.now(UTC))
        dead_letter = read_dead_letter(line["message_id"], line["body"], line["attributes"])
        for action in actions:
            trail.record(action, dead_letter, reason="a test")
        return written
