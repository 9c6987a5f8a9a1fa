"""The verdict: the event's outcome, and which record proves it.

The audit entry of a mark is written in one transaction with the mark, so it decides. Then come the outcomes that the
function reported, then what operators did afterwards, then the dead letter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handler.contract import AUDIT_ACTION
from mep.calendar import UNMARKED
from mep.dlq.audit import Action
from mep.dlq.model import DeadLetterSource
from mep.trace.entries import Entry
from mep.trace.events import by_event
from mep.trace.formatting import text_of
from mep.trace.invocations import Invocation
from otel.semconv import DYNAMODB_THROTTLING_REASONS, THROTTLING_REASONS

_REASONS = (THROTTLING_REASONS, DYNAMODB_THROTTLING_REASONS)
_MARKED, _DISCARDED = "marked", "discarded"
_TEXTS = {
    _MARKED: "the row is marked",
    "duplicate": "a duplicate: the row was marked before",
    "dead_lettered": "dead-lettered: permanent failure",
    "retry": "not processed: left to Lambda's retries and its on-failure destination",
}
_OF_SOURCE = {
    DeadLetterSource.HANDLER.value: ("dead_lettered", _TEXTS["dead_lettered"]),
    DeadLetterSource.ON_FAILURE.value: ("retry", "not processed: Lambda gave it up"),
    DeadLetterSource.LAMBDA.value: ("retry", "not processed: Lambda gave it up"),
    DeadLetterSource.RULE.value: ("undelivered", "not delivered to the function"),
    DeadLetterSource.SUBSCRIBER.value: ("undelivered", "not delivered to the function"),
}
"""Outcome and text of an event of which only a dead letter is known, by the dead letter's source."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of the event.

    Attributes:
        outcome: An outcome of the function, `discarded` or `unmarked` by an operator, or `undelivered` to the function;
            None if no record has it.
        text: In one sentence.
        is_final: Whether log and audit table have the outcome, so that the dead-letter queue adds nothing.
    """

    outcome: str | None
    text: str
    is_final: bool


def judge(invocations: Sequence[Invocation], outside: Sequence[Entry], *, log_was_read: bool) -> Verdict:
    """Return the verdict: one for each event, where several have the correlation ID.

    Args:
        invocations: In the order of time.
        outside: The entries that belong to none.
        log_was_read: Whether the log could be read.
    """
    events = by_event(invocations, outside)
    verdicts = {
        name: _judge(event.invocations, event.outside, len(invocations), log_was_read=log_was_read)
        for name, event in events.items()
    }
    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    outcomes = {verdict.outcome for verdict in verdicts.values()}
    text = " | ".join(f"{name}: {verdict.text}" for name, verdict in verdicts.items())
    return Verdict(
        outcomes.pop() if len(outcomes) == 1 else None,
        f"{len(verdicts)} events have this correlation ID: {text}",
        is_final=all(verdict.is_final for verdict in verdicts.values()),
    )


def _judge(
    invocations: Sequence[tuple[int, Invocation]], outside: Sequence[Entry], count: int, *, log_was_read: bool
) -> Verdict:
    """Return the verdict of one event; the invocations with their numbers of `count`."""
    known = [(number, invocation) for number, invocation in invocations if invocation.outcome is not None]
    # A duplicate that is delivered after the mark does not change the outcome.
    marked = [(number, invocation) for number, invocation in known if _outcome(invocation) == _MARKED]
    by_audit = [invocation for _, invocation in invocations if any(map(_is_mark, invocation.audit))]
    removals = [entry for entry in outside if entry.attributes.get("action") == UNMARKED]
    # By number: the clock of the operator's machine is another one than the function's.
    if removals and len(removals) >= max(len(marked), len(by_audit)):
        return _unmarked(max(removals, key=lambda entry: entry.at))
    if marked:
        return Verdict(_MARKED, _reported(*marked[-1], count), is_final=True)
    if by_audit:
        return Verdict(_MARKED, f"{_TEXTS[_MARKED]}, according to its audit entry", is_final=True)
    action = _last_action(outside, [invocation for _, invocation in invocations])
    dead_letter = next((entry for entry in reversed(outside) if entry.kind == "dead_letter"), None)
    if known:
        outcome, text = _outcome(known[-1][1]), _reported(*known[-1], count)
    elif action is not None:
        outcome, text = None, f"dead-lettered{_cause(action.attributes)}, according to the audit table"
    elif dead_letter is not None and (source := _OF_SOURCE.get(str(dead_letter.attributes.get("shape")))):
        outcome, text = source
        return Verdict(outcome, f"{text}{_cause(dead_letter.attributes)}, according to its dead letter", is_final=False)
    else:
        reason = "the function did not report one" if log_was_read else "the log could not be read"
        return Verdict(None, f"no outcome: {reason}", is_final=False)
    is_final = outcome in {"duplicate", "dead_lettered"}
    if action is not None:
        did, is_final = _ACTIONS[Action(action.attributes["action"])]
        text += f"; {did.format(operator=action.attributes.get('operator', 'an operator'))}"
        if is_final:
            outcome = _DISCARDED
            text += f": {action.attributes['reason']}" if action.attributes.get("reason") else ""
    if dead_letter is not None and (action is None or dead_letter.at > action.at):
        text += "; a dead letter contains the event"
    return Verdict(outcome, text, is_final)


def _unmarked(removal: Entry) -> Verdict:
    """Return the verdict of an event whose mark an operator has removed."""
    operator, reason = (removal.attributes.get(name) for name in ("operator", "reason"))
    because = f": {reason}" if reason else ""
    return Verdict(UNMARKED, f"the row was marked; unmarked by {operator or 'an operator'}{because}", is_final=True)


_ACTIONS = {
    Action.DISCARDED: ("discarded by {operator}", True),
    Action.DISCARD_REQUESTED: ("{operator} began to discard it, and no entry confirms it", False),
    Action.REDRIVEN: ("redriven by {operator}, no outcome since", False),
    Action.REDRIVE_REQUESTED: ("{operator} began to redrive it, and no entry confirms it", False),
}
"""What an operator did, and whether that ends the event."""


def _last_action(outside: Sequence[Entry], invocations: Sequence[Invocation]) -> Entry | None:
    """Return the last action of an operator; None if the function was invoked after it."""
    actions = [entry for entry in outside if entry.kind == "audit" and entry.attributes.get("action") in set(Action)]
    if not actions:
        return None
    last = max(actions, key=lambda entry: entry.at)
    began = last.at
    if last.attributes["action"] == Action.REDRIVEN:
        # The event was sent between the two entries of a redrive, and the function may be faster than the second one.
        began = max((e.at for e in actions if e.attributes["action"] == Action.REDRIVE_REQUESTED), default=began)
    return None if any(invocation.start >= began for invocation in invocations) else last


def _outcome(invocation: Invocation) -> str:
    return str((invocation.outcome or {}).get("outcome"))


def _is_mark(entry: Entry) -> bool:
    """Return whether an entry is the audit entry that is written in one transaction with the mark."""
    return bool(entry.attributes.get("action") == AUDIT_ACTION)


def _reported(number: int, invocation: Invocation, count: int) -> str:
    """Return the outcome that an invocation reported, in words."""
    attributes = invocation.outcome or {}
    text = _TEXTS.get(str(attributes["outcome"]), str(attributes["outcome"])) + _cause(attributes)
    if attributes.get("same_event") is not None:
        text += " by this event" if attributes["same_event"] else " by another event"
    attempts = attributes.get("attempts", 0)
    if isinstance(attempts, int) and attempts > 1:
        text += f", after {attempts} attempts"
    return f"{text}, invocation {number} of {count}" if count > 1 else text


def _cause(attributes: Mapping[str, Any]) -> str:
    """Return the category, the code and the throttling reason of a failure in parentheses; empty without a failure."""
    if "error_category" not in attributes:
        return ""
    cause = [str(attributes[name]) for name in ("error_category", "error_code") if name in attributes]
    cause += [text_of(attributes[name]) for name in _REASONS if attributes.get(name)][:1]
    return f" ({': '.join(cause)})"
