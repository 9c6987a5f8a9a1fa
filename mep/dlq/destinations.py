"""The two destinations of a redrive: an event bus, and the function."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Protocol, override

from handler.dead_letters import serialize_event
from handler.validation import FieldError, parse_timestamp
from mep.aws_errors import aws_errors
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

    def send(self, event: Any) -> str:
        """Send one event.

        Returns:
            The service's ID of the accepted event.

        Raises:
            CannotSendError: This destination can never take it.
            RejectedError: The service did not accept it.
            UnavailableError: The service cannot be called.
        """


@dataclass(frozen=True)
class Bus(Destination):
    """An EventBridge bus.

    EventBridge accepts events that no rule matches, and drops them. So an event is sent only if an enabled rule with a
    Lambda target matches it, according to TestEventPattern.

    EventBridge replaces `id`, `account` and `region`, and retains `time` and `resources`.

    Attributes:
        client: boto3 client of EventBridge.
        bus: Name or ARN.
    """

    client: Any
    bus: str

    @property
    @override
    def name(self) -> str:
        return f"bus:{self.bus}"

    @cached_property
    def _patterns(self) -> list[str]:
        """The patterns of the enabled rules that invoke a function, without EventBridge's own rules (archives)."""
        patterns: list[str] = []
        token: dict[str, str] = {}
        with self._errors():
            while True:
                page = self.client.list_rules(EventBusName=self.bus, **token)
                for rule in page.get("Rules", []):
                    if rule.get("State") != "DISABLED" and rule.get("EventPattern") and not rule.get("ManagedBy"):
                        targets = self.client.list_targets_by_rule(Rule=rule["Name"], EventBusName=self.bus)
                        if any(":lambda:" in target.get("Arn", "") for target in targets.get("Targets", [])):
                            patterns.append(rule["EventPattern"])
                if not page.get("NextToken"):
                    return patterns
                token = {"NextToken": page["NextToken"]}

    @override
    def check(self, event: Any) -> None:
        self._entry(event)
        try:
            patterns = self._patterns
        except RejectedError as error:  # without the rules no event can be checked
            raise UnavailableError(f"the rules of bus {self.bus} cannot be read: {error}") from error
        if not patterns:
            raise RunError(f"bus {self.bus} has no enabled rule that invokes a function: events sent to it are lost")
        test_event = serialize_event(_TEST_ENVELOPE | event)
        with self._errors():
            if not any(
                self.client.test_event_pattern(EventPattern=pattern, Event=test_event)["Result"] for pattern in patterns
            ):
                raise CannotSendError(f"no enabled rule of bus {self.bus} matches the event: it would be lost")

    @override
    def send(self, event: Any) -> str:
        with self._errors():
            response = self.client.put_events(Entries=[self._entry(event)])
        entries: list[dict[str, str]] = response.get("Entries") or [{}]
        result = entries[0]
        if response.get("FailedEntryCount") != 0 or not result.get("EventId"):
            raise RejectedError(f"{result.get('ErrorCode', 'no answer')}: {result.get('ErrorMessage', '')}")
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
    def send(self, event: Any) -> str:
        with aws_errors(f"{self.name} cannot be used", self.client, rejected=RejectedError):
            response = self.client.invoke(
                FunctionName=self.function,
                InvocationType="Event",
                Payload=serialize_event(event).encode(errors="replace"),
            )
        if response.get("StatusCode") != HTTPStatus.ACCEPTED:
            raise RejectedError(f"status {response.get('StatusCode')} instead of 202")
        return str(response.get("ResponseMetadata", {}).get("RequestId", ""))


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
