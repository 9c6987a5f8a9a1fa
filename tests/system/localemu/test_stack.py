"""The stack deployed for real, as far as one machine goes: what CloudFormation makes of it, and what it then does.

What the emulator drops, cannot evaluate or does wrong is listed here, and asserted: on the template instead, and on the
emulator, so that the day it can is seen.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from mep.dlq.sources import read_dead_letter
from tests.support.events import DATE
from tests.system.image.events import event
from tests.system.localemu.localemu import Emulator
from tests.system.localemu.scenarios import NOBODY
from tests.system.localemu.stack import ARCHITECTURE, Stack, stack
from tests.system.localemu.unsupported import DROPPED
from tests.unit.deploy.assembly import template


@pytest.fixture(scope="module")
def deployed(aws: Emulator, emulated_image: str) -> Iterator[Stack]:
    """The stack of the environment `dev`, to look at."""
    with stack(aws, emulated_image, "dev") as made:
        yield made


@pytest.fixture
def dev(aws: Emulator, emulated_image: str) -> Iterator[Stack]:
    """The stack of the environment `dev`, just created, to work with."""
    with stack(aws, emulated_image, "dev") as made:
        yield made


def test_everything_is_made_but_what_the_emulator_drops(deployed: Stack) -> None:
    asked = {
        name: resource["Type"]
        for name, resource in deployed.template.resources.items()
        if resource["Type"] != "AWS::CDK::Metadata" and name != deployed.hook
    }

    assert {name: kind for name, (kind, _) in deployed.resources().items()} == asked
    assert deployed.pretended() == DROPPED.keys()
    assert deployed.outputs().keys() == deployed.template.document["Outputs"].keys()


@pytest.mark.parametrize("kind", DROPPED)
@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_what_the_emulator_drops_belongs_together_in_the_template(environment: str, kind: str) -> None:
    DROPPED[kind](template(environment, architecture=ARCHITECTURE, auto_redrive_minutes="0", bus_log="off"))


def test_both_destinations_are_as_in_the_template(deployed: Stack) -> None:
    outputs = deployed.outputs()
    queue = outputs["DeadLetterQueueUrl"].rpartition("/")[2]
    with closing(deployed.client("events")) as events:
        [rule] = events.list_rules(EventBusName=outputs["EventBusName"])["Rules"]
        [target] = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=outputs["EventBusName"])["Targets"]
    with closing(deployed.client("lambda")) as client:
        found = client.list_function_event_invoke_configs(FunctionName=outputs["FunctionName"])
        [alias] = client.list_aliases(FunctionName=outputs["FunctionName"])["Aliases"]

    assert target["Arn"] == alias["AliasArn"] == outputs["FunctionAlias"]
    assert target["DeadLetterConfig"]["Arn"].endswith(f":{queue}")
    assert {
        each["FunctionArn"].rpartition(":")[2]: each["DestinationConfig"]["OnFailure"]["Destination"].rpartition(":")[2]
        for each in found["FunctionEventInvokeConfigs"]
    } == {"$LATEST": queue, "live": queue}


def test_alarms_are_made_but_metric_math_is_not_evaluated(deployed: Stack) -> None:
    """Their states are proven in tests/integration/monitoring."""
    with closing(deployed.client("cloudwatch")) as cloudwatch:
        kinds = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100)
    alarms = {each["AlarmName"]: each for each in kinds["MetricAlarms"]}
    composites = {each["AlarmName"]: each for each in kinds["CompositeAlarms"]}
    asked = [
        deployed.template.resources[name]["Properties"] for name in deployed.template.ids("AWS::CloudWatch::Alarm")
    ]
    math = {each["AlarmName"] for each in asked if "Metrics" in each}

    assert alarms.keys() == {each["AlarmName"] for each in asked}
    assert composites.keys() == {
        deployed.template.resources[name]["Properties"]["AlarmName"]
        for name in deployed.template.ids("AWS::CloudWatch::CompositeAlarm")
    }
    assert math
    assert {alarms[name]["StateValue"] for name in math} == {"INSUFFICIENT_DATA"}


def test_an_event_marks_its_row_and_a_broken_one_comes_back_from_the_queue(dev: Stack) -> None:
    dev.tables.put_row("AAPL", DATE)
    dev.put(event())
    dev.wait_for("marked")
    dev.put(event("NVDA", "evt-2"))
    dev.wait_for("marked", "dead_lettered")

    listed = dev.mep("dlq", "list", "--json")
    assert (listed.returncode, '"not_found"' in listed.stdout) == (0, True), listed

    dev.tables.put_row("NVDA", DATE)  # the cause is fixed
    redriven = dev.mep("dlq", "redrive", "--category", "not_found", "--force")
    assert redriven.returncode == 0, redriven
    dev.wait_for("marked", "dead_lettered", "marked")

    rows = [dev.tables.row(symbol, DATE) or {} for symbol in ("AAPL", "NVDA")]
    assert [(row["is_processed"], row["processed_by_event"]) for row in rows] == [(True, "evt-1"), (True, "evt-2")]
    assert [entry["action"] for entry in dev.tables.audit("AAPL", DATE)] == ["mark_processed"]
    assert sorted(entry["action"] for entry in dev.tables.audit("NVDA", DATE)) == [
        "mark_processed",
        "redrive_requested",
        "redriven",
    ]
    assert dev.dead_letters() == []


def test_the_round_trip_of_mep_verify(dev: Stack) -> None:
    """The emulator has neither EMF nor X-Ray nor the history of actions: those are proven in tests/integration/mep."""
    services = ("SQS", "EVENTBRIDGE", "LAMBDA")
    ended = dev.mep("verify", "--environment", "dev", "--full", "--json", services=services, seconds=500)

    report = json.loads(ended.stdout)
    checks = {check["name"]: check["status"] for check in report["checks"]}
    without = {name for name, status in checks.items() if status == "not_available"}
    assert {name: status for name, status in checks.items() if status == "fail"} == {}, ended
    assert without == {
        *("log", "metrics", "trace", "alarms", "alarm_states", "subscriptions", "notification"),
        *("delivery_log", "delivery_metrics", "delivery_trace"),
    }
    assert (ended.returncode, report["status"], report["round_trip"]["left"]) == (0, "pass", [])
    dev.wait_for("duplicate", "marked", "dead_lettered", "marked")
    rows = [dev.tables.row("MEP-VERIFY", date) or {} for date in ("2000-01-02", "2000-01-03")]
    assert [row["processed_by_event"] for row in rows] == report["round_trip"]["events"]
    assert dev.dead_letters() == []


def test_an_updated_stack_works_on_and_a_deleted_one_leaves_nothing(dev: Stack) -> None:
    dev.tables.put_row("AAPL", DATE)

    dev.update(template("dev", architecture=ARCHITECTURE, bus_log="off", alarm_email="team@example.com"))
    with closing(dev.client("sns")) as sns:
        subscriptions = sns.list_subscriptions_by_topic(TopicArn=dev.outputs()["AlarmTopicArn"])["Subscriptions"]
    assert [each["Endpoint"] for each in subscriptions] == ["team@example.com"]
    dev.put(event())
    dev.wait_for("marked")

    dev.delete()
    assert set(_found(dev).values()) == {0}


def test_data_outlives_a_stack_that_is_not_for_trials(aws: Emulator, emulated_image: str) -> None:
    with stack(aws, emulated_image, "staging") as made:
        before = _found(made)
        made.delete()
        after = _found(made)

    tables, others = {"tables": 2}, {"queues": 1, "log groups": len(made.template.ids("AWS::Logs::LogGroup"))}
    made_alone = {"functions": 1, "buses": 1, "alarms": len(made.template.ids("AWS::CloudWatch::Alarm"))}
    assert before == {**tables, **others, **made_alone}
    # CloudFormation keeps the others, too. The emulator does not know their policy, and deletes them.
    assert after == {**dict.fromkeys(before, 0), **tables}
    policies = {
        made.template.resources[name]["DeletionPolicy"]
        for kind in ("AWS::SQS::Queue", "AWS::Logs::LogGroup")
        for name in made.template.ids(kind)
        if not name.startswith("MonitoringUnmatched")  # that log has detail types only
    }
    assert policies == {"RetainExceptOnCreate"}


def test_the_emulator_loses_the_alias_when_a_new_version_comes(dev: Stack) -> None:
    """It makes a new alias and then deletes the old one, which has the same name.

    CloudFormation changes it in place, since a new `FunctionVersion` needs no replacement:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-alias.html
    """
    dev.forget_alias()  # or it would already fail to make the new one, because of that name
    wider = template("dev", architecture=ARCHITECTURE, memory="256")

    dev.update(wider)

    with closing(dev.client("lambda")) as client:
        name = dev.template.all("AWS::Lambda::Function")[0]["FunctionName"]
        version = client.get_function(FunctionName=name, Qualifier="2")["Configuration"]
        assert client.list_aliases(FunctionName=name)["Aliases"] == []
    assert version["MemorySize"] == 256
    # In the template it points at the new version.
    [published] = wider.ids("AWS::Lambda::Version")
    assert published not in template("dev", architecture=ARCHITECTURE).resources
    [alias] = [wider.resources[each]["Properties"] for each in wider.ids("AWS::Lambda::Alias")]
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [published, "Version"]}


def test_the_emulator_looks_for_the_settings_of_an_alias_under_its_version(aws: Emulator, emulated_image: str) -> None:
    """So an event that failed by the alias finds no destination there, although the template has one.

    On AWS the settings of an alias count when the function is called by that (its `Qualifier`):
    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
    What a destination gets is in test_pipeline.py.
    """
    with stack(aws, emulated_image, "dev", {"AWS_ENDPOINT_URL_DYNAMODB": NOBODY}) as made:
        made.put(event())
        made.wait_for("retry", "retry", "retry")
        made.put(event("<script>", "evt-broken"))
        made.wait_for("retry", "retry", "retry", "dead_lettered")

        dead_letters = [read_dead_letter(each.message_id, each.body, each.attributes) for each in made.dead_letters()]
        assert [dead_letter.correlation_id for dead_letter in dead_letters] == ["corr-evt-broken"]


def _found(made: Stack) -> dict[str, int]:
    """How many things there are in the stack's account, by kind."""
    calls: dict[str, tuple[str, str, dict[str, Any], str]] = {
        "tables": ("dynamodb", "list_tables", {}, "TableNames"),
        "queues": ("sqs", "list_queues", {}, "QueueUrls"),
        "log groups": ("logs", "describe_log_groups", {}, "logGroups"),
        "functions": ("lambda", "list_functions", {}, "Functions"),
        "buses": ("events", "list_event_buses", {"NamePrefix": "earnings"}, "EventBuses"),
        "alarms": ("cloudwatch", "describe_alarms", {"MaxRecords": 100}, "MetricAlarms"),
    }
    found = {}
    for kind, (service, call, arguments, member) in calls.items():
        with closing(made.client(service)) as client:
            listed = getattr(client, call)(**arguments).get(member, [])
        found[kind] = len(listed)
    return found
