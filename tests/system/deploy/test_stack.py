"""The synthesised template of the stack."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from deploy.app import build
from deploy.context import ENVIRONMENTS
from deploy.reading import read_context
from deploy.stack import image
from deploy.stack.pre_traffic import FILES
from emulator.services.tables import create_tables
from handler.contract import CORRELATION_INDEX
from handler.settings import FLUSH_RESERVE_SECONDS, load_settings
from monitoring.model import Severity
from tests.unit.deploy.assembly import ACCOUNT, IMAGE, REGION, SEPARATE, Template, template
from tests.unit.deploy.snapshot import SNAPSHOT, synthesised

NAME = "mark-earnings-processed-prod"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-dead-letters"
TOPIC_ARNS = {severity: f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-{severity.value}" for severity in Severity}
ROOT = Path(__file__).parents[3]
ALIAS_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}:live"

environments = pytest.mark.parametrize("environment", ENVIRONMENTS)


def variables(made: Template) -> dict[str, str]:
    found: dict[str, str] = made.one("AWS::Lambda::Function")["Environment"]["Variables"]
    return found


def test_the_rule_matches_our_events_only() -> None:
    rule = template().one("AWS::Events::Rule")

    assert rule["EventPattern"] == {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}
    assert rule["EventBusName"] == "earnings-prod"
    (target,) = rule["Targets"]
    assert target["Arn"] == ALIAS_ARN
    assert target["DeadLetterConfig"] == {"Arn": QUEUE_ARN}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 24 * 3600, "MaximumRetryAttempts": 185}
    assert "InputTransformer" not in target, "the function needs the whole envelope"


def test_drift_of_a_pause_and_of_a_rollback_is_visible() -> None:
    """CloudFormation compares only the properties that the template sets."""
    assert template().one("AWS::Events::Rule")["State"] == "ENABLED"
    assert template().one("AWS::Lambda::Alias")["FunctionVersion"]


def test_only_the_rule_may_invoke_the_alias() -> None:
    permission = template().one("AWS::Lambda::Permission")

    assert permission["FunctionName"] == ALIAS_ARN
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == f"<{template().ids('AWS::Events::Rule')[0]}.Arn>"


def test_event_source_of_rule_archive_and_function() -> None:
    made = template(event_source="another.producer")

    assert made.one("AWS::Events::Rule")["EventPattern"]["source"] == ["another.producer"]
    assert made.one("AWS::Events::Archive")["EventPattern"]["source"] == ["another.producer"]
    assert variables(made)["EVENT_SOURCE"] == "another.producer"


@environments
def test_archive(environment: str) -> None:
    archive = template(environment).one("AWS::Events::Archive")

    assert archive["RetentionDays"] == read_context({"environment": environment}).archive_retention_days
    assert archive["EventPattern"] == template(environment).one("AWS::Events::Rule")["EventPattern"]


def test_function() -> None:
    function = template().one("AWS::Lambda::Function")

    assert function["PackageType"] == "Image"
    assert function["Code"] == {"ImageUri": IMAGE}
    assert function["Architectures"] == ["arm64"]
    assert function["Timeout"] == 30
    assert function["MemorySize"] == 128
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": f"/aws/lambda/{NAME}",
    }


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"telemetry": "direct"},
        {"telemetry": "collector", "collector_endpoint": "https://collector.example:4318"},
    ],
)
def test_the_function_accepts_its_variables(context: dict[str, str]) -> None:
    read = load_settings({"AWS_REGION": REGION, **variables(template(**context))})

    assert (read.calendar_table, read.audit_table) == ("earningsCalendar", "earningsAudit")
    assert read.dead_letter_queue_url == f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{NAME}-dead-letters"
    assert read.telemetry.environment == "prod"
    assert read.telemetry.collector == ("collector_endpoint" in context)
    assert template(**context).one("AWS::Lambda::Function")["Timeout"] > read.attempt_timeout + FLUSH_RESERVE_SECONDS


def test_export_mode_memory_and_architecture() -> None:
    layer = template(telemetry="layer", memory="512", architecture="x86_64")

    function = layer.one("AWS::Lambda::Function")
    assert function["MemorySize"] == 512
    assert function["Architectures"] == ["x86_64"]
    assert variables(layer)["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/otel-instrument"
    assert variables(template()).items() >= variables(layer).items()
    assert variables(template(telemetry="direct"))["AWS_LAMBDA_EXEC_WRAPPER"] == ""


@pytest.mark.parametrize(("value", "enabled", "discovered"), [("off", 0, 0), ("on", 1, 0), ("discovery", 1, 1)])
def test_application_signals(value: str, enabled: int, discovered: int) -> None:
    made = template(application_signals=value)

    assert ("OTEL_AWS_APPLICATION_SIGNALS_ENABLED" in variables(made)) == bool(enabled)
    assert len(made.ids("AWS::ApplicationSignals::Discovery")) == discovered
    for name in made.ids("AWS::ApplicationSignals::Discovery"):
        assert made.resources[name]["DeletionPolicy"] == "Retain"


def test_snapstart() -> None:
    """It is for published versions, which the alias names, and refuses these properties; the switch is a version."""
    made = template(snapstart="on")
    function = made.one("AWS::Lambda::Function")

    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert not {"EphemeralStorage", "FileSystemConfigs"} & function.keys()
    (version,) = made.ids("AWS::Lambda::Version")
    assert "ProvisionedConcurrencyConfig" not in made.resources[version]["Properties"]
    assert made.one("AWS::Lambda::Alias")["FunctionVersion"] == f"<{version}.Version>"
    assert "SnapStart" not in template().one("AWS::Lambda::Function")
    assert template().ids("AWS::Lambda::Version") != [version]


def test_retries_and_on_failure_destination() -> None:
    configs = template().all("AWS::Lambda::EventInvokeConfig")

    assert {config["Qualifier"] for config in configs} == {"live", "$LATEST"}
    for config in configs:
        assert config["MaximumRetryAttempts"] == 2
        assert config["MaximumEventAgeInSeconds"] == 6 * 3600
        assert config["DestinationConfig"] == {"OnFailure": {"Destination": QUEUE_ARN}}


def test_dead_letter_queue() -> None:
    queue = template().one("AWS::SQS::Queue")

    assert "FifoQueue" not in queue, "Lambda and EventBridge send to standard queues only"
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    assert queue["SqsManagedSseEnabled"] is True
    assert "RedrivePolicy" not in queue


def test_queue_policy() -> None:
    statements = template().one("AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]

    denied, allowed = sorted(statements, key=lambda statement: statement["Effect"], reverse=True)
    assert denied["Principal"] == {"AWS": "*"}
    assert denied["Action"] == "sqs:*"
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Condition"]["ArnEquals"] == {"aws:SourceArn": f"<{template().ids('AWS::Events::Rule')[0]}.Arn>"}


class _Requests:
    """Records the requests of `create_tables`."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def create_table(self, **request: Any) -> None:
        self.made[request["TableName"]] = request

    def get_waiter(self, _: str) -> "_Requests":
        return self

    def wait(self, **_: Any) -> None:
        pass


def test_tables_equal_those_of_the_tests() -> None:
    local: Any = _Requests()
    create_tables(local, "earningsCalendar", "earningsAudit")

    for table in template().all("AWS::DynamoDB::Table"):
        request = local.made[table["TableName"]]
        assert table["KeySchema"] == request["KeySchema"]
        assert table["BillingMode"] == request["BillingMode"] == "PAY_PER_REQUEST"
        assert table.get("GlobalSecondaryIndexes") == request.get("GlobalSecondaryIndexes")
    assert json.dumps(template().all("AWS::DynamoDB::Table")).count(CORRELATION_INDEX) == 1


@environments
def test_data_is_retained_in_staging_and_prod(environment: str) -> None:
    made = template(environment)
    keeps = ENVIRONMENTS[environment].keeps_data

    for kind in ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup"):
        for name in made.ids(kind):
            if name.startswith(("Monitoring", "EventsBusLog")):
                continue  # the logs of unmatched events and of the bus: no content of events
            resource = made.resources[name]
            # A stack that fails to be created can be created again: what cannot be deleted can be imported.
            kept = "Retain" if kind == "AWS::DynamoDB::Table" else "RetainExceptOnCreate"
            assert resource["DeletionPolicy"] == (kept if keeps else "Delete")
            assert resource["UpdateReplacePolicy"] == ("Retain" if keeps else "Delete")
            assert isinstance(resource["Properties"][f"{kind.rpartition('::')[2]}Name"], str), "no import without"
    for table in made.all("AWS::DynamoDB::Table"):
        assert table["DeletionProtectionEnabled"] is keeps
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}


@environments
def test_log_retention(environment: str) -> None:
    assert (
        template(environment).one("AWS::Logs::LogGroup")["RetentionInDays"]
        == read_context({"environment": environment}).log_retention_days
    )


@environments
def test_names_and_tags(environment: str) -> None:
    made = template(environment)

    tags = [{"Key": "environment", "Value": environment}, {"Key": "service", "Value": "mark-earnings-processed"}]
    for kind in ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Lambda::Function"):
        for resource in made.all(kind):
            assert resource["Tags"] == tags
    assert made.one("AWS::Lambda::Function")["FunctionName"] == f"mark-earnings-processed-{environment}"
    assert variables(made)["ENVIRONMENT"] == environment


@pytest.mark.parametrize(
    ("environment", "config", "uses_alarms"),
    [
        ("dev", "LambdaAllAtOnce", False),
        ("staging", "LambdaCanary10Percent5Minutes", True),
        ("prod", "LambdaCanary10Percent10Minutes", True),
    ],
)
def test_gradual_deployment_and_rollback(environment: str, config: str, uses_alarms: bool) -> None:
    made = template(environment)

    group = made.one("AWS::CodeDeploy::DeploymentGroup")
    assert group["DeploymentConfigName"] == f"CodeDeployDefault.{config}"
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert group["AlarmConfiguration"].get("IgnorePollAlarmFailure") in {None, False}
    assert group["AlarmConfiguration"]["Enabled"] is uses_alarms
    alarms = {
        made.resources[alarm["Name"].strip("<>")]["Properties"]["AlarmName"]
        for alarm in group["AlarmConfiguration"]["Alarms"]
    }
    assert f"mark-earnings-processed-{environment}-failing-version" in alarms
    assert f"mark-earnings-processed-{environment}-slo-fast-burn-short" in alarms
    assert f"mark-earnings-processed-{environment}-processing-failures" not in alarms
    (alias,) = made.ids("AWS::Lambda::Alias")
    policy = made.resolve(made.resources[alias]["UpdatePolicy"])["CodeDeployLambdaAliasUpdate"]
    assert policy["DeploymentGroupName"] == f"<{made.ids('AWS::CodeDeploy::DeploymentGroup')[0]}>"
    assert policy["BeforeAllowTrafficHook"] == made.hook("AWS::Lambda::Function")["FunctionName"]


def test_an_urgent_fix_does_without_codedeploy() -> None:
    """CloudFormation sets the alias, wherever it is; the deployment group is as it was."""
    urgent, gradual = template(rollout="at_once"), template()

    (alias,) = urgent.ids("AWS::Lambda::Alias")
    assert {**urgent.resources[alias], "UpdatePolicy": gradual.resources[alias]["UpdatePolicy"]} == (
        gradual.resources[alias]
    )
    others = urgent.resources.keys() - {alias}
    assert {name: urgent.resources[name] for name in others} == {name: gradual.resources[name] for name in others}


@pytest.mark.parametrize("context", [{}, {"environment": "dev"}, {"calendar_table": "a-calendar"}], ids=str)
def test_hook_before_traffic(context: dict[str, str]) -> None:
    made = template(**context)

    function = made.hook("AWS::Lambda::Function")
    (version,) = made.ids("AWS::Lambda::Version")
    (alias,) = made.ids("AWS::Lambda::Alias")
    main, name = made.one("AWS::Lambda::Function"), f"{made.one('AWS::Lambda::Function')['FunctionName']}-pre-traffic"
    assert function["FunctionName"] == name
    assert (function["Runtime"], function["Handler"]) == ("python3.13", "hook.handle")
    assert function["Timeout"] == 300
    assert function["LoggingConfig"]["LogGroup"] == made.hook("AWS::Logs::LogGroup")["LogGroupName"]
    assert made.hook("AWS::Logs::LogGroup")["LogGroupName"] == f"/aws/lambda/{name}"
    given = function["Environment"]["Variables"]
    assert given.pop("FUNCTION_VERSION_ARN") == f"<{version}>"
    assert given.items() <= main["Environment"]["Variables"].items(), "the tables and the source of the function"
    assert set(given) == {"EARNINGS_CALENDAR_TABLE", "EARNINGS_AUDIT_TABLE", "EVENT_SOURCE"}
    hooks = [each for each in made.ids("AWS::Lambda::Function") if each.startswith("PreTraffic")]
    assert made.resources[alias]["DependsOn"] == hooks, "the hook must know the version before the alias changes"
    ends = made.hook("AWS::Logs::LogGroup")["RetentionInDays"], made.one("AWS::Logs::LogGroup")["RetentionInDays"]
    assert ends[0] == ends[1]


def test_failing_version_alarm() -> None:
    (alarm,) = [a for a in template().all("AWS::CloudWatch::Alarm") if a["AlarmName"] == f"{NAME}-failing-version"]

    (version,) = template().ids("AWS::Lambda::Version")
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {
        "FunctionName": NAME,
        "Resource": f"{NAME}:live",
        "ExecutedVersion": f"<{version}.Version>",
    }
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC_ARNS[Severity.TICKET]]
    assert alarm["AlarmDescription"].startswith("Ticket. ")
    assert re.search(r"https://\S+#failing-version$", alarm["AlarmDescription"])


def test_a_new_image_is_a_new_version() -> None:
    versions = [template(image_uri=IMAGE.replace("1.0.0", tag)).ids("AWS::Lambda::Version") for tag in ("1", "2")]

    assert versions[0] != versions[1]
    assert template().resources[template().ids("AWS::Lambda::Version")[0]]["DeletionPolicy"] == "Retain"


def test_a_commit_alone_makes_no_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A version has the description that the function had when it was published, with the commit."""
    made = []
    for folder, revision in ((tmp_path / "a", "one commit"), (tmp_path / "b", "another commit")):
        monkeypatch.setattr(image, "labels", lambda revision=revision: {"REVISION": revision})
        build({"environment": "dev"}, str(folder), gates=False).synth()
        made.append(json.loads((folder / "mark-earnings-processed-dev.template.json").read_text())["Resources"])

    changed = {name for name in made[0] if made[0][name] != made[1].get(name)}
    assert made[0].keys() == made[1].keys()
    (function,) = changed
    descriptions = [each[function]["Properties"].pop("Description") for each in made]
    assert made[0] == made[1]
    assert descriptions[0].endswith("; commit one commit")
    version = next(each for each in made[0].values() if each["Type"] == "AWS::Lambda::Version")
    assert version["Properties"].keys() == {"FunctionName"}, "a description of its own could not be changed"


def test_the_description_names_the_image() -> None:
    digest = f"sha256:{'0a' * 32}"
    by_digest = template(image_uri=f"{IMAGE.rpartition(':')[0]}@{digest}").one("AWS::Lambda::Function")

    assert template().one("AWS::Lambda::Function")["Description"].endswith("; image 1.0.0")
    assert by_digest["Description"].endswith(f"; image {digest}")
    assert len(by_digest["Description"]) <= 256


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthesise a stack that builds the project's Dockerfile; return the folder of the cloud assembly."""
    folder = tmp_path_factory.mktemp("assembly")
    flags = json.loads((ROOT / "deploy" / "cdk.json").read_text())["context"]
    build({"environment": "dev", **flags}, str(folder), gates=False).synth()
    return folder


def test_the_image_depends_on_what_the_dockerfile_copies_only(assembly: Path) -> None:
    """A README, or a tool of the build, changes neither the image's hash nor the function's version."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.MULTILINE) for word in line.split()}
    staged = _asset(assembly, "Dockerfile")
    files = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()}

    unused = {file for file in files if not any(file == each or file.startswith(f"{each}/") for each in copied)}
    assert unused == {"Dockerfile", ".dockerignore"}
    assert [file for file in files if file.endswith((".md", ".pyc"))] == []
    assert all(any(file == each or file.startswith(f"{each}/") for file in files) for each in copied)


def test_the_archive_of_the_hook_has_its_files_only(assembly: Path) -> None:
    staged = _asset(assembly, "hook.py")

    found = {path.relative_to(staged).as_posix(): path.read_bytes() for path in staged.rglob("*") if path.is_file()}
    assert found == {name: (ROOT / source).read_bytes() for name, source in FILES.items()}


def _asset(assembly: Path, file: str) -> Path:
    (asset,) = [path for path in assembly.glob("asset.*") if (path / file).is_file()]
    return asset


def test_the_image_names_its_commit_and_does_not_depend_on_it(
    assembly: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(image, "labels", lambda: {"VERSION": "1", "REVISION": "another commit"})
    build({"environment": "dev"}, str(tmp_path), gates=False).synth()
    first, second = (
        json.loads((folder / "mark-earnings-processed-dev.assets.json").read_text())["dockerImages"]
        for folder in (assembly, tmp_path)
    )

    assert first.keys() == second.keys(), "the hash of the image"
    arguments = [each["source"]["dockerBuildArgs"] for made in (first, second) for each in made.values()]
    assert set(arguments[0]) == {"VERSION", "REVISION", "CREATED"}
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", arguments[0]["REVISION"])
    assert arguments[1]["REVISION"] == "another commit"
    for name in arguments[0]:
        assert f"ARG {name}=" in (ROOT / "Dockerfile").read_text()


def test_no_feature_flag_of_cdk_is_left_unset(assembly: Path) -> None:
    """Else the command line says how many are, after every command."""
    configured = json.loads((ROOT / "deploy" / "cdk.json").read_text())["context"]
    manifest = json.loads((assembly / "manifest.json").read_text())
    report = manifest["artifacts"]["aws-cdk-lib/feature-flag-report"]["properties"]["flags"]
    defaults = {name: flag.get("unconfiguredBehavesLike", {}).get("v2", False) for name, flag in report.items()}

    unset = {name for name, flag in report.items() if flag.get("userValue") is None}
    missing = {name: defaults[name] for name in unset if defaults[name] != report[name]["recommendedValue"]}
    assert missing == {}, "add them to the context of deploy/cdk.json, with these values"
    assert configured == {name: defaults.get(name) for name in configured}, "as if it were unset"


def test_topic_policies() -> None:
    policies = template().all("AWS::SNS::TopicPolicy")

    resources = []
    for policy in policies:
        statements = policy["PolicyDocument"]["Statement"]
        (allowed,) = [statement for statement in statements if statement["Effect"] == "Allow"]
        assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert allowed["Action"] == "sns:Publish"
        resources.append(allowed["Resource"])
        assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        (denied,) = [statement for statement in statements if statement["Effect"] == "Deny"]
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert sorted(resources) == sorted(TOPIC_ARNS.values())


def test_email_subscriptions() -> None:
    made = template("dev", alarm_email="team@example.com", page_email="night@example.com,lead@example.com")

    subscribed = [
        (each["Protocol"], each["Endpoint"], each["TopicArn"].rpartition("-")[2])
        for each in made.all("AWS::SNS::Subscription")
    ]
    assert sorted(subscribed) == [
        ("email", "lead@example.com", "page"),
        ("email", "night@example.com", "page"),
        ("email", "team@example.com", "ticket"),
    ]
    assert template("dev").all("AWS::SNS::Subscription") == []


def test_runbook_url() -> None:
    wiki = "https://wiki.example/runbook"
    texts = [
        alarm["Properties"]["AlarmDescription"]
        for name, alarm in template(runbook=wiki).resources.items()
        if name.startswith(SEPARATE) and "AlarmDescription" in alarm["Properties"]
    ]

    assert len(texts) > 20
    assert all(f"{wiki}#" in text for text in texts)


def test_existing_resources_are_used() -> None:
    made = template(calendar_table="a-calendar", audit_table="an-audit-trail", event_bus="a-bus")

    assert made.all("AWS::DynamoDB::Table") == made.all("AWS::Events::EventBus") == []
    assert variables(made)["EARNINGS_CALENDAR_TABLE"] == "a-calendar"
    assert variables(made)["EARNINGS_AUDIT_TABLE"] == "an-audit-trail"
    assert made.one("AWS::Events::Rule")["EventBusName"] == "a-bus"
    granted = json.dumps(made.all("AWS::IAM::Role") + made.all("AWS::IAM::ManagedPolicy"))
    for arn in ("dynamodb:us-east-1:111122223333:table/a-calendar", "table/an-audit-trail", "event-bus/a-bus"):
        assert arn in granted
    assert "earningsAudit" not in granted


CASES: list[dict[str, str]] = [
    *({"environment": environment} for environment in ENVIRONMENTS),
    {"telemetry": "collector", "collector_endpoint": "http://collector:4318"},
    {"calendar_table": "a-calendar", "audit_table": "an-audit-trail", "event_bus": "a-bus"},
    {"event_bus": "default", "alarm_email": "team@example.com", "application_signals": "discovery"},
]


@pytest.mark.parametrize("context", CASES, ids=str)
def test_no_property_is_empty_and_no_partition_is_fixed(context: dict[str, str]) -> None:
    """AWS refuses some empty texts in some regions only, and `arn:aws:` in China and GovCloud."""

    def texts(value: Any, path: str) -> list[tuple[str, str]]:
        match value:
            case dict():
                # The separator of Fn::Join is empty, and the rest of the list is what is joined.
                return [
                    each
                    for key, member in value.items()
                    for each in texts(member[1] if key == "Fn::Join" else member, f"{path}.{key}")
                ]
            case list():
                return [each for number, member in enumerate(value) for each in texts(member, f"{path}.{number}")]
            case str():
                return [(path, value)]
        return []

    for name, resource in template(**context).resources.items():
        found = texts(resource.get("Properties", {}), name)
        assert [path for path, text in found if not text] == []
        assert [path for path, text in found if "arn:aws:" in text] == []


def test_rule_and_archive_can_move_to_another_bus() -> None:
    """CloudFormation replaces both, and refuses to replace a resource under the same name."""
    names = [
        {(made.one("AWS::Events::Rule")["Name"], made.one("AWS::Events::Archive")["ArchiveName"])}
        for made in (template(), template(event_bus="default"), template(event_bus="a-bus"))
    ]

    assert len(set.union(*names)) == 3
    assert names[0] == {(NAME, NAME)}
    assert all(len(archive) <= 48 for pair in names for _, archive in pair), "the limit of EventBridge"


def test_prefix_and_tags() -> None:
    made = template("dev", prefix="signal9-mark-earnings", tags="Service=earnings,cost-center=42")

    assert made.one("AWS::Lambda::Function")["FunctionName"] == "signal9-mark-earnings-dev"
    assert made.one("AWS::Logs::LogGroup")["LogGroupName"] == "/aws/lambda/signal9-mark-earnings-dev"
    tags = {each["Key"]: each["Value"] for each in made.one("AWS::SQS::Queue")["Tags"]}
    assert tags == {
        "Service": "earnings",
        "cost-center": "42",
        "environment": "dev",
        "service": "mark-earnings-processed",
    }
    assert "mark-earnings-processed-dev" not in json.dumps(made.document), "a name without the prefix"


@environments
def test_the_stack_is_pinned_to_the_account_of_its_file(environment: str) -> None:
    (stack,) = build({"environment": environment, "image_uri": IMAGE}, gates=False).synth().stacks

    pinned = (stack.environment.account, stack.environment.region)
    assert pinned == (("unknown-account", "unknown-region") if environment == "dev" else (ACCOUNT, REGION))


def test_names_that_are_global_in_an_account_have_the_region() -> None:
    made = template()

    (dashboard,) = made.ids("AWS::CloudWatch::Dashboard")
    assert REGION in made.resolve(made.resources[dashboard]["Properties"]["DashboardName"])
    assert all(REGION in each["ManagedPolicyName"] for each in made.all("AWS::IAM::ManagedPolicy"))


def test_outputs() -> None:
    made = template()
    outputs = {name: made.resolve(output["Value"]) for name, output in made.document["Outputs"].items()}

    assert outputs["DeadLetterQueueUrl"] == f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{NAME}-dead-letters"
    assert outputs["EventBusName"] == "earnings-prod"
    assert outputs["EventBusArn"] == f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/earnings-prod"
    assert {"ArchiveArn", "RuleArn"} <= outputs.keys()
    assert outputs["FunctionAlias"] == ALIAS_ARN
    assert outputs["AuditTable"] == "earningsAudit"


def test_snapshot() -> None:
    assert synthesised() == json.loads(SNAPSHOT.read_text()), "if this is intended: `make deploy-snapshot`"
