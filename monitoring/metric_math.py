"""Metric math: the operators and functions that our alarms and widgets use, with CloudWatch's rules for gaps.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
Anything else is refused, so that an expression never means something here that it does not mean there.
"""

import ast
import operator
from collections.abc import Callable, Mapping

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
    """An expression that is wrong, or that this module does not know."""


def evaluate(expression: str, series: Mapping[str, Series], *, empty_stays_empty: bool = False) -> Series:
    """Evaluate an expression.

    Args:
        expression: metric math.
        series: time series by ID, all over the same periods.
        empty_stays_empty: whether `FILL` leaves a series without a single value as it is. The documentation does not
            say what CloudWatch does; an alarm should not depend on it.

    Raises:
        MathError: with the part that is not understood.
    """
    try:
        tree = ast.parse(expression.replace(" AND ", " and ").replace(" OR ", " or "), mode="eval")
    except SyntaxError as error:
        raise MathError(f"not an expression: {expression}") from error
    found = _Evaluation(series, empty_stays_empty=empty_stays_empty).value(tree.body)
    if not isinstance(found, list):
        raise MathError(f"a number, not a time series: {expression}")
    return found


class _Evaluation:
    def __init__(self, series: Mapping[str, Series], *, empty_stays_empty: bool) -> None:
        self._series = series
        self._empty_stays_empty = empty_stays_empty

    def value(self, node: ast.expr) -> Value:  # noqa: PLR0911 - one for each kind of node
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self._series:
                return self._series[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _each(lambda _, right: -right, 0.0, self.value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _each(_ARITHMETIC[type(op)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return _each(_COMPARISONS[type(op)], self.value(left), self.value(right))
            case ast.BoolOp(op=ast.And(), values=values):
                return self._fold(values, lambda left, right: left != 0 and right != 0)
            case ast.BoolOp(op=ast.Or(), values=values):
                return self._fold(values, lambda left, right: left != 0 or right != 0)
            case ast.Call(func=ast.Name(id="FILL"), args=[filled, filler]):
                return self._fill(self.value(filled), self.value(filler))
            case ast.Call(func=ast.Name(id="IF"), args=[condition, *branches]) if 1 <= len(branches) <= 2:
                return _choose(self.value(condition), *map(self.value, branches))
        raise MathError(f"not known here: {ast.unparse(node)}")

    def _fold(self, nodes: list[ast.expr], combine: Callable[[float, float], bool]) -> Value:
        folded = self.value(nodes[0])
        for node in nodes[1:]:
            folded = _each(combine, folded, self.value(node))
        return folded

    def _fill(self, series: Value, filler: Value) -> Value:
        if not isinstance(series, list) or isinstance(filler, list):
            raise MathError("FILL takes a time series and a number here")
        if self._empty_stays_empty and all(value is None for value in series):
            return series
        return [filler if value is None else value for value in series]


def _each(combine: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Combine point by point. A gap counts as 0 beside a value; beside a gap or a number there is no point."""
    if not isinstance(left, list) and not isinstance(right, list):
        return float(combine(left, right))
    lefts, rights = _aligned(left, right)
    combined: Series = []
    for one, other in zip(lefts, rights, strict=True):
        gap = (
            (one is None and other is None)
            or (one is None and not isinstance(right, list))
            or (other is None and not isinstance(left, list))
        )
        try:
            combined.append(None if gap else float(combine(one or 0.0, other or 0.0)))
        except ZeroDivisionError:
            combined.append(None)  # "the data point is dropped"
    return combined


def _choose(condition: Value, chosen: Value, other: Value | None = None) -> Value:
    """`IF`: a gap in the condition drops the point, one in the chosen series is 0, one in the other drops it."""
    if not isinstance(condition, list):
        raise MathError("IF takes a time series as its condition here")
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
