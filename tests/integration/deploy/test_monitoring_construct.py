"""The template of the monitoring: notifications, runbook links, dimensions, limits of CloudWatch."""

import json
import re
from typing import Any

from monitoring.alarms import (
    AUTO_REDRIVE_FAILURES,
    EVERY_ALARM,
    FAILING_VERSION,
    alarms,
    anchor,
    headings,
    notifications,
    severity_of,
)
from monitoring.composites import COMPOSITES
from monitoring.dashboard import SECTIONS
from monitoring.model import Level, Limits, Severity
from monitoring.queries import QUERIES, TRACE_GROUPS
from tests.support.monitoring_template import (
    AUDIT,
    BUS,
    CALENDAR,
    ENVIRONMENT,
    FUNCTION,
    PREFIX,
    QUEUE,
    RULE,
    RUNBOOK,
    TOPIC_ARNS,
    alarm,
    dashboard_widgets,
    resources,
    template,
)

DIMENSIONS = {
    "AWS/Lambda": [{"FunctionName": FUNCTION}],
    "AWS/SQS": [{"QueueName": QUEUE}],
    "AWS/Events": [
        {"EventBusName": BUS, "RuleName": RULE},
        {"EventBusName": BUS, "RuleName": f"{RULE}-unmatched"},
    ],
    "AWS/DynamoDB": [
        {"TableName": CALENDAR},
        {"TableName": AUDIT},
        {"TableName": AUDIT, "GlobalSecondaryIndexName": "correlation_id-index"},
        {"TableName": CALENDAR, "Operation": "TransactWriteItems"},
        {"TableName": AUDIT, "Operation": "TransactWriteItems"},
    ],
    "AWS/SNS": [{"TopicName": "page"}, {"TopicName": "ticket"}],
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

    assert made == {PREFIX + each.name for each in alarms(EVERY_ALARM)}
    assert composites == {PREFIX + each.name for each in COMPOSITES}
    assert len(resources("AWS::Logs::QueryDefinition")) == len(QUERIES)
    assert len(resources("AWS::XRay::Group")) == len(TRACE_GROUPS)


def everything(level: Level = Level.FULL) -> dict[str, dict[str, Any]]:
    """Return the properties of all alarms by name, without the prefix."""
    kinds = ("Alarm", "CompositeAlarm", "LogAlarm")
    found = [each for kind in kinds for each in resources(f"AWS::CloudWatch::{kind}", level)]
    return {each["AlarmName"].removeprefix(PREFIX): each for each in found}


def test_every_alarm_notifies_itself_or_by_its_composite() -> None:
    members = {name for composite in COMPOSITES for name in composite.members}
    silent = {*members, "dlq-depth"}  # dlq-arrival reports what dlq-depth shows

    for name, each in everything().items():
        expected = None if name in silent else [TOPIC_ARNS[severity_of(name)]]
        assert each.get("AlarmActions") == expected
        reports_recovery = name == "service-failing" or not each.keys() & {"ActionsSuppressor", "ActionLogLineCount"}
        assert each.get("OKActions") == (expected if reports_recovery else None)


def test_severities() -> None:
    pages = {name for name in everything() if severity_of(name) is Severity.PAGE}

    assert pages == {
        *("security", "error-rate-access-denied", "error-rate-configuration", "unreported-failures"),
        *("async-events-dropped", "destination-delivery-failures", "rule-dlq-failures"),
        *("slo-fast-burn", "slo-fast-burn-long", "slo-fast-burn-short", "service-failing", "failed-events"),
    }
    notified = {name: severity for name, severity in notifications(EVERY_ALARM).items() if severity is not None}
    assert [name for name, severity in notified.items() if severity is Severity.PAGE] == ["service-failing"]
    with_actions = {name for name, each in everything().items() if "AlarmActions" in each}
    assert {"failed-events", *notified} == {*with_actions, FAILING_VERSION}


def test_suppression() -> None:
    suppressed = {name: each for name, each in everything().items() if "ActionsSuppressor" in each}

    assert {
        name: (each["ActionsSuppressorWaitPeriod"], each["ActionsSuppressorExtensionPeriod"])
        for name, each in suppressed.items()
    } == {
        "service-failing": (180, 1200),
        "processing-degraded": (120, 1200),
        "slo-slow-burn": (120, 5520),
        "dead-letters": (300, 1200),
    }
    by = {name: each["ActionsSuppressor"]["Fn::GetAtt"][0] for name, each in suppressed.items()}
    assert [re.sub("^Monitoring|[0-9A-F]{8}$", "", each) for each in by.values()] == [
        *("FailedEvents", "ServiceFailing", "ProcessingDegraded", "ProcessingDegraded"),
    ]


def test_descriptions_have_the_severity_and_link_to_the_runbook() -> None:
    texts = {name: each["AlarmDescription"] for name, each in everything().items()}
    linked = {name: text.rpartition(f" {RUNBOOK}#")[2] for name, text in texts.items()}

    assert {name: text.split(". ")[0] for name, text in texts.items()} == {
        name: severity_of(name).value.capitalize() for name in texts
    }
    assert linked == {name: anchor(name) for name in linked}
    assert {*linked.values(), FAILING_VERSION, AUTO_REDRIVE_FAILURES} == set(headings(EVERY_ALARM))
    assert all(name.replace("-", "").isalnum() and name.islower() for name in headings(EVERY_ALARM))


def test_the_log_alarm() -> None:
    (alarm,) = resources("AWS::CloudWatch::LogAlarm")
    query = alarm["ScheduledQueryConfiguration"]
    (saved,) = [each.text for each in QUERIES if each.name == "failed-events"]

    assert saved.startswith(query["QueryString"].split("\n| filter error_category in")[0]), "the saved query"
    assert query["LogGroupIdentifiers"] == [f"/aws/lambda/{FUNCTION}"]
    assert query["ScheduleConfiguration"] == {"ScheduleExpression": "rate(1 minute)", "StartTimeOffset": 300}
    assert (alarm["QueryResultsToAlarm"], alarm["QueryResultsToEvaluate"], alarm["ActionLogLineCount"]) == (1, 60, 10)
    assert len(query["QueryString"]) <= 10_000
    roles = {
        name: each["Properties"] for name, each in template()["Resources"].items() if each["Type"] == "AWS::IAM::Role"
    }
    for arn, service, allowed in (
        (query["ScheduledQueryRoleARN"], "logs", ["logs:StartQuery", "logs:GetQueryResults"]),
        (alarm["ActionLogLineRoleArn"], "cloudwatch", ["logs:GetQueryResults"]),
    ):
        role = roles[arn["Fn::GetAtt"][0]]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}
        assert trust["Condition"]["ArnLike"].keys() == {"aws:SourceArn"}
        (policy,) = role["Policies"]
        assert [each["Action"] for each in policy["PolicyDocument"]["Statement"]] == allowed


def test_minimal_monitoring_has_the_pages_only() -> None:
    found = {name: each for name, each in everything(Level.MINIMAL).items() if "AlarmActions" in each}

    assert found.keys() == {"service-failing", "dlq-age"}
    assert "ActionsSuppressor" not in found["service-failing"]
    pages = {name for name in everything() if severity_of(name) is Severity.PAGE}
    assert everything(Level.MINIMAL).keys() == {*pages, "dlq-age"} - {"failed-events"}


def test_dimensions() -> None:
    for each in resources("AWS::CloudWatch::Alarm"):
        for namespace, _, dimensions in monitored(each):
            if namespace == "MarkEarningsProcessed":
                assert dimensions.pop("Environment") == ENVIRONMENT
                assert set(dimensions) <= {"ErrorCategory"}
            else:
                assert dimensions in DIMENSIONS[namespace]


def test_missing_data_is_not_breaching_except_for_silence() -> None:
    missing = {name: each["TreatMissingData"] for name, each in everything().items() if "TreatMissingData" in each}

    assert missing.pop("silence") == "breaching"
    assert set(missing.values()) == {"notBreaching"}


def test_limits_of_cloudwatch() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html."""
    for each in resources("AWS::CloudWatch::Alarm"):
        periods = {stat["MetricStat"]["Period"] for stat in each.get("Metrics", ()) if "MetricStat" in stat}
        assert len(periods or {each.get("Period")}) == 1
        assert len(monitored(each)) <= 10
        assert "SEARCH" not in json.dumps(each)
        (period,) = periods or {each["Period"]}
        assert period * each["EvaluationPeriods"] <= (7 * 86_400 if period >= 3600 else 86_400)
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
        "Do the services around it work?",
        "What does it cost?",
    ]
    assert "{memory_mb}" not in json.dumps(widgets)
    (times,) = [each for each in widgets if each["properties"].get("title") == "Processing time per event"]
    assert [metric[-1]["stat"] for metric in times["properties"]["metrics"]] == ["p50", "p90", "p99", "Maximum"]
