"""Redrives dead letters: plans what is sent, prepares the events, and sends them.

The order per message makes it safe to interrupt a redrive at any point: audit entry "requested", send, audit entry
"redriven", delete. Until the delete the message stays in the queue and becomes visible again when its visibility
timeout expires; the worst outcome of a crash is a second delivery, which the function handles as a duplicate.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from handler.event import camel_case, optional, resolve_correlation_id
from mep.dlq import RATE
from mep.dlq.audit import Action, AuditTrail
from mep.dlq.destinations import CannotSendError, Destination, NoAnswerError, RejectedError
from mep.dlq.model import DeadLetter, DeadLetterSource
from mep.dlq.queue import Queue
from mep.dlq.results import MessageState, Recorder
from mep.dlq.sources import REDRIVE_COUNT
from mep.errors import MepError, RunError, UnavailableError

MAX_FAILURES = 5
"""Consecutive events that the service does not accept, or does not answer about, after which a redrive stops."""

_METRICS_EVERY_S = 60


class Metrics(Protocol):
    """Counts what a redrive does: `mep.dlq.session.OperatorMetrics`."""

    def count(self, name: str, by: int = 1) -> None:
        """Add to a metric of `monitoring.operator_metrics`."""

    def send(self) -> None:
        """Send the counts since the last call."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A message that is not redriven or discarded, and the reason."""

    dead_letter: DeadLetter
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a redrive or a discard is going to do.

    Attributes:
        selected: Messages to redrive or discard, in this order.
        skipped: Messages that stay in the queue.
        unverified: Messages that stay in the queue because the destination did not answer about them.
    """

    selected: tuple[DeadLetter, ...]
    skipped: tuple[Skipped, ...]
    unverified: tuple[Skipped, ...] = ()

    @property
    def remaining(self) -> tuple[Skipped, ...]:
        """Every message that stays in the queue."""
        return self.skipped + self.unverified

    def record(self, recorder: Recorder) -> None:
        """Record the messages that stay in the queue."""
        for entry in self.skipped:
            recorder.set(entry.dead_letter, MessageState.SKIPPED, entry.reason)
        for entry in self.unverified:
            recorder.set(entry.dead_letter, MessageState.UNVERIFIED, entry.reason)


def skip_reason(dead_letter: DeadLetter, *, force: bool) -> str:
    """Return why a message is not sent to any destination; empty if it is."""
    if dead_letter.shape is DeadLetterSource.UNKNOWN:
        return "unrecognised message format; left in the queue"
    if dead_letter.shape is DeadLetterSource.SUBSCRIBER:
        return "the record does not contain its events: replay them from the bus's archive"
    if dead_letter.event_text is None:
        return "the message contains no JSON event"
    if not force and (dead_letter.category is None or not dead_letter.category.transient):
        return f"{dead_letter.group} is not transient: fix the cause, then use --force"
    return ""


def plan(
    dead_letters: Iterable[DeadLetter],
    destination: Destination,
    *,
    force: bool,
    extend_visibility: Callable[[], None] = lambda: None,
) -> Plan:
    """Decide for each message whether it is sent.

    Args:
        dead_letters: The messages.
        destination: Checks each event, with one API call or more.
        force: Whether permanent failures are sent, too.
        extend_visibility: Called before each check, to keep the messages in flight.

    Raises:
        RunError: Nothing can be sent to the destination.
        UnavailableError: The destination cannot be called.
    """
    selected: list[DeadLetter] = []
    skipped: list[Skipped] = []
    unverified: list[Skipped] = []
    consecutive = 0
    for dead_letter in dead_letters:
        if reason := skip_reason(dead_letter, force=force):
            skipped.append(Skipped(dead_letter, reason))
            continue
        extend_visibility()
        try:
            destination.check(prepare_for_redrive(dead_letter))
        except CannotSendError as error:
            skipped.append(Skipped(dead_letter, str(error)))
        except RejectedError as error:
            unverified.append(Skipped(dead_letter, str(error)))
            consecutive += 1
            if consecutive >= MAX_FAILURES:
                what = f"{destination.name} did not answer about {consecutive} events in a row"
                raise UnavailableError(f"{what}: {error}") from error
            continue
        else:
            selected.append(dead_letter)
        consecutive = 0
    return Plan(tuple(selected), tuple(skipped), tuple(unverified))


def prepare_for_redrive(dead_letter: DeadLetter) -> Any:
    """Return the event with everything in `detail` that must survive the redrive.

    EventBridge replaces the envelope's `id`, so a correlation ID and an event ID that came from it move into `detail`:
    the function resolves the same IDs, and handles a second delivery as a redelivery. `detail.traceparent` becomes the
    trace in which the event failed, which links to the producer's trace; `detail.redrive_count` grows by one. An event
    without a `detail` object is returned unchanged.
    """
    event = dead_letter.event
    detail = event.get("detail") if isinstance(event, Mapping) else None
    if not isinstance(event, Mapping) or not isinstance(detail, Mapping):
        return event
    new_detail = dict(detail)
    if optional(detail, "event_id") is None and (event_id := dead_letter.event_id):
        _put(new_detail, "event_id", event_id)
    if dead_letter.correlation_id and resolve_correlation_id({"detail": new_detail}).id != dead_letter.correlation_id:
        _put(new_detail, "correlation_id", dead_letter.correlation_id)
    if traceparent := dead_letter.traceparent:
        _put(new_detail, "traceparent", traceparent)
    new_detail[REDRIVE_COUNT] = dead_letter.redrives + 1
    return {**event, "detail": new_detail}


def _put(detail: dict[str, Any], name: str, value: str) -> None:
    """Set a field under one spelling only: two different values would make the event invalid."""
    detail.pop(camel_case(name), None)
    detail[name] = value


@dataclass(frozen=True, slots=True)
class Redriver:
    """Sends the events of dead letters.

    Attributes:
        queue: The queue with the messages in flight.
        destination: Accepts the events.
        audit: Records each event before and after it is sent.
        metrics: Counts the results.
        rate: Maximum events per second.
        clock: Monotonic time in seconds.
        sleep: Waits for that many seconds.
    """

    queue: Queue
    destination: Destination
    audit: AuditTrail
    metrics: Metrics
    rate: float = RATE
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self, dead_letters: Iterable[DeadLetter], recorder: Recorder) -> None:
        """Send one event after the other, and record each, also when this is interrupted.

        Raises:
            MepError: The queue, the audit table or the destination failed. No message was deleted without its event
                being accepted.
        """
        consecutive = 0
        next_send = self.clock()
        next_metrics = next_send + _METRICS_EVERY_S
        for dead_letter in dead_letters:
            if (wait := next_send - self.clock()) > 0:
                self.sleep(wait)
            next_send = max(next_send, self.clock()) + 1 / self.rate
            self.queue.extend_visibility()
            if self.queue.owns(dead_letter):
                problem = self._redrive(dead_letter, recorder)
                consecutive = consecutive + 1 if problem else 0
                if consecutive >= MAX_FAILURES:
                    raise RunError(f"{MAX_FAILURES} in a row were not accepted: {problem}")
            else:
                recorder.set(dead_letter, MessageState.EXPIRED)
            if self.clock() >= next_metrics:
                next_metrics = self.clock() + _METRICS_EVERY_S
                self.metrics.send()

    def _redrive(self, dead_letter: DeadLetter, recorder: Recorder) -> str:
        """Return why the event was not accepted; empty if it was."""
        name = self.destination.name
        self.audit.record(Action.REDRIVE_REQUESTED, dead_letter, destination=name)
        recorder.set(dead_letter, MessageState.UNCERTAIN, "no answer of the destination")
        try:
            accepted_as = self.destination.send(prepare_for_redrive(dead_letter))
        except (RejectedError, CannotSendError, MepError) as error:
            state = MessageState.UNCERTAIN if isinstance(error, NoAnswerError) else MessageState.FAILED
            recorder.set(dead_letter, state, str(error))
            self.metrics.count("DeadLettersRedriveFailed")
            if isinstance(error, MepError):
                raise
            return str(error)
        recorder.set(dead_letter, MessageState.NOT_DELETED)
        self.metrics.count("DeadLettersRedriven")
        self.audit.record(Action.REDRIVEN, dead_letter, destination=name, accepted_as=accepted_as)
        self.queue.delete(dead_letter)
        recorder.set(dead_letter, MessageState.SENT)
        return ""
