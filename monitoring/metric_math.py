"""An evaluator of CloudWatch metric math: the operators and functions that the alarms and widgets use.

Gaps follow its rules:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
Anything else is an error, so that no expression has another meaning than in CloudWatch.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache

from monitoring.metric_store import Series

Value = float | Series

_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class MathError(ValueError):
    """An expression is invalid or not supported."""


def evaluate(expression: str, series: Mapping[str, Series], *, empty_stays_empty: bool = False) -> Series:
    """Evaluate an expression.

    Args:
        expression: Metric math.
        series: Time series by ID, all over the same periods.
        empty_stays_empty: Whether `FILL` leaves a series without any value as it is. CloudWatch's documentation does
            not define this; an alarm should not depend on it.

    Raises:
        MathError: Names the part that is not supported.
    """
    result = _Evaluation(series, empty_stays_empty=empty_stays_empty).value(_parsed(expression))
    if not isinstance(result, list):
        raise MathError(f"a number, not a time series: {expression}")
    return result


@cache  # an alarm evaluates the same expression every minute
def _parsed(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.replace(" AND ", " and ").replace(" OR ", " or "), mode="eval").body
    except SyntaxError as error:
        raise MathError(f"not an expression: {expression}") from error


class _Evaluation:
    def __init__(self, series: Mapping[str, Series], *, empty_stays_empty: bool) -> None:
        self._series = series
        self._empty_stays_empty = empty_stays_empty

    def value(self, node: ast.expr) -> Value:  # noqa: PLR0911 - one return per kind of node
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self._series:
                return self._series[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _combined(lambda _, right: -right, 0.0, self.value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _combined(_ARITHMETIC[type(op)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return _combined(_COMPARISONS[type(op)], self.value(left), self.value(right))
            case ast.BoolOp(op=ast.And(), values=values):
                return self._fold(values, lambda left, right: left != 0 and right != 0)
            case ast.BoolOp(op=ast.Or(), values=values):
                return self._fold(values, lambda left, right: left != 0 or right != 0)
            case ast.Call(func=ast.Name(id="FILL"), args=[filled, filler]):
                return self._fill(self.value(filled), self.value(filler))
            case ast.Call(func=ast.Name(id="IF"), args=[condition, *branches]) if 1 <= len(branches) <= 2:
                return _choose(self.value(condition), *map(self.value, branches))
        raise MathError(f"not supported: {ast.unparse(node)}")

    def _fold(self, nodes: list[ast.expr], combine: Callable[[float, float], bool]) -> Value:
        folded = self.value(nodes[0])
        for node in nodes[1:]:
            folded = _combined(combine, folded, self.value(node))
        return folded

    def _fill(self, series: Value, filler: Value) -> Value:
        if not isinstance(series, list) or isinstance(filler, list):
            raise MathError("FILL is supported for a time series and a number only")
        if self._empty_stays_empty and all(value is None for value in series):
            return series
        return [filler if value is None else value for value in series]


def _combined(combine: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Combine two operands point by point. A gap counts as 0 beside a value of a series, and else yields a gap."""
    if not isinstance(left, list) and not isinstance(right, list):
        return float(combine(left, right))
    lefts, rights = _aligned(left, right)
    combined: Series = []
    for left_value, right_value in zip(lefts, rights, strict=True):
        gap = (
            (left_value is None and right_value is None)
            or (left_value is None and not isinstance(right, list))
            or (right_value is None and not isinstance(left, list))
        )
        try:
            combined.append(None if gap else float(combine(left_value or 0.0, right_value or 0.0)))
        except ZeroDivisionError:
            combined.append(None)  # "the data point is dropped"
    return combined


def _choose(condition: Value, chosen: Value, other: Value | None = None) -> Value:
    """Return the result of `IF`. A gap in the condition or in the second branch is a gap, in the first branch a 0."""
    if not isinstance(condition, list):
        raise MathError("IF is supported for a time series as condition only")
    count = len(condition)
    yes = chosen if isinstance(chosen, list) else [chosen] * count
    no = other if isinstance(other, list) else [other] * count
    return [
        None if is_true is None else ((if_true or 0.0) if is_true else if_false)
        for is_true, if_true, if_false in zip(condition, yes, no, strict=True)
    ]


def _aligned(left: Value, right: Value) -> tuple[Series, Series]:
    count = len(left) if isinstance(left, list) else len(right) if isinstance(right, list) else 0
    lefts: Series = left if isinstance(left, list) else [left] * count
    rights: Series = right if isinstance(right, list) else [right] * count
    return lefts, rights
