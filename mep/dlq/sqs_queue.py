"""The dead-letter queue as these commands use it: looked at without being consumed."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from typing import Any

from mep.aws_errors import UnreadableReplyError, asking
from mep.aws_hosts import authority
from mep.dlq.limits import MAX_MESSAGES, VISIBILITY_TIMEOUT_S
from mep.dlq.model import DeadLetter
from mep.dlq.sources import SYSTEM_ATTRIBUTES, read_message
from mep.errors import LocalError

_BATCH = 10
_WAIT_S = 1
"""Waiting makes SQS ask all of its servers, so that a nearly empty queue does not look empty; messages come at once."""
_MAX_EMPTY_RECEIVES = 3
"""Receives in a row without a new message that end a reading: one may come back empty from a queue that is not."""


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """What a command saw of the queue.

    Attributes:
        dead_letters: each message once, the oldest first.
        in_flight: messages that somebody else was working on, and which were not seen; approximate, as SQS says it.
        unseen: messages that were visible and not received all the same; approximate.
        limit: how many were to be looked at; None if it was not reached.
        own_redrive_policy: whether the queue itself has one: then each look counts against its `maxReceiveCount`.
    """

    dead_letters: tuple[DeadLetter, ...]
    in_flight: int
    unseen: int
    own_redrive_policy: bool
    limit: int | None = None

    @property
    def complete(self) -> bool:
        """Whether it was all there is, as far as SQS can tell."""
        return not self.in_flight and not self.unseen


class Queue:
    """An SQS queue.

    Args:
        client: of SQS.
        url: of the queue.
        visibility_timeout_s: seconds for which what is received is hidden, 1 to 43200.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        client: Any,
        url: str,
        *,
        visibility_timeout_s: int = VISIBILITY_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = url
        self._visibility_timeout_s = visibility_timeout_s
        self._clock = clock
        self._in_flight: dict[str, DeadLetter] = {}
        self._renewed = clock()
        self.not_released = 0
        """Messages that could not be shown again: they come back by themselves."""

    def read(self, limit: int = MAX_MESSAGES) -> QueueSnapshot:
        """Receive every message there is and hold it, hidden from others, until `release` or `delete`.

        Args:
            limit: stop after so many.

        Raises:
            UnavailableError: SQS does not answer, or refuses: nothing is known of the queue.
        """
        with self._told():
            before = self._attributes()
            others = _number(before, "ApproximateNumberOfMessagesNotVisible")
            self._renewed = self._clock()
            fruitless = 0
            while len(self._in_flight) < limit and fruitless < _MAX_EMPTY_RECEIVES:
                self.extend_visibility()
                known = len(self._in_flight)
                for dead_letter in self._receive(0 if known and not fruitless else _WAIT_S):
                    self._in_flight[dead_letter.message_id] = dead_letter
                fruitless = 0 if len(self._in_flight) > known else fruitless + 1
                if fruitless and not _number(self._attributes(), "ApproximateNumberOfMessages"):
                    break
            after = self._attributes()
        dead_letters = sorted(
            self._in_flight.values(), key=lambda each: (each.sent_at is None, each.sent_at, each.message_id)
        )
        return QueueSnapshot(
            dead_letters=tuple(dead_letters),
            in_flight=others,
            unseen=_number(after, "ApproximateNumberOfMessages"),
            own_redrive_policy=bool(after.get("RedrivePolicy")),
            limit=limit if len(dead_letters) >= limit else None,
        )

    def extend_visibility(self) -> None:
        """Hide what is held for longer, once a third of the time is over. Call it often.

        Raises:
            UnavailableError: SQS does not answer.
        """
        if self._clock() - self._renewed > self._visibility_timeout_s / 3:
            with self._told():
                self._change_visibility(self._in_flight.values(), self._visibility_timeout_s)
            self._renewed = self._clock()

    def owns(self, dead_letter: DeadLetter) -> bool:
        """Whether the message is still ours to work on."""
        return dead_letter.message_id in self._in_flight

    def delete(self, dead_letter: DeadLetter) -> None:
        """Delete a message that is held.

        Raises:
            UnavailableError: SQS did not delete it.
        """
        with self._told():
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=dead_letter.receipt_handle)
        self._in_flight.pop(dead_letter.message_id, None)

    def release(self, dead_letters: Iterable[DeadLetter] | None = None) -> None:
        """Show messages to others again; never raises for it.

        What cannot be shown comes back by itself; `not_released` counts it.

        Args:
            dead_letters: which; all that are held if None.
        """
        chosen = [
            each for each in (self._in_flight.values() if dead_letters is None else dead_letters) if self.owns(each)
        ]
        for batch in batched(chosen, _BATCH, strict=False):
            try:
                with self._told():
                    self._change_visibility(batch, 0)
            except LocalError:
                self.not_released += len(batch)
        for dead_letter in chosen:
            self._in_flight.pop(dead_letter.message_id, None)

    def _receive(self, wait_s: int) -> Iterator[DeadLetter]:
        reply = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=list(SYSTEM_ATTRIBUTES),
            VisibilityTimeout=self._visibility_timeout_s,
            WaitTimeSeconds=wait_s,
        )
        for message in reply.get("Messages", []):
            yield read_message(message)

    def _change_visibility(self, dead_letters: Iterable[DeadLetter], seconds: int) -> None:
        """Change how long messages are hidden; those that are not ours any more are given up."""
        for batch in batched(list(dead_letters), _BATCH, strict=False):
            entries = [
                {"Id": str(number), "ReceiptHandle": dead_letter.receipt_handle, "VisibilityTimeout": seconds}
                for number, dead_letter in enumerate(batch)
            ]
            reply = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            for failed in reply.get("Failed", []):
                self._in_flight.pop(batch[int(failed["Id"])].message_id, None)
                self.not_released += not seconds

    def _attributes(self) -> dict[str, str]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "RedrivePolicy"]
        reply = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        found: dict[str, str] = reply.get("Attributes", {})
        if names[0] not in found:  # SQS always says it, so this was not SQS
            raise UnreadableReplyError(host=authority(self._client.meta.endpoint_url), operation="GetQueueAttributes")
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        with asking(f"the queue {self._url} cannot be used", self._client):
            yield


def _number(attributes: dict[str, str], name: str) -> int:
    return int(attributes.get(name, "0"))
