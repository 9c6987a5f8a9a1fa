"""The checks of the telemetry that the probe leaves: its log line, its metrics, its trace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from otel.event_types import EventType
from otel.semconv import ENVIRONMENT_DIMENSION

_SINCE = timedelta(hours=1)
_PERIOD_S = 60
_METRICS = ("EventsReceived", OUTCOME_TELEMETRY[OutcomeKind.DUPLICATE.value].metric)
_NAMES_ADVICE = "check --environment, --prefix and the region"
_OUTCOME = str(probe.EXPECTED["outcome"])
_LOG_GROUP_LEVELS = "is the log group the function's, and its application log level INFO or DEBUG?"


def check_log(account: Account, correlation_id: str, deadline: float) -> Check:
    """Check that the log has the line with the outcome of the probe."""
    group = account.target.names.log_group

    def check() -> Check:
        sources = _sources(account)
        lines = [line for line, _ in sources.log_lines(f'correlation_id = "{correlation_id}"')]
        outcomes = [line for line in lines if line.get("event_type") == EventType.EVENT_OUTCOME]
        if not outcomes:
            if sources.gaps:
                return _unavailable(CheckName.LOG, sources.gaps)
            text = f"{group} has no line of {correlation_id} after {account.wait_s:g} s"
            return Check(CheckName.LOG, Status.FAIL, text, _LOG_GROUP_LEVELS)
        line = outcomes[0]
        if any(line.get(name) != value for name, value in probe.EXPECTED.items()):
            text = f"{group} has another outcome of {correlation_id}: {line.get('outcome')}"
            return Check(CheckName.LOG, Status.FAIL, text, "does another function write to this log group?")
        return Check(CheckName.LOG, Status.PASS, f"{group} has the line with the outcome")

    return account.wait(check, deadline)


def check_metrics(account: Account, started: datetime, deadline: float) -> Check:
    """Check that CloudWatch has made metrics of the function's metric lines.

    Metrics have no ID of an event: other events at the same time count, too.

    Args:
        account: What is verified.
        started: When the probe was sent.
        deadline: Until when they are waited for.
    """
    environment = account.target.names.environment
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
        for number, name in enumerate(_METRICS)
    ]

    def check(client: Any) -> Check:
        sums = [0.0] * len(_METRICS)
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=started.replace(second=0, microsecond=0),
            EndTime=account.now() + timedelta(seconds=_PERIOD_S),
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                sums[int(result["Id"][1:])] += sum(result["Values"])
        missing = [name for name, total in zip(_METRICS, sums, strict=True) if not total]
        where = f"namespace {DISPLAY_NAME}, {ENVIRONMENT_DIMENSION} {environment}"
        if missing:
            text = f"no {' and no '.join(missing)} after {account.wait_s:g} s ({where})"
            advice = "the log level of the function's LoggingConfig must be INFO or DEBUG: metric lines count as INFO"
            return Check(CheckName.METRICS, Status.FAIL, text, advice)
        return Check(CheckName.METRICS, Status.PASS, f"{' and '.join(_METRICS)} arrived ({where})")

    return account.wait(lambda: account.ask(CheckName.METRICS, "cloudwatch", check), deadline)


def check_trace(account: Account, correlation_id: str, deadline: float) -> Check:
    """Check that the trace is found by its annotation, in X-Ray or in the log group of its Transaction Search."""
    expected = {"correlation_id": correlation_id, "outcome": _OUTCOME, **probe.KEY}

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
    expected: Mapping[str, object],
    found: Sequence[Mapping[str, Any]],
    where: str,
    gaps: Sequence[Gap],
) -> Check:
    own = [each for each in found if each.get("correlation_id") == expected["correlation_id"]]
    if not own:
        if gaps:
            return _unavailable(CheckName.TRACE, gaps)
        text = f"neither X-Ray nor {SPAN_LOG_GROUP} has a span of the probe after {account.wait_s:g} s"
        return Check(CheckName.TRACE, Status.FAIL, text, "docs/troubleshooting.md: no traces")
    missing = {name for name, value in expected.items() if not any(each.get(name) == value for each in own)}
    if missing:
        text = f"the trace has no annotation {', '.join(sorted(missing))} of the probe ({where})"
        return Check(CheckName.TRACE, Status.FAIL, text, "docs/telemetry.md names the annotations")
    return Check(CheckName.TRACE, Status.PASS, f"found by correlation ID, with {', '.join(expected)} ({where})")


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
