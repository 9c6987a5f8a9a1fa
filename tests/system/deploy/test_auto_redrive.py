"""The automatic redrive in the synthesised stack: its function, its schedules, its alarm, and its permissions."""

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from deploy.app import build
from deploy.context import ENVIRONMENTS
from deploy.reading import read_context
from deploy.stack.archive import archive, files_of
from deploy.values import ContextError
from redriver import TIMEOUT_S
from redriver.settings import load_settings
from tests.system.deploy.simulator import Call, allowed_of_everything, verdicts
from tests.unit.deploy.assembly import ACCOUNT, IMAGE, REGION, Template, template

NAME = "mark-earnings-processed-prod"
CALENDAR = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/earningsCalendar"
AUDIT = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/earningsAudit"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-dead-letters"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/earnings-prod/{NAME}"
STREAM = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{NAME}-auto-redrive:log-stream:a"

CALLS = [
    Call("events:DescribeRule", RULE),
    Call("lambda:GetFunctionConcurrency", FUNCTION),
    Call("lambda:InvokeFunction", f"{FUNCTION}:live"),
    *(Call(f"sqs:{name}", QUEUE) for name in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility")),
    Call("sqs:GetQueueAttributes", QUEUE),
    *(Call(f"dynamodb:{name}", CALENDAR) for name in ("GetItem", "Query", "Scan")),
    *(Call(f"dynamodb:{name}", AUDIT) for name in ("PutItem", "Query")),
    *(Call(f"logs:{name}", STREAM) for name in ("CreateLogStream", "PutLogEvents")),
]
"""Those that tests/integration/redriver sees it make, and Lambda's own."""


def one(made: Template, kind: str) -> dict[str, Any]:
    (found,) = made.automatic(kind)
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_on_in_staging_and_prod_as_shipped(environment: str) -> None:
    minutes = read_context({"environment": environment}).auto_redrive_minutes

    assert minutes == (0 if environment == "dev" else 15)
    kinds = {each["Type"] for name, each in template(environment).resources.items() if name.startswith("AutoRedrive")}
    assert bool(kinds) == bool(minutes)
    assert template(environment, auto_redrive_minutes="0").automatic("AWS::Lambda::Function") == []


@pytest.mark.parametrize("minutes", ["5", "61", "often"])
def test_minutes_that_are_refused(minutes: str) -> None:
    with pytest.raises(ContextError, match="auto_redrive_minutes"):
        read_context({"environment": "dev", "auto_redrive_minutes": minutes})


def test_function() -> None:
    function, log_group = one(template(), "AWS::Lambda::Function"), one(template(), "AWS::Logs::LogGroup")

    assert function["FunctionName"] == f"{NAME}-auto-redrive"
    assert (function["Runtime"], function["Handler"]) == ("python3.13", "redriver.app.lambda_handler")
    assert function["Architectures"] == template().one("AWS::Lambda::Function")["Architectures"]
    assert function["Timeout"] == TIMEOUT_S
    assert function["LoggingConfig"]["LogGroup"] == log_group["LogGroupName"] == f"/aws/lambda/{NAME}-auto-redrive"
    assert log_group["RetentionInDays"] == template().one("AWS::Logs::LogGroup")["RetentionInDays"]
    config = one(template(), "AWS::Lambda::EventInvokeConfig")
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 900)


def test_the_function_accepts_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    made = template()
    variables = one(made, "AWS::Lambda::Function")["Environment"]["Variables"]
    monkeypatch.setenv("AWS_REGION", REGION)

    read = load_settings({"AWS_REGION": REGION, **variables})

    main = made.one("AWS::Lambda::Function")["Environment"]["Variables"]
    assert read.queue_url == main["DEAD_LETTER_QUEUE_URL"]
    assert (read.calendar_table, read.audit_table) == ("earningsCalendar", "earningsAudit")
    assert (read.function, read.unqualified_function) == (f"{FUNCTION}:live", FUNCTION)
    assert (read.rule, read.bus) == (NAME, "earnings-prod")
    assert read.environment == "prod"


def test_rule_and_bus_of_an_existing_bus() -> None:
    made = template(event_bus="a-bus")
    variables = one(made, "AWS::Lambda::Function")["Environment"]["Variables"]

    rule = made.one("AWS::Events::Rule")
    assert (variables["AUTO_REDRIVE_RULE"], variables["EVENT_BUS_NAME"]) == (rule["Name"], rule["EventBusName"])


def test_schedules() -> None:
    (function,) = [name for name in template().ids("AWS::Lambda::Function") if name.startswith("AutoRedrive")]
    rules = {rule["Name"].removeprefix(f"{NAME}-"): rule for rule in template().automatic("AWS::Events::Rule")}

    assert {name: rule["ScheduleExpression"] for name, rule in rules.items()} == {
        "auto-redrive": "rate(15 minutes)",
        "calendar-check": "cron(0 12 * * ? *)",
    }
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}-auto-redrive"
    for name, task in (("auto-redrive", "redrive"), ("calendar-check", "calendar")):
        rule = rules[name]
        (target,) = rule["Targets"]
        assert (target["Arn"], target["Input"]) == (arn, f'{{"task":"{task}"}}')
        assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0
    permissions = template().automatic("AWS::Lambda::Permission")
    assert [each["Principal"] for each in permissions] == ["events.amazonaws.com"] * 2
    assert template().resources[function]["DependsOn"], "the role"


@pytest.mark.parametrize("minutes", [10, 15, 60])
def test_alarm(minutes: int) -> None:
    alarm = one(template(auto_redrive_minutes=str(minutes)), "AWS::CloudWatch::Alarm")

    assert alarm["AlarmName"] == f"{NAME}-auto-redrive-failures"
    assert alarm["AlarmDescription"].startswith("Ticket. ")
    assert alarm["AlarmDescription"].endswith("#auto-redrive-failures")
    periods = {each["MetricStat"]["Period"] for each in alarm["Metrics"] if "MetricStat" in each}
    assert periods == {2 * minutes * 60}, "two runs"
    assert alarm["AlarmActions"] == alarm["OKActions"]
    assert len(alarm["AlarmActions"]) == 1


@pytest.fixture(scope="module")
def policies() -> list[dict[str, Any]]:
    role = one(template(), "AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role
    assert template().automatic("AWS::IAM::Policy") == []
    return [policy["PolicyDocument"] for policy in role["Policies"]]


def test_calls_are_allowed(policies: list[dict[str, Any]]) -> None:
    simulated = verdicts(policies, CALLS)

    assert {call: verdict for call, verdict in simulated.items() if verdict != "Allowed"} == {}


def test_it_may_do_nothing_else(policies: list[dict[str, Any]]) -> None:
    own = [CALENDAR, AUDIT, QUEUE, FUNCTION, f"{FUNCTION}:live", RULE, STREAM]
    others = [
        *(f"{arn}-other" for arn in (CALENDAR, AUDIT, QUEUE, FUNCTION, RULE)),
        *(f"{FUNCTION}:7", f"{FUNCTION}-auto-redrive", f"{AUDIT}/index/correlation_id-index"),
        f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/earnings-prod",
        STREAM.replace("-auto-redrive", ""),
    ]

    allowed = allowed_of_everything(
        policies, ["dynamodb", "sqs", "lambda", "events", "logs", "cloudwatch", "xray"], [*own, *others]
    )

    assert allowed == {str(call) for call in CALLS}


def test_the_archive_runs_with_boto3_alone() -> None:
    """As on Lambda's runtime, which has boto3 and what it needs. The packages beside it are not loaded."""
    packages = sysconfig.get_path("purelib")
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import redriver.app\n"
        "for module in list(sys.modules.values()): print(getattr(module, '__file__', None) or '')"
    )
    with archive("redriver.app") as folder:
        command = [sys.executable, "-I", "-S", "-c", code, folder, packages]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        loaded = {Path(line) for line in ran.stdout.splitlines() if line}
        own = {path.relative_to(folder) for path in loaded if path.is_relative_to(folder)}

    assert own <= files_of("redriver.app")
    assert {Path("redriver/app.py"), Path("mep/dlq/redrive.py"), Path("mep/calendar/check.py")} <= own
    beside = {path.relative_to(packages).parts[0] for path in loaded if path.is_relative_to(packages)}
    assert beside <= {"boto3", "botocore", "certifi", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"}


def test_a_change_elsewhere_makes_no_new_archive() -> None:
    files = files_of("redriver.app")

    assert {path.parts[0] for path in files} == {"redriver", "mep", "monitoring", "handler", "otel"}
    assert not {Path("mep/dlq/commands.py"), Path("mep/cli.py"), Path("handler/app.py")} & files


def test_archive_in_the_assembly(tmp_path: Path) -> None:
    build({"environment": "prod", "image_uri": IMAGE}, str(tmp_path), gates=False).synth()

    (staged,) = [asset for asset in tmp_path.glob("asset.*") if (asset / "redriver").is_dir()]
    assert {path.relative_to(staged) for path in staged.rglob("*") if path.is_file()} == files_of("redriver.app")
