"""The APIs of the event pipeline on loopback, for an AWS SDK and for `mep dlq redrive`.

EventBridge's `PutEvents`, and the questions that a client asks about a bus (`ListRules`, `ListTargetsByRule`,
`TestEventPattern`); Lambda's `Invoke`, asynchronous (`InvocationType=Event`) and synchronous (`RequestResponse`).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import orjson

from emulator.clients import loopback_client
from emulator.environment import FunctionConfig
from emulator.errors import InputError
from emulator.http_server import LoopbackServer, QuietHandler
from emulator.pipeline.bus import Entry, PatternMatcher
from emulator.pipeline.pipeline import EventPipeline
from emulator.services.ministack import ministack
from handler.contract import DEFAULT_SOURCE, DETAIL_TYPE
from handler.validation import format_utc

if TYPE_CHECKING:
    from emulator.lambda_runtime.worker import InvocationResult

_PATTERN = {"source": [DEFAULT_SOURCE], "detail-type": [DETAIL_TYPE]}
_INVOKE_PATH = re.compile(r"/2015-03-31/functions/[^/]+/invocations")


@dataclass(frozen=True, slots=True)
class ServedRule:
    """The rule that the API reports for the bus.

    Attributes:
        pattern: The event pattern; the one of the pipeline.
        matcher: Evaluates event patterns.
    """

    pattern: Mapping[str, Any]
    matcher: PatternMatcher
    name: str
    function_arn: str

    def matches(self, event: bytes) -> bool:
        """Return whether the rule matches an event, JSON."""
        return self.matcher(json.dumps(self.pattern), event.decode())


@contextmanager
def serve_api(pipeline: EventPipeline, rule: ServedRule | None = None) -> Iterator[str]:
    """Serve the APIs of a pipeline for the length of a `with` block.

    A request is accepted at once. Its event is processed when the pipeline runs; a synchronous invocation waits for
    that.

    Args:
        pipeline: Accepts the events.
        rule: The rule of the bus; None for a bus without rules.

    Yields:
        The URL for `AWS_ENDPOINT_URL_EVENTBRIDGE` and `AWS_ENDPOINT_URL_LAMBDA`.
    """
    with LoopbackServer(_ApiHandler, name="api", pipeline=pipeline, rule=rule) as server:
        yield server.url


@contextmanager
def serve_event_bus(pipeline: EventPipeline) -> Iterator[str]:
    """Serve the APIs of a pipeline with the rule that is deployed.

    Yields:
        As for `serve_api`.

    Raises:
        ServiceError: The matcher of event patterns did not start.
    """
    with (
        emulated_matcher() as matcher,
        serve_api(pipeline, ServedRule(_PATTERN, matcher, "mark", FunctionConfig().arn)) as url,
    ):
        yield url


@contextmanager
def emulated_matcher() -> Iterator[PatternMatcher]:
    """Run an emulator of EventBridge and yield its `TestEventPattern` as a matcher.

    Raises:
        ServiceError: The emulator did not start.
    """
    with ministack("events") as url, closing(loopback_client("events", url)) as client:
        yield api_matcher(client)


def api_matcher(client: Any) -> PatternMatcher:
    """Return the `TestEventPattern` of a boto3 client of EventBridge as a matcher."""

    def matches(pattern: str, event: str) -> bool:
        try:
            return bool(client.test_event_pattern(EventPattern=pattern, Event=event)["Result"])
        except client.exceptions.InvalidEventPatternException as error:
            raise InputError(f"invalid event pattern {pattern}: {error}") from error

    return matches


class _ApiHandler(QuietHandler):
    protocol_version = "HTTP/1.1"
    pipeline: EventPipeline
    rule: ServedRule | None

    def do_POST(self) -> None:
        body = self.read_body()
        if _INVOKE_PATH.fullmatch(self.path):
            self._invoke(body or b"{}")
            return
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        serve = _OPERATIONS.get(operation)
        if serve is None:
            self._reject("UnknownOperationException", f"{operation or self.path} is not supported")
            return
        self._reply(HTTPStatus.OK, json.dumps(serve(self, json.loads(body))).encode())

    def _invoke(self, payload: bytes) -> None:
        """Handle `Invoke`: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "Event":
            self._reply(HTTPStatus.ACCEPTED, b"", {"x-amzn-RequestId": self.pipeline.invoke_async(payload)})
            return
        if kind != "RequestResponse":
            self._reject("InvalidParameterValueException", f"InvocationType={kind} is not supported")
            return
        try:
            orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            self._reject("InvalidRequestContentException", f"the payload is not JSON: {error}")
            return
        results: SimpleQueue[InvocationResult] = SimpleQueue()
        self.pipeline.invoke(payload, results.put)
        result = results.get()
        request_id = {"x-amzn-RequestId": result.request_id}
        match result.status:
            case "throttled":
                self._reject("TooManyRequestsException", "Rate Exceeded.", HTTPStatus.TOO_MANY_REQUESTS)
            case "system_error":
                self._reject("ServiceException", "no function responds", HTTPStatus.INTERNAL_SERVER_ERROR)
            case "ok":
                self._reply(HTTPStatus.OK, result.payload, request_id)
            case _:
                self._reply(HTTPStatus.OK, result.payload, {**request_id, "X-Amz-Function-Error": "Unhandled"})

    def put_events(self, request: Any) -> dict[str, Any]:
        """Handle `PutEvents`: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html."""
        results: list[dict[str, str]] = []
        for requested in request["Entries"]:
            time = requested.get("Time")
            try:
                entry = Entry.of(
                    {
                        "source": requested.get("Source"),
                        "detail-type": requested.get("DetailType"),
                        "detail": json.loads(requested.get("Detail", "")),
                        "time": None if time is None else format_utc(datetime.fromtimestamp(time, UTC), "seconds"),
                        "resources": requested.get("Resources", []),
                    }
                )
            except ValueError as error:
                results.append({"ErrorCode": "InvalidArgument", "ErrorMessage": str(error)})
            else:
                matches = self.rule.matches if self.rule is not None else None
                results.append({"EventId": self.pipeline.put_entry(entry, matches=matches)})
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def list_rules(self, _: Any) -> dict[str, Any]:
        """Handle `ListRules`."""
        if self.rule is None:
            return {"Rules": []}
        pattern = json.dumps(self.rule.pattern)
        return {"Rules": [{"Name": self.rule.name, "EventPattern": pattern, "State": "ENABLED"}]}

    def list_targets(self, _: Any) -> dict[str, Any]:
        """Handle `ListTargetsByRule`."""
        return {"Targets": [{"Id": "function", "Arn": self.rule.function_arn}] if self.rule else []}

    def test_pattern(self, request: Any) -> dict[str, Any]:
        """Handle `TestEventPattern`."""
        return {"Result": self.rule is not None and self.rule.matcher(request["EventPattern"], request["Event"])}

    def _reject(self, code: str, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        body = json.dumps({"__type": code, "message": message}).encode()
        self._reply(status, body, {"x-amzn-ErrorType": code})

    def _reply(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.respond(status, body, {**(headers or {}), "Content-Type": "application/x-amz-json-1.1"})


_OPERATIONS: Mapping[str, Callable[[_ApiHandler, Any], dict[str, Any]]] = {
    "PutEvents": _ApiHandler.put_events,
    "ListRules": _ApiHandler.list_rules,
    "ListTargetsByRule": _ApiHandler.list_targets,
    "TestEventPattern": _ApiHandler.test_pattern,
}
