"""The hook before traffic, with the real function in the emulated runtime, real tables and a CodeDeploy on loopback."""

import logging
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from deploy.pre_traffic import hook
from emulator.environment import LOCAL_CREDENTIALS, REGION
from emulator.faults import Fault, FaultProxy, aws_error, cancelled, lost_reply
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint, create_queue
from tests.integration.sentinel import CORE, CREDENTIALS, leaks
from tests.support.aws_account import Call, Reply, error, ok, serving
from tests.support.harness import function_environ
from tests.support.sandbox import Sandbox, sandbox_process
from tests.support.stores import DeadLetters, Tables, new_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SYMBOL, DATE = "MEP-VERIFY", "2000-01-01"
EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "h-1"}
VERSION_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:mark-earnings-processed-prod:7"
Start = Callable[..., Sandbox]


@dataclass
class Account:
    """CodeDeploy and Lambda on loopback.

    Attributes:
        version: The function, as the new version.
        creator: Who CodeDeploy says has created the deployment.
        replies: Replies by operation that replace those of the account.
        reports: The reports that CodeDeploy got.
        invoked: The paths that were invoked.
        not_ready: How often the snapshot of the version is not ready yet.
    """

    version: Sandbox | None = None
    creator: str = "user"
    replies: dict[str, Reply] = field(default_factory=dict)
    reports: list[dict[str, str]] = field(default_factory=list)
    invoked: list[str] = field(default_factory=list)
    not_ready: int = 0

    def respond(self, call: Call) -> Reply:
        match call.operation:
            case "PutLifecycleEventHookExecutionStatus":
                self.reports.append(call.parameters)
            case "Invoke":
                self.invoked.append(call.path)
                if len(self.invoked) <= self.not_ready:
                    return error(hook.NOT_READY, "Lambda is initializing your function", 409)
        if call.operation in self.replies:
            return self.replies[call.operation]
        match call.operation:
            case "GetDeployment":
                return ok(deploymentInfo={"deploymentId": call.parameters["deploymentId"], "creator": self.creator})
            case "Invoke":
                assert self.version is not None
                result = self.version.invoke(call.parameters)
                return Reply(200, result.payload, function_error="" if result.status == "ok" else "Unhandled")
        return ok()


@pytest.fixture
def tables(dynamodb_endpoint: DynamoDBEndpoint, dynamodb_client: "DynamoDBClient") -> Tables:
    """Empty tables of this test alone."""
    return new_tables(dynamodb_endpoint.url, dynamodb_client, uuid.uuid4().hex)


@pytest.fixture
def account(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account()
    with serving(account.respond) as url:
        variables = {
            **LOCAL_CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_CODEDEPLOY": url,
            "AWS_ENDPOINT_URL_LAMBDA": url,
            "AWS_ENDPOINT_URL_DYNAMODB": tables.url,
            "EARNINGS_CALENDAR_TABLE": tables.calendar_table,
            "EARNINGS_AUDIT_TABLE": tables.audit_table,
            "EVENT_SOURCE": "signal9.advisor",
            "FUNCTION_VERSION_ARN": VERSION_ARN,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield account


@pytest.fixture
def start(tables: Tables, queue_endpoint: QueueEndpoint, account: Account) -> Iterator[Start]:
    """Make a version of the function with these variables the new one; its process starts with the first event."""
    dead_letters = DeadLetters(create_queue(queue_endpoint.url, f"dead-letters-{uuid.uuid4().hex}"))
    with ExitStack() as stack:

        def start(**variables: str) -> Sandbox:
            environ = function_environ(tables, dead_letters, **variables)
            account.version = stack.enter_context(sandbox_process(environ))
            return account.version

        yield start


def report(status: str) -> dict[str, str]:
    return {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "h-1", "status": status}


def stored(tables: Tables) -> tuple[Any, Any]:
    return tables.row(SYMBOL, DATE), tables.audit(SYMBOL, DATE)


def test_a_working_version_gets_traffic_and_the_row_is_written_once(
    account: Account, start: Start, tables: Tables
) -> None:
    version = start()

    assert hook.handle(EVENT) == {"status": "Succeeded"}
    row, entries = stored(tables)
    assert hook.handle(EVENT) == {"status": "Succeeded"}

    assert account.reports == [report("Succeeded")] * 2
    assert account.invoked == [f"/2015-03-31/functions/{VERSION_ARN}/invocations"] * 2
    assert (row["is_processed"], row["processed_by_event"]) == (True, "mep-verify")
    assert [(entry["action"], entry["operator"]) for entry in entries] == [("verify", "CodeDeploy d-1")]
    assert stored(tables) == (row, entries), "nothing is written"
    outcomes = [line for line in version.logs if "outcome" in line]
    assert [(line["outcome"], line["same_event"]) for line in outcomes] == [("duplicate", True)] * 2
    counted = [
        {name: line.get(name, 0) for name in ("Errors", "IdempotencyViolations", "EventsDuplicate")}
        for line in version.metrics
        if "EventsReceived" in line
    ]
    assert counted == [{"Errors": 0, "IdempotencyViolations": 0, "EventsDuplicate": 1}] * 2, "no alarm counts it"


@pytest.mark.parametrize(("not_ready", "status"), [(2, "Succeeded"), (hook.NOT_READY_WAITS + 1, "Failed")])
def test_a_snapshot_that_is_not_ready_is_waited_for(
    account: Account, start: Start, monkeypatch: pytest.MonkeyPatch, not_ready: int, status: str
) -> None:
    monkeypatch.setattr(hook, "NOT_READY_SECONDS", 0)
    start()
    account.not_ready = not_ready

    assert hook.handle(EVENT) == {"status": status}

    assert len(account.invoked) == min(not_ready, hook.NOT_READY_WAITS) + 1


def test_a_version_that_lost_its_permission_fails(
    account: Account, start: Start, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultProxy(tables.url, *[aws_error("AccessDeniedException")] * 9, operation="TransactWriteItems") as denied:
        start(AWS_ENDPOINT_URL_DYNAMODB=denied.url)

        assert hook.handle(EVENT) == {"status": "Failed"}

    assert account.reports == [report("Failed")]
    assert '"error_category": "access_denied"' in caplog.text.replace('":"', '": "')


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"EARNINGS_CALENDAR_TABLE": "another-table"}, "configuration"),
        ({"DEAD_LETTER_QUEUE_URL": "no URL"}, "Runtime.ExitError"),
    ],
    ids=["another table", "does not start"],
)
def test_a_version_with_wrong_variables_fails(
    account: Account, start: Start, variables: dict[str, str], shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    start(**variables)

    assert hook.handle(EVENT) == {"status": "Failed"}

    assert account.reports == [report("Failed")]
    assert f"{VERSION_ARN} answered" in caplog.text
    assert shown in caplog.text


@pytest.mark.parametrize("attributes", [{"is_processed": False}, {"is_processed": True, "processed_by_event": "other"}])
def test_a_row_that_the_probe_would_change_stops_it(
    account: Account, tables: Tables, attributes: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    tables.put_row(SYMBOL, DATE, **attributes)
    before = stored(tables)

    assert hook.handle(EVENT) == {"status": "Failed"}

    assert (account.reports, account.invoked) == ([report("Failed")], [])
    assert "delete this row" in caplog.text
    assert stored(tables) == before


@pytest.mark.parametrize(
    ("operation", "reply"),
    [
        ("GetDeployment", error("AccessDeniedException", "not authorized")),
        ("Invoke", error("ResourceNotFoundException", "no such version", 404)),
        ("Invoke", error("AccessDeniedException", "not authorized", 403)),
        ("Invoke", Reply(200, b"<html>")),
        ("Invoke", ok(outcome="duplicate", same_event=True, correlation_id="another")),
        ("Invoke", ok(outcome="marked", same_event=False)),
    ],
    ids=["no deployment", "no version", "not allowed", "no JSON", "another event", "another outcome"],
)
def test_every_error_is_reported(account: Account, operation: str, reply: Reply) -> None:
    account.replies[operation] = reply

    assert hook.handle(EVENT) == {"status": "Failed"}

    assert account.reports == [report("Failed")]


ROLE = "arn:aws:sts::123456789012:assumed-role/its-role/session"
FAILURES = {
    "denied": (error("AccessDeniedException", f"User: {ROLE} is not authorized", 403), "AccessDeniedException at "),
    "expired": (error("ExpiredTokenException", f"The security token {CORE} is expired"), "ExpiredTokenException at "),
    "signature": (
        error("InvalidSignatureException", f"The Canonical String: x-amz-security-token:{CORE}"),
        "InvalidSignatureException at ",
    ),
    "hangs up": (Reply(0, b""), "ConnectionClosedError at "),
    "login page": (Reply(200, b"<html>" + CORE.encode()), " at "),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_log_names_the_error_and_no_secret(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    """At level DEBUG, and in the exception, which Lambda's runtime client logs."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(hook, "ATTEMPTS", 1)
    caplog.set_level(logging.DEBUG)
    reply, words = FAILURES[failure]
    account.replies["GetDeployment"] = reply

    assert hook.handle(EVENT) == {"status": "Failed"}
    assert f"could not be probed: {words}" in caplog.text or failure == "login page"
    assert leaks(caplog.text) == []
    assert ROLE not in caplog.text

    account.replies = {"PutLifecycleEventHookExecutionStatus": reply}
    if failure != "login page":  # the response has no members: any success will do
        with pytest.raises(hook.ReportError) as raised:
            hook.handle(EVENT)
        text = "".join(traceback.format_exception(raised.value))
        assert words in text
        assert leaks(text) == []
        assert ROLE not in text


@pytest.mark.parametrize("name", ["FUNCTION_VERSION_ARN", "EARNINGS_CALENDAR_TABLE", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_wrong_variables_of_the_hook_are_reported(account: Account, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")

    assert hook.handle(EVENT) == {"status": "Failed"}

    assert account.reports == [report("Failed")]


def test_a_report_that_fails_raises(account: Account) -> None:
    """Lambda repeats an asynchronous invocation that raises."""
    account.replies["PutLifecycleEventHookExecutionStatus"] = error("AccessDeniedException", "not authorized")
    account.replies["Invoke"] = error("ResourceNotFoundException", "no such version", 404)

    with pytest.raises(hook.ReportError, match="AccessDeniedException at PutLifecycleEventHookExecutionStatus"):
        hook.handle(EVENT)


@pytest.mark.parametrize("creator", ["codeDeployRollback", "CloudFormationRollback"])
def test_a_rollback_is_not_stopped(account: Account, tables: Tables, creator: str) -> None:
    account.creator = creator

    assert hook.handle(EVENT) == {"status": "Succeeded"}

    assert (account.reports, account.invoked) == ([report("Succeeded")], [])
    assert stored(tables) == (None, [])


@pytest.mark.parametrize(
    ("fault", "attempts", "entries"),
    [(lost_reply(), 2, 1), (cancelled("ConditionalCheckFailed", "None"), 1, 0)],
    ids=["its own write", "by mep verify"],
)
def test_a_row_that_is_there_meanwhile_is_used(
    account: Account, tables: Tables, monkeypatch: pytest.MonkeyPatch, fault: Fault, attempts: int, entries: int
) -> None:
    account.replies["Invoke"] = ok(outcome="marked")
    with FaultProxy(tables.url, fault, operation="TransactWriteItems") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        hook.handle(EVENT)
        assert proxy.attempts("TransactWriteItems") == attempts

    assert len(account.invoked) == 1
    assert len(stored(tables)[1]) == entries


def test_the_timeout_covers_the_slowest_calls() -> None:
    """CodeDeploy gets a report also if each call takes as long as it can."""
    backoff = sum(2**attempt for attempt in range(hook.ATTEMPTS - 1))  # botocore's, in standard mode
    call, invocation = (
        hook.ATTEMPTS * (hook.CONNECT_SECONDS + seconds) + backoff
        for seconds in (hook.CALL_SECONDS, hook.INVOKE_SECONDS)
    )

    others = ("GetDeployment", "GetItem", "TransactWriteItems", "PutLifecycleEventHookExecutionStatus")
    assert len(others) * call + invocation < hook.TIMEOUT_SECONDS
