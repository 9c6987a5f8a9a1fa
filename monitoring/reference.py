"""Write docs/telemetry-reference.md, and the table in docs/runbook.md: `uv run python -m monitoring.reference`."""

import re
from collections.abc import Iterable
from pathlib import Path

from handler.outcome import INSTRUMENTATION
from monitoring import descriptions
from monitoring.alarms import (
    AUTO_REDRIVE_FAILURES,
    AUTO_REDRIVE_SEVERITY,
    EVERY_ALARM,
    alarms,
    anchor,
    notifications,
    severity_of,
)
from monitoring.auto_redrive import auto_redrive_failures
from monitoring.composites import COMPOSITES
from monitoring.dashboard import SECTIONS
from monitoring.log_alarms import LOG_ALARM
from monitoring.model import Alarm, Composite, Metric, Severity
from monitoring.operator_metrics import AUTOMATIC_METRICS as AUTOMATIC_UNITS
from monitoring.operator_metrics import METRICS as OPERATOR_UNITS
from monitoring.queries import QUERIES, TRACE_GROUPS
from monitoring.slo import OBJECTIVE
from otel import semconv
from otel.event_types import MESSAGES, EventType

_MINUTES = 15
"""The time between two runs of the automatic redrive, as the environments' files have it."""

PATH = Path(__file__).parent.parent / "docs" / "telemetry-reference.md"
RUNBOOK = PATH.with_name("runbook.md")

_HEAD = """# Telemetry reference

Every metric, alarm, query, log field and span attribute. This page is generated from the definitions by
`uv run python -m monitoring.reference`. Tests fail when it is out of date, when the function emits a name that is not
listed, and when an alarm, a widget, a query or a trace group uses a name that is not emitted. See also
[telemetry.md](telemetry.md) and [monitoring.md](monitoring.md).
"""

_DIMENSIONS = f"""
Namespace `{INSTRUMENTATION.namespace}`, dimension `{semconv.ENVIRONMENT_DIMENSION}`; `Errors` also with
`{semconv.ENVIRONMENT_DIMENSION}, {semconv.ERROR_CATEGORY_DIMENSION}`.
"""

_AUTOMATIC = """
Same namespace, dimension `Environment`; `OldestDeadLetterAge` also with `Environment, ErrorCategory`. It counts
`DeadLettersSeen`, `DeadLettersRedriven` and `DeadLettersRedriveFailed` as `mep dlq` does.
"""

_ALARMS = f"""
M of N: the alarm goes into ALARM when M of the last N periods are above the threshold. Gaps are filled with zero, and
missing data is `notBreaching`, except for `silence`. The service level objective is {OBJECTIVE:.1%} of
events.
"""


def reference() -> str:
    """Return the page."""
    parts = [
        _HEAD,
        "## Metrics of the function",
        _DIMENSIONS,
        _table(
            ("metric", "unit", "counts", "alarms", "on the dashboard"),
            (
                (_code(name), unit, descriptions.METRICS[name], *_users(name))
                for name, unit in INSTRUMENTATION.metrics.items()
            ),
        ),
        "Properties of each metric line:",
        _table(("property", "meaning"), ((_code(name), text) for name, text in descriptions.EMF_PROPERTIES.items())),
        "## Metrics of `mep dlq`",
        "Same namespace, dimension `Environment`.",
        _table(
            ("metric", "unit", "counts", "alarms", "on the dashboard"),
            (
                (_code(name), unit, descriptions.OPERATOR_METRICS[name], *_users(name))
                for name, unit in OPERATOR_UNITS.items()
            ),
        ),
        "## Metrics of the automatic redrive",
        _AUTOMATIC,
        _table(
            ("metric", "unit", "counts"),
            ((_code(name), unit, descriptions.AUTOMATIC_METRICS[name]) for name, unit in AUTOMATIC_UNITS.items()),
        ),
        "## Metrics of the platform",
        _table(
            ("namespace", "metric", "counts", "alarms", "on the dashboard"),
            (
                (_code(namespace), _code(name), text, *_users(name, namespace))
                for (namespace, name), text in descriptions.PLATFORM_METRICS.items()
            ),
        ),
        "## Alarms",
        _ALARMS,
        _table(
            ("alarm", "severity", "threshold", "period", "M of N", "minimum count", "runbook"),
            (_alarm_row(alarm) for alarm in (*alarms(EVERY_ALARM), auto_redrive_failures(_MINUTES))),
        ),
        _table(
            ("composite alarm", "severity", "in ALARM when", "suppressed by", "wait, extension period"),
            (_composite_row(alarm) for alarm in COMPOSITES),
        ),
        _log_alarm(),
        "## Saved queries",
        _table(("query", "shows"), ((_code(query.name), query.purpose) for query in QUERIES)),
        "## X-Ray groups",
        _table(
            ("group", "contains", "filter"),
            ((_code(group.name), group.purpose, _code(group.filter)) for group in TRACE_GROUPS),
        ),
        "## Log lines",
        "Tools and queries match `event_type`. The text is for people and may change.",
        _table(
            ("`event_type`", "level", "meaning", "text"),
            ((_code(kind), level, meaning, _text(kind)) for kind, (level, meaning) in descriptions.EVENT_TYPES.items()),
        ),
        "## Log fields",
        _table(("field", "meaning"), ((_code(name), text) for name, text in descriptions.LOG_FIELDS.items())),
        "The queries also read these fields of Lambda's own lines:",
        _table(("field", "meaning"), ((_code(name), text) for name, text in descriptions.PLATFORM_LOG_FIELDS.items())),
        "## Span attributes",
        _table(("annotation", "where"), ((_code(name), text) for name, text in descriptions.ANNOTATIONS.items())),
        _table(("attribute", "meaning"), ((_code(name), text) for name, text in descriptions.SPAN_ATTRIBUTES.items())),
        _table(
            ("span event", "attributes"),
            ((_code(name), ", ".join(map(_code, attributes))) for name, attributes in descriptions.SPAN_EVENTS.items()),
        ),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _text(kind: str) -> str:
    """Return the text of a kind of line."""
    if kind == EventType.EVENT_OUTCOME:
        return "; ".join(outcome.message for outcome in INSTRUMENTATION.outcomes.values())
    return MESSAGES.get(kind, "the library's own")


def _users(name: str, namespace: str = INSTRUMENTATION.namespace) -> tuple[str, str]:
    """Return the alarms and the widgets that use a metric."""

    def is_same(metric: Metric) -> bool:
        return (metric.source.value, metric.name) == (namespace, name)

    alarm_names = [alarm.name for alarm in alarms(EVERY_ALARM) if any(map(is_same, alarm.metrics.values()))]
    titles = [
        widget.title
        for section in SECTIONS
        for widget in section.widgets
        if any(is_same(metric) for line in widget.lines for metric in line.metrics.values())
    ]
    return ", ".join(map(_code, _short(alarm_names))), "; ".join(titles)


def _short(alarm_names: list[str]) -> list[str]:
    """Replace the ten error rates by one pattern."""
    rates = [name for name in alarm_names if name.startswith("error-rate-")]
    if len(rates) <= 2:
        return alarm_names
    return ["error-rate-*", *(name for name in alarm_names if name not in rates)]


def _alarm_row(alarm: Alarm) -> tuple[str, ...]:
    least = "" if alarm.minimum is None else str(alarm.minimum)
    minutes = f"{alarm.period // 60} min"
    heading = anchor(alarm.name)
    link = f"[{heading}](runbook.md#{heading})"
    ratio = f"{alarm.breaching} of {alarm.within}"
    return _code(alarm.name), alarm.severity.value, f"{alarm.threshold:g}", minutes, ratio, least, link


def _composite_row(alarm: Composite) -> tuple[str, ...]:
    rule = " and ".join(_any_of(group) for group in alarm.groups)
    suppression = alarm.suppression
    if suppression is None:
        return _code(alarm.name), alarm.severity.value, rule, "", ""
    periods = f"{suppression.wait // 60} min, {suppression.extension // 60} min"
    return _code(alarm.name), alarm.severity.value, rule, _code(suppression.by), periods


def _log_alarm() -> str:
    query = LOG_ALARM.query.replace("\n", "\n    ")
    rule = f"`{LOG_ALARM.aggregate}` is above {LOG_ALARM.threshold:g}"
    return (
        f"The log alarm `{LOG_ALARM.name}` ({LOG_ALARM.severity.value}) runs this query every {LOG_ALARM.every} s\n"
        f"over the last {LOG_ALARM.window // 60} minutes. It is in ALARM when {rule} in one of the last "
        f"{LOG_ALARM.within} runs; its message has "
        f"{LOG_ALARM.lines} lines.\n\n    {query}"
    )


def severities() -> str:
    """Return the table at the top of the runbook: who is notified of what."""
    notified = {
        LOG_ALARM.name: LOG_ALARM.severity,
        **notifications(EVERY_ALARM),
        AUTO_REDRIVE_FAILURES: AUTO_REDRIVE_SEVERITY,
    }
    parents = {name: composite.name for composite in COMPOSITES for name in composite.members}

    def row(name: str) -> tuple[str, ...]:
        parent = parents.get(name)
        by = "itself" if notified[name] else _code(parent) if parent else "nobody: the dashboard shows it"
        return f"[{name}](#{anchor(name)})", severity_of(name).value, by

    ordered = sorted(notified, key=lambda name: list(Severity).index(severity_of(name)))
    return _table(("alarm", "severity", "notified by"), (row(name) for name in ordered))


def runbook(text: str) -> str:
    """Return the text of the runbook with the table as it should be."""
    return re.sub(r"(?<=<!-- severities -->\n).*?(?=\n<!-- end -->)", lambda _: severities(), text, flags=re.DOTALL)


def _any_of(group: tuple[str, ...]) -> str:
    return _code(group[0]) if len(group) == 1 else f"any of {len(group)}: {', '.join(map(_code, group))}"


def _code(text: str) -> str:
    return f"`{text}`"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '\\|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    PATH.write_text(reference(), encoding="utf-8")
    RUNBOOK.write_text(runbook(RUNBOOK.read_text(encoding="utf-8")), encoding="utf-8")
