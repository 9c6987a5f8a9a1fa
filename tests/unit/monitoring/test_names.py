"""The names that the commands derive are those of the stack."""

import pytest

from deploy.context import ENVIRONMENTS
from deploy.reading import read_context
from monitoring import names
from monitoring.alarms import AUTO_REDRIVE_FAILURES
from monitoring.names import StackNames
from tests.unit.deploy.assembly import Template, template


def resource_names(stack: Template, kind: str, name: str) -> set[str]:
    return {each[name] for each in stack.all(kind)}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_names_are_those_of_the_template(environment: str) -> None:
    stack, own = template(environment), StackNames(environment)

    assert resource_names(stack, "AWS::Lambda::Function", "FunctionName") == {own.name}
    assert resource_names(stack, "AWS::Lambda::Alias", "Name") == {own.alias.removeprefix(f"{own.name}:")}
    assert resource_names(stack, "AWS::Logs::LogGroup", "LogGroupName") == {own.log_group}
    assert resource_names(stack, "AWS::DynamoDB::Table", "TableName") == {own.calendar_table, own.audit_table}
    alarms = {
        stack.resolve(each["Properties"]["AlarmName"]): "AlarmActions" in each["Properties"]
        for each in stack.resources.values()
        if each["Type"] in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    }
    automatic = {own.alarm(AUTO_REDRIVE_FAILURES): True} if environment == "prod" else {}
    assert alarms == own.alarms | automatic


def test_environments_are_those_of_the_deployment() -> None:
    assert set(names.ENVIRONMENTS) == ENVIRONMENTS.keys()


def test_a_prefix_changes_the_names() -> None:
    deployment = read_context({"environment": "dev", "prefix": "its-own"})

    assert deployment.name == StackNames("dev", "its-own").name == "its-own-dev"
