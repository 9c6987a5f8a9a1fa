"""The checks of the telemetry that an event leaves: its log line, its metrics, its trace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from handler.contract import DISPLAY_NAME
from handler.outcome import OUTCOME_TELEMETRY, OutcomeKind
from mep.errors import Reason
from mep.trace.aws_sources import AwsSources
from mep.trace.sources import SPAN_LOG_GROUP, Gap, SearchScope, SpanStore
from mep.verify.account import Account
from mep.verify.results import Check, CheckName, Status
from monitoring import probe
from monitoring.round_trip import RoundTripEvent
from otel.event_types import EventType
from otel.semconv import ENVIRONMENT_DIMENSION

_SINCE = timedelta(hours=1)
_PERIOD_S = 60
_NAMES_ADVICE = "check --environment, --prefix and the region"
_LOG_GROUP_LEVELS = "is the log group the function's, and its application log level INFO or DEBUG?"


@dataclass(frozen=True, slots=True)
class Expected:
    """The telemetry of one event.

    Attributes:
        log, metrics, trace: The names of the checks.
        correlation_id: The correlation ID of the event.
        key: The key of its row.
        line: Members of its log line, the outcome among them.
    """

    log: CheckName
    metrics: CheckName
    trace: CheckName
    correlation_id: str
    key: Mapping[str, str]
    line: Mapping[str, object]

    @property
    def outcome(self) -> str:
        """The outcome."""
        return str(self.line["outcome"])

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics that count the event."""
        return "EventsReceived", OUTCOME_TELEMETRY[self.outcome].metric

    @property
    def annotations(self) -> dict[str, object]:
        """The annotations of its trace."""
        return {"correlation_id": self.correlation_id, "outcome": self.outcome, **self.key}


def of_probe(correlation_id: str) -> Expected:
    """Return the telemetry of the probe.

    Args:
        correlation_id: Its correlation ID.
    """
    names = (CheckName.LOG, CheckName.METRICS, CheckName.TRACE)
    return Expected(*names, correlation_id, probe.KEY, probe.EXPECTED)


def of_delivery(event: RoundTripEvent) -> Expected:
    """Return the telemetry of the event that the bus delivers.

    Args:
        event: The event.
    """
    names = (CheckName.DELIVERY_LOG, CheckName.DELIVERY_METRICS, CheckName.DELIVERY_TRACE)
    return Expected(*names, event.id, event.key, {"outcome": OutcomeKind.MARKED.value})


def check_log(account: Account, expected: Expected, deadline: float) -> Check:
    """Check that the log has the line with the outcome of the event."""
    group = account.target.names.log_group

    def check() -> Check:
        sources = _sources(account)
        lines = [line for line, _ in sources.log_lines(f'correlation_id = "{expected.correlation_id}"')]
        outcomes = [line for line in lines if line.get("event_type") == EventType.EVENT_OUTCOME]
        if not outcomes:
            if sources.gaps:
                return _unavailable(expected.log, sources.gaps)
            text = f"{group} has no line of {expected.correlation_id} after {account.wait_s:g} s"
            return Check(expected.log, Status.FAIL, text, _LOG_GROUP_LEVELS)
        line = outcomes[0]
        if any(line.get(name) != value for name, value in expected.line.items()):
            text = f"{group} has another outcome of {expected.correlation_id}: {line.get('outcome')}"
            return Check(expected.log, Status.FAIL, text, "does another function write to this log group?")
        return Check(expected.log, Status.PASS, f"{group} has the line with the outcome")

    return account.wait(check, deadline)


def check_metrics(account: Account, expected: Expected, started: datetime, deadline: float) -> Check:
    """Check that CloudWatch has made metrics of the function's metric lines.

    Metrics have no ID of an event: other events at the same time count, too.

    Args:
        account: What is verified.
        expected: The telemetry of the event.
        started: When the event was sent.
        deadline: Until when they are waited for.
    """
    environment, names = account.target.names.environment, expected.metric_names
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": DISPLAY_NAME,
                    "MetricName": name,
                    "Dimensions": [{"Name": ENVIRONMENT_DIMENSION, "Value": environment}],
                },
                "Period": _PERIOD_S,
                "Stat": "Sum",
            },
        }
        for number, name in enumerate(names)
    ]

    def check(client: Any) -> Check:
        sums = [0.0] * len(names)
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=started.replace(second=0, microsecond=0),
            EndTime=account.now() + timedelta(seconds=_PERIOD_S),
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                sums[int(result["Id"][1:])] += sum(result["Values"])
        missing = [name for name, total in zip(names, sums, strict=True) if not total]
        where = f"namespace {DISPLAY_NAME}, {ENVIRONMENT_DIMENSION} {environment}"
        if missing:
            text = f"no {' and no '.join(missing)} after {account.wait_s:g} s ({where})"
            advice = "the log level of the function's LoggingConfig must be INFO or DEBUG: metric lines count as INFO"
            return Check(expected.metrics, Status.FAIL, text, advice)
        return Check(expected.metrics, Status.PASS, f"{' and '.join(names)} arrived ({where})")

    return account.wait(lambda: account.ask(expected.metrics, "cloudwatch", check), deadline)


def check_trace(account: Account, expected: Expected, deadline: float) -> Check:
    """Check that the trace is found by its annotation, in X-Ray or in the log group of its Transaction Search."""
    correlation_id = expected.correlation_id

    def check() -> Check:
        sources = _sources(account)
        trace_ids = sources.annotated_traces("correlation_id", correlation_id)
        found = [each for document in sources.segments(trace_ids) for each in _annotations(document)]
        where = f"X-Ray: {', '.join(trace_ids)}"
        if not found:
            before = len(sources.gaps)
            records = sources.span_records(f'attributes.correlation_id = "{correlation_id}"')
            found = [record["attributes"] for record, _ in records if isinstance(record.get("attributes"), Mapping)]
            where = SPAN_LOG_GROUP
            # Without Transaction Search there is no such log group.
            sources.gaps[before:] = [gap for gap in sources.gaps[before:] if gap.problem.reason is not Reason.NOT_FOUND]
        return _trace_result(account, expected, found, where, sources.gaps)

    return account.wait(check, deadline)


def _trace_result(
    account: Account,
    expected: Expected,
    found: Sequence[Mapping[str, Any]],
    where: str,
    gaps: Sequence[Gap],
) -> Check:
    own = [each for each in found if each.get("correlation_id") == expected.correlation_id]
    if not own:
        if gaps:
            return _unavailable(expected.trace, gaps)
        text = f"neither X-Ray nor {SPAN_LOG_GROUP} has a span of the event after {account.wait_s:g} s"
        return Check(expected.trace, Status.FAIL, text, "docs/troubleshooting.md: no traces")
    missing = {name for name, value in expected.annotations.items() if not any(each.get(name) == value for each in own)}
    if missing:
        text = f"the trace has no annotation {', '.join(sorted(missing))} of the event ({where})"
        return Check(expected.trace, Status.FAIL, text, "docs/telemetry.md names the annotations")
    text = f"found by correlation ID, with {', '.join(expected.annotations)} ({where})"
    return Check(expected.trace, Status.PASS, text)


def _sources(account: Account) -> AwsSources:
    target = account.target
    scope = SearchScope(target.names.log_group, SpanStore.AUTO, target.calendar_table, target.audit_table, since=_SINCE)
    return AwsSources(scope, account.client, now=account.now, sleep=account.sleep)


def _unavailable(name: CheckName, gaps: Sequence[Gap]) -> Check:
    problem = gaps[0].problem
    if problem.reason is Reason.NOT_FOUND:
        problem = replace(problem, advice=_NAMES_ADVICE)
    return Check.not_available(name, problem)


def _annotations(document: str) -> Iterator[Mapping[str, Any]]:
    """Yield the annotations of a segment and of its subsegments at every depth; metadata is not indexed."""
    try:
        waiting = [orjson.loads(document)]
    except orjson.JSONDecodeError:
        return
    while waiting:
        segment = waiting.pop()
        if isinstance(segment, dict):
            if isinstance(segment.get("annotations"), dict):
                yield segment["annotations"]
            waiting += segment.get("subsegments") or ()
