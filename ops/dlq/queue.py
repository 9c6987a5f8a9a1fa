"""The dead-letter queue as these commands use it: looked at without being consumed."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from typing import Any

from local.errors import LocalError
from ops.aws_errors import UnreadableReplyError, asking
from ops.aws_hosts import authority
from ops.dlq.letter import Letter
from ops.dlq.limits import HIDDEN_S, MAX_MESSAGES
from ops.dlq.shapes import SYSTEM_ATTRIBUTES, read_message

_BATCH = 10
_WAIT_S = 1
"""Waiting makes SQS ask all of its servers, so that a nearly empty queue does not look empty; messages come at once."""
_FRUITLESS = 3
"""Receives in a row without a new message that end a reading: one may come back empty from a queue that is not."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a command saw of the queue.

    Attributes:
        letters: each message once, the oldest first.
        in_flight: messages that somebody else was working on, and which were not seen; approximate, as SQS says it.
        unseen: messages that were visible and not received all the same; approximate.
        limit: how many were to be looked at; None if it was not reached.
        own_redrive_policy: whether the queue itself has one: then each look counts against its `maxReceiveCount`.
    """

    letters: tuple[Letter, ...]
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
        hidden_s: seconds for which what is received is hidden, 1 to 43200.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        client: Any,
        url: str,
        *,
        hidden_s: int = HIDDEN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = url
        self._hidden_s = hidden_s
        self._clock = clock
        self._held: dict[str, Letter] = {}
        self._renewed = clock()
        self.hidden_still = 0
        """Messages that could not be shown again: they come back by themselves."""

    def read(self, limit: int = MAX_MESSAGES) -> Reading:
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
            while len(self._held) < limit and fruitless < _FRUITLESS:
                self.renew()
                known = len(self._held)
                for letter in self._receive(0 if known and not fruitless else _WAIT_S):
                    self._held[letter.message_id] = letter
                fruitless = 0 if len(self._held) > known else fruitless + 1
                if fruitless and not _number(self._attributes(), "ApproximateNumberOfMessages"):
                    break
            after = self._attributes()
        letters = sorted(self._held.values(), key=lambda each: (each.sent_at is None, each.sent_at, each.message_id))
        return Reading(
            letters=tuple(letters),
            in_flight=others,
            unseen=_number(after, "ApproximateNumberOfMessages"),
            own_redrive_policy=bool(after.get("RedrivePolicy")),
            limit=limit if len(letters) >= limit else None,
        )

    def renew(self) -> None:
        """Hide what is held for longer, once a third of the time is over. Call it often.

        Raises:
            UnavailableError: SQS does not answer.
        """
        if self._clock() - self._renewed > self._hidden_s / 3:
            with self._told():
                self._hide(self._held.values(), self._hidden_s)
            self._renewed = self._clock()

    def holds(self, letter: Letter) -> bool:
        """Whether the message is still ours to work on."""
        return letter.message_id in self._held

    def delete(self, letter: Letter) -> None:
        """Delete a message that is held.

        Raises:
            UnavailableError: SQS did not delete it.
        """
        with self._told():
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt_handle)
        self._held.pop(letter.message_id, None)

    def release(self, letters: Iterable[Letter] | None = None) -> None:
        """Show messages to others again; never raises for it.

        What cannot be shown comes back by itself; `hidden_still` counts it.

        Args:
            letters: which; all that are held if None.
        """
        chosen = [each for each in (self._held.values() if letters is None else letters) if self.holds(each)]
        for batch in batched(chosen, _BATCH, strict=False):
            try:
                with self._told():
                    self._hide(batch, 0)
            except LocalError:
                self.hidden_still += len(batch)
        for letter in chosen:
            self._held.pop(letter.message_id, None)

    def _receive(self, wait_s: int) -> Iterator[Letter]:
        reply = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=list(SYSTEM_ATTRIBUTES),
            VisibilityTimeout=self._hidden_s,
            WaitTimeSeconds=wait_s,
        )
        for message in reply.get("Messages", []):
            yield read_message(message)

    def _hide(self, letters: Iterable[Letter], seconds: int) -> None:
        """Change how long messages are hidden; those that are not ours any more are given up."""
        for batch in batched(list(letters), _BATCH, strict=False):
            entries = [
                {"Id": str(number), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": seconds}
                for number, letter in enumerate(batch)
            ]
            reply = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            for failed in reply.get("Failed", []):
                self._held.pop(batch[int(failed["Id"])].message_id, None)
                self.hidden_still += not seconds

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
