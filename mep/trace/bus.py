"""The way of an event from `PutEvents` to Lambda's queue, from the records of the bus's log.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-logs-schema.html

The log has the envelope's `id` of an event, which `PutEvents` returns, and no other ID of it. The level of the log, and
so which steps it has, does not matter here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.pipeline.bus_log import Step
from mep.trace.entries import Entry, Severity, nanoseconds

ENVELOPE_ID = "envelope_id"

_TITLES: Mapping[str, tuple[str, Severity]] = {
    Step.EVENT_RECEIPT: ("EventBridge received it", "ok"),
    Step.EVENT_INGEST_SUCCESS: ("published", "ok"),
    Step.EVENT_INGEST_FAILURE: ("EventBridge did not accept it", "error"),
    Step.RULE_MATCH_START: ("EventBridge evaluates the rules", "ok"),
    Step.RULE_MATCH: ("a rule matched", "ok"),
    Step.NO_STANDARD_RULES_MATCHED: ("no rule matched", "error"),
    Step.INVOCATION_START: ("the delivery begins", "ok"),
    Step.INVOCATION_THROTTLE_START: ("the delivery is throttled", "warning"),
    Step.INVOCATION_ATTEMPT_START: ("an attempt to deliver it begins", "ok"),
    Step.INVOCATION_ATTEMPT_SUCCESS: ("an attempt to deliver it succeeded", "ok"),
    Step.INVOCATION_ATTEMPT_THROTTLE: ("an attempt to deliver it was throttled", "warning"),
    Step.INVOCATION_ATTEMPT_RETRYABLE_FAILURE: ("an attempt to deliver it failed", "warning"),
    Step.INVOCATION_ATTEMPT_PERMANENT_FAILURE: ("an attempt to deliver it failed permanently", "error"),
    Step.INVOCATION_SUCCESS: ("delivered to the target", "ok"),
    Step.INVOCATION_FAILURE: ("EventBridge gave up the delivery", "error"),
    Step.INVOCATION_DLQ: ("sent to the dead-letter queue of the rule", "error"),
}
_DETAILS = (
    *("source", "detail_type", "rule_arn", "target_arn", "target_arns", "attempt_count", "invocation_status"),
    *("total_attempts", "final_invocation_status"),
)
_ENDS = {Step.INVOCATION_SUCCESS, Step.INVOCATION_FAILURE, Step.INVOCATION_DLQ}


def bus_entry(record: Mapping[str, Any]) -> Entry | None:
    """Return the entry of a record; None if it is not one of a bus's log, or has no time."""
    step, at = str(record.get("message_type")), _time(record.get("message_timestamp_ms"))
    event_id = record.get("event_id")
    if step not in _TITLES or at is None or not isinstance(event_id, str):
        return None
    details, error = (value if isinstance(value, Mapping) else {} for value in map(record.get, ("details", "error")))
    title, severity = _TITLES[step]
    if step == Step.INVOCATION_DLQ and _failed_to_send(details, error):
        title = "the dead-letter queue of the rule did not accept it"
    attributes = {"step": step, ENVELOPE_ID: event_id, "invocation_id": record.get("invocation_id")}
    attributes |= {name: details[name] for name in _DETAILS if details.get(name)}
    if error:
        attributes |= {"service": error.get("aws_service"), "why": error.get("error_message")}
    return Entry(at, "bus", title, severity, attributes=attributes, writer="eventbridge")


def _failed_to_send(details: Mapping[str, Any], error: Mapping[str, Any]) -> bool:
    """Return whether the record about the dead-letter queue is that of a message that SQS did not accept."""
    return "sqs" in str(error.get("aws_service", "")).lower() and "sqs" not in str(details.get("target_arn", ""))


def _time(value: object) -> int | None:
    """Return a time in nanoseconds: milliseconds since 1970, or a text."""
    if isinstance(value, int | float):
        return int(value) * 1_000_000
    return int(value) * 1_000_000 if isinstance(value, str) and value.isdecimal() else nanoseconds(value)


def envelope_ids(entries: Iterable[Entry]) -> set[str]:
    """Return the envelope IDs that records of an event name, or may name: an event ID may be one."""
    names = (ENVELOPE_ID, "event_id")
    return {str(entry.attributes[name]) for entry in entries for name in names if entry.attributes.get(name)}


def by_envelope(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return the entries of the bus by the event's envelope ID, in the order of time."""
    found: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        found.setdefault(str(entry.attributes[ENVELOPE_ID]), []).append(entry)
    return found


@dataclass(frozen=True, slots=True)
class BusVerdict:
    """The result of an event's delivery to the function.

    Attributes:
        outcome: `undelivered`, or None for an event that is on its way, or has arrived at Lambda.
        text: In one sentence.
    """

    outcome: str | None
    text: str


def judge_on_bus(entries: Sequence[Entry]) -> BusVerdict:
    """Return the result of the delivery of one event, of which no record of the function is known.

    Args:
        entries: Its entries of the bus, in the order of time; at least one.
    """
    by_step = {str(entry.attributes["step"]): entry for entry in entries}
    if Step.EVENT_INGEST_FAILURE in by_step and Step.EVENT_INGEST_SUCCESS not in by_step:
        why = _why(by_step[Step.EVENT_INGEST_FAILURE])
        return BusVerdict("undelivered", f"not published: EventBridge did not accept it{why}")
    # A delivery that a replay repeats has records of both: the last one decides.
    last = next((entry for entry in reversed(entries) if entry.attributes["step"] in _ENDS), None)
    if last is not None and not _attempts_after(entries, last):
        return _ended(last, by_step)
    if attempt := next((entry for entry in reversed(entries) if entry.attributes.get("attempt_count")), None):
        count, what = attempt.attributes["attempt_count"], _FAILED.get(attempt.attributes["step"], "began")
        again = "" if attempt.severity == "ok" else ": EventBridge tries again for up to 24 hours"
        return BusVerdict(None, f"still waiting: attempt {count} to deliver it {what}{_why(attempt)}{again}")
    if Step.RULE_MATCH in by_step:
        return BusVerdict(None, "still waiting: a rule matched, and no attempt to deliver it has ended")
    if Step.NO_STANDARD_RULES_MATCHED in by_step:
        return BusVerdict("undelivered", "published, and not delivered: no rule of the bus matched it")
    return BusVerdict(None, "published; no rule that delivers to the function has matched it so far")


_FAILED = {
    Step.INVOCATION_ATTEMPT_THROTTLE: "was throttled",
    Step.INVOCATION_ATTEMPT_RETRYABLE_FAILURE: "failed",
    Step.INVOCATION_ATTEMPT_PERMANENT_FAILURE: "failed permanently",
}


def _ended(last: Entry, by_step: Mapping[str, Entry]) -> BusVerdict:
    attempts = last.attributes.get("total_attempts", 0)
    after = f" after {attempts} attempts" if isinstance(attempts, int) and attempts > 1 else ""
    if last.attributes["step"] == Step.INVOCATION_SUCCESS:
        return BusVerdict(
            None,
            f"delivered to Lambda{after}: no record of the function has its ID: it waits in Lambda's queue, or its"
            " invocations crashed (mep query invocations)",
        )
    failure = by_step.get(Step.INVOCATION_FAILURE, last)
    if last.attributes["step"] == Step.INVOCATION_FAILURE:
        return BusVerdict("undelivered", f"not delivered: EventBridge gave up{after}{_why(failure)}; not in a queue")
    if last.title != _TITLES[Step.INVOCATION_DLQ][0]:
        return BusVerdict("undelivered", f"lost: EventBridge gave up{after}, and {last.title}{_why(last)}")
    return BusVerdict("undelivered", f"not delivered: in the dead-letter queue of the rule{after}{_why(failure)}")


def _attempts_after(entries: Sequence[Entry], last: Entry) -> bool:
    """Return whether a new delivery began after the end of one."""
    return any(entry.at > last.at and entry.attributes["step"] == Step.RULE_MATCH for entry in entries)


def _why(entry: Entry) -> str:
    """Return status and message of a failure in parentheses; empty without one."""
    status = entry.attributes.get("final_invocation_status") or entry.attributes.get("invocation_status")
    parts = [str(part) for part in (status, entry.attributes.get("why")) if part]
    return f" ({': '.join(parts)})" if parts else ""
