"""The dead-letter queue: reads messages without consuming them."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import batched
from typing import Any

from mep.aws_errors import UnreadableReplyError, aws_errors
from mep.aws_hosts import authority
from mep.dlq import MAX_MESSAGES, VISIBILITY_TIMEOUT_S
from mep.dlq.model import DeadLetter
from mep.dlq.sources import SYSTEM_ATTRIBUTES, read_message
from mep.errors import MepError

_BATCH = 10
_WAIT_S = 1
"""Long polling makes SQS query all of its servers, so that a nearly empty queue does not look empty."""
_MAX_EMPTY_RECEIVES = 3
"""Receives in a row without a new message that end a read: one may be empty although the queue is not."""


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """What one read returned.

    Attributes:
        dead_letters: Each message once, the oldest first.
        in_flight: Messages that other consumers had received and this read therefore did not; approximate.
        unseen: Visible messages that were not received; approximate.
        own_redrive_policy: Whether the queue has a redrive policy: then each read counts towards `maxReceiveCount`.
        limit: The limit of the read, if it was reached; else None.
    """

    dead_letters: tuple[DeadLetter, ...]
    in_flight: int
    unseen: int
    own_redrive_policy: bool
    limit: int | None = None

    @property
    def complete(self) -> bool:
        """Whether every message was read, as far as SQS reports."""
        return not self.in_flight and not self.unseen

    def notes(self) -> list[str]:
        """Return what is missing in the snapshot, or wrong with the queue; one line each."""
        notes = []
        if self.in_flight:
            notes.append(f"about {self.in_flight} more are in flight: another consumer has received them")
        if self.unseen and self.limit is not None:
            notes.append(f"about {self.unseen} more were not read: --max {self.limit} was reached")
        elif self.unseen:
            notes.append(f"about {self.unseen} more were not received: run it again")
        if self.own_redrive_policy:
            notes.append("the queue has a redrive policy: each read counts towards its maxReceiveCount")
        return notes


class Queue:
    """An SQS queue.

    Args:
        client: boto3 client of SQS.
        url: URL of the queue.
        visibility_timeout_s: Visibility timeout of received messages in seconds, 1 to 43200.
        with_content: Whether a message is kept with body, event and attributes; for all messages, or by message.
        clock: Monotonic time in seconds.
        on_progress: Called with what is done (`reading`, `releasing`), the number of messages since the last call, and
            about how many there are in total.

    Attributes:
        not_released: Messages whose visibility timeout could not be ended; they become visible when it expires.
    """

    def __init__(
        self,
        client: Any,
        url: str,
        *,
        visibility_timeout_s: int = VISIBILITY_TIMEOUT_S,
        with_content: bool | Callable[[DeadLetter], bool] = True,
        clock: Callable[[], float] = time.monotonic,
        on_progress: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self._client = client
        self._url = url
        self._visibility_timeout_s = visibility_timeout_s
        self._keeps_content = with_content if callable(with_content) else lambda _: with_content
        self._clock = clock
        self._on_progress = on_progress
        self._in_flight: dict[str, DeadLetter] = {}
        self._extended_at = clock()
        self.not_released = 0

    def read(self, limit: int = MAX_MESSAGES) -> QueueSnapshot:
        """Receive every message and keep it in flight until `release` or `delete`.

        Called again, it returns the messages that are still in flight here as well, and those that have arrived since.

        Args:
            limit: Stop after this many messages.

        Raises:
            UnavailableError: A call failed; the state of the queue is unknown.
        """
        with self._errors():
            attributes = self._attributes()
            not_visible = _number(attributes, "ApproximateNumberOfMessagesNotVisible")
            in_flight_elsewhere = max(0, not_visible - len(self._in_flight))
            expected = min(limit, _number(attributes, "ApproximateNumberOfMessages") + len(self._in_flight))
            if not self._in_flight:
                self._extended_at = self._clock()
            empty_receives = 0
            while len(self._in_flight) < limit and empty_receives < _MAX_EMPTY_RECEIVES:
                self.extend_visibility()
                known = len(self._in_flight)
                for dead_letter in self._receive(0 if known and not empty_receives else _WAIT_S):
                    self._in_flight[dead_letter.message_id] = dead_letter
                self._on_progress("reading", len(self._in_flight) - known, expected)
                empty_receives = 0 if len(self._in_flight) > known else empty_receives + 1
                if empty_receives and not _number(self._attributes(), "ApproximateNumberOfMessages"):
                    break
            attributes = self._attributes()
        dead_letters = sorted(
            self._in_flight.values(), key=lambda message: (message.sent_at is None, message.sent_at, message.message_id)
        )
        return QueueSnapshot(
            dead_letters=tuple(dead_letters),
            in_flight=in_flight_elsewhere,
            unseen=_number(attributes, "ApproximateNumberOfMessages"),
            own_redrive_policy=bool(attributes.get("RedrivePolicy")),
            limit=limit if len(dead_letters) >= limit else None,
        )

    def extend_visibility(self) -> None:
        """Restart the visibility timeout of all messages in flight once a third of it is over. Call it often.

        Raises:
            UnavailableError: A call failed.
        """
        if self._clock() - self._extended_at > self._visibility_timeout_s / 3:
            with self._errors():
                self._change_visibility(self._in_flight.values(), self._visibility_timeout_s)
            self._extended_at = self._clock()

    def owns(self, dead_letter: DeadLetter) -> bool:
        """Return whether the message is still in flight for this consumer."""
        return dead_letter.message_id in self._in_flight

    def delete(self, dead_letter: DeadLetter) -> None:
        """Delete a message that is in flight.

        Raises:
            UnavailableError: SQS did not delete it.
        """
        with self._errors():
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=dead_letter.receipt_handle)
        self._in_flight.pop(dead_letter.message_id, None)

    def release(self, dead_letters: Iterable[DeadLetter] | None = None) -> None:
        """Make messages visible again. A failure is counted in `not_released`, never raised.

        Args:
            dead_letters: The messages; all that are in flight if None.
        """
        released = [
            dead_letter
            for dead_letter in (self._in_flight.values() if dead_letters is None else dead_letters)
            if self.owns(dead_letter)
        ]
        open_count = len(released)
        try:
            for batch in batched(released, _BATCH, strict=False):
                try:
                    with self._errors():
                        self._change_visibility(batch, 0)
                except MepError:
                    self.not_released += len(batch)
                open_count -= len(batch)
                self._on_progress("releasing", len(batch), len(released))
        finally:
            self.not_released += open_count  # interrupted
            for dead_letter in released:
                self._in_flight.pop(dead_letter.message_id, None)

    def _receive(self, wait_s: int) -> Iterator[DeadLetter]:
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=list(SYSTEM_ATTRIBUTES),
            VisibilityTimeout=self._visibility_timeout_s,
            WaitTimeSeconds=wait_s,
        )
        for message in response.get("Messages", []):
            dead_letter = read_message(message)
            yield dead_letter if self._keeps_content(dead_letter) else dead_letter.without_content()

    def _change_visibility(self, dead_letters: Iterable[DeadLetter], seconds: int) -> None:
        """Set the visibility timeout of messages; those whose receipt handle is no longer valid are dropped."""
        for batch in batched(list(dead_letters), _BATCH, strict=False):
            entries = [
                {"Id": str(number), "ReceiptHandle": dead_letter.receipt_handle, "VisibilityTimeout": seconds}
                for number, dead_letter in enumerate(batch)
            ]
            response = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            for failed in response.get("Failed", []):
                self._in_flight.pop(batch[int(failed["Id"])].message_id, None)
                self.not_released += not seconds

    def _attributes(self) -> dict[str, str]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "RedrivePolicy"]
        response = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        attributes: dict[str, str] = response.get("Attributes", {})
        if names[0] not in attributes:  # SQS always returns it, so this server is not SQS
            raise UnreadableReplyError(host=authority(self._client.meta.endpoint_url), operation="GetQueueAttributes")
        return attributes

    def _errors(self) -> AbstractContextManager[None]:
        return aws_errors(f"the queue {self._url} cannot be used", self._client)


def _number(attributes: dict[str, str], name: str) -> int:
    return int(attributes.get(name, "0"))
