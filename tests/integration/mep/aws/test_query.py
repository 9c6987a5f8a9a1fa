"""`mep query` against AWS: every end of a query, and how it is stopped."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.clients import loopback_client
from mep.errors import ExitStatus, MepError, StoppedError
from mep.query.cloud import MAX_WAIT_S, LogsQuery
from monitoring.queries import QUERIES
from tests.integration.mep.aws.account import Account, Run
from tests.support.aws_account import error, ok

ROW = {"@timestamp": "2026-11-27 03:11:05.360", "error_code": "DynamoDB.AccessDenied", "correlation_id": "c-1"}
FOUND = [[*({"field": name, "value": value} for name, value in ROW.items()), {"field": "@ptr", "value": "p"}]]
GROUP = "/aws/lambda/mark-earnings-processed-prod"
NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)
SECURITY = next(query.text for query in QUERIES if query.name == "security")


def replied(account: Account, status: str, **members: Any) -> None:
    account.replies["GetQueryResults"] = ok(status=status, **members)


def test_the_rows_of_a_saved_query(account: Account, run_here: Run) -> None:
    replied(account, "Complete", results=FOUND, statistics={"recordsScanned": 1234.0})

    ended = run_here("query", "security", "--since", "2h")

    assert (ended.status, ended.err) == (ExitStatus.DONE, "")
    assert all(value in ended.out for value in ROW.values())
    assert "request_id" not in ended.out, "a column without a value"
    assert f"1 row; 1,234 log lines searched in {GROUP}" in ended.out
    (started,) = [call.parameters for call in account.calls if call.operation == "StartQuery"]
    assert (started["logGroupName"], started["queryString"]) == (GROUP, SECURITY)
    assert 7199 <= started["endTime"] - started["startTime"] <= 7202


def test_the_json_of_a_result(account: Account, run_here: Run) -> None:
    replied(account, "Complete", results=FOUND)
    answer = json.loads(run_here("query", "security", "--json").out)

    assert (answer["complete"], answer["problem"], answer["source"]) == (True, None, GROUP)
    assert answer["columns"] == ["@timestamp", "error_code", "correlation_id", "request_id"]
    assert answer["rows"] == [ROW]


def test_times_of_statistics_are_shown_as_times(account: Account, run_here: Run) -> None:
    values = {"error_category": "network", "events": "1795749065360", "first": "1795749065360", "last": "2026-11-27"}
    replied(account, "Complete", results=[[{"field": name, "value": value} for name, value in values.items()]])

    (row,) = json.loads(run_here("query", "error-categories", "--json").out)["rows"]
    assert row == values | {"first": "2026-11-27 03:11:05.360"}


def test_beside_an_emulator_aws_is_not_called(account: Account, endpoint: str, run_here: Run) -> None:
    """In a shell with the variables of `kept.env`, the credentials are local ones."""
    kept = {"AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_ENDPOINT_URL_SQS": endpoint}
    for variables in (kept, {"AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_SQS": endpoint}):
        ended = run_here("query", "security", "--environment", "prod", **variables)

        assert ended.status == ExitStatus.WRONG_USAGE
        assert "use --run DIR to query its run, or a shell without its variables" in ended.error_line
    assert account.calls == []
    with_logs = {**kept, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint}
    assert run_here("query", "security", "--environment", "prod", **with_logs).status == ExitStatus.DONE


def test_an_empty_result_is_a_result(run_here: Run) -> None:
    ended = run_here("query", "security")

    assert (ended.status, ended.err) == (ExitStatus.DONE, "")
    assert "0 rows; 0 log lines searched" in ended.out


def test_a_result_that_reaches_the_limit_is_marked(account: Account, run_here: Run) -> None:
    replied(account, "Complete", results=FOUND * 100)

    assert "100 rows is the limit of the query: there may be more" in run_here("query", "security").out


@pytest.mark.parametrize("status", ["Failed", "Timeout", "Cancelled"])
def test_a_query_that_does_not_complete_is_not_an_empty_result(status: str, account: Account, run_here: Run) -> None:
    replied(account, status, results=FOUND)

    ended = run_here("query", "security")

    assert ended.status == ExitStatus.UNAVAILABLE
    assert f"the result of security is incomplete: the query of {GROUP} ended as {status}; " in ended.error_line
    assert ROW["error_code"] in ended.out
    answer = json.loads(run_here("query", "security", "--json").out)
    assert (answer["complete"], answer["problem"]["reason"]) == (False, "incomplete")


def test_a_query_about_one_event(account: Account, run_here: Run) -> None:
    assert run_here("query", "by-correlation-id", "--correlation-id", "c-1").status == ExitStatus.DONE
    (started,) = [call.parameters for call in account.calls if call.operation == "StartQuery"]
    assert '| filter correlation_id = "c-1"' in started["queryString"]

    for words, part in (
        (("by-correlation-id",), "needs --correlation-id ID"),
        (("security", "--correlation-id", "c-1"), "is not about one event"),
        (("by-correlation-id", "--correlation-id", 'c" or x = "'), "must be"),
        (("security", "--since", "soon"), "--since soon: must be an age"),
        (("failed-event",), "did you mean failed-events?"),
        (("xyz",), "`mep query` lists them"),
    ):
        ended = run_here("query", *words)
        assert ended.status == ExitStatus.WRONG_USAGE
        assert part in ended.error_line
    assert len([call for call in account.calls if call.operation == "StartQuery"]) == 1


@pytest.fixture
def logs(endpoint: str) -> Iterator[Any]:
    """A client of the fake account's CloudWatch Logs."""
    with closing(loopback_client("logs", endpoint)) as client:
        yield client


def run(logs: Any, sleep: Any) -> Any:
    query = LogsQuery(logs, GROUP, now=lambda: NOW, sleep=sleep)
    return query.run("security", SECURITY, timedelta(hours=1))


def test_a_query_is_polled_until_it_ends(account: Account, logs: Any) -> None:
    pauses: list[float] = []

    def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        replied(account, "Running" if len(pauses) < 6 else "Complete", results=FOUND)

    replied(account, "Scheduled")
    assert run(logs, sleep).rows == (ROW,)
    assert pauses == [0.25, 0.5, 1, 2, 2, 2]
    assert "StopQuery" not in account.operations()


def test_an_interrupted_query_is_stopped(account: Account, logs: Any) -> None:
    replied(account, "Running")

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    for reply in (ok(success=True), error("InvalidParameterException", "it has ended")):
        account.replies["StopQuery"] = reply
        with pytest.raises(StoppedError, match="interrupted: the query was stopped"):
            run(logs, interrupted)
    stopped = [call.parameters for call in account.calls if call.operation == "StopQuery"]
    assert stopped == [{"queryId": "q-1"}] * 2


def test_a_query_is_stopped_when_its_results_cannot_be_read(account: Account, logs: Any) -> None:
    account.replies["GetQueryResults"] = error("AccessDeniedException", "no", 400)

    with pytest.raises(MepError, match="cannot be read"):
        run(logs, lambda _: None)
    assert "StopQuery" in account.operations()


def test_a_query_that_takes_too_long_is_stopped(account: Account, logs: Any) -> None:
    replied(account, "Running", results=FOUND)

    result = run(logs, lambda _: None)

    assert result.problem is not None
    assert f"has not ended after {MAX_WAIT_S:g} s, and was stopped" in result.problem.text
    assert result.rows == (ROW,)
    assert "StopQuery" in account.operations()
