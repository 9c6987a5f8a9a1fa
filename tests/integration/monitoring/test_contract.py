"""The telemetry contract: every monitored name is emitted, and every emitted name is documented."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handler.outcome import INSTRUMENTATION
from mep.query.engine import matching
from monitoring import descriptions, reference
from monitoring.alarms import EVERY_ALARM, alarms
from monitoring.dashboard import SECTIONS
from monitoring.metric_store import Key, MetricStore
from monitoring.model import Metric, Query, Source, TraceGroup
from monitoring.operator_metrics import AUTOMATIC_METRICS
from monitoring.operator_metrics import METRICS as OPERATOR_METRICS
from monitoring.queries import QUERIES, TRACE_GROUPS
from otel import semconv
from otel.event_types import MESSAGES, EventType
from tests.integration.monitoring.conftest import EmfLines, Recorded, flattened
from tests.support.monitoring_template import ENVIRONMENT, dashboard_body, dashboard_widgets, resources

LANGUAGE = frozenset(
    {
        *("fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "in", "asc", "desc", "ispresent"),
        *("bin", "count", "avg", "max", "earliest", "latest", "m", "h"),
    }
)
"""Words of Logs Insights' query language."""


@pytest.fixture(scope="session")
def emitted(emf_lines: EmfLines) -> MetricStore:
    store = MetricStore()
    for documents in emf_lines.values():
        for document in documents:
            store.put_emf(document)
    return store


@pytest.fixture(scope="session")
def spans(recorded: Recorded) -> list[Any]:
    return [span for kind in recorded.values() for invoked in kind for span in invoked.spans]


@pytest.fixture(scope="session")
def logged(log_lines: list[dict[str, Any]], emf_lines: EmfLines) -> dict[str, set[Any]]:
    """Return the values by field of log lines and metric lines, which are in the same log group."""
    found: dict[str, set[Any]] = {}
    metric_lines = [document for documents in emf_lines.values() for document in documents]
    for line in [*log_lines, *metric_lines]:
        for name, value in flattened(line):
            found.setdefault(name, set()).add(value)
    return found


def test_every_metric_is_emitted_and_documented(emitted: MetricStore) -> None:
    assert {name for _, name, _ in emitted.metrics()} == set(INSTRUMENTATION.metrics) == set(descriptions.METRICS)
    assert set(descriptions.OPERATOR_METRICS) == set(OPERATOR_METRICS)
    assert set(descriptions.AUTOMATIC_METRICS) == set(AUTOMATIC_METRICS)
    dimensions = {tuple(name for name, _ in key[2]) for key in emitted.metrics()}
    assert dimensions == {
        (semconv.ENVIRONMENT_DIMENSION,),
        (semconv.ENVIRONMENT_DIMENSION, semconv.ERROR_CATEGORY_DIMENSION),
    }


def test_emf_properties_are_documented(emf_lines: EmfLines) -> None:
    members = {name for documents in emf_lines.values() for document in documents for name in document}

    own = (
        members
        - set(INSTRUMENTATION.metrics)
        - {"_aws", semconv.ENVIRONMENT_DIMENSION, semconv.ERROR_CATEGORY_DIMENSION}
    )
    assert own | {"level"} == set(descriptions.EMF_PROPERTIES), "with a level only above INFO"


def test_every_log_field_is_emitted_and_documented(log_lines: list[dict[str, Any]]) -> None:
    assert {name for line in log_lines for name in line} == INSTRUMENTATION.log_fields == set(descriptions.LOG_FIELDS)


def test_every_event_type_is_emitted_and_documented(log_lines: list[dict[str, Any]]) -> None:
    levels: dict[str, set[str]] = {}
    for line in log_lines:
        levels.setdefault(line["event_type"], set()).add(line["level"])

    assert set(levels) == set(EventType) == set(descriptions.EVENT_TYPES)
    for kind, (documented, _) in descriptions.EVENT_TYPES.items():
        assert kind == EventType.LIBRARY or levels[kind] == set(documented.split(", "))
    assert set(MESSAGES) == set(EventType) - {EventType.EVENT_OUTCOME, EventType.LIBRARY}
    assert set(INSTRUMENTATION.outcomes) == {line["outcome"] for line in log_lines if "outcome" in line}


def test_every_span_attribute_is_emitted_and_documented(spans: list[Any]) -> None:
    found = {name for span in spans for name in span["attributes"]}

    assert found == set(descriptions.SPAN_ATTRIBUTES) | set(descriptions.ANNOTATIONS)
    assert tuple(descriptions.ANNOTATIONS) == INSTRUMENTATION.annotations
    annotated = {key for span in spans for key in span["attributes"][semconv.XRAY_ANNOTATIONS]}
    assert annotated == set(INSTRUMENTATION.annotations)


def test_every_span_event_is_emitted_and_documented(spans: list[Any]) -> None:
    found: dict[str, set[str]] = {}
    for span in spans:
        for event in span["events"]:
            found.setdefault(event["name"], set()).update(event["attributes"])

    assert found == {name: set(inside) for name, inside in descriptions.SPAN_EVENTS.items()}


def watched_by_alarms() -> Iterator[Key]:
    for alarm in resources("AWS::CloudWatch::Alarm"):
        for each in alarm["Metrics"]:
            if "MetricStat" in each:
                metric = each["MetricStat"]["Metric"]
                dimensions = tuple(sorted((pair["Name"], pair["Value"]) for pair in metric["Dimensions"]))
                yield metric["Namespace"], metric["MetricName"], dimensions


def shown_by_widgets() -> Iterator[Key]:
    for widget in dashboard_widgets():
        for row in widget["properties"].get("metrics", ()):
            if isinstance(row[0], str):
                namespace, name, *pairs = [each for each in row if isinstance(each, str)]
                yield namespace, name, tuple(sorted(zip(pairs[::2], pairs[1::2], strict=True)))


def is_ours(key: Key) -> bool:
    return key[0] == INSTRUMENTATION.namespace and key[1] not in OPERATOR_METRICS


def test_every_monitored_metric_is_emitted(emitted: MetricStore) -> None:
    monitored = [*watched_by_alarms(), *shown_by_widgets()]

    assert {key for key in monitored if is_ours(key)} <= set(emitted.metrics())
    assert len([key for key in monitored if is_ours(key)]) > 50
    operator = {key for key in monitored if key[1] in OPERATOR_METRICS}
    assert {key[2] for key in operator} == {((semconv.ENVIRONMENT_DIMENSION, ENVIRONMENT),)}


def test_platform_metrics_are_documented() -> None:
    monitored = {key[:2] for key in [*watched_by_alarms(), *shown_by_widgets()] if key[0] != INSTRUMENTATION.namespace}

    assert monitored == set(descriptions.PLATFORM_METRICS)


def test_every_metric_is_on_the_dashboard() -> None:
    lines = [line for section in SECTIONS for widget in section.widgets for line in widget.lines]
    shown: set[Metric] = {metric for line in lines for metric in line.metrics.values()}

    ours = {metric.name for metric in shown if metric.source is Source.FUNCTION}
    assert ours == set(INSTRUMENTATION.metrics) | set(OPERATOR_METRICS) - {"DeadLettersSeen"}
    assert {metric.name for alarm in alarms(EVERY_ALARM) for metric in alarm.metrics.values()} <= {
        each.name for each in shown
    }


def test_the_dashboard_shows_the_last_two_daily_bursts() -> None:
    assert dashboard_body()["start"] == "-P2D"


def identifiers(query: Query) -> set[str]:
    """Return the fields in a query."""
    text = re.sub(r'"[^"]*"', "", query.text)
    aliases = set(re.findall(r"\bas (\w+)", text))
    words = set(re.findall(r"@?[A-Za-z_][\w.]*", text))
    return words - aliases - LANGUAGE


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_field_of_a_query_is_emitted(query: Query, logged: dict[str, set[Any]]) -> None:
    found = identifiers(query)

    assert found
    assert found <= set(logged) | set(descriptions.PLATFORM_LOG_FIELDS)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_value_in_a_query_is_emitted(query: Query, logged: dict[str, set[Any]]) -> None:
    compared = re.findall(r'([\w.]+) = "([^"]*)"', query.text)
    for field, values in re.findall(r"([\w.]+) in \[([^\]]*)\]", query.text):
        compared += [(field, value) for value in re.findall(r'"([^"]*)"', values)]

    assert len(compared) == query.text.count('"') // 2
    for field, value in compared:
        if field in logged and not value.startswith("PUT-"):
            assert value in logged[field]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_has_results(query: Query, log_lines: list[dict[str, Any]], emf_lines: EmfLines) -> None:
    """Fill in a correlation ID. Lambda's own lines, which this run does not have, follow the documentation."""
    correlation_id = next(line["correlation_id"] for line in log_lines if line["correlation_id"])
    platform = {"type": "platform.report", "record": {"status": "success"}}
    metric_lines = [document for documents in emf_lines.values() for document in documents]

    text = re.sub("PUT-[A-Z-]+", correlation_id, query.text)
    found = matching(text, [*log_lines, *metric_lines, platform])

    assert 0 < len(found) < len(log_lines)


@pytest.mark.parametrize("group", TRACE_GROUPS, ids=lambda group: group.name)
def test_every_annotation_of_a_trace_group_is_emitted(group: TraceGroup, spans: list[Any]) -> None:
    for name, value in re.findall(r'annotation\.(\w+) = "(\w+)"', group.filter):
        annotated = [span for span in spans if name in span["attributes"][semconv.XRAY_ANNOTATIONS]]
        assert value in {span["attributes"][name] for span in annotated}
    assert group.filter.count("annotation.") == len(re.findall(r'annotation\.\w+ = "\w+"', group.filter))


def test_platform_log_fields_are_used() -> None:
    used = {name for query in QUERIES for name in identifiers(query)}

    assert set(descriptions.PLATFORM_LOG_FIELDS) <= used


def test_the_reference_is_up_to_date() -> None:
    """Generate it with `uv run python -m monitoring.reference`."""
    assert reference.PATH.read_text(encoding="utf-8") == reference.reference()


def test_links_of_the_reference() -> None:
    page = reference.PATH
    for link in re.findall(r"\]\(([\w.-]+)\)", page.read_text(encoding="utf-8")):
        assert Path(page.parent, link).is_file()
