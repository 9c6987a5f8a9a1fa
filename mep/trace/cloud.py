"""What AWS knows of a correlation ID: CloudWatch's logs, X-Ray's traces, the two tables, the dead-letter queue.

Each source stands for itself: one that cannot be asked (no permission, no such table) becomes a gap, not the end.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import orjson

from emulator.services.tables import plain_item
from handler.contract import CALENDAR, CORRELATION_INDEX
from mep.aws_errors import explain
from mep.problems import Problem, Reason
from mep.trace.entries import Entry, SearchResult, audit_entry, log_entry
from mep.trace.gaps import Gap, Source
from mep.trace.messages import OTHER_IDS, keys_of, no_row, other_id
from mep.trace.where import ADVICE, NotAskedError, SearchScope, names_of
from mep.trace.xray import segment_entries, span_record_entries, xray_id

_MOST_LINES = 10_000  # Logs Insights returns no more
_TRACES_A_CALL = 5  # BatchGetTraces takes no more
_SUMMARY_WINDOW = timedelta(hours=6)  # GetTraceSummaries takes no longer one
_POLL_SECONDS = 0.5

Make = Callable[[str], Any]
"""Makes a client of an AWS service by boto3's name of it; raises `NotAskedError` for one that must not be asked."""


def find_in_aws(
    correlation_id: str,
    where: SearchScope,
    make: Make,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> SearchResult:
    """Ask AWS.

    Args:
        correlation_id: what to look for; of the characters that a correlation ID may have.
        where: to look.
        make: makes clients.
        now: the time of day, UTC.
        sleep: waits between questions about a query's state.
    """
    search = _Search(correlation_id, where, make, now(), sleep)
    entries = [*search.logs(), *search.audit()]
    entries += search.spans({timeline_entry.trace_id for timeline_entry in entries} - {""})
    if not entries:
        search.note_other_ids()
    rows = search.rows(entries)
    return SearchResult(tuple(entries), tuple(rows), tuple(search.notes), tuple(search.gaps))


class _Search:
    def __init__(
        self, correlation_id: str, where: SearchScope, make: Make, until: datetime, sleep: Callable[[float], None]
    ) -> None:
        self._id = correlation_id
        self._where = where
        self._make = make
        self._until = until
        self._sleep = sleep
        self._names = names_of(where)
        self.notes: list[str] = []
        self.gaps: list[Gap] = []

    def _asked[T](self, source: Source, service: str, question: Callable[[Any], Iterable[T]]) -> list[T]:
        """What a question brings; what keeps it from being answered, or answered to its end, becomes a gap.

        Args:
            source: what is asked.
            service: boto3's name of the service that answers.
            question: asks a client of it.
        """
        found: list[T] = []
        client: Any = None
        try:
            client = self._make(service)
            for each in question(client):
                found.append(each)  # noqa: PERF402 - what came before an error stays
        except NotAskedError as error:
            self._missing(source, error.problem)
        except Exception as error:
            problem = explain(error, client)
            if problem is None:
                raise
            self._missing(source, problem)
        return found

    def _missing(self, source: Source, problem: Problem) -> None:
        advice = ADVICE.get((source, problem.reason), problem.advice)
        gap = Gap(source, self._names[source], replace(problem, advice=advice))
        if gap not in self.gaps:
            self.gaps.append(gap)

    def logs(self) -> list[Entry]:
        """Log lines of the function, and Lambda's own about the same invocations."""
        # The runtime client's line about what the function raised has the ID in its text.
        condition = f'correlation_id = "{self._id}" or @message like "correlation_id={self._id} "'
        lines = self._ask_log(condition)
        entries = [
            timeline_entry for line in lines if "_aws" not in line and (timeline_entry := log_entry(line)) is not None
        ]
        requests = sorted({timeline_entry.request_id for timeline_entry in entries} - {""})
        for some in batched(requests, 50, strict=False):
            named = ", ".join(f'"{request}"' for request in some)
            condition = f'type = "platform.report" and record.requestId in [{named}]'
            entries += [
                timeline_entry
                for line in self._ask_log(condition)
                if (timeline_entry := report_entry(line)) is not None
            ]
        return entries

    def note_other_ids(self) -> None:
        """Say so if the text is an ID of another kind."""
        if any(gap.source is Source.LOG for gap in self.gaps):
            return
        condition = " or ".join(f'{name} = "{self._id}"' for name in OTHER_IDS)
        lines = self._ask_log(condition)
        found = [
            other_id(self._id, name, line.get("correlation_id"))
            for line in lines
            for name in OTHER_IDS
            if line.get(name) == self._id
        ]
        self.notes += dict.fromkeys(found)

    def _ask_log(self, condition: str) -> list[dict[str, Any]]:
        """The lines of the function's log that satisfy a condition."""
        return self._asked(Source.LOG, "logs", lambda client: self._insights(client, Source.LOG, condition))

    def _insights(self, client: Any, source: Source, condition: str) -> Iterator[dict[str, Any]]:
        """The JSON objects that a Logs Insights query finds, oldest first."""
        group = self._names[source]
        query = client.start_query(
            logGroupName=group,
            startTime=int((self._until - self._where.since).timestamp()),
            endTime=int(self._until.timestamp()) + 1,
            queryString=f"fields @message | filter {condition} | sort @timestamp asc",
            limit=_MOST_LINES,
        )["queryId"]
        while (answer := client.get_query_results(queryId=query))["status"] in {"Scheduled", "Running", "Unknown"}:
            self._sleep(_POLL_SECONDS)
        results = answer.get("results", [])
        if answer["status"] != "Complete":
            text = f"the query of {group} ended as {answer['status']}: lines may be missing"
            self._missing(source, Problem(Reason.INCOMPLETE, text, "try again, with a shorter --since"))
        if len(results) >= _MOST_LINES:
            text = f"{group} has more than {_MOST_LINES} lines of this ID: the others are not shown"
            self._missing(source, Problem(Reason.INCOMPLETE, text))
        for result in results:
            text = next((field["value"] for field in result if field["field"] == "@message"), "")
            try:
                line = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            if isinstance(line, dict):
                yield line

    def audit(self) -> list[Entry]:
        """The audit entries."""

        def query(client: Any) -> Iterator[dict[str, Any]]:
            pages = client.get_paginator("query").paginate(
                TableName=self._where.audit_table,
                IndexName=CORRELATION_INDEX,
                KeyConditionExpression="correlation_id = :id",
                ExpressionAttributeValues={":id": {"S": self._id}},
            )
            for page in pages:
                yield from map(plain_item, page["Items"])

        entries = self._asked(Source.AUDIT, "dynamodb", query)
        return [timeline_entry for entry in entries if (timeline_entry := audit_entry(entry)) is not None]

    def spans(self, trace_ids: set[str]) -> list[Entry]:
        """The spans of the traces that the log names; where it names none, those that X-Ray has annotated."""
        if self._where.spans_in_logs:
            condition = f'attributes.correlation_id = "{self._id}"'
            records = self._asked(
                Source.TRACES, "logs", lambda client: self._insights(client, Source.TRACES, condition)
            )
            return [timeline_entry for record in records for timeline_entry in span_record_entries(record)]
        ids = sorted(map(xray_id, trace_ids)) or self._asked(Source.TRACES, "xray", self._annotated)
        segments = self._asked(Source.TRACES, "xray", lambda client: _traces(client, ids))
        entries = [timeline_entry for document in segments for timeline_entry in segment_entries(document)]
        # A trace may hold what belongs to others: the bus, the producer. Lambda's own segments carry no ID.
        return [
            timeline_entry
            for timeline_entry in entries
            if timeline_entry.attributes.get("correlation_id", self._id) == self._id
        ]

    def _annotated(self, client: Any) -> Iterator[str]:
        paginator = client.get_paginator("get_trace_summaries")
        until, earliest = self._until, self._until - self._where.since
        while until > earliest:
            start = max(earliest, until - _SUMMARY_WINDOW)
            pages = paginator.paginate(
                StartTime=start, EndTime=until, FilterExpression=f'annotation.correlation_id = "{self._id}"'
            )
            for page in pages:
                yield from (summary["Id"] for summary in page["TraceSummaries"])
            until = start

    def rows(self, entries: Iterable[Entry]) -> list[dict[str, Any]]:
        """The calendar rows that the moments are about."""

        def get(client: Any) -> Iterator[dict[str, Any]]:
            for key in keys_of(entries):
                reply = client.get_item(
                    TableName=self._where.calendar_table,
                    Key={name: {"S": value} for name, value in zip(CALENDAR.key, key, strict=True)},
                )
                if "Item" in reply:
                    yield plain_item(reply["Item"])
                else:
                    self.notes.append(no_row(key))

        return self._asked(Source.CALENDAR, "dynamodb", get)


def _traces(client: Any, ids: Sequence[str]) -> Iterator[str]:
    """The segment documents of traces, by X-Ray's IDs of them."""
    paginator = client.get_paginator("batch_get_traces")
    for some in batched(ids, _TRACES_A_CALL, strict=False):
        for page in paginator.paginate(TraceIds=list(some)):
            for trace in page["Traces"]:
                yield from (segment["Document"] for segment in trace["Segments"])


def report_entry(line: dict[str, Any]) -> Entry | None:
    """The moment of Lambda's own report of an invocation (`platform.report`).

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    """
    record = line.get("record")
    timeline_entry = log_entry({**line, "timestamp": line.get("time"), "message": "Lambda's report of the invocation"})
    if timeline_entry is None or not isinstance(record, dict):
        return None
    metrics = record.get("metrics")
    attributes = dict(metrics) if isinstance(metrics, dict) else {}
    if "errorType" in record:
        attributes["errorType"] = record["errorType"]
    status = str(record.get("status", "success"))
    return Entry(
        at=timeline_entry.at,
        kind="log",
        title=f"Lambda's report: {status}",
        severity="fine" if status == "success" else "error",
        request_id=str(record.get("requestId", "")),
        attributes=attributes,
    )
