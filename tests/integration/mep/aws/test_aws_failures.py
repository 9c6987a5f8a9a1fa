"""A failed AWS call is never reported as an empty result.

`run` starts a process; `run_here` runs the command line in this process, which takes a tenth of the time. A process is
started once for the failures of calls and once for those of credentials.
"""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from itertools import product
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from handler.outcome import OUTCOME_TELEMETRY
from mep.errors import ExitStatus
from otel.event_types import EventType
from tests.integration.mep.aws.account import FAILURES, ROLE, SECRET, Account, Result, Run, denied
from tests.support.aws_account import Reply, ok, xml_error
from tests.support.thorough import some

EVENT = str(PROJECT_ROOT / "deploy" / "compose" / "event.json")
COMMANDS = {
    "trace": ("trace", "q2-AAPL-17"),
    "list": ("dlq", "list"),
    "show": ("dlq", "show", "q2-AAPL-17"),
    "redrive": ("dlq", "redrive", "--category", "throttling", "--operator", "alice"),
    "discard": ("dlq", "discard", "--category", "validation", "--reason", "a test", "--yes", "--operator", "alice"),
    "check": ("calendar", "check"),
    "unmark": ("calendar", "unmark", "AAPL", "2026-10-29", "--reason", "a test", "--yes", "--operator", "alice"),
    "query": ("query", "security"),
    "verify": ("verify", "--wait", "0"),
    "round trip": ("verify", "--full", "--yes", "--wait", "0"),
    "env": ("env",),
    "invoke": ("invoke", EVENT, "--url", "mark-earnings-processed-prod:live"),
}
NOTHING_THERE = re.compile(
    r"no record|0 rows;|rows? checked|messages|discarded|would be|sent to|searches further back|there is no row|"
    r"is not marked|was put|not as it should be"
)


def output(ended: Result) -> str:
    """Return standard output and standard error on one line."""
    assert ended.error_line
    return " ".join(f"{ended.out} {ended.err}".split())


def claims_nothing(ended: Result) -> bool:
    """Return whether the output claims an empty result."""
    return NOTHING_THERE.search(ended.out + ended.err) is not None


IN_XML = {"denied": xml_error("AccessDenied", f"{ROLE} is not authorized", 403), "another API": Reply(200, b"<other/>")}


@pytest.mark.parametrize("failure", some(FAILURES, of=2))
def test_trace_reports_each_failure(failure: str, account: Account, run: Run, run_here: Run) -> None:
    reply, reason, words = FAILURES[failure]
    account.replies = {"*": reply}

    ended = (run if failure == "denied" else run_here)("trace", "q2-AAPL-17")

    assert ended.status == ExitStatus.UNAVAILABLE
    assert not claims_nothing(ended)
    assert "unknown: AWS could not be called" in ended.out
    assert words in output(ended)
    assert "127.0.0.1:" in output(ended)
    assert ROLE not in ended.out + ended.err, "a message of AWS is passed on"

    answer = json.loads(run_here("trace", "q2-AAPL-17", "--json").out)
    assert (answer["complete"], answer["verdict"]) == (False, "unknown: AWS could not be called")
    assert {gap["source"] for gap in answer["not_asked"]} == {"log", "traces", "audit", "queue"}
    assert {gap["reason"] for gap in answer["not_asked"]} == {reason}
    assert all(gap["text"] and gap["host"].startswith("127.0.0.1:") for gap in answer["not_asked"])


# Those that `trace` has left out.
@pytest.mark.parametrize("failure", some(FAILURES, of=2, start=1))
def test_list_reports_each_failure(failure: str, account: Account, run_here: Run) -> None:
    reply, _, words = FAILURES[failure]
    account.replies = {"*": reply}

    ended = run_here("dlq", "list")

    assert (ended.status, ended.out) == (ExitStatus.UNAVAILABLE, "")
    assert words in output(ended)
    assert "127.0.0.1:" in output(ended)
    assert not claims_nothing(ended)


OTHERS = [command for command in COMMANDS if command not in {"trace", "list"}]


@pytest.mark.parametrize("failure", ["denied", "login page", "another API", "hangs up"])
@pytest.mark.parametrize("command", OTHERS)
def test_other_commands_report_each_failure(command: str, failure: str, account: Account, run_here: Run) -> None:
    # CloudFormation answers in XML.
    account.replies = {"*": FAILURES[failure][0], "DescribeStacks": IN_XML.get(failure, FAILURES[failure][0])}

    ended = run_here(*COMMANDS[command])

    assert ended.status == ExitStatus.UNAVAILABLE
    assert (ended.out == "") is (command != "verify"), "its report says what could not be asked"
    assert FAILURES[failure][2] in output(ended).replace("AccessDenied at DescribeStacks", "AccessDeniedException at ")
    assert not claims_nothing(ended)
    assert not account.operations() & {"TransactWriteItems", "PutEvents", "DeleteMessage"}, "nothing is written"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_refused_connection_names_the_host(command: str, run_here: Run) -> None:
    ended = run_here(*COMMANDS[command], AWS_ENDPOINT_URL="http://someone:pa55word@127.0.0.1:1")

    assert ended.status == ExitStatus.UNAVAILABLE
    assert "no connection to 127.0.0.1:1 (Connection refused)" in output(ended)
    assert "pa55word" not in ended.out + ended.err
    assert not claims_nothing(ended)


@pytest.mark.parametrize("operation", ["GetQueueAttributes", "ReceiveMessage"])
def test_list_reports_a_queue_that_stops_answering(operation: str, account: Account, run_here: Run) -> None:
    account.replies[operation] = FAILURES["login page"][0]

    ended = run_here("dlq", "list")

    assert (ended.status, ended.out) == (ExitStatus.UNAVAILABLE, "")


def test_an_empty_account_is_an_empty_result(account: Account, run_here: Run) -> None:
    ended = run_here("trace", "q2-AAPL-17")
    assert ended.status == ExitStatus.FAILED
    assert ended.error_line == "mep: no record of q2-AAPL-17 in the last 3d; --since searches further back"
    answer = json.loads(run_here("trace", "q2-AAPL-17", "--json").out)
    assert (answer["complete"], answer["not_asked"]) == (True, [])
    assert account.operations() >= {"StartQuery", "GetTraceSummaries", "Query", "GetQueueAttributes"}

    listed = run_here("dlq", "list")
    assert (listed.status, listed.out.strip()) == (ExitStatus.DONE, "0 of 0 messages")


def test_a_missing_queue_url_is_a_gap(run_here: Run) -> None:
    texts = {"local": "DEAD_LETTER_QUEUE_URL is not set", "prod": "127.0.0.1:"}  # the stack could not be asked
    for environment, text in texts.items():
        ended = run_here("trace", "q2-AAPL-17", DEAD_LETTER_QUEUE_URL=None, ENVIRONMENT=environment)
        assert ended.status == ExitStatus.UNAVAILABLE
        assert f"the dead-letter queue: {text}" in output(ended)
        assert not claims_nothing(ended)


LINE = {
    "timestamp": "2026-03-01T10:00:00.000000Z",
    "event_type": EventType.EVENT_OUTCOME,
    "message": OUTCOME_TELEMETRY["marked"].message,
    "correlation_id": "q2-AAPL-17",
    "request_id": "r-1",
    "outcome": "marked",
    "asset_symbol": "AAPL",
    "earnings_date": "2025-07-31",
}
ENTRY = {
    "earnings_key": "AAPL#2025-07-31",
    "entry_id": "2026-03-01T10:00:00.000000Z#e-1",
    "action": "mark_processed",
    "correlation_id": "q2-AAPL-17",
    "recorded_at": "2026-03-01T10:00:00.000000Z",
}
ROW = {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}


def items(*values: dict[str, str]) -> list[dict[str, dict[str, str]]]:
    return [{name: {"S": text} for name, text in value.items()} for value in values]


def add_event(account: Account) -> None:
    """Add the records of an event to an account."""
    results = [[{"field": "@message", "value": json.dumps(LINE)}]]
    account.replies["GetQueryResults"] = ok(status="Complete", results=results)
    account.replies["Query"] = ok(Items=items(ENTRY), Count=1)
    account.replies["GetItem"] = ok(Item={**items(ROW)[0], "is_processed": {"BOOL": True}})


BY_AUDIT = "the row is marked, according to its audit entry"


@pytest.mark.parametrize(
    ("operation", "sources", "partial"),
    [
        # the spans of Transaction Search are in CloudWatch Logs, too
        (
            "StartQuery",
            "log traces",
            f"{BY_AUDIT} (partial: without the log, the traces)",
        ),
        (
            "GetQueryResults",
            "log traces",
            f"{BY_AUDIT} (partial: without the log, the traces)",
        ),
        ("GetTraceSummaries", "traces", "the row is marked (partial: without the traces)"),
        ("Query", "audit", "the row is marked (partial: without the audit table)"),
        ("GetItem", "calendar", "the row is marked (partial: without the calendar)"),
        ("GetQueueAttributes", "queue", "the row is marked (partial: without the dead-letter queue)"),
    ],
)
def test_a_partial_result_is_marked(
    operation: str, sources: str, partial: str, account: Account, run_here: Run, tmp_path: Path
) -> None:
    add_event(account)
    assert run_here("trace", "q2-AAPL-17", "--queue").status == ExitStatus.DONE, "the result is complete"
    account.replies[operation] = FAILURES["denied"][0]
    page = tmp_path / "timeline.html"

    ended = run_here("trace", "q2-AAPL-17", "--queue", "--html", str(page))
    answer = json.loads(run_here("trace", "q2-AAPL-17", "--queue", "--json").out)

    assert ended.status == ExitStatus.UNAVAILABLE
    assert partial in " ".join(ended.out.split())
    assert f"AccessDeniedException at {operation}" in " ".join(ended.out.split())
    assert (answer["complete"], answer["verdict"]) == (False, partial)
    assert [(gap["source"], gap["operation"]) for gap in answer["not_asked"]] == [
        (source, operation) for source in sources.split()
    ]
    text = page.read_text(encoding="utf-8")
    assert partial in text
    not_read = ", ".join(f"the {source.replace('queue', 'dead-letter queue')}" for source in sources.split())
    assert f"<strong>not read</strong> {not_read}" in text
    assert f":{operation}: the managed policy" in text
    assert ROLE not in text


def test_an_empty_partial_result_is_unknown(account: Account, run_here: Run) -> None:
    account.replies["Query"] = FAILURES["denied"][0]

    ended = run_here("trace", "q2-AAPL-17")

    assert ended.status == ExitStatus.UNAVAILABLE
    assert "unknown: nothing was found, but the audit table, the calendar could not be read" in " ".join(
        ended.out.split()
    )
    assert not claims_nothing(ended)


def test_a_missing_index_is_named(account: Account, run_here: Run) -> None:
    account.replies["Query"] = denied("ValidationException", "The table does not have the specified index")

    assert "the audit table: ValidationException at Query" in (line := output(run_here("trace", "q2-AAPL-17")))
    assert "it needs the index correlation_id-index" in line


# --- credentials


def config(home: Path, text: str, **token: object) -> None:
    """Write `~/.aws/config`, and a login of IAM Identity Center for each session or start URL."""
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (home / ".aws" / "config").write_text(text)
    for name in ("corp", "https://corp.awsapps.com/start"):
        if token:
            (cache / f"{sha1(name.encode()).hexdigest()}.json").write_text(json.dumps(token))  # noqa: S324 - AWS's name


SSO_ACCOUNT = "sso_account_id = 123456789012\nsso_role_name = Operator\nregion = eu-central-1\n"
SSO_START = "sso_region = eu-central-1\nsso_start_url = https://corp.awsapps.com/start\n"
SESSION = f"[profile prod]\nsso_session = corp\n{SSO_ACCOUNT}[sso-session corp]\n{SSO_START}"
LEGACY = f"[profile prod]\n{SSO_START}{SSO_ACCOUNT}"
ROLE_ON_SSO = f"[profile base]\nsso_session = corp\n{SSO_ACCOUNT}[sso-session corp]\n{SSO_START}\
[profile prod]\nrole_arn = {ROLE}\nsource_profile = base\n"
ROLE_ON_KEYS = f"[profile prod]\nrole_arn = {ROLE}\nsource_profile = base\n\
[profile base]\naws_access_key_id = a\naws_secret_access_key = {SECRET}\n"
PAST = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
FUTURE = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
PROCESS = '[profile prod]\ncredential_process = "{}" -c "import sys; {}"\n'


def process(code: str) -> str:
    return PROCESS.format(sys.executable, code)


CREDENTIALS: dict[str, tuple[str, dict[str, object], str]] = {
    # name: ~/.aws/config, the login, words of the one line
    "SSO session, expired": (SESSION, {"accessToken": SECRET, "expiresAt": PAST}, "run: aws sso login --profile prod"),
    "SSO session, no login yet": (SESSION, {}, "run: aws sso login --profile prod"),
    "SSO of the old form, expired": (
        LEGACY,
        {"accessToken": SECRET, "expiresAt": PAST},
        "run: aws sso login --profile prod",
    ),
    "SSO of the old form, no login yet": (LEGACY, {}, "run: aws sso login --profile prod"),
    "SSO, revoked": (LEGACY, {"accessToken": SECRET, "expiresAt": FUTURE}, "run: aws sso login --profile prod"),
    "a role on top of SSO": (
        ROLE_ON_SSO,
        {"accessToken": SECRET, "expiresAt": PAST},
        "run: aws sso login --profile base",
    ),
    "SSO without its session": (SESSION.partition("[sso-session")[0], {}, "corp"),
    "a role that may not be assumed": (
        ROLE_ON_KEYS,
        {},
        "`aws sts get-caller-identity --profile prod` shows",
    ),
    "a process that fails": (process(f"sys.exit('{SECRET}')"), {}, "could not be retrieved from custom-process"),
    "a process that prints something else": (
        process(f"print('{SECRET}')"),
        {},
        "the AWS credentials could not be retrieved",
    ),
    "no such process": (
        "[profile prod]\ncredential_process = /nowhere/to/be/found\n",
        {},
        "the AWS credentials could not be retrieved",
    ),
    "half a pair": ("[profile prod]\naws_access_key_id = a\n", {}, "aws_secret_access_key"),
    "nothing at all": ("[profile prod]\nregion = eu-central-1\n", {}, "there are no AWS credentials; set AWS_PROFILE"),
}
DENIED_XML = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>not authorized to perform sts:AssumeRole</Message></Error></ErrorResponse>"""
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_without_credentials_no_call_is_made(
    name: str, account: Account, run: Run, run_here: Run, tmp_path: Path
) -> None:
    text, token, words = CREDENTIALS[name]
    config(tmp_path, text, **token)
    account.replies["AssumeRole"] = Reply(403, DENIED_XML)
    account.replies["Invoke"] = denied("UnauthorizedException", "Session token not found or invalid", 401)

    command = [*COMMANDS][[*CREDENTIALS].index(name) % len(COMMANDS)]
    chosen = run if name == "a process that fails" else run_here
    ended = chosen(*COMMANDS[command], AWS_PROFILE="prod", **NO_KEYS)

    assert ended.status == ExitStatus.UNAVAILABLE
    assert words in output(ended)
    assert not claims_nothing(ended)
    assert ("unknown: AWS could not be called" in ended.out) == (command == "trace")
    assert account.operations() <= {"AssumeRole", "Invoke"}, "only credentials were requested"


def test_an_empty_environment_yields_advice(account: Account, run: Run, run_here: Run) -> None:
    for name, command in COMMANDS.items():
        ended = (run if name == "list" else run_here)(*command, **NO_KEYS)
        assert ended.status == ExitStatus.UNAVAILABLE
        assert "there are no AWS credentials; set AWS_PROFILE to a profile" in output(ended)
    assert account.calls == []
    answer = json.loads(run_here(*COMMANDS["trace"], "--json", **NO_KEYS).out)
    assert {gap["source"] for gap in answer["not_asked"]} == {"log", "bus", "traces", "audit", "calendar", "queue"}


def test_expired_credentials_in_the_environment(account: Account, run_here: Run) -> None:
    for command in COMMANDS.values():
        ended = run_here(*command, AWS_CREDENTIAL_EXPIRATION=PAST)
        assert ended.status == ExitStatus.UNAVAILABLE
        assert "AWS_SESSION_TOKEN are used: set new ones, or unset them to use a profile" in output(ended)
    assert account.calls == []


INVALID_SETTINGS: list[tuple[dict[str, str], str]] = [
    ({"AWS_PROFILE": "ghost"}, "ghost"),
    ({"AWS_MAX_ATTEMPTS": "many"}, "AWS_MAX_ATTEMPTS must be a whole number"),
    ({"AWS_ENDPOINT_URL": "nowhere"}, "AWS_ENDPOINT_URL must be a URL such as"),
    ({"AWS_DEFAULTS_MODE": "nonsense"}, "nonsense"),
    ({"AWS_REGION": "eu central 1"}, "AWS_REGION must be the name of a region"),
    ({"AWS_CONFIG_FILE": EVENT}, "Unable to parse config file"),
]


# Half of them have every command, and all settings.
@pytest.mark.parametrize(("setting", "command"), some(product(INVALID_SETTINGS, COMMANDS), of=2), ids=str)
def test_an_invalid_boto3_setting_is_wrong_usage(
    setting: tuple[dict[str, str], str], command: str, account: Account, run_here: Run
) -> None:
    variables, words = setting
    ended = run_here(*COMMANDS[command], **variables)

    assert (ended.status, ended.out) == (ExitStatus.WRONG_USAGE, "")
    assert words in output(ended)
    assert account.calls == []


# --- redrive


MESSAGE = {
    "MessageId": "7d4c0000-0000-4000-8000-000000000000",
    "ReceiptHandle": "handle",
    "Body": json.dumps({"id": "e-1", "source": "signal9.advisor", "detail-type": "earningsProcessed", "detail": ROW}),
    "Attributes": {"SentTimestamp": "1772359200000", "ApproximateReceiveCount": "1"},
    "MessageAttributes": {
        name: {"DataType": "String", "StringValue": text}
        for name, text in {"SOURCE": "handler", "ERROR_CODE": "throttling", "ERROR_MESSAGE": "busy"}.items()
    },
}


@pytest.mark.parametrize("failure", ["denied", "login page", "hangs up", "expired"])
@pytest.mark.parametrize("operation", ["ListRules", "ListTargetsByRule", "TestEventPattern", "PutItem"])
def test_a_failed_call_of_a_redrive_keeps_the_message(
    operation: str, failure: str, account: Account, run_here: Run
) -> None:
    rule = {"Name": "mark", "State": "ENABLED", "EventPattern": "{}"}
    account.replies |= {
        "ReceiveMessage": ok(Messages=[MESSAGE]),
        "ListRules": ok(Rules=[rule]),
        "ListTargetsByRule": ok(Targets=[{"Id": "f", "Arn": "arn:aws:lambda:eu-central-1:1:function:f"}]),
        "TestEventPattern": ok(Result=True),
        "PutEvents": ok(FailedEntryCount=0, Entries=[{"EventId": "x"}]),
        operation: FAILURES[failure][0],
    }

    ended = run_here(*COMMANDS["redrive"])

    # One event that EventBridge did not check is exit status 1, as one that was not accepted.
    fatal = operation != "TestEventPattern" or failure in {"denied", "expired"}
    assert ended.status == (ExitStatus.UNAVAILABLE if fatal else ExitStatus.FAILED)
    assert not account.operations() & {"PutEvents", "DeleteMessage"}
    assert "not as AWS does" in ended.out + ended.err or failure != "login page"


def test_no_row_is_asked_for_and_the_hint_does_not_repeat_it(account: Account, run_here: Run) -> None:
    account.replies["ReceiveMessage"] = ok(Messages=[MESSAGE])

    listed = run_here("dlq", "list", "--limit", "0").out.splitlines()
    assert listed[-1].strip() == "1 message not shown: --limit 1 shows all"


def test_an_unreadable_reply_to_a_redrive_deletes_nothing(account: Account, run_here: Run) -> None:
    account.replies |= {"ReceiveMessage": ok(Messages=[MESSAGE]), "PutItem": ok()}
    account.replies["Invoke"] = FAILURES["login page"][0]

    ended = run_here(*COMMANDS["redrive"], "--function", "f")

    assert ended.status == ExitStatus.FAILED
    assert "0 of 1 sent to function:f and deleted" in ended.out
    assert "DeleteMessage" not in account.operations()


def test_the_user_agent_names_mep(account: Account, run_here: Run) -> None:
    for command in COMMANDS.values():
        run_here(*command)
    assert all(re.search(r"\bmep/[0-9]", call.user_agent) for call in account.calls)
