"""The template of the monitoring: notifications, runbook links, dimensions, limits of CloudWatch."""

import json
from typing import Any

from monitoring.alarms import COMPOSITES, alarms, anchor, headings
from monitoring.dashboard import SECTIONS
from monitoring.model import Limits
from monitoring.queries import QUERIES, TRACE_GROUPS
from tests.support.monitoring_template import (
    BUS,
    ENVIRONMENT,
    FUNCTION,
    PREFIX,
    QUEUE,
    RULE,
    RUNBOOK,
    TOPIC_ARN,
    alarm,
    dashboard_widgets,
    resources,
)

DIMENSIONS = {
    "AWS/Lambda": {"FunctionName": FUNCTION},
    "AWS/SQS": {"QueueName": QUEUE},
    "AWS/Events": {"EventBusName": BUS, "RuleName": RULE},
}


def monitored(properties: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    """Return namespace, name and dimensions of each metric of an alarm."""
    stats = [each["MetricStat"]["Metric"] for each in properties.get("Metrics", ()) if "MetricStat" in each]
    return [
        (each["Namespace"], each["MetricName"], {each["Name"]: each["Value"] for each in each["Dimensions"]})
        for each in stats or [properties]
    ]


def test_every_definition_is_in_the_template() -> None:
    made = {each["AlarmName"] for each in resources("AWS::CloudWatch::Alarm")}
    composites = {each["AlarmName"] for each in resources("AWS::CloudWatch::CompositeAlarm")}

    assert made == {PREFIX + each.name for each in alarms(Limits())}
    assert composites == {PREFIX + each.name for each in COMPOSITES}
    assert len(resources("AWS::Logs::QueryDefinition")) == len(QUERIES)
    assert len(resources("AWS::XRay::Group")) == len(TRACE_GROUPS)


def test_every_alarm_notifies_itself_or_by_its_composite() -> None:
    parts = {each.name for each in alarms(Limits()) if not each.notifies}
    members = {name for composite in COMPOSITES for group in composite.groups for name in group}

    assert parts <= members
    for each in resources("AWS::CloudWatch::Alarm") + resources("AWS::CloudWatch::CompositeAlarm"):
        expected = None if each["AlarmName"].removeprefix(PREFIX) in parts else [TOPIC_ARN]
        assert (each.get("AlarmActions"), each.get("OKActions")) == (expected, expected)


def test_descriptions_link_to_the_runbook() -> None:
    everything = resources("AWS::CloudWatch::Alarm") + resources("AWS::CloudWatch::CompositeAlarm")
    linked = {each["AlarmName"]: each["AlarmDescription"].rpartition(f"{RUNBOOK}#")[2] for each in everything}

    assert linked == {name: anchor(name.removeprefix(PREFIX)) for name in linked}
    assert set(linked.values()) == set(headings(Limits()))
    assert all(name.replace("-", "").isalnum() and name.islower() for name in headings(Limits()))


def test_dimensions() -> None:
    for each in resources("AWS::CloudWatch::Alarm"):
        for namespace, _, dimensions in monitored(each):
            if namespace == "MarkEarningsProcessed":
                assert dimensions.pop("Environment") == ENVIRONMENT
                assert set(dimensions) <= {"ErrorCategory"}
            else:
                assert dimensions == DIMENSIONS[namespace]


def test_missing_data_is_not_breaching() -> None:
    assert {each["TreatMissingData"] for each in resources("AWS::CloudWatch::Alarm")} == {"notBreaching"}


def test_limits_of_cloudwatch() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html."""
    for each in resources("AWS::CloudWatch::Alarm"):
        periods = {stat["MetricStat"]["Period"] for stat in each.get("Metrics", ()) if "MetricStat" in stat}
        assert len(periods or {each.get("Period")}) == 1
        assert len(monitored(each)) <= 10
        assert "SEARCH" not in json.dumps(each)
        assert (periods or {each["Period"]}).pop() * each["EvaluationPeriods"] <= 86_400
        assert len(each["AlarmName"]) <= 255
        assert len(each["AlarmDescription"]) <= 1024
    for group in resources("AWS::XRay::Group"):
        assert len(group["GroupName"]) <= 32


def test_thresholds_follow_the_function() -> None:
    assert alarm("processing-time")["Threshold"] == 25_000
    short = {each.name: each.threshold for each in alarms(Limits(timeout_seconds=12))}
    assert short["processing-time"] == 10_000


def test_error_rate_composite() -> None:
    (composite,) = [each for each in COMPOSITES if each.name == "error-rate"]
    (group,) = composite.groups
    assert len(group) == 10
    assert [alarm(name)["Threshold"] for name in group] == [15] * 10


def test_dashboard_sections() -> None:
    widgets = dashboard_widgets()
    headings_shown = [each["properties"]["markdown"] for each in widgets if each["type"] == "text"]

    assert headings_shown == [f"## {section.question}" for section in SECTIONS]
    assert [section.question for section in SECTIONS] == [
        "Is it healthy?",
        "What fails, and why?",
        "Is it retrying?",
        "What is in the dead-letter queue?",
        "Is it fast?",
        "Does it have enough memory?",
        "Are cold starts fast?",
        "What does it cost?",
    ]
    assert "{memory_mb}" not in json.dumps(widgets)
    (times,) = [each for each in widgets if each["properties"].get("title") == "Processing time per event"]
    assert [metric[-1]["stat"] for metric in times["properties"]["metrics"]] == ["p50", "p90", "p99", "Maximum"]
