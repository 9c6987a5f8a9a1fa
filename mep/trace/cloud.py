"""Searches AWS for a correlation ID: CloudWatch Logs, X-Ray, and the two tables.

A source that cannot be read (no permission, no such table) becomes a gap in the result, not an error.
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
from mep.errors import Problem, Reason
from mep.trace.entries import Entry, SearchResult, audit_entry, log_entry
from mep.trace.lookup import OTHER_IDS, missing_row_note, other_id_note, row_keys
from mep.trace.sources import ADVICE, Gap, NotQueriedError, SearchScope, Source
from mep.trace.xray import segment_entries, span_record_entries, xray_id

_MAX_LINES = 10_000  # the maximum of Logs Insights
_TRACES_PER_CALL = 5  # the maximum of BatchGetTraces
_SUMMARY_WINDOW = timedelta(hours=6)  # the maximum of GetTraceSummaries
_REQUESTS_PER_QUERY = 50
_POLL_SECONDS = 0.5

type ClientFactory = Callable[[str], Any]
"""Returns the client of a service by boto3's name; raises `NotQueriedError` for one that must not be called."""


def find_in_aws(
    correlation_id: str,
    scope: SearchScope,
    create_client: ClientFactory,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> SearchResult:
    """Search AWS.

    Args:
        correlation_id: A valid correlation ID: it is part of query texts.
        scope: What to search.
        create_client: Returns clients.
        now: The time of day, UTC.
        sleep: Waits between two polls of a query.
    """
    search = _Search(correlation_id, scope, create_client, now(), sleep)
    entries = [*search.logs(), *search.audit()]
    entries += search.spans({entry.trace_id for entry in entries} - {""})
    if not entries:
        search.note_other_ids()
    rows = search.rows(entries)
    return SearchResult(tuple(entries), tuple(rows), tuple(search.notes), tuple(search.gaps))


class _Search:
    def __init__(
        self,
        correlation_id: str,
        scope: SearchScope,
        create_client: ClientFactory,
        until: datetime,
        sleep: Callable[[float], None],
    ) -> None:
        self._id = correlation_id
        self._scope = scope
        self._create_client = create_client
        self._until = until
        self._sleep = sleep
        self._names = scope.names()
        self.notes: list[str] = []
        self.gaps: list[Gap] = []

    def _query[T](self, source: Source, service: str, query: Callable[[Any], Iterable[T]]) -> list[T]:
        """Return the results of a query; an error becomes a gap, and the results before it are retained.

        Args:
            source: The source.
            service: boto3's name of the service.
            query: Yields results, given a client of the service.
        """
        results: list[T] = []
        client: Any = None
        try:
            client = self._create_client(service)
            results.extend(query(client))
        except NotQueriedError as error:
            self._add_gap(source, error.problem)
        except Exception as error:
            problem = explain(error, client)
            if problem is None:
                raise
            self._add_gap(source, problem)
        return results

    def _add_gap(self, source: Source, problem: Problem) -> None:
        advice = ADVICE.get((source, problem.reason), problem.advice)
        gap = Gap(source, self._names[source], replace(problem, advice=advice))
        if gap not in self.gaps:
            self.gaps.append(gap)

    def logs(self) -> list[Entry]:
        """Return the function's log lines, and Lambda's reports of the same invocations."""
        # The runtime client's line about an exception has the ID in its text only.
        condition = f'correlation_id = "{self._id}" or @message like "correlation_id={self._id} "'
        lines = self._log_lines(condition)
        entries = [entry for line in lines if "_aws" not in line and (entry := log_entry(line)) is not None]
        requests = sorted({entry.request_id for entry in entries} - {""})
        for batch in batched(requests, _REQUESTS_PER_QUERY, strict=False):
            ids = ", ".join(f'"{request}"' for request in batch)
            condition = f'type = "platform.report" and record.requestId in [{ids}]'
            entries += [entry for line in self._log_lines(condition) if (entry := report_entry(line)) is not None]
        return entries

    def note_other_ids(self) -> None:
        """Add a note if the text is an ID of another kind."""
        if any(gap.source is Source.LOG for gap in self.gaps):
            return
        condition = " or ".join(f'{name} = "{self._id}"' for name in OTHER_IDS)
        lines = self._log_lines(condition)
        notes = [
            other_id_note(self._id, name, line.get("correlation_id"))
            for line in lines
            for name in OTHER_IDS
            if line.get(name) == self._id
        ]
        self.notes += dict.fromkeys(notes)

    def _log_lines(self, condition: str) -> list[dict[str, Any]]:
        """Return the lines of the function's log that meet a condition."""
        return self._query(Source.LOG, "logs", lambda client: self._insights(client, Source.LOG, condition))

    def _insights(self, client: Any, source: Source, condition: str) -> Iterator[dict[str, Any]]:
        """Yield the JSON objects of a Logs Insights query, oldest first."""
        group = self._names[source]
        query = client.start_query(
            logGroupName=group,
            startTime=int((self._until - self._scope.since).timestamp()),
            endTime=int(self._until.timestamp()) + 1,
            queryString=f"fields @message | filter {condition} | sort @timestamp asc",
            limit=_MAX_LINES,
        )["queryId"]
        while (response := client.get_query_results(queryId=query))["status"] in {"Scheduled", "Running", "Unknown"}:
            self._sleep(_POLL_SECONDS)
        results = response.get("results", [])
        if response["status"] != "Complete":
            text = f"the query of {group} ended as {response['status']}: lines may be missing"
            self._add_gap(source, Problem(Reason.INCOMPLETE, text, "try again, with a shorter --since"))
        if len(results) >= _MAX_LINES:
            text = f"{group} has more than {_MAX_LINES} lines of this ID: the rest is not shown"
            self._add_gap(source, Problem(Reason.INCOMPLETE, text))
        for result in results:
            text = next((field["value"] for field in result if field["field"] == "@message"), "")
            try:
                line = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            if isinstance(line, dict):
                yield line

    def audit(self) -> list[Entry]:
        """Return the audit entries."""

        def query(client: Any) -> Iterator[dict[str, Any]]:
            pages = client.get_paginator("query").paginate(
                TableName=self._scope.audit_table,
                IndexName=CORRELATION_INDEX,
                KeyConditionExpression="correlation_id = :id",
                ExpressionAttributeValues={":id": {"S": self._id}},
            )
            for page in pages:
                yield from map(plain_item, page["Items"])

        items = self._query(Source.AUDIT, "dynamodb", query)
        return [entry for item in items if (entry := audit_entry(item)) is not None]

    def spans(self, trace_ids: set[str]) -> list[Entry]:
        """Return the spans of the given traces; without any, of the traces that have the ID as annotation."""
        if self._scope.spans_in_logs:
            condition = f'attributes.correlation_id = "{self._id}"'
            records = self._query(
                Source.TRACES, "logs", lambda client: self._insights(client, Source.TRACES, condition)
            )
            return [entry for record in records for entry in span_record_entries(record)]
        ids = sorted(map(xray_id, trace_ids)) or self._query(Source.TRACES, "xray", self._annotated)
        segments = self._query(Source.TRACES, "xray", lambda client: _traces(client, ids))
        entries = [entry for document in segments for entry in segment_entries(document)]
        # A trace may contain spans of other events. Lambda's own segments have no correlation ID.
        return [entry for entry in entries if entry.attributes.get("correlation_id", self._id) == self._id]

    def _annotated(self, client: Any) -> Iterator[str]:
        paginator = client.get_paginator("get_trace_summaries")
        until, earliest = self._until, self._until - self._scope.since
        while until > earliest:
            start = max(earliest, until - _SUMMARY_WINDOW)
            pages = paginator.paginate(
                StartTime=start, EndTime=until, FilterExpression=f'annotation.correlation_id = "{self._id}"'
            )
            for page in pages:
                yield from (summary["Id"] for summary in page["TraceSummaries"])
            until = start

    def rows(self, entries: Iterable[Entry]) -> list[dict[str, Any]]:
        """Return the calendar rows that entries name."""

        def get(client: Any) -> Iterator[dict[str, Any]]:
            for key in row_keys(entries):
                response = client.get_item(
                    TableName=self._scope.calendar_table,
                    Key={name: {"S": value} for name, value in zip(CALENDAR.key, key, strict=True)},
                )
                if "Item" in response:
                    yield plain_item(response["Item"])
                else:
                    self.notes.append(missing_row_note(key))

        return self._query(Source.CALENDAR, "dynamodb", get)


def _traces(client: Any, ids: Sequence[str]) -> Iterator[str]:
    """Yield the segment documents of traces, given by X-Ray's trace IDs."""
    paginator = client.get_paginator("batch_get_traces")
    for batch in batched(ids, _TRACES_PER_CALL, strict=False):
        for page in paginator.paginate(TraceIds=list(batch)):
            for trace in page["Traces"]:
                yield from (segment["Document"] for segment in trace["Segments"])


def report_entry(line: dict[str, Any]) -> Entry | None:
    """Return the entry of Lambda's report of an invocation (`platform.report`); None if it has no time.

    https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    """
    record = line.get("record")
    entry = log_entry({**line, "timestamp": line.get("time"), "message": "Lambda's report of the invocation"})
    if entry is None or not isinstance(record, dict):
        return None
    metrics = record.get("metrics")
    attributes = dict(metrics) if isinstance(metrics, dict) else {}
    if "errorType" in record:
        attributes["errorType"] = record["errorType"]
    status = str(record.get("status", "success"))
    return Entry(
        at=entry.at,
        kind="log",
        title=f"Lambda's report: {status}",
        severity="ok" if status == "success" else "error",
        request_id=str(record.get("requestId", "")),
        attributes=attributes,
    )
