"""CloudWatch Logs and X-Ray on loopback: the wire form that AWS documents, over records that the function made."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from emulator.http_server import LoopbackServer, QuietHandler

TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


@dataclass
class Account:
    """What the services hold, and what they were asked.

    Attributes:
        groups: log lines by log group.
        traces: segment documents by X-Ray's trace ID.
        refused: operations that answer with an AccessDenied error.
        refuse_after: operations that do so after that many answers.
        ends_as: the status of a query that is over.
        asked: operation and parameters, in order.
    """

    groups: dict[str, list[str]] = field(default_factory=dict)
    traces: dict[str, list[str]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    refuse_after: dict[str, int] = field(default_factory=dict)
    ends_as: str = "Complete"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer a call."""
        self.asked.append((operation, parameters))
        answered = len([each for each, _ in self.asked if each == operation]) - 1
        if operation in self.refused or answered >= self.refuse_after.get(operation, 1_000):
            return 400, {"__type": "AccessDeniedException", "message": "not authorized: arn:aws:iam::1:role/secret"}
        handle = getattr(self, f"_{operation}")
        status: int
        body: dict[str, Any]
        status, body = handle(parameters)
        return status, body

    def _StartQuery(self, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        if parameters["logGroupName"] not in self.groups:
            return 400, {"__type": "ResourceNotFoundException", "message": "no such group"}
        return 200, {"queryId": str(len(self.asked) - 1)}

    def _GetQueryResults(self, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        polls = sum(parameters == asked for operation, asked in self.asked if operation == "GetQueryResults")
        if polls == 1:
            return 200, {"status": "Running", "results": []}
        query = self.asked[int(parameters["queryId"])][1]
        lines = [line for line in self.groups[query["logGroupName"]] if owns(query["queryString"], line)]
        rows = [
            [{"field": "@message", "value": line}, {"field": "@ptr", "value": str(number)}]
            for number, line in enumerate(lines)
        ]
        return 200, {"status": self.ends_as, "results": rows, "statistics": {"recordsMatched": len(rows)}}

    def _GetTraceSummaries(self, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        assert parameters["EndTime"] - parameters["StartTime"] <= 6 * 3600
        wanted = re.fullmatch(r'annotation\.correlation_id = "([^"]+)"', parameters["FilterExpression"])
        assert wanted is not None
        if len([operation for operation, _ in self.asked if operation == "GetTraceSummaries"]) > 1:
            return 200, {"TraceSummaries": []}
        found = [each for each, documents in self.traces.items() if any(wanted[1] in text for text in documents)]
        return 200, {"TraceSummaries": [{"Id": trace_id} for trace_id in found]}

    def _BatchGetTraces(self, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        ids = parameters["TraceIds"]
        assert 0 < len(ids) <= 5
        assert all(map(TRACE_ID.fullmatch, ids))
        traces = [
            {"Id": each, "Segments": [{"Id": str(n), "Document": text} for n, text in enumerate(self.traces[each])]}
            for each in ids
            if each in self.traces
        ]
        return 200, {"Traces": traces, "UnprocessedTraceIds": [each for each in ids if each not in self.traces]}


def owns(query: str, line: str) -> bool:
    """Whether a line satisfies the filter of a Logs Insights query; of the language just what is asked here."""
    match = re.fullmatch(r"fields @message \| filter (.*) \| sort @timestamp asc", query)
    assert match is not None, query
    value = json.loads(line)

    def term(text: str) -> bool:
        if equals := re.fullmatch(r'([\w.]+) = "([^"]*)"', text):
            return bool(member(value, equals[1]) == equals[2])
        if like := re.fullmatch(r'@message like "([^"]*)"', text):
            return like[1] in line
        if one_of := re.fullmatch(r"([\w.]+) in \[([^\]]*)\]", text):
            return member(value, one_of[1]) in [each.strip(' "') for each in one_of[2].split(",")]
        raise AssertionError(text)

    return any(all(term(each) for each in group.split(" and ")) for group in match[1].split(" or "))


def member(value: Any, path: str) -> Any:
    """A field as Logs Insights names it: dots lead into objects."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


@contextmanager
def serving(account: Account) -> Iterator[str]:
    """Run the services; yields their URL."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = json.loads(self.read_body())
            target = self.headers.get("X-Amz-Target")
            paths = {"/Traces": "BatchGetTraces", "/TraceSummaries": "GetTraceSummaries"}
            operation = target.rpartition(".")[2] if target else paths[self.path]
            status, answer = account.answer(operation, body)
            headers = {"x-amzn-ErrorType": answer["__type"]} if status != 200 else {}
            body_type = {"Content-Type": "application/x-amz-json-1.1"}
            self.respond(status, json.dumps(answer).encode(), {**headers, **body_type})

    with LoopbackServer(Handler) as server:
        yield server.url
