"""The monitoring in the stack: it looks at what the stack has made."""

from typing import Any

import pytest

from deploy.context import ENVIRONMENTS
from tests.support import monitoring_template
from tests.unit.deploy.assembly import Template, template

pytestmark = pytest.mark.deploy

environments = pytest.mark.parametrize("environment", ENVIRONMENTS)


def alarms(made: Template, name: str) -> dict[str, dict[str, Any]]:
    """Resolved properties of the monitoring's alarms, by their names without the stack's."""
    found = [made.resolve(made.resources[each]["Properties"]) for each in made.ids("AWS::CloudWatch::Alarm")]
    return {each["AlarmName"].removeprefix(f"{name}-"): each for each in found if "Metrics" in each}


def statistics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]


@environments
def test_every_metric_is_counted_of_what_the_stack_has_made(environment: str) -> None:
    made = template(environment)
    rule, function = made.one("AWS::Events::Rule"), made.one("AWS::Lambda::Function")
    (queue,) = made.ids("AWS::SQS::Queue")

    found = alarms(made, function["FunctionName"])
    assert len(found) > 25
    for alarm in found.values():
        for each in statistics(alarm):
            metric = each["Metric"]
            dimensions = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
            match metric["Namespace"]:
                case "AWS/Events":
                    assert dimensions == {"EventBusName": rule["EventBusName"], "RuleName": rule["Name"]}
                case "AWS/Lambda":
                    assert dimensions == {"FunctionName": function["FunctionName"]}
                case "AWS/SQS":
                    assert dimensions == {"QueueName": f"<{queue}.QueueName>"}
                case _:
                    variables = function["Environment"]["Variables"]
                    assert dimensions.pop("Environment") == variables["ENVIRONMENT"]
                    assert dimensions.keys() <= {"ErrorCategory"}


def test_a_rule_on_the_default_bus_is_counted_by_its_name_alone() -> None:
    made = template(event_bus="default")
    name = made.one("AWS::Events::Rule")["Name"]

    found = [
        each["Metric"]["Dimensions"]
        for alarm in alarms(made, name).values()
        for each in statistics(alarm)
        if each["Metric"]["Namespace"] == "AWS/Events"
    ]
    assert found
    assert all(dimensions == [{"Name": "RuleName", "Value": name}] for dimensions in found)


def test_the_alarms_are_those_that_are_proven() -> None:
    """`tests/integration/monitoring` evaluates them as made for a stack of its own: the arithmetic is the same here."""

    def told(alarm: dict[str, Any]) -> Any:
        expressions = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
        looked_at = [(each["Metric"]["MetricName"], each["Stat"], each["Period"]) for each in statistics(alarm)]
        rules = ("Threshold", "EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData", "ComparisonOperator")
        return expressions, looked_at, [alarm[name] for name in rules]

    deployed = alarms(template(), "mark-earnings-processed-prod")
    proven = {
        each["AlarmName"].removeprefix("mark-earnings-processed-test-"): each
        for each in monitoring_template.resources("AWS::CloudWatch::Alarm")
    }

    assert {name: told(alarm) for name, alarm in deployed.items()} == {
        name: told(alarm) for name, alarm in proven.items()
    }
