"""The words in which alarms, widgets and queries are written down: plain data, which CDK, tests and tools read.

Nothing here imports CDK, so that a preview or a test need not start it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Source(StrEnum):
    """Who counts a metric; decides its namespace and dimensions, which only the stack knows in full."""

    FUNCTION = "MarkEarningsProcessed"
    LAMBDA = "AWS/Lambda"
    QUEUE = "AWS/SQS"
    RULE = "AWS/Events"


class Missing(StrEnum):
    """What an alarm takes a period without data for.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """

    NOT_BREACHING = "notBreaching"
    BREACHING = "breaching"
    IGNORE = "ignore"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Metric:
    """One time series.

    Attributes:
        name: the metric's name.
        source: who counts it.
        statistic: as CloudWatch writes it: `Sum`, `Maximum`, `p99`, ...
        category: the value of `ErrorCategory`, for the one metric that has this dimension.
    """

    name: str
    source: Source = Source.FUNCTION
    statistic: str = "Sum"
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One metric alarm: it goes off when its value is above the threshold.

    Attributes:
        name: what it is called, after the environment's prefix; also its heading in the runbook.
        summary: what it means, for the person who is paged.
        metrics: the time series it looks at, by the names that the expression uses; at most ten.
        expression: metric math over them, without gaps.
        threshold: it goes off above this.
        period: seconds that one value covers.
        within: how many of the latest values are looked at (N).
        breaching: how many of them must be above the threshold (M).
        missing: what a period without data is taken for.
        notifies: whether it speaks for itself; else it is a part of a composite, which does.
        minimum: how many failures (or, for retries, operations) a period must have before the share counts; None
            where the alarm is not about a share. The text in `docs/monitoring.md` says why.
    """

    name: str
    summary: str
    metrics: Mapping[str, Metric]
    threshold: float
    expression: str
    period: int = 5 * MINUTE
    within: int = 3
    breaching: int = 1
    missing: Missing = Missing.NOT_BREACHING
    notifies: bool = True
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class Composite:
    """An alarm over alarms.

    Attributes:
        name: as an alarm's.
        summary: as an alarm's.
        groups: names of alarms; it goes off when, in each group, any of them is off.
    """

    name: str
    summary: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a graph, or one number.

    Attributes:
        label: what it is called in the legend.
        metrics: as an alarm's.
        expression: as an alarm's.
        right: whether it has the axis on the right, for another unit.
    """

    label: str
    metrics: Mapping[str, Metric]
    expression: str = ""
    right: bool = False


class Kind(StrEnum):
    """What a widget shows."""

    GRAPH = "graph"
    STACKED = "stacked"
    NUMBER = "number"
    ALARMS = "alarms"
    LOG = "log"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Widget:
    """One tile of the dashboard.

    Attributes:
        title: what question it answers.
        kind: how it shows the answer.
        lines: the time series of a graph or a number.
        query: name of the saved query that a log widget shows.
        text: of a text widget, Markdown.
        unit: of the left axis.
        threshold: drawn as a line, where an alarm has one.
        width: of 24 columns.
        height: rows.
        period: seconds a value covers.
    """

    title: str
    kind: Kind
    lines: tuple[Line, ...] = ()
    query: str = ""
    text: str = ""
    unit: str = ""
    threshold: float | None = None
    width: int = 8
    height: int = 6
    period: int = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the dashboard, under a heading that is a question.

    Attributes:
        question: the heading.
        widgets: from left to right.
    """

    question: str
    widgets: tuple[Widget, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A saved query of Logs Insights.

    Attributes:
        name: what it is called, after the environment's prefix.
        purpose: when to run it.
        text: the query.
    """

    name: str
    purpose: str
    text: str


@dataclass(frozen=True, slots=True)
class TraceGroup:
    """An X-Ray group.

    Attributes:
        name: after the environment's prefix; at most 32 characters with it.
        purpose: which traces are in it.
        filter: X-Ray's filter expression; `{service}` is the function's service name.
    """

    name: str
    purpose: str
    filter: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What thresholds depend on.

    Attributes:
        timeout_seconds: of the function.
        memory_mb: of the function.
    """

    timeout_seconds: int = 30
    memory_mb: int = 128
