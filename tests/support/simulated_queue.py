"""SQS in simulated time, for runs of hours: what a queue's consumers and its metrics see."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from emulator.faults import Exchange, Reply
from emulator.pipeline.destinations import DestinationMessage

_JSON = {"Content-Type": "application/x-amz-json-1.0"}
_POISON = 3
"""Receives from which a message does not count for `ApproximateAgeOfOldestMessage`."""


@dataclass
class _Message:
    body: str
    attributes: Mapping[str, Any]
    sent_at: float
    visible_at: float
    receives: int = 0


class SimulatedQueue:
    """One queue; SQS's JSON protocol through `serve`.

    Args:
        now: Returns the time, Unix time in seconds.

    Attributes:
        sent: Messages that the queue accepted.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._messages: dict[str, _Message] = {}
        self._numbers = count(1)
        self.sent = 0

    def __call__(self, message: DestinationMessage) -> None:
        """Accept a message of the platform: `emulator.pipeline.destinations.Destination`."""
        attributes = {
            name: {"DataType": "String", "StringValue": str(value)} for name, value in message.attributes.items()
        }
        self._put(message.body.decode(), attributes)

    @property
    def bodies(self) -> list[Any]:
        """The bodies of all messages, as JSON values."""
        return [json.loads(message.body) for message in self._messages.values()]

    @property
    def visible(self) -> int:
        """`ApproximateNumberOfMessagesVisible`."""
        return sum(message.visible_at <= self._now() for message in self._messages.values())

    @property
    def oldest_age_s(self) -> float:
        """`ApproximateAgeOfOldestMessage`."""
        ages = [self._now() - each.sent_at for each in self._messages.values() if each.receives < _POISON]
        return max(ages, default=0)

    def serve(self, exchange: Exchange) -> None:
        """Answer a request."""
        operation, request = exchange.request.operation, exchange.request.json
        answer: Mapping[str, Any] = getattr(self, f"_{operation}")(request)
        exchange.reply(Reply(200, json.dumps(answer).encode(), _JSON))

    def _put(self, body: str, attributes: Mapping[str, Any]) -> str:
        name = f"message-{next(self._numbers)}"
        self._messages[name] = _Message(body, attributes, self._now(), self._now())
        self.sent += 1
        return name

    def _SendMessage(self, request: Any) -> dict[str, Any]:
        return {"MessageId": self._put(request["MessageBody"], request.get("MessageAttributes", {}))}

    def _GetQueueAttributes(self, _: Any) -> dict[str, Any]:
        not_visible = len(self._messages) - self.visible
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(self.visible),
                "ApproximateNumberOfMessagesNotVisible": str(not_visible),
            }
        }

    def _ReceiveMessage(self, request: Any) -> dict[str, Any]:
        found = [name for name, each in self._messages.items() if each.visible_at <= self._now()]
        return {"Messages": [self._receive(name, request["VisibilityTimeout"]) for name in found[:10]]}

    def _receive(self, name: str, timeout_s: float) -> dict[str, Any]:
        message = self._messages[name]
        message.receives += 1
        message.visible_at = self._now() + timeout_s
        return {
            "MessageId": name,
            "ReceiptHandle": f"{name} {message.receives}",
            "Body": message.body,
            "MessageAttributes": message.attributes,
            "Attributes": {
                "SentTimestamp": str(int(message.sent_at * 1000)),
                "ApproximateReceiveCount": str(message.receives),
            },
        }

    def _DeleteMessage(self, request: Any) -> dict[str, Any]:
        self._messages.pop(request["ReceiptHandle"].partition(" ")[0], None)
        return {}

    def _ChangeMessageVisibilityBatch(self, request: Any) -> dict[str, Any]:
        for entry in request["Entries"]:
            name, _, receive = entry["ReceiptHandle"].partition(" ")
            if name in self._messages and self._messages[name].receives == int(receive):
                self._messages[name].visible_at = self._now() + entry["VisibilityTimeout"]
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}
