"""The `filter` commands of saved queries, applied to log lines as Logs Insights does.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Filter.html
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

type Line = Mapping[str, Any]


def matching(query: str, lines: Iterable[Line]) -> list[Line]:
    """The lines that pass every `filter` of a query.

    Args:
        query: Its text.
        lines: JSON objects.

    Raises:
        ValueError: The query uses what is not understood here.
    """
    commands = [" ".join(command.split()) for command in query.split("|")]
    conditions = [command.removeprefix("filter ") for command in commands if command.startswith("filter ")]
    return [line for line in lines if all(_holds(condition, line) for condition in conditions)]


def _holds(condition: str, line: Line) -> bool:
    """`and` binds closer than `or`; the saved queries have no parentheses."""
    return any(all(_compare(part, line) for part in each.split(" and ")) for each in condition.split(" or "))


def _compare(part: str, line: Line) -> bool:
    if found := re.fullmatch(r"ispresent\(([\w.]+)\)", part):
        return value_of(found[1], line) is not None
    if found := re.fullmatch(r'([\w.]+) = "([^"]*)"', part):
        return bool(value_of(found[1], line) == found[2])
    if found := re.fullmatch(r"([\w.]+) in \[([^\]]*)\]", part):
        return value_of(found[1], line) in re.findall(r'"([^"]*)"', found[2])
    raise ValueError(f"not understood: {part}")


def value_of(name: str, line: Line) -> Any:
    """A field by the name that Logs Insights gives it: `timings_ms.total`, `violations.0.rule`; None without one."""
    value: Any = line
    for part in name.split("."):
        match value:
            case Mapping() if part in value:
                value = value[part]
            case list() if part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            case _:
                return None
    return value
