"""Reads CloudWatch Logs, X-Ray and the two tables.

A source that cannot be read (no permission, no such table) becomes a gap, not an error; what was read before is kept.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import orjson

from emulator.services.tables import plain_item
from handler.contract import CALENDAR
from mep.aws_errors import explain
from mep.errors import Problem, Reason
from mep.logs_insights import RUNNING, start_query
from mep.trace.entries import nanoseconds
from mep.trace.sources import ADVICE, SPAN_LOG_GROUP, Gap, NotQueriedError, SearchScope, Source

_MAX_LINES = 10_000  # the maximum of Logs Insights
_TRACES_PER_CALL = 5  # the maximum of BatchGetTraces
_SUMMARY_WINDOW = timedelta(hours=6)  # the maximum of GetTraceSummaries
_POLL_SECONDS = 0.5

BUS_LOG_OFF = "OFF"
"""The level of a bus that has no log."""

type ClientFactory = Callable[[str], Any]
"""Returns the client of a service by boto3's name; raises `NotQueriedError` for one that must not be called."""

type LogLine = tuple[dict[str, Any], int | None]
"""A log line, and when CloudWatch Logs received it: nanoseconds since 1970."""


class AwsSources:
    """Reads the sources of one account.

    Args:
        scope: What to search.
        create_client: Returns clients.
        now: The time of day, UTC.
        sleep: Waits between two polls of a query.

    Attributes:
        scope: What to search.
        gaps: Sources that could not be read, or not completely, since `take_gaps`.
    """

    def __init__(
        self,
        scope: SearchScope,
        create_client: ClientFactory,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.scope = scope
        self._create_client = create_client
        self._now = now
        self._sleep = sleep
        self._names = scope.names()
        self.gaps: list[Gap] = []

    def take_gaps(self) -> tuple[Gap, ...]:
        """Return the gaps since the last call."""
        gaps, self.gaps = tuple(self.gaps), []
        return gaps

    def log_lines(self, condition: str) -> list[LogLine]:
        """Return the lines of the function's log that meet a condition, the oldest first.

        Args:
            condition: The filter of a Logs Insights query.
        """
        return self._query(Source.LOG, "logs", lambda client: self._insights(client, Source.LOG, condition))

    def span_records(self, condition: str) -> list[LogLine]:
        """Return the records of the log group of X-Ray's Transaction Search as `log_lines` does."""
        return self._query(
            Source.TRACES,
            "logs",
            lambda client: self._insights(client, Source.TRACES, condition, SPAN_LOG_GROUP),
            SPAN_LOG_GROUP,
        )

    def bus_records(self, condition: str) -> list[LogLine]:
        """Return the records of the bus's log that meet a condition, the oldest first."""
        return self._query(Source.BUS, "logs", lambda client: self._insights(client, Source.BUS, condition))

    def bus_log_level(self) -> tuple[str, ...]:
        """Return the level of the bus's log; nothing if the bus cannot be asked."""

        def describe(client: Any) -> Iterator[str]:
            config = client.describe_event_bus(Name=self.scope.bus).get("LogConfig") or {}
            yield str(config.get("Level", BUS_LOG_OFF))

        return tuple(self._query(Source.BUS, "events", describe, self.scope.bus))

    def audit_items(self, keys: Mapping[str, str], index: str | None = None) -> list[dict[str, Any]]:
        """Return the items of the audit table with a partition key, or of its index."""
        return self._items(Source.AUDIT, self.scope.audit_table, keys, index)

    def calendar_rows(self, symbol: str, limit: int) -> list[dict[str, Any]]:
        """Return at most `limit` rows of the calendar with a partition key, the latest sort key first."""
        return self._items(Source.CALENDAR, self.scope.calendar_table, {CALENDAR.key[0]: symbol}, None, limit)

    def calendar_row(self, key: Sequence[str]) -> list[dict[str, Any]]:
        """Return the row of the calendar with a key; none if there is no such row."""

        def get(client: Any) -> Iterator[dict[str, Any]]:
            parts = {name: {"S": value} for name, value in zip(CALENDAR.key, key, strict=True)}
            response = client.get_item(TableName=self.scope.calendar_table, Key=parts)
            if "Item" in response:
                yield plain_item(response["Item"])

        return self._query(Source.CALENDAR, "dynamodb", get)

    def segments(self, trace_ids: Sequence[str]) -> list[str]:
        """Return the segment documents of traces, given by X-Ray's trace IDs."""

        def read(client: Any) -> Iterator[str]:
            paginator = client.get_paginator("batch_get_traces")
            for batch in batched(trace_ids, _TRACES_PER_CALL, strict=False):
                for page in paginator.paginate(TraceIds=list(batch)):
                    for trace in page["Traces"]:
                        yield from (segment["Document"] for segment in trace["Segments"])

        return self._query(Source.TRACES, "xray", read) if trace_ids else []

    def annotated_traces(self, name: str, value: str) -> list[str]:
        """Return X-Ray's IDs of the traces that have an annotation."""

        def read(client: Any) -> Iterator[str]:
            paginator = client.get_paginator("get_trace_summaries")
            until = self._now()
            earliest = until - self.scope.since
            while until > earliest:
                start = max(earliest, until - _SUMMARY_WINDOW)
                condition = f'annotation.{name} = "{value}"'
                for page in paginator.paginate(StartTime=start, EndTime=until, FilterExpression=condition):
                    yield from (summary["Id"] for summary in page["TraceSummaries"])
                until = start

        return self._query(Source.TRACES, "xray", read)

    def _items(
        self, source: Source, table: str, keys: Mapping[str, str], index: str | None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        def read(client: Any) -> Iterator[dict[str, Any]]:
            pages = client.get_paginator("query").paginate(
                TableName=table,
                **({"IndexName": index} if index else {}),
                KeyConditionExpression=" AND ".join(f"#{number} = :{number}" for number in range(len(keys))),
                ExpressionAttributeNames={f"#{number}": name for number, name in enumerate(keys)},
                ExpressionAttributeValues={f":{number}": {"S": value} for number, value in enumerate(keys.values())},
                ScanIndexForward=False,
                PaginationConfig={"MaxItems": limit},
            )
            for page in pages:
                yield from map(plain_item, page["Items"])

        return self._query(source, "dynamodb", read)

    def _query[T](
        self, source: Source, service: str, query: Callable[[Any], Iterable[T]], name: str | None = None
    ) -> list[T]:
        """Return the results of a query; an error becomes a gap, and the results before it are retained.

        Args:
            source: The source.
            service: boto3's name of the service.
            query: Yields results, given a client of the service.
            name: The name of what is read, if it is not that of the source.
        """
        results: list[T] = []
        client: Any = None
        try:
            client = self._create_client(service)
            results.extend(query(client))
        except NotQueriedError as error:
            self._add_gap(source, error.problem, name)
        except Exception as error:
            problem = explain(error, client)
            if problem is None:
                raise
            self._add_gap(source, problem, name)
        return results

    def _add_gap(self, source: Source, problem: Problem, name: str | None = None) -> None:
        advice = ADVICE.get((source, problem.reason), problem.advice)
        gap = Gap(source, name or self._names[source], replace(problem, advice=advice))
        if gap not in self.gaps:
            self.gaps.append(gap)

    def _insights(self, client: Any, source: Source, condition: str, group: str | None = None) -> Iterator[LogLine]:
        """Yield the JSON objects of a Logs Insights query, oldest first."""
        group, until = group or self._names[source], self._now()
        text = f"fields @timestamp, @message | filter {condition} | sort @timestamp asc"
        query = start_query(client, group, text, since=self.scope.since, until=until, limit=_MAX_LINES)
        while (response := client.get_query_results(queryId=query))["status"] in RUNNING:
            self._sleep(_POLL_SECONDS)
        results = response.get("results", [])
        if response["status"] != "Complete":
            text = f"the query of {group} ended as {response['status']}: lines may be missing"
            self._add_gap(source, Problem(Reason.INCOMPLETE, text, "try again, with a shorter --since"), group)
        if len(results) >= _MAX_LINES:
            text = f"{group} has more than {_MAX_LINES} lines of this ID: the rest is not shown"
            self._add_gap(source, Problem(Reason.INCOMPLETE, text), group)
        for result in results:
            fields = {field["field"]: field["value"] for field in result}
            try:
                line = orjson.loads(fields.get("@message", ""))
            except orjson.JSONDecodeError:
                continue
            if isinstance(line, dict):
                yield line, nanoseconds(fields.get("@timestamp"))
