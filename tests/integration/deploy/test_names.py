"""The names that the commands derive are those of the stack."""

import pytest

from monitoring.alarms import AUTO_REDRIVE_FAILURES
from monitoring.model import Level
from monitoring.names import StackNames
from tests.unit.deploy.assembly import Template, template


def resource_names(stack: Template, kind: str, name: str) -> set[str]:
    return {each[name] for each in stack.all(kind)}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_names_are_those_of_the_template(environment: str) -> None:
    stack, own = template(environment), StackNames(environment)

    assert resource_names(stack, "AWS::Lambda::Function", "FunctionName") == {own.name}
    assert resource_names(stack, "AWS::Lambda::Alias", "Name") == {own.alias.removeprefix(f"{own.name}:")}
    assert own.log_group in resource_names(stack, "AWS::Logs::LogGroup", "LogGroupName")
    assert resource_names(stack, "AWS::DynamoDB::Table", "TableName") == {own.calendar_table, own.audit_table}
    alarms = {
        stack.resolve(each["Properties"]["AlarmName"]): [
            arn.rpartition(":")[2] for arn in stack.resolve(each["Properties"].get("AlarmActions", []))
        ]
        for each in stack.resources.values()
        if each["Type"] in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    }
    level = Level.MINIMAL if environment == "dev" else Level.FULL
    for name in ("silence", AUTO_REDRIVE_FAILURES):  # which the environment's file turns on
        assert (alarms.pop(own.alarm(name), None) is None) == (environment == "dev"), "as the files are shipped"
    assert alarms == {
        name: [] if severity is None else [own.topic(severity)] for name, severity in own.alarms(level).items()
    }
