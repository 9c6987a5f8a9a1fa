"""The monitoring in the stack uses the resources of the stack."""

from typing import Any

import pytest

from deploy.context import ENVIRONMENTS
from tests.docs.cost import environments as priced_environments
from tests.docs.cost import in_template
from tests.support import monitoring_template
from tests.unit.deploy.assembly import Template, template

environments = pytest.mark.parametrize("environment", ENVIRONMENTS)


def alarms(made: Template, name: str) -> dict[str, dict[str, Any]]:
    """Return the resolved properties of the alarms of the monitoring, by their names without the stack's name."""
    names = [each for each in made.ids("AWS::CloudWatch::Alarm") if not each.startswith("AutoRedrive")]
    found = [made.resolve(made.resources[each]["Properties"]) for each in names]
    return {each["AlarmName"].removeprefix(f"{name}-"): each for each in found if "Metrics" in each}


def statistics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]


@environments
def test_metrics_have_the_dimensions_of_the_stack(environment: str) -> None:
    made = template(environment)
    rule, function = made.one("AWS::Events::Rule"), made.one("AWS::Lambda::Function")
    (queue,) = made.ids("AWS::SQS::Queue")
    rules = [rule, *(made.resolve(made.resources[each]["Properties"]) for each in made.ids("AWS::Events::Rule"))]
    topics, tables = made.ids("AWS::SNS::Topic"), {each["TableName"] for each in made.all("AWS::DynamoDB::Table")}

    found = alarms(made, function["FunctionName"])
    assert len(found) == {"dev": 10, "staging": 37, "prod": 38}[environment]
    for alarm in found.values():
        for each in statistics(alarm):
            metric = each["Metric"]
            dimensions = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
            match metric["Namespace"]:
                case "AWS/Events":
                    assert dimensions in [
                        {"EventBusName": each["EventBusName"], "RuleName": each["Name"]}
                        for each in rules
                        if "EventBusName" in each
                    ]
                case "AWS/Lambda":
                    assert dimensions == {"FunctionName": function["FunctionName"]}
                case "AWS/SNS":
                    assert dimensions["TopicName"] in {f"<{topic}.TopicName>" for topic in topics}
                case "AWS/DynamoDB":
                    assert dimensions["TableName"] in tables
                case "AWS/SQS":
                    assert dimensions == {"QueueName": f"<{queue}.QueueName>"}
                case _:
                    variables = function["Environment"]["Variables"]
                    assert dimensions.pop("Environment") == variables["ENVIRONMENT"]
                    assert dimensions.keys() <= {"ErrorCategory"}


def test_the_counts_of_the_page_on_costs() -> None:
    """It is computed from the definitions."""
    assert {name: in_template(template(name).resources) for name in ENVIRONMENTS} == {
        name: priced_environments()[f"`{name}`"] for name in ENVIRONMENTS
    }


def test_dimensions_on_the_default_bus() -> None:
    made = template(event_bus="default")
    name = made.one("AWS::Events::Rule")["Name"]

    found = [
        each["Metric"]["Dimensions"]
        for alarm in alarms(made, name).values()
        for each in statistics(alarm)
        if each["Metric"]["Namespace"] == "AWS/Events"
    ]
    assert found
    names = {name, f"{name}-unmatched"}
    assert {each["Value"] for dimensions in found for each in dimensions} == names
    assert {each["Name"] for dimensions in found for each in dimensions} == {"RuleName"}


def test_alarms_equal_those_of_the_integration_tests() -> None:
    """`tests/integration/monitoring` evaluates the alarms of a stack of its own; these are equal."""

    def definition(alarm: dict[str, Any]) -> Any:
        expressions = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
        metrics = [(each["Metric"]["MetricName"], each["Stat"], each["Period"]) for each in statistics(alarm)]
        rules = ("Threshold", "EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData", "ComparisonOperator")
        return expressions, metrics, [alarm[name] for name in rules]

    hours = str(monitoring_template.SILENCE_HOURS)
    deployed = alarms(template(silence_hours=hours), "mark-earnings-processed-prod")
    tested = {
        each["AlarmName"].removeprefix("mark-earnings-processed-test-"): each
        for each in monitoring_template.resources("AWS::CloudWatch::Alarm")
    }

    assert {name: definition(alarm) for name, alarm in deployed.items()} == {
        name: definition(alarm) for name, alarm in tested.items()
    }
