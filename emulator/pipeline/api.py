"""The chain's two doors as AWS's own APIs, for what knows nothing of the chain: an AWS SDK, `mep dlq redrive`.

EventBridge's `PutEvents`, and what is asked of a bus before (`ListRules`, `ListTargetsByRule`, `TestEventPattern`);
Lambda's `Invoke` with `InvocationType=Event`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from emulator.http_server import LoopbackServer, QuietHandler
from emulator.pipeline.bus import Entry
from emulator.pipeline.patterns import PatternMatcher
from emulator.pipeline.pipeline import EventPipeline

_INVOKE = re.compile(r"/2015-03-31/functions/[^/]+/invocations")


@dataclass(frozen=True, slots=True)
class ServedRule:
    """What the bus says of its rule.

    Attributes:
        pattern: The rule's pattern, the one that the chain has.
        test: Who judges patterns.
        name: The rule's name.
        function_arn: Its target.
    """

    pattern: Mapping[str, Any]
    test: PatternMatcher
    name: str
    function_arn: str


@contextmanager
def serve_api(pipeline: EventPipeline, rule: ServedRule | None = None) -> Iterator[str]:
    """Serve the chain's doors on loopback for the length of a `with` block.

    What is taken in is accepted at once, and happens when the chain runs.

    Args:
        pipeline: The chain.
        rule: What the bus says of its rule; None for nothing.

    Yields:
        The URL for `AWS_ENDPOINT_URL_EVENTBRIDGE` and `AWS_ENDPOINT_URL_LAMBDA`.
    """
    with LoopbackServer(_ApiHandler, name="api", pipeline=pipeline, rule=rule) as server:
        yield server.url


class _ApiHandler(QuietHandler):
    protocol_version = "HTTP/1.1"
    pipeline: EventPipeline
    rule: ServedRule | None

    def do_POST(self) -> None:
        body = self.read_body()
        if _INVOKE.fullmatch(self.path):
            if self.headers.get("X-Amz-Invocation-Type") != "Event":
                self._refuse("InvalidParameterValueException", "only InvocationType=Event is served here")
                return
            self._reply(HTTPStatus.ACCEPTED, b"", {"x-amzn-RequestId": self.pipeline.invoke_async(body or b"{}")})
            return
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        serve = _OPERATIONS.get(operation)
        if serve is None:
            self._refuse("UnknownOperationException", f"{operation or self.path} is not served here")
            return
        answer = serve(self, json.loads(body))
        self._reply(HTTPStatus.OK, json.dumps(answer).encode())

    def put_events(self, request: Any) -> dict[str, Any]:
        """`PutEvents`: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html."""
        results: list[dict[str, str]] = []
        for each in request["Entries"]:
            try:
                entry = Entry.of(
                    {
                        "source": each.get("Source"),
                        "detail-type": each.get("DetailType"),
                        "detail": json.loads(each.get("Detail", "")),
                        "time": _utc(each["Time"]) if "Time" in each else None,
                        "resources": each.get("Resources", []),
                    }
                )
            except ValueError as error:
                results.append({"ErrorCode": "InvalidArgument", "ErrorMessage": str(error)})
            else:
                results.append({"EventId": self.pipeline.put_entry(entry)})
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def list_rules(self, _: Any) -> dict[str, Any]:
        """`ListRules`: the one rule."""
        if self.rule is None:
            return {"Rules": []}
        pattern = json.dumps(self.rule.pattern)
        return {"Rules": [{"Name": self.rule.name, "EventPattern": pattern, "State": "ENABLED"}]}

    def list_targets(self, _: Any) -> dict[str, Any]:
        """`ListTargetsByRule`: the one target."""
        return {"Targets": [{"Id": "function", "Arn": self.rule.function_arn}] if self.rule else []}

    def test_pattern(self, request: Any) -> dict[str, Any]:
        """`TestEventPattern`, by whoever judges patterns for the chain."""
        return {"Result": self.rule is not None and self.rule.test(request["EventPattern"], request["Event"])}

    def _refuse(self, code: str, message: str) -> None:
        body = json.dumps({"__type": code, "message": message}).encode()
        self._reply(HTTPStatus.BAD_REQUEST, body, {"x-amzn-ErrorType": code})

    def _reply(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.respond(status, body, {**(headers or {}), "Content-Type": "application/x-amz-json-1.1"})


_OPERATIONS: Mapping[str, Callable[[_ApiHandler, Any], dict[str, Any]]] = {
    "PutEvents": _ApiHandler.put_events,
    "ListRules": _ApiHandler.list_rules,
    "ListTargetsByRule": _ApiHandler.list_targets,
    "TestEventPattern": _ApiHandler.test_pattern,
}


def _utc(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
