"""Applies a query to log lines as Logs Insights does.

As there, a row has texts only: a boolean is 1 or 0, a time is in UTC with milliseconds, and a field without a value is
missing.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from mep.query.language import (
    TIMESTAMP,
    Aggregate,
    Command,
    Condition,
    Filter,
    Group,
    Limit,
    Sort,
    Stats,
    columns,
    parse,
)

type Row = dict[str, str]
"""The texts of a row by column; a column without a value is missing."""


@dataclass(frozen=True, slots=True)
class Line:
    """A log line.

    Attributes:
        values: The JSON object.
        at_ms: Its time, milliseconds since 1970; None where it has none.
    """

    values: Mapping[str, Any]
    at_ms: int | None = None


def run_query(commands: tuple[Command, ...], lines: Iterable[Line]) -> list[Row]:
    """Return the rows of a query's result.

    Args:
        commands: The query.
        lines: The log.
    """
    records = lines
    for command in commands:
        records = _apply(command, records)
    names = columns(commands)
    return [{name: shown for name in names if (shown := _shown(name, record)) is not None} for record in records]


def matching(text: str, lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the lines that pass every filter of a query.

    Args:
        text: The query.
        lines: JSON objects.

    Raises:
        UnsupportedQueryError: The query uses what is not understood here.
    """
    records: Iterable[Line] = [Line(values) for values in lines]
    for command in parse(text):
        if isinstance(command, Filter):
            records = _apply(command, records)
    return [record.values for record in records]


def value_of(name: str, values: Mapping[str, Any]) -> Any:
    """Return a field by the name that Logs Insights gives it, such as `violations.0.rule`; None where there is none."""
    if name in values:
        return values[name]
    value: Any = values
    for part in name.split("."):
        match value:
            case Mapping() if part in value:
                value = value[part]
            case list() if part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            case _:
                return None
    return value


def time_text(at_ms: float) -> str:
    """Return a time, given in milliseconds since 1970, as Logs Insights shows it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


def _apply(command: Command, records: Iterable[Line]) -> Iterable[Line]:
    match command:
        case Filter():
            return (record for record in records if _passes(command, record))
        case Stats():
            return _aggregated(command, records)
        case Sort():
            return _sorted(command, records)
        case Limit():
            return islice(records, command.count)
        case _:
            return records


def _passes(command: Filter, record: Line) -> bool:
    return any(all(_holds(condition, record) for condition in group) for group in command.alternatives)


def _holds(condition: Condition, record: Line) -> bool:
    text = _shown(condition.field, record)
    return text is not None and (condition.values is None or text in condition.values)


def _value(name: str, record: Line) -> Any:
    if name == TIMESTAMP:
        return record.at_ms
    return value_of(name, record.values)


def _shown(name: str, record: Line) -> str | None:
    """Return a field as a text; None where it has no value, or only fields below it have."""
    if name == TIMESTAMP:
        return None if record.at_ms is None else time_text(record.at_ms)
    match value_of(name, record.values):
        case bool() as value:
            return str(int(value))
        case float() as value:
            return f"{value:.4f}".rstrip("0").rstrip(".")
        case int() | str() as value:
            return str(value)
        case _:
            return None


def _aggregated(command: Stats, records: Iterable[Line]) -> list[Line]:
    groups: dict[tuple[str | None, ...], list[Line]] = {}
    for record in records:
        groups.setdefault(tuple(_group_value(group, record) for group in command.groups), []).append(record)
    rows: list[Line] = []
    for key, members in groups.items():
        named = {group.name: text for group, text in zip(command.groups, key, strict=True) if text is not None}
        results = {each.name: _result(each, members) for each in command.aggregates}
        rows.append(Line({**named, **{name: value for name, value in results.items() if value is not None}}))
    return rows


def _group_value(group: Group, record: Line) -> str | None:
    if not group.period_s:
        return _shown(group.name, record)
    if record.at_ms is None:
        return None
    period_ms = group.period_s * 1000
    return time_text(record.at_ms // period_ms * period_ms)


def _result(aggregate: Aggregate, records: Sequence[Line]) -> Any:
    if aggregate.function == "count" and not aggregate.field:
        return len(records)
    present = [record for record in records if _value(aggregate.field, record) is not None]
    if aggregate.function == "count":
        return len(present)
    if aggregate.function in {"earliest", "latest"}:
        dated = sorted((record for record in present if record.at_ms is not None), key=lambda record: record.at_ms or 0)
        return _shown(aggregate.field, dated[0 if aggregate.function == "earliest" else -1]) if dated else None
    numbers = [
        value
        for record in present
        if isinstance(value := _value(aggregate.field, record), int | float) and not isinstance(value, bool)
    ]
    if not numbers:
        return None
    return max(numbers) if aggregate.function == "max" else sum(numbers) / len(numbers)


def _sorted(command: Sort, records: Iterable[Line]) -> list[Line]:
    result = list(records)
    for name, descending in reversed(command.keys):
        result.sort(key=_order_of(name), reverse=descending)
    return result


def _order_of(name: str) -> Callable[[Line], tuple[Any, ...]]:
    """Return the order of Logs Insights: texts before numbers, the numbers in a text by their value."""

    def order(record: Line) -> tuple[Any, ...]:
        value = _value(name, record)
        if value is None:
            return (0,)
        if isinstance(value, int | float):
            return (2, value)
        return (2, int(value)) if str(value).isdecimal() else (1, tuple(map(_chunk, _CHUNKS.findall(str(value)))))

    return order


_CHUNKS = re.compile("[0-9]+|[^0-9]+")


def _chunk(text: str) -> tuple[int, int, str]:
    """Return the order of a part of a text: digits by their number and value, others by their characters."""
    return (ord("0"), len(text), text) if text.isdecimal() else (ord(text[0]), 0, text)
