"""The types of the definitions: alarms, widgets, saved queries and trace groups.

`deploy` makes CDK constructs of them, `mep dashboard` previews them, and tests evaluate them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from handler.contract import DISPLAY_NAME

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Source(StrEnum):
    """The source of a metric. It decides the namespace and the dimensions, whose values the stack knows."""

    FUNCTION = DISPLAY_NAME
    LAMBDA = "AWS/Lambda"
    QUEUE = "AWS/SQS"
    RULE = "AWS/Events"


class Missing(StrEnum):
    """How an alarm treats a period without data.

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
        statistic: As CloudWatch spells it: `Sum`, `Maximum`, `p99`.
        category: A value of the dimension `ErrorCategory`, for the one metric that has it.
    """

    name: str
    source: Source = Source.FUNCTION
    statistic: str = "Sum"
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A metric alarm, in ALARM when its value is above the threshold.

    Attributes:
        name: Without the environment's prefix. Also the heading in the runbook.
        summary: What it means, for the engineer on call.
        metrics: Time series by the IDs that the expression uses, at most ten.
        expression: Metric math over them that yields a value for every period.
        period: Seconds.
        within: N of "M out of N": the number of recent periods that are evaluated.
        breaching: M: how many of them must be above the threshold.
        missing: How periods without data are treated.
        notifies: False for a part of a composite alarm, which notifies instead.
        minimum: How many failures (for retries: operations) a period must have before a ratio counts; None if the
            alarm is not on a ratio. `docs/monitoring.md` gives the reason.
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
    """A composite alarm.

    Attributes:
        groups: Names of metric alarms. It is in ALARM when, in each group, at least one of them is.
    """

    name: str
    summary: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a graph, or one number.

    Attributes:
        label: In the legend.
        metrics: Time series by the IDs that the expression uses.
        expression: Metric math; empty if there is one metric, shown as it is.
        right: Whether it uses the axis on the right, for another unit.
    """

    label: str
    metrics: Mapping[str, Metric]
    expression: str = ""
    right: bool = False


class Kind(StrEnum):
    """The type of a widget."""

    GRAPH = "graph"
    STACKED = "stacked"
    NUMBER = "number"
    ALARMS = "alarms"
    LOG = "log"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Widget:
    """A widget of the dashboard.

    Attributes:
        lines: The time series of a graph or a number.
        query: The name of the saved query that a log widget shows.
        text: The Markdown of a text widget.
        unit: The label of the left axis.
        threshold: An alarm's threshold, drawn as a line.
        width: In columns; the dashboard has 24.
        height: In rows.
        period: Seconds.
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
    """A row of the dashboard under a heading, which is a question.

    Attributes:
        widgets: From left to right.
    """

    question: str
    widgets: tuple[Widget, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A saved CloudWatch Logs Insights query.

    Attributes:
        name: Without the environment's prefix.
        purpose: What it answers.
    """

    name: str
    purpose: str
    text: str


@dataclass(frozen=True, slots=True)
class TraceGroup:
    """An X-Ray group.

    Attributes:
        name: Without the environment's prefix; at most 32 characters with it.
        purpose: Which traces it contains.
        filter: A filter expression; `{service}` is the placeholder for the service name.
    """

    name: str
    purpose: str
    filter: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The function's timeout and memory, which thresholds depend on."""

    timeout_seconds: int = 30
    memory_mb: int = 128
