"""What the emulator only pretends to make, each with what is asserted on the template instead."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.deploy.assembly import Template


def _each(template: Template, kind: str) -> list[dict[str, Any]]:
    """Properties of all of a type. A reference to what is not in the template raises."""
    return [template.resolve(template.resources[name]["Properties"]) for name in template.ids(kind)]


def _dashboard(template: Template) -> None:
    [dashboard] = _each(template, "AWS::CloudWatch::Dashboard")
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    [alarms] = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    kinds = ("Alarm", "CompositeAlarm", "LogAlarm")
    made = {f"<{name}.Arn>" for kind in kinds for name in template.ids(f"AWS::CloudWatch::{kind}")}
    assert set(alarms) <= made
    assert any(widget["type"] == "metric" for widget in widgets)


def _queries(template: Template) -> None:
    queries = _each(template, "AWS::Logs::QueryDefinition")
    log_group = template.one("AWS::Logs::LogGroup")
    assert {tuple(query["LogGroupNames"]) for query in queries} == {(log_group["LogGroupName"],)}
    assert len({query["Name"] for query in queries}) == len(queries)


def _trace_groups(template: Template) -> None:
    function = template.one("AWS::Lambda::Function")
    groups = _each(template, "AWS::XRay::Group")
    assert all(f'service("{function["FunctionName"]}")' in group["FilterExpression"] for group in groups)


def _archive(template: Template) -> None:
    [archive] = _each(template, "AWS::Events::Archive")
    rule = template.one("AWS::Events::Rule")
    [bus] = _each(template, "AWS::Events::EventBus")
    assert archive["EventPattern"] == rule["EventPattern"]
    assert archive["SourceArn"].endswith(f":event-bus/{bus['Name']}")


def _rollout(template: Template) -> None:
    [alias] = template.ids("AWS::Lambda::Alias")
    [application] = template.ids("AWS::CodeDeploy::Application")
    [group] = template.ids("AWS::CodeDeploy::DeploymentGroup")
    [hook] = [name for name in template.ids("AWS::Lambda::Function") if name.startswith("PreTraffic")]
    assert template.resources[alias]["UpdatePolicy"] == {
        "CodeDeployLambdaAliasUpdate": {
            "ApplicationName": {"Ref": application},
            "DeploymentGroupName": {"Ref": group},
            "BeforeAllowTrafficHook": {"Ref": hook},
        }
    }
    watched = {
        each["Name"] for each in _each(template, "AWS::CodeDeploy::DeploymentGroup")[0]["AlarmConfiguration"]["Alarms"]
    }
    assert watched
    assert watched <= {f"<{name}>" for name in template.ids("AWS::CloudWatch::Alarm")}


DROPPED: Mapping[str, Callable[[Template], None]] = {
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::CodeDeploy::Application": _rollout,
    "AWS::CodeDeploy::DeploymentGroup": _rollout,
    "AWS::Events::Archive": _archive,
    "AWS::Logs::QueryDefinition": _queries,
    "AWS::XRay::Group": _trace_groups,
}
"""By type. What they hold is tested in tests/unit/deploy and tests/integration/monitoring; here, that it belongs to
this stack."""
