"""What a redrive or a discard did with each message: recorded as it happens, read as one frozen value.

Each selected message has exactly one state at any time. It is set before a call and after it, so it is also true where
the command is interrupted in between.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mep.dlq.model import DeadLetter
from mep.errors import Reason

NO_ANSWER = frozenset({Reason.NETWORK, Reason.SERVICE_ERROR, Reason.UNREADABLE_REPLY})
"""Reasons of a failed call whose request may have taken effect."""


class ActionName(StrEnum):
    """What a command does with the messages."""

    REDRIVE = "redrive"
    DISCARD = "discard"


class MessageState(StrEnum):
    """What happened to a selected message."""

    SENT = "sent"
    """The destination accepted the event, and the message was deleted."""
    DISCARDED = "discarded"
    """The message was deleted, and no event was sent."""
    NOT_DELETED = "not_deleted"
    """The destination accepted the event; that the message was deleted is not confirmed."""
    UNCERTAIN = "uncertain"
    """The call that sends the event, or that deletes the discarded message, was made, and there is no answer."""
    FAILED = "failed"
    """The destination did not accept the event. The message stays in the queue."""
    SKIPPED = "skipped"
    """The message must not be sent or deleted. It stays in the queue."""
    UNVERIFIED = "unverified"
    """Whether the event would arrive could not be asked. The message stays in the queue."""
    EXPIRED = "expired"
    """The visibility timeout was over before the message's turn. It is in the queue or with another consumer."""
    NOT_ATTEMPTED = "not_attempted"
    """Its turn did not come, or nothing is changed in a dry run. The message stays in the queue."""


INCOMPLETE = frozenset(
    {
        *(MessageState.NOT_DELETED, MessageState.UNCERTAIN, MessageState.FAILED, MessageState.UNVERIFIED),
        MessageState.EXPIRED,
    }
)
"""States after which the exit status is not 0."""


@dataclass(frozen=True, slots=True)
class MessageResult:
    """The state of one message, and the reason where there is one."""

    dead_letter: DeadLetter
    state: MessageState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Returns:
    """The events that failed again after a redrive.

    Attributes:
        expected: Number of events that were accepted.
        returned: Their dead letters that were received again.
        waited_s: How long the queue was watched, in seconds.
    """

    expected: int
    returned: tuple[DeadLetter, ...]
    waited_s: float

    @property
    def not_returned(self) -> int:
        """Number of events that were not received again: processed, in progress, or not visible."""
        return self.expected - len(self.returned)


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What a redrive or a discard did.

    Attributes:
        action: What the command does.
        destination: The destination of a redrive: `bus:NAME` or `function:NAME`; empty for a discard.
        messages: Every selected message once, in the order of the command.
        dry_run: Whether nothing was to be changed.
        stopped: Why the command ended early: `interrupted`, `terminated` or an error; empty if it did not.
        returns: What came back; None if the command did not wait.
    """

    action: ActionName
    destination: str
    messages: tuple[MessageResult, ...]
    dry_run: bool = False
    stopped: str = ""
    returns: Returns | None = None

    @property
    def counts(self) -> Mapping[MessageState, int]:
        """Number of messages by state: every state, and their sum is the number of messages."""
        counts = dict.fromkeys(MessageState, 0)
        for message in self.messages:
            counts[message.state] += 1
        return counts

    def of(self, *states: MessageState) -> list[MessageResult]:
        """Return the messages in one of these states."""
        return [message for message in self.messages if message.state in states]

    @property
    def complete(self) -> bool:
        """Whether everything was done that was to be done, and nothing came back."""
        unfinished = {*INCOMPLETE, *(() if self.dry_run else (MessageState.NOT_ATTEMPTED,))}
        came_back = self.returns is not None and bool(self.returns.returned)
        return not (self.stopped or came_back or self.of(*unfinished))


class Recorder:
    """Records what happens to the selected messages.

    Args:
        action: What the command does.
        dead_letters: The selected messages, each `NOT_ATTEMPTED` at first.
        destination: The destination of a redrive; empty for a discard.
        dry_run: Whether nothing is to be changed.

    Attributes:
        stopped: Why the command ended early; empty if it did not.
        returns: What came back; None if the command did not wait.
    """

    def __init__(
        self, action: ActionName, dead_letters: Iterable[DeadLetter], destination: str = "", *, dry_run: bool = False
    ) -> None:
        self._action = action
        self._destination = destination
        self._dry_run = dry_run
        self._messages = {
            dead_letter.message_id: MessageResult(dead_letter, MessageState.NOT_ATTEMPTED)
            for dead_letter in dead_letters
        }
        self.stopped = ""
        self.returns: Returns | None = None

    def set(self, dead_letter: DeadLetter, state: MessageState, reason: str = "") -> None:
        """Record the state of a message, in place of its earlier one."""
        self._messages[dead_letter.message_id] = MessageResult(dead_letter, state, reason)

    def of(self, dead_letter: DeadLetter) -> MessageResult:
        """Return what was recorded of a message."""
        return self._messages[dead_letter.message_id]

    def result(self) -> ActionResult:
        """Return what has happened so far."""
        messages = tuple(self._messages.values())
        return ActionResult(self._action, self._destination, messages, self._dry_run, self.stopped, self.returns)
