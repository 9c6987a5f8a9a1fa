"""The two destinations of a redrive: an event bus, and the function."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Protocol, override

from handler.dead_letters import serialize_event
from handler.validation import FieldError, parse_timestamp
from mep.aws_errors import aws_errors, explain
from mep.dlq.bus_rules import BusRules, Rule, read_rules
from mep.dlq.results import NO_ANSWER
from mep.errors import RunError, UnavailableError

MAX_BYTES = 1024 * 1024
"""The maximum size of an entry of PutEvents, and of an asynchronous invocation's payload."""

_TIME_BYTES = 14  # the size that PutEvents assigns to `Time`
# The fields that TestEventPattern requires; EventBridge replaces most of them.
_TEST_ENVELOPE = {"id": "0", "account": "0", "region": "none", "time": "2000-01-01T00:00:00Z", "resources": []}


class CannotSendError(Exception):
    """This destination can never take the event; the message says why. Nothing was sent."""


class RejectedError(Exception):
    """The service did not accept the event, or did not answer the question about it; the message is its reason."""


class NoAnswerError(RejectedError):
    """There is no answer that states whether the event was accepted."""


class Destination(Protocol):
    """Accepts redriven events."""

    @property
    def name(self) -> str:
        """The name in output and audit entries: `bus:NAME` or `function:NAME`."""

    def check(self, event: Any) -> None:
        """Check whether the event would arrive, without sending it.

        Raises:
            CannotSendError: It would not.
            RejectedError: The service did not answer the question about this event.
            RunError: No event can be sent to this destination.
            UnavailableError: The service cannot be called.
        """

    def other_targets(self, event: Any) -> list[str]:
        """Return what else receives a checked event, besides the function: `RULE (SERVICE NAME)` for each target.

        Raises:
            RejectedError: The service did not answer the question.
            UnavailableError: The service cannot be called.
        """

    def send(self, event: Any) -> str:
        """Send one event.

        Returns:
            The service's ID of the accepted event.

        Raises:
            CannotSendError: This destination can never take it.
            NoAnswerError: Whether the service accepted it is not known.
            RejectedError: The service did not accept it.
            UnavailableError: The service cannot be called.
        """


@dataclass(frozen=True)
class Bus(Destination):
    """An EventBridge bus.

    EventBridge accepts events that no rule matches, and drops them. So an event is sent only if an enabled rule with a
    Lambda target matches it, according to TestEventPattern.

    EventBridge replaces `id`, `account` and `region`, and retains `time` and `resources`. It delivers an event to every
    target of every rule that matches it: there is no way to send an event to one rule only.

    Attributes:
        client: boto3 client of EventBridge.
        bus: Name or ARN.
        function: The function's name, to find its rule where rules of the bus invoke several functions; may be empty.
    """

    client: Any
    bus: str
    function: str = ""

    @property
    @override
    def name(self) -> str:
        return f"bus:{self.bus}"

    @cached_property
    def _rules(self) -> BusRules:
        with self._errors():
            return read_rules(self.client, self.bus, self.function)

    @override
    def check(self, event: Any) -> None:
        self._entry(event)
        try:
            rules = self._rules
        except RejectedError as error:  # without the rules no event can be checked
            raise UnavailableError(f"the rules of bus {self.bus} cannot be read: {error}") from error
        if not rules.own:
            of = f"function {self.function}" if self.function and rules.several else "a function"
            raise RunError(f"bus {self.bus} has no enabled rule that invokes {of}: events sent to it are lost")
        if not any(self._matches(rule, event) for rule in rules.own):
            raise CannotSendError(f"no enabled rule of bus {self.bus} matches the event: it would be lost")

    @override
    def other_targets(self, event: Any) -> list[str]:
        matching = (rule for rule in self._rules.shared if self._matches(rule, event))
        return sorted({description for rule in matching for description in rule.others})

    def _matches(self, rule: Rule, event: Any) -> bool:
        with self._errors():
            response = self.client.test_event_pattern(
                EventPattern=rule.pattern, Event=serialize_event(_TEST_ENVELOPE | event)
            )
        return bool(response["Result"])

    @override
    def send(self, event: Any) -> str:
        entry = self._entry(event)
        with sending(self.name, self.client):
            response = self.client.put_events(Entries=[entry])
        entries: list[dict[str, str]] = response.get("Entries") or [{}]
        result = entries[0]
        if response.get("FailedEntryCount") != 0 or not result.get("EventId"):
            if not result.get("ErrorCode"):
                raise NoAnswerError("the answer to PutEvents has neither an event ID nor an error")
            raise RejectedError(f"{result['ErrorCode']}: {result.get('ErrorMessage', '')}")
        return str(result["EventId"])

    def _entry(self, event: Any) -> dict[str, Any]:
        detail = event.get("detail") if isinstance(event, Mapping) else None
        if not isinstance(event, Mapping) or not isinstance(detail, Mapping):
            raise CannotSendError("not an EventBridge event with a detail: a bus rejects it; use --function")
        source, detail_type, resources = event.get("source"), event.get("detail-type"), event.get("resources") or []
        if not (isinstance(source, str) and source and isinstance(detail_type, str) and detail_type):
            raise CannotSendError("the event has no source or no detail-type: a bus rejects it; use --function")
        if not (isinstance(resources, list) and all(isinstance(resource, str) for resource in resources)):
            raise CannotSendError("the event's resources are not a list of texts: a bus rejects it; use --function")
        entry: dict[str, Any] = {
            "EventBusName": self.bus,
            "Source": source,
            "DetailType": detail_type,
            "Detail": serialize_event(detail),
            "Resources": resources,
        }
        with suppress(FieldError):  # without a valid time EventBridge uses the time of the call
            entry["Time"] = datetime.fromisoformat(parse_timestamp(event.get("time")))
        size = _TIME_BYTES + sum(_size(text) for text in (source, detail_type, entry["Detail"], *resources))
        if size > MAX_BYTES:
            raise CannotSendError(f"the event has {size:,} bytes; a bus accepts at most {MAX_BYTES:,}")
        return entry

    def _errors(self) -> AbstractContextManager[None]:
        return aws_errors(f"{self.name} cannot be used", self.client, rejected=RejectedError)


@dataclass(frozen=True)
class Function(Destination):
    """The function, invoked asynchronously: retries and failure destinations are the same as behind a rule.

    The envelope is sent unchanged, with its `id`.

    Attributes:
        client: boto3 client of Lambda.
        function: Name, `name:alias` or ARN.
    """

    client: Any
    function: str

    @property
    @override
    def name(self) -> str:
        return f"function:{self.function}"

    @override
    def check(self, event: Any) -> None:
        if (size := _size(serialize_event(event))) > MAX_BYTES:
            raise CannotSendError(
                f"the event has {size:,} bytes; an asynchronous invocation accepts at most {MAX_BYTES:,}"
            )

    @override
    def other_targets(self, event: Any) -> list[str]:
        return []

    @override
    def send(self, event: Any) -> str:
        with sending(self.name, self.client):
            response = self.client.invoke(
                FunctionName=self.function,
                InvocationType="Event",
                Payload=serialize_event(event).encode(errors="replace"),
            )
        if response.get("StatusCode") != HTTPStatus.ACCEPTED:
            raise NoAnswerError(f"status {response.get('StatusCode')} instead of 202")
        return str(response.get("ResponseMetadata", {}).get("RequestId", ""))


@contextmanager
def sending(name: str, client: Any) -> Iterator[None]:
    """Translate the errors of a call that sends an event.

    Args:
        name: The destination's name.
        client: The client that is called inside.

    Raises:
        NoAnswerError: Whether the service accepted the event is not known.
        RejectedError: The service did not accept it.
        UnavailableError: The service cannot be called.
    """
    try:
        with aws_errors(f"{name} cannot be used", client, rejected=RejectedError):
            yield
    except RejectedError as error:
        cause = error.__cause__
        problem = explain(cause, client) if isinstance(cause, Exception) else None
        if problem is not None and problem.reason in NO_ANSWER:
            raise NoAnswerError(str(error)) from cause
        raise


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
