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
    TABLE = "AWS/DynamoDB"
    TOPIC = "AWS/SNS"


class Part(StrEnum):
    """Which resource, where a source has several."""

    CALENDAR = "calendar"
    AUDIT = "audit"
    AUDIT_INDEX = "audit index"
    PAGES = "pages"
    TICKETS = "tickets"
    UNMATCHED = "unmatched events"


class Severity(StrEnum):
    """Who is notified, by a topic of its own.

    Attributes:
        PAGE: The engineer on call, at once.
        TICKET: The team, within a working day.
    """

    PAGE = "page"
    TICKET = "ticket"


class Level(StrEnum):
    """How much of an environment is monitored.

    Attributes:
        FULL: All alarms.
        MINIMAL: The alarms that page, and `dlq-age`.
    """

    FULL = "full"
    MINIMAL = "minimal"


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
        part: The resource, if it is not the only one of its source, or not the usual one.
    """

    name: str
    source: Source = Source.FUNCTION
    statistic: str = "Sum"
    category: str | None = None
    part: Part | None = None


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
        severity: Whom it concerns. A member of a composite alarm notifies nobody: the composite does.
        notifies: False for a state that the dashboard shows and another alarm reports.
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
    severity: Severity = Severity.TICKET
    notifies: bool = True
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """The alarm that suppresses the actions of a composite alarm.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html

    Attributes:
        by: The suppressor: while it is in ALARM, the composite alarm takes no action.
        wait: Seconds for which the composite alarm, after a change of its state, waits for the suppressor.
        extension: Seconds after the return of the suppressor for which actions remain suppressed.
    """

    by: str
    wait: int
    extension: int


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite alarm.

    Attributes:
        groups: Names of alarms. It is in ALARM when, in each group, at least one of them is.
        severity: Whom it notifies, unless it is a member of another composite alarm.
        suppression: What suppresses it; None if nothing does.
        reports_recovery: Whether it notifies when it returns to OK. CloudWatch takes the action of the current state
            when a suppression ends, also if nobody was notified before: a suppressed alarm would report the recovery of
            a failure that it has not reported.
    """

    name: str
    summary: str
    groups: tuple[tuple[str, ...], ...]
    severity: Severity = Severity.TICKET
    suppression: Suppression | None = None
    reports_recovery: bool = True

    @property
    def members(self) -> frozenset[str]:
        """The names of the alarms that it notifies for. The alarm that suppresses it notifies by itself."""
        suppressor = set() if self.suppression is None else {self.suppression.by}
        return frozenset(name for group in self.groups for name in group) - suppressor


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
    """What the thresholds depend on.

    Attributes:
        timeout_seconds: The function's timeout.
        memory_mb: The function's memory.
        silence_hours: Hours without an event after which the team is notified; 0 for never.
    """

    timeout_seconds: int = 30
    memory_mb: int = 128
    silence_hours: int = 0
