"""`event_bus=default` from the first deployment: producers that name no bus reach it, and everything looks there."""

import json
from typing import Any

import pytest

from deploy.context import ENVIRONMENTS
from tests.system.deploy.simulator import Call, verdicts
from tests.unit.deploy.assembly import ACCOUNT, REGION, Template, template

BUS_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"


@pytest.fixture(scope="module")
def made() -> Template:
    return template("dev", event_bus="default")


def test_it_exists_already(made: Template) -> None:
    assert made.all("AWS::Events::EventBus") == made.all("AWS::Events::EventBusPolicy") == []


def test_rule_and_archive_are_on_it(made: Template) -> None:
    rule, archive = made.one("AWS::Events::Rule"), made.one("AWS::Events::Archive")

    assert rule["EventBusName"] == "default"
    assert archive["SourceArn"] == BUS_ARN
    assert rule["EventPattern"] == archive["EventPattern"], "the archive has no events of AWS's services"
    assert rule["EventPattern"] == {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}


def test_names_do_not_collide_on_a_bus_that_environments_share() -> None:
    """The rules of one bus have different names."""
    names = {template(name, event_bus="default").one("AWS::Events::Rule")["Name"] for name in ENVIRONMENTS}

    assert len(names) == len(ENVIRONMENTS)


def test_the_permission_and_the_queue_name_the_rule(made: Template) -> None:
    (rule,) = made.ids("AWS::Events::Rule")
    sources = [each["SourceArn"] for each in made.all("AWS::Lambda::Permission")]
    (policy,) = [each["PolicyDocument"]["Statement"] for each in made.all("AWS::SQS::QueuePolicy")]

    assert f"<{rule}.Arn>" in sources
    assert {"aws:SourceArn": f"<{rule}.Arn>"} in [each["Condition"].get("ArnEquals") for each in policy]


def of_the_rule(value: Any) -> list[Any]:
    """Return the metrics of EventBridge in an alarm or a dashboard: their dimensions."""
    match value:
        case {"Namespace": "AWS/Events", "Dimensions": dimensions}:
            return [{each["Name"]: each["Value"] for each in dimensions}]
        case dict():
            return [found for member in value.values() for found in of_the_rule(member)]
        case ["AWS/Events", str(), *rest]:
            texts = [each for each in rest if isinstance(each, str)]  # without the options at the end
            return [dict(zip(texts[::2], texts[1::2], strict=True))]
        case list():
            return [found for member in value for found in of_the_rule(member)]
    return []


def test_the_metrics_of_its_rules_have_no_bus(made: Template) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html."""
    alarms = [made.resources[name]["Properties"] for name in made.ids("AWS::CloudWatch::Alarm")]
    (dashboard,) = [made.resources[name]["Properties"] for name in made.ids("AWS::CloudWatch::Dashboard")]
    widgets = json.loads(made.resolve(dashboard["DashboardBody"]))
    rule = made.one("AWS::Events::Rule")["Name"]
    expected = [{"RuleName": rule}, {"RuleName": f"{rule}-unmatched"}]

    for found in (of_the_rule([made.resolve(alarm) for alarm in alarms]), of_the_rule(widgets)):
        assert found
        assert all(each in expected for each in found)


def test_commands_find_it(made: Template) -> None:
    """The operators' commands read its name from the outputs of the stack, and may use it."""
    outputs = {name: made.resolve(output["Value"]) for name, output in made.document["Outputs"].items()}
    rule, archive = made.one("AWS::Events::Rule")["Name"], made.one("AWS::Events::Archive")["ArchiveName"]
    prefix = f"arn:aws:events:{REGION}:{ACCOUNT}"
    calls = [
        Call("events:PutEvents", BUS_ARN),
        Call("events:ListTargetsByRule", f"{prefix}:rule/{rule}"),
        Call("events:ListTargetsByRule", f"{prefix}:rule/a-rule-of-others"),
        *(
            Call("events:StartReplay", each)
            for each in (f"{prefix}:archive/{archive}", BUS_ARN, f"{prefix}:replay/mark-earnings-processed-dev-1")
        ),
    ]

    assert (outputs["EventBusName"], outputs["EventBusArn"]) == ("default", BUS_ARN)
    assert set(verdicts([made.managed_policy("operators")], calls).values()) == {"Allowed"}
