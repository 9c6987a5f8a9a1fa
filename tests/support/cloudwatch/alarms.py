"""What state an alarm of a template has, given metrics: periods, M of N, and missing data, as documented.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html: windows slide, so that the
newest period ends at the moment of the evaluation, which comes every minute.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from mep.query.engine import matching, value_of
from monitoring.alarm_states import Rules, State, decide
from monitoring.metric_math import evaluate
from monitoring.metric_store import Grid, MetricStore, Series

EXTRA = 2
"""How many more points than Evaluation Periods are retrieved; the documentation's examples have 5 for 3, and it says
that the number varies."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where the documentation leaves something open.

    Attributes:
        extra: Points retrieved beyond Evaluation Periods.
        empty_stays_empty: Whether `FILL` leaves a series without any value as it is.
    """

    extra: int = EXTRA
    empty_stays_empty: bool = False


READINGS = (Reading(), Reading(empty_stays_empty=True), Reading(extra=0), Reading(extra=7))
"""What alarms are tried under: they should not depend on it."""


type Line = Mapping[str, Any]


class MetricAlarm:
    """An `AWS::CloudWatch::Alarm` of a template, evaluated from minute to minute."""

    def __init__(self, properties: Mapping[str, Any], reading: Reading | None = None) -> None:
        self._properties = properties
        self._reading = reading or Reading()
        self._stats = [(each["Id"], each["MetricStat"]) for each in properties["Metrics"] if "MetricStat" in each]
        self._keys = [_key(stat["Metric"]) for _, stat in self._stats]
        (self._expression,) = [each["Expression"] for each in properties["Metrics"] if "Expression" in each]
        self.state = State.INSUFFICIENT

    @property
    def name(self) -> str:
        """The alarm's name."""
        return str(self._properties["AlarmName"])

    def evaluate(self, store: MetricStore, now: float) -> State:
        """The state at a moment, given what has arrived by then."""
        given = self._properties
        rules = Rules(given["DatapointsToAlarm"], given["EvaluationPeriods"], given["TreatMissingData"])
        if given["ComparisonOperator"] != "GreaterThanThreshold":
            raise NotImplementedError(given["ComparisonOperator"])
        values = self.values(store, now, rules.within + self._reading.extra)
        points = [None if value is None else value > given["Threshold"] for value in values]
        self.state = decide(points, rules, self.state)
        return self.state

    def values(self, store: MetricStore, now: float, count: int) -> Series:
        """What is compared with the threshold, in the newest `count` periods."""
        series = tuple(
            (name, tuple(store.series(key, stat["Stat"], Grid(now, stat["Period"], count, as_of=now))))
            for (name, stat), key in zip(self._stats, self._keys, strict=True)
        )
        return _evaluated(self._expression, series, empty_stays_empty=self._reading.empty_stays_empty)


@lru_cache(maxsize=100_000)  # most minutes are like others, in this test and in the next
def _evaluated(
    expression: str, series: tuple[tuple[str, tuple[float | None, ...]], ...], *, empty_stays_empty: bool = False
) -> Series:
    """The result of metric math, which the caller leaves as it is."""
    by_id = {name: list(values) for name, values in series}
    return evaluate(expression, by_id, empty_stays_empty=empty_stays_empty)


class LogAlarm:
    """An `AWS::CloudWatch::LogAlarm` of a template: its query over the log lines of its window.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-log.html
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._threshold = properties["Threshold"]
        query = properties["ScheduledQueryConfiguration"]
        assert query["AggregationExpression"] == "sum(weight)"
        self._query, _, weight = query["QueryString"].partition("\n| fields 1")
        self._weight = "1" + weight.removesuffix(" as weight")
        self._window = query["ScheduleConfiguration"]["StartTimeOffset"]
        assert query["ScheduleConfiguration"]["ScheduleExpression"] == "rate(1 minute)"
        assert properties["QueryResultsToAlarm"] == 1
        self._runs = properties["QueryResultsToEvaluate"]
        self._results: dict[float, bool] = {}

    def evaluate(self, lines: Collection[tuple[float, Line]], now: float) -> State:
        """The state at a moment, given the lines that are found by then. The runs before it were at whole minutes."""
        runs = (now - minute * 60 for minute in range(self._runs))
        return State.ALARM if any(self._result(lines, run) for run in runs) else State.OK

    def _result(self, lines: Collection[tuple[float, Line]], now: float) -> bool:
        """Whether the result of one run is above the threshold."""
        if now not in self._results:
            self._results[now] = self._total(lines, now) > self._threshold
        return self._results[now]

    def _total(self, lines: Iterable[tuple[float, Line]], now: float) -> float:
        inside = [line for at, line in lines if now - self._window <= at < now]
        return sum(self.weight(line) for line in matching(self._query, inside)) if inside else 0.0

    def weight(self, line: Line) -> float:
        """What a line of the result counts."""
        form = re.fullmatch(r"1 \+ ([0-9]+) \* \((.+)\)", self._weight)
        if form is None:
            raise NotImplementedError(self._weight)
        found = re.findall(r'strcontains\(([\w.]+), "([^"]*)"\)', form[2])
        return 1 + int(form[1]) * sum(text in str(value_of(name, line)) for name, text in found)


def _key(metric: Mapping[str, Any]) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    dimensions = tuple(sorted((each["Name"], str(each["Value"])) for each in metric.get("Dimensions", ())))
    return metric["Namespace"], metric["MetricName"], dimensions


def rule_text(rule: Any) -> str:
    """`AlarmRule` as the template has it, a text or `Fn::Join` of texts and references, with logical IDs."""
    parts = rule["Fn::Join"][1] if isinstance(rule, Mapping) else [rule]
    return "".join(part if isinstance(part, str) else part["Fn::GetAtt"][0] for part in parts)


def composite_state(rule: Any, states: Mapping[str, State]) -> State:
    """State of a composite alarm.

    Args:
        rule: `AlarmRule` as the template has it.
        states: Of the alarms it is made of, by logical ID.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
    """
    logical, names = _logical(rule_text(rule))
    # The logical operators are those of metric math.
    members = tuple((f"a{number}", (float(states[name] is State.ALARM),)) for number, name in enumerate(names))
    (is_on,) = _evaluated(logical, members)
    return State.ALARM if is_on else State.OK


@cache
def _logical(text: str) -> tuple[str, tuple[str, ...]]:
    """Return an alarm rule as metric math, with `a0` for the first alarm and so on, and the alarms' logical IDs."""
    names: list[str] = []

    def series(match: re.Match[str]) -> str:
        names.append(match[1])
        return f"a{len(names) - 1}"

    logical = re.sub(r'ALARM\("([^"]+)"\)', series, text)
    if not names or not re.fullmatch(r"(?:a[0-9]+|AND|OR|[() ])+", logical):
        raise NotImplementedError(text)
    return logical, tuple(names)
