"""The evaluator against the worked examples of AWS's documentation.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html: the two tables, and the
examples under "Avoiding premature transitions to alarm state".
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html: "Comparison and logical
operators", "Using IF expressions".
"""

from itertools import product

import pytest

from monitoring.alarm_states import Rules, State, decide
from monitoring.metric_math import MathError, evaluate
from monitoring.metric_store import Grid, MetricStore, Series, statistic_of
from tests.support.cloudwatch.alarms import composite_state

OK, ALARM, NO_DATA, RETAIN = State.OK, State.ALARM, State.INSUFFICIENT, None
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")

THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "0 - - - -": (OK, OK, OK, OK),
    "- - - - -": (NO_DATA, RETAIN, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, RETAIN, ALARM, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, RETAIN, ALARM, OK),
}
ROWS = [(3, *row) for row in THREE_OF_THREE.items()] + [(2, *row) for row in TWO_OF_THREE.items()]


def points(text: str) -> list[bool | None]:
    return [{"0": False, "X": True, "-": None}[symbol] for symbol in text.split()]


@pytest.mark.parametrize(("breaching", "text", "states"), ROWS)
def test_missing_data(breaching: int, text: str, states: tuple[State | None, ...]) -> None:
    for (treatment, state), before in product(zip(TREATMENTS, states, strict=True), State):
        assert decide(points(text), Rules(breaching, 3, treatment), before) is (before if state is RETAIN else state)


@pytest.mark.parametrize("text", ["- - - - X", "- - - X -"])
def test_one_breaching_point_is_not_three(text: str) -> None:
    # "Because the next data point may be non-breaching, the alarm does not go immediately into ALARM state".
    assert decide(points(text), Rules(3, 3, "missing"), OK) is not ALARM


def test_comparison_and_logical_operators() -> None:
    series: dict[str, Series] = {"metric1": [30, 20, 0, 0], "metric2": [20, None, 20, None]}

    assert evaluate("(metric1 < metric2)", series) == [0, 0, 1, 0]
    assert evaluate("(metric1 >= 30)", series) == [1, 0, 0, 0]
    assert evaluate("(metric1 > 15 AND metric2 > 15)", series) == [1, 0, 0, 0]


def test_if_expressions() -> None:
    series: dict[str, Series] = {
        "metric1": [1, 1, 0, 0, None],
        "metric2": [30, None, 0, 0, 30],
        "metric3": [0, 0, 20, None, 20],
    }

    assert evaluate("IF(metric1, metric2, metric3)", series) == [30, 0, 20, None, None]
    assert evaluate("IF(metric1, 5, metric3)", series) == [5, 5, 20, None, None]
    assert evaluate("IF(metric1, metric2, 5)", series) == [30, 0, 5, 5, None]
    assert evaluate("IF(metric1, metric2)", series) == [30, 0, None, None, None]


def test_arithmetic_with_gaps_and_zero_division() -> None:
    series: dict[str, Series] = {"m1": [6, None, 8, None], "m2": [3, 2, None, None]}

    assert evaluate("m1 + m2", series) == [9, 2, 8, None]
    assert evaluate("m1 / m2", series) == [2, 0, None, None]
    assert evaluate("100 * m1", series) == [600, None, 800, None]
    assert evaluate("-m1", series) == [-6, None, -8, None]


def test_fill() -> None:
    assert evaluate("FILL(m1, 10)", {"m1": [1, None]}) == [1, 10]
    assert evaluate("FILL(m1, 0)", {"m1": [None, None]}) == [0, 0]
    assert evaluate("FILL(m1, 0)", {"m1": [None, None]}, empty_stays_empty=True) == [None, None]


@pytest.mark.parametrize(
    "expression",
    ["SEARCH('x', 'Sum', 300)", "m1 ^ 2", "m2", "FILL(m1, REPEAT)", "AVG(m1)", "1 + 1", "IF(m1 >", "m1 if m1"],
)
def test_unsupported_expressions(expression: str) -> None:
    with pytest.raises(MathError):
        evaluate(expression, {"m1": [1]})


def test_statistics_by_period() -> None:
    store = MetricStore()
    store.put("Space", "Name", {"One": "1"}, [1, 5], at=60)
    store.put("Space", "Name", {"One": "1"}, [9], at=119.9)
    store.put("Space", "Name", {"One": "2"}, [100], at=60)
    store.put("Space", "Name", {"One": "1"}, [7], at=120, arrived=200)
    key = ("Space", "Name", (("One", "1"),))

    assert store.series(key, "Sum", Grid(180, 60, 3)) == [None, 15, 7]
    assert store.series(key, "Sum", Grid(180, 60, 3, as_of=180)) == [None, 15, None]
    assert [store.series(key, each, Grid(120, 60, 1)) for each in ("Average", "Maximum", "Minimum", "SampleCount")] == [
        [5],
        [9],
        [1],
        [3],
    ]
    assert [statistic_of(range(1, 101), each) for each in ("p50", "p99", "p99.9")] == [50, 99, 100]
    with pytest.raises(ValueError, match="TM"):
        statistic_of([1], "TM(10%:90%)")


def test_composites() -> None:
    rule = {
        "Fn::Join": [
            "",
            [
                '((ALARM("',
                {"Fn::GetAtt": ["Long", "Arn"]},
                '")) AND (ALARM("',
                {"Fn::GetAtt": ["Short", "Arn"]},
                '")))',
            ],
        ]
    }

    assert composite_state(rule, {"Long": ALARM, "Short": ALARM}) is ALARM
    assert composite_state(rule, {"Long": ALARM, "Short": OK}) is OK
    assert composite_state(rule, {"Long": NO_DATA, "Short": ALARM}) is OK
    with pytest.raises(NotImplementedError):
        composite_state('NOT OK("x")', {})
