"""Runs a query in CloudWatch Logs.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
"""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from mep.aws_errors import aws_errors
from mep.errors import MepError, Problem, Reason, StoppedError
from mep.logs_insights import RUNNING, start_query
from mep.query.engine import Row, time_text
from mep.query.language import columns, parse, row_limit, time_columns
from mep.query.result import QueryResult

MAX_WAIT_S = 300.0
_POLL_S, _MAX_POLL_S = 0.25, 2.0
_POINTER = "@ptr"
_ADVICE = {
    "Timeout": "search less: a shorter --since",
    "Cancelled": "somebody stopped it: try again",
}


class LogsQuery:
    """One query of a log group.

    Args:
        client: boto3 client of CloudWatch Logs.
        log_group: The log group.
        now: The time of day, UTC.
        sleep: Waits between two polls.
    """

    def __init__(
        self,
        client: Any,
        log_group: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._log_group = client, log_group
        self._now, self._sleep = now, sleep

    def run(self, name: str, text: str, since: timedelta) -> QueryResult:
        """Run a query to its end. It is stopped if the wait for it is interrupted, fails or takes too long.

        Args:
            name: Name of the query.
            text: Its text.
            since: How far back to search.

        Returns:
            The result; with a problem if the query did not complete.

        Raises:
            MepError: CloudWatch Logs cannot be called.
            StoppedError: The wait was interrupted.
        """
        commands, until = parse(text), self._now()
        with aws_errors(f"the log group {self._log_group} cannot be queried", self._client):
            query_id = start_query(self._client, self._log_group, text, since=since, until=until)
        try:
            response = self._wait(query_id)
        except KeyboardInterrupt:
            self._stop(query_id)
            raise StoppedError("interrupted: the query was stopped") from None
        except BaseException:
            self._stop(query_id)
            raise
        problem = _problem(response["status"], self._log_group)
        if response["status"] in RUNNING:
            self._stop(query_id)
        times = time_columns(commands)
        rows = tuple(_row(result, times) for result in response.get("results", ()))
        lines = int(response.get("statistics", {}).get("recordsScanned", 0))
        return QueryResult(name, self._log_group, columns(commands), rows, lines, row_limit(commands), problem)

    def _wait(self, query_id: str) -> Any:
        waited_s, pause_s = 0.0, _POLL_S
        while True:
            with aws_errors(f"the results of the query of {self._log_group} cannot be read", self._client):
                response = self._client.get_query_results(queryId=query_id)
            if response["status"] not in RUNNING or waited_s >= MAX_WAIT_S:
                return response
            self._sleep(pause_s)
            waited_s += pause_s
            pause_s = min(2 * pause_s, _MAX_POLL_S)

    def _stop(self, query_id: str) -> None:
        """Stop the query; what it has cost is not refunded, and a failure to stop it is not worth a message."""
        with suppress(MepError), aws_errors("the query cannot be stopped", self._client):
            self._client.stop_query(queryId=query_id)


def _problem(status: str, log_group: str) -> Problem | None:
    if status == "Complete":
        return None
    if status in RUNNING:
        text = f"the query of {log_group} has not ended after {MAX_WAIT_S:g} s, and was stopped"
        return Problem(Reason.INCOMPLETE, text, _ADVICE["Timeout"])
    return Problem(Reason.INCOMPLETE, f"the query of {log_group} ended as {status}", _ADVICE.get(status, "try again"))


def _row(result: list[dict[str, str]], times: frozenset[str]) -> Row:
    row = {field["field"]: field["value"] for field in result if field["field"] != _POINTER and "value" in field}
    # Functions of @timestamp return milliseconds since 1970, by which a query can calculate.
    return {name: time_text(int(text)) if name in times and text.isdecimal() else text for name, text in row.items()}
