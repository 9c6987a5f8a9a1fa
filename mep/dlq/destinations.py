"""The two ways back: the event bus, and the function itself."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from handler.dead_letters import serialize_event
from handler.validation import FieldError, parse_timestamp
from mep.aws_errors import explain
from mep.errors import RunError, UnavailableError
from mep.problems import CREDENTIALS, Reason, as_error

MAX_BYTES = 1024 * 1024
"""Of an entry of PutEvents, and of an asynchronous invocation's payload."""

_TIME_BYTES = 14  # what PutEvents counts for `Time`
# What TestEventPattern insists on; EventBridge makes most of it anew.
_TEST_ENVELOPE = {"id": "0", "account": "0", "region": "none", "time": "2000-01-01T00:00:00Z", "resources": []}
_FATAL_CODES = CREDENTIALS | {Reason.ACCESS_DENIED, Reason.NOT_FOUND, Reason.SETTING}


class CannotSendError(Exception):
    """This event cannot go this way, now or later; the message says why. Nothing was sent."""


class RejectedError(Exception):
    """The service did not accept the event; the message is its reason."""


class Destination(Protocol):
    """Takes events."""

    @property
    def name(self) -> str:
        """For people and for the audit entry: `bus:NAME` or `function:NAME`."""

    def check(self, event: Any) -> None:
        """Look whether the event would arrive, without sending it.

        Raises:
            CannotSendError: it would not.
            RejectedError: the service did not answer the question.
            RunError: nothing can be sent this way.
            UnavailableError: the service cannot be asked at all.
        """

    def send(self, event: Any) -> str:
        """Send one event.

        Returns:
            The service's ID for what it accepted.

        Raises:
            Refused, NotAccepted, RunError: as they say.
        """


@dataclass(frozen=True)
class Bus:
    """An EventBridge bus.

    EventBridge accepts every event, also one that no rule matches: that one is gone. So an event is sent only if an
    enabled rule with a Lambda target matches it, by EventBridge's own judgement (TestEventPattern).

    EventBridge makes `id`, `account` and `region` anew; `time` and `resources` are kept.

    Attributes:
        client: of EventBridge.
        bus: name or ARN.
    """

    client: Any
    bus: str

    @property
    def name(self) -> str:
        """As in `Destination`."""
        return f"bus:{self.bus}"

    @cached_property
    def _patterns(self) -> list[str]:
        """The patterns of the bus's enabled rules that invoke a function. EventBridge's own (archives) do not count."""
        found: list[str] = []
        more: dict[str, str] = {}
        with aws_errors(self.name, self.client):
            while True:
                page = self.client.list_rules(EventBusName=self.bus, **more)
                for rule in page.get("Rules", []):
                    if rule.get("State") != "DISABLED" and rule.get("EventPattern") and not rule.get("ManagedBy"):
                        targets = self.client.list_targets_by_rule(Rule=rule["Name"], EventBusName=self.bus)
                        if any(":lambda:" in target.get("Arn", "") for target in targets.get("Targets", [])):
                            found.append(rule["EventPattern"])
                if not page.get("NextToken"):
                    return found
                more = {"NextToken": page["NextToken"]}

    def check(self, event: Any) -> None:
        """As in `Destination`."""
        self._entry(event)
        try:
            patterns = self._patterns
        except RejectedError as failed:  # asked once: no event can be judged without
            raise UnavailableError(f"the rules of bus {self.bus} cannot be read: {failed}") from failed
        if not patterns:
            raise RunError(f"{self.bus} has no enabled rule that invokes a function: an event put there would be lost")
        judged = serialize_event(_TEST_ENVELOPE | event)
        with aws_errors(self.name, self.client):
            if not any(
                self.client.test_event_pattern(EventPattern=pattern, Event=judged)["Result"] for pattern in patterns
            ):
                raise CannotSendError(f"no enabled rule of bus {self.bus} matches it: put there it would be lost")

    def send(self, event: Any) -> str:
        """As in `Destination`."""
        with aws_errors(self.name, self.client):
            reply = self.client.put_events(Entries=[self._entry(event)])
        entries: list[dict[str, str]] = reply.get("Entries") or [{}]
        result = entries[0]
        if reply.get("FailedEntryCount") != 0 or not result.get("EventId"):
            raise RejectedError(f"{result.get('ErrorCode', 'no answer')}: {result.get('ErrorMessage', '')}")
        return str(result["EventId"])

    def _entry(self, event: Any) -> dict[str, Any]:
        detail = event.get("detail") if isinstance(event, Mapping) else None
        if not isinstance(event, Mapping) or not isinstance(detail, Mapping):
            raise CannotSendError(
                "it is no EventBridge event with a detail: a bus does not take it, but --function does"
            )
        source, kind, resources = event.get("source"), event.get("detail-type"), event.get("resources") or []
        if not (isinstance(source, str) and source and isinstance(kind, str) and kind):
            raise CannotSendError("it has no source or no detail-type: a bus does not take it, but --function does")
        if not (isinstance(resources, list) and all(isinstance(each, str) for each in resources)):
            raise CannotSendError("its resources are no list of texts: a bus does not take it, but --function does")
        entry: dict[str, Any] = {
            "EventBusName": self.bus,
            "Source": source,
            "DetailType": kind,
            "Detail": serialize_event(detail),
            "Resources": resources,
        }
        with suppress(FieldError):  # else EventBridge takes the time of the call
            entry["Time"] = datetime.fromisoformat(parse_timestamp(event.get("time")))
        size = _TIME_BYTES + sum(_size(text) for text in (source, kind, entry["Detail"], *resources))
        if size > MAX_BYTES:
            raise CannotSendError(f"it has {size:,} bytes, and a bus takes {MAX_BYTES:,}")
        return entry


@dataclass(frozen=True)
class Function:
    """The function itself, invoked asynchronously: its retries and its nets are the same as behind a rule.

    The envelope stays as it was, also its `id`.

    Attributes:
        client: of Lambda.
        function: name, `name:alias` or ARN.
    """

    client: Any
    function: str

    @property
    def name(self) -> str:
        """As in `Destination`."""
        return f"function:{self.function}"

    def check(self, event: Any) -> None:
        """As in `Destination`."""
        if (size := _size(serialize_event(event))) > MAX_BYTES:
            raise CannotSendError(f"it has {size:,} bytes, and an asynchronous invocation takes {MAX_BYTES:,}")

    def send(self, event: Any) -> str:
        """As in `Destination`."""
        with aws_errors(self.name, self.client):
            reply = self.client.invoke(
                FunctionName=self.function,
                InvocationType="Event",
                Payload=serialize_event(event).encode(errors="replace"),
            )
        if reply.get("StatusCode") != 202:
            raise RejectedError(f"status {reply.get('StatusCode')} instead of 202")
        return str(reply.get("ResponseMetadata", {}).get("RequestId", ""))


class aws_errors:  # noqa: N801 - reads as a statement
    """Turns botocore's errors into ours: hopeless ones end the run, others are about this event."""

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        problem = explain(error, self._client) if isinstance(error, Exception) else None
        if problem is None:
            return
        if problem.reason in _FATAL_CODES:
            raise as_error(f"{self._name} cannot be used", problem) from error
        raise RejectedError(str(problem)) from error


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
