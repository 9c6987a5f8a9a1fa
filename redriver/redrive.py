"""One run of the automatic redrive: a probe, and if its row is marked, the others."""

from collections import Counter
from collections.abc import Mapping
from copy import replace
from dataclasses import dataclass, field
from enum import StrEnum

from mep.dlq.audit import AuditTrail
from mep.dlq.model import DeadLetter
from mep.dlq.queue import Queue
from mep.dlq.redrive import Metrics, Redriver
from mep.dlq.results import ActionName, MessageState, Recorder
from mep.errors import MepError
from redriver import policy
from redriver.clock import Clock
from redriver.invocation import Invocation
from redriver.policy import History, Kept
from redriver.room import Room
from redriver.stores import Attempts, EventKey, event_key


class Status(StrEnum):
    """How a run ended."""

    DONE = "done"
    """Every event that could be sent was sent."""
    NOTHING_TO_DO = "nothing_to_do"
    """No message may be sent without a person."""
    NOT_DUE = "not_due"
    """No event may be a probe yet."""
    PROBE_FAILED = "probe_failed"
    """The probe failed."""
    STOPPED = "stopped"
    """Events failed in a row."""
    NO_TIME = "no_time"
    """This function's time was over."""
    UNAVAILABLE = "unavailable"
    """A service did not answer, or throttled a call: the next run tries again."""
    FAILED = "failed"
    """A call was denied, or a setting is wrong: no run will succeed."""
    PAUSED = "paused"
    """The rule is disabled, or the function's reserved concurrency is 0."""


@dataclass
class RunResult:
    """What a run did.

    Attributes:
        status: How it ended.
        problem: Why it ended early; empty if it did not.
        seen: Number of messages that were read.
        unread: Number of messages that were not read, approximate: other consumers have them, or the limit was reached;
            None if the queue could not be read.
        unchecked: Number of messages that may be sent, but whose earlier attempts were not read.
        outcomes: Number of events by their final outcome.
        kept: Number of messages by the reason why they are in the queue.
        ages: The age of the oldest message by category, in seconds.
        probe: The correlation ID of the last probe; empty without one.
    """

    status: Status = Status.NOTHING_TO_DO
    problem: str = ""
    seen: int = 0
    unread: int | None = None
    unchecked: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kept: Counter[Kept] = field(default_factory=Counter)
    ages: Mapping[str, float] = field(default_factory=dict)
    probe: str = ""


@dataclass
class AutoRedrive:
    """One run.

    Attributes:
        queue: The queue.
        room: Decides which messages the queue holds with their events.
        function: The function.
        audit: Records each event before and after it is sent.
        attempts: Reads earlier attempts.
        metrics: Counts the results.
        clock: The time.
        result: What was done so far.
    """

    queue: Queue
    room: Room
    function: Invocation
    audit: AuditTrail
    attempts: Attempts
    metrics: Metrics
    clock: Clock
    result: RunResult = field(default_factory=RunResult, init=False)
    _histories: dict[str, History] = field(default_factory=dict, init=False)
    _messages_of: Counter[EventKey] = field(default_factory=Counter, init=False)
    _unchecked: set[str] = field(default_factory=set, init=False)
    _waiting: dict[str, DeadLetter] = field(default_factory=dict, init=False)
    _recorder: Recorder = field(default_factory=lambda: Recorder(ActionName.REDRIVE, ()), init=False)

    def run(self) -> None:
        """Redrive what may be redriven. At the end every message that was not deleted is visible again.

        Raises:
            MepError: A call failed. `result` is true also then.
        """
        try:
            self._read()
            if self._waiting:
                self._redrive()
        finally:
            self._keep(Kept.STOPPED)
            self.result.unchecked = len(self._unchecked)
            self.queue.release()

    def _read(self) -> None:
        """Read the queue and keep the candidates; the other messages are visible again at once."""
        snapshot = self.queue.read(policy.MAX_MESSAGES)
        self.result.seen, self.result.unread = len(snapshot.dead_letters), snapshot.in_flight + snapshot.unseen
        self.metrics.count("DeadLettersSeen", self.result.seen)
        self.result.ages = policy.oldest_ages(snapshot.dead_letters, self.clock.now())
        others = [dead_letter for dead_letter in snapshot.dead_letters if not policy.is_candidate(dead_letter)]
        refused = {dead_letter.message_id for dead_letter in others} & self.room.refused
        self.result.kept[Kept.NOT_TRANSIENT] = len(others) - len(refused)
        self.result.kept[Kept.NO_ROOM] = len(refused)
        self.queue.release(others)
        excluded = {dead_letter.message_id for dead_letter in others}
        self._waiting = {
            dead_letter.message_id: dead_letter
            for dead_letter in snapshot.dead_letters
            if dead_letter.message_id not in excluded
        }
        self._unchecked = set(self._waiting) | refused
        self._messages_of = Counter(map(event_key, self._waiting.values()))
        self._read_histories()

    def _read_histories(self) -> None:
        """Read the histories of enough messages to choose a probe. Those that are left for a person do not count."""
        known = 0
        for dead_letter in list(self._waiting.values()):
            if known >= policy.MAX_HISTORIES or self.clock.remaining_s() <= policy.RESERVE_S:
                return
            known += not self._check_limit(dead_letter)

    def _redrive(self) -> None:
        if not self._probe():
            return
        failures = 0
        for dead_letter in list(self._waiting.values()):
            if not self._has_time():
                return
            if self._check_limit(dead_letter):
                continue
            failures = 0 if self._send(dead_letter) else failures + 1
            if failures >= policy.MAX_FAILURES:
                self._end(Status.STOPPED, Kept.STOPPED)
                return
        self.result.status = Status.DONE

    def _probe(self) -> bool:
        """Return whether a probe is good: the row of its event is marked."""
        for _ in range(policy.MAX_PROBES):
            if not self._waiting:
                return False
            if not self._has_time():
                return False
            probe = policy.choose_probe(list(self._waiting.values()), self._histories, self.clock.now())
            if probe is None:
                self._end(Status.NOT_DUE, Kept.NOT_DUE)
                return False
            self.result.probe = probe.correlation_id or ""
            if not self._send(probe):
                self._end(Status.PROBE_FAILED, Kept.PROBE_FAILED)
                return False
            self.result.status = Status.DONE
            if self.function.marked:
                return True
        self._end(Status.STOPPED, Kept.STOPPED)  # each was dead-lettered: that proves nothing
        return False

    def _send(self, dead_letter: DeadLetter) -> bool:
        """Send an event, not faster than the rate; return whether it has a final outcome and its message is deleted."""
        history = self._histories[dead_letter.message_id]
        counted = replace(dead_letter, redrives=history.count)
        del self._waiting[dead_letter.message_id]
        if self._messages_of[event_key(dead_letter)] > 1:
            self._forget_histories(event_key(dead_letter))
        self.clock.sleep(1 / policy.RATE)
        try:
            Redriver(self.queue, self.function, self.audit, self.metrics).run([counted], self._recorder)
        except MepError:
            self.result.kept[Kept.FAILED] += 1
            raise
        recorded = self._recorder.of(counted)
        if recorded.state is MessageState.SENT:
            self.result.outcomes[self.function.outcome] += 1
            return True
        self.result.problem = recorded.reason
        self.result.kept[Kept.FAILED] += 1
        return False

    def _check_limit(self, dead_letter: DeadLetter) -> bool:
        """Read the history of a message; return whether it is left for a person, and then make it visible again."""
        if dead_letter.message_id not in self._histories:
            self._histories[dead_letter.message_id] = (
                History(0) if self._is_first(dead_letter) else self.attempts.of(dead_letter)
            )
            self._unchecked.discard(dead_letter.message_id)
        reached = self._histories[dead_letter.message_id].limit_reached
        if reached:
            self.result.kept[Kept.LIMIT_REACHED] += 1
            del self._waiting[dead_letter.message_id]
            self.queue.release([dead_letter])
        return reached

    def _is_first(self, dead_letter: DeadLetter) -> bool:
        """Return whether nothing can have sent the event before: the audit table need not be read.

        An attempt of this function is a receive of its message before this one, and its message stays. A person's
        attempt is counted in the event. Another message of the same event may have had attempts, too.
        """
        alone = self._messages_of[event_key(dead_letter)] == 1
        return alone and dead_letter.receive_count <= 1 and not dead_letter.redrives

    def _forget_histories(self, key: EventKey) -> None:
        """Forget the histories of the messages of an event that is sent: they are read again before they are used."""
        for dead_letter in self._waiting.values():
            if event_key(dead_letter) == key:
                self._histories.pop(dead_letter.message_id, None)

    def _has_time(self) -> bool:
        if self.clock.remaining_s() > policy.RESERVE_S:
            return True
        self._end(Status.NO_TIME, Kept.NO_TIME)
        return False

    def _end(self, status: Status, kept: Kept) -> None:
        self.result.status = status
        self._keep(kept)

    def _keep(self, kept: Kept) -> None:
        """Count the messages whose turn did not come."""
        if self._waiting:
            self.result.kept[kept] += len(self._waiting)
            self._waiting = {}
