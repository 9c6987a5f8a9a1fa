"""A fake of CloudWatch Logs and X-Ray with the records of a run."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.aws_account import Call, Reply, error, ok

TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


@dataclass
class Account:
    """The records of the services, and the calls so far.

    Attributes:
        groups: Log lines by log group.
        traces: Segment documents by X-Ray's trace ID.
        refused: Operations that return an AccessDenied error.
        refuse_after: The number of successful calls after which an operation returns that error.
        refused_groups: Log groups whose queries return it.
        ends_as: The final status of a query.
        bus_level: The level of the bus's log; empty for a bus that never had one.
        asked: Operation and parameters of each call.
    """

    groups: dict[str, list[str]] = field(default_factory=dict)
    traces: dict[str, list[str]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    refuse_after: dict[str, int] = field(default_factory=dict)
    refused_groups: set[str] = field(default_factory=set)
    ends_as: str = "Complete"
    bus_level: str = "INFO"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def respond(self, call: Call) -> Reply:
        """Record a call and return its reply."""
        operation, parameters = call.operation, call.parameters
        self.asked.append((operation, parameters))
        answered = len([name for name, _ in self.asked if name == operation]) - 1
        if operation in self.refused or answered >= self.refuse_after.get(operation, 1_000):
            return error("AccessDeniedException", "not authorized: arn:aws:iam::1:role/secret")
        handlers = {
            "StartQuery": self._start_query,
            "GetQueryResults": self._query_results,
            "GetTraceSummaries": self._trace_summaries,
            "BatchGetTraces": self._batch_get_traces,
            "DescribeEventBus": self._describe_event_bus,
        }
        return handlers[operation](parameters)

    def _start_query(self, parameters: dict[str, Any]) -> Reply:
        if parameters["logGroupName"] in self.refused_groups:
            return error("AccessDeniedException", "not authorized")
        if parameters["logGroupName"] not in self.groups:
            return error("ResourceNotFoundException", "no such group")
        return ok(queryId=str(len(self.asked) - 1))

    def _query_results(self, parameters: dict[str, Any]) -> Reply:
        polls = sum(parameters == asked for operation, asked in self.asked if operation == "GetQueryResults")
        if polls == 1:
            return ok(status="Running", results=[])
        query = self.asked[int(parameters["queryId"])][1]
        lines = [line for line in self.groups[query["logGroupName"]] if matches(query["queryString"], line)]
        rows = [
            [
                {"field": "@timestamp", "value": received_at(line)},
                {"field": "@message", "value": line},
                {"field": "@ptr", "value": str(number)},
            ]
            for number, line in enumerate(lines)
        ]
        return ok(status=self.ends_as, results=rows, statistics={"recordsMatched": len(rows)})

    def _describe_event_bus(self, parameters: dict[str, Any]) -> Reply:
        config = {"LogConfig": {"Level": self.bus_level, "IncludeDetail": "NONE"}} if self.bus_level else {}
        return ok(Name=parameters["Name"], **config)

    def _trace_summaries(self, parameters: dict[str, Any]) -> Reply:
        assert parameters["EndTime"] - parameters["StartTime"] <= 6 * 3600
        condition = re.fullmatch(r'annotation\.(\w+) = "([^"]+)"', parameters["FilterExpression"])
        assert condition is not None
        same = [asked for _, asked in self.asked if asked.get("FilterExpression") == parameters["FilterExpression"]]
        if len(same) > 1:  # an older period
            return ok(TraceSummaries=[])
        ids = [
            name
            for name, documents in self.traces.items()
            if any(json.loads(text)["annotations"].get(condition[1]) == condition[2] for text in documents)
        ]
        return ok(TraceSummaries=[{"Id": trace_id} for trace_id in ids])

    def _batch_get_traces(self, parameters: dict[str, Any]) -> Reply:
        ids = parameters["TraceIds"]
        assert 0 < len(ids) <= 5
        assert all(map(TRACE_ID.fullmatch, ids))
        traces = [
            {
                "Id": trace_id,
                "Segments": [
                    {"Id": str(number), "Document": text} for number, text in enumerate(self.traces[trace_id])
                ],
            }
            for trace_id in ids
            if trace_id in self.traces
        ]
        return ok(Traces=traces, UnprocessedTraceIds=[trace_id for trace_id in ids if trace_id not in self.traces])


def received_at(line: str) -> str:
    """Return the time of a log line as CloudWatch Logs shows it, in milliseconds."""
    value = json.loads(line)
    time = str(value.get("timestamp") or value.get("time") or "2026-03-01T12:00:00.000Z")
    return f"{time.rstrip('Z').replace('T', ' ')[:23]}"


def matches(query: str, line: str) -> bool:
    """Return whether a line meets the filter of a Logs Insights query, in the subset that `mep` uses."""
    match = re.fullmatch(r"fields @timestamp, @message \| filter (.*) \| sort @timestamp asc", query)
    assert match is not None, query
    value = json.loads(line)

    def term(text: str) -> bool:
        if equals := re.fullmatch(r'([\w.]+) = "([^"]*)"', text):
            return bool(member(value, equals[1]) == equals[2])
        if like := re.fullmatch(r'@message like "([^"]*)"', text):
            return like[1] in line
        if one_of := re.fullmatch(r"([\w.]+) in \[([^\]]*)\]", text):
            return member(value, one_of[1]) in [item.strip(' "') for item in one_of[2].split(",")]
        raise AssertionError(text)

    return any(all(term(text) for text in group.split(" and ")) for group in match[1].split(" or "))


def member(value: Any, path: str) -> Any:
    """Return the value of a field in Logs Insights' notation: dots separate nested objects."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
