"""The commands of Logs Insights' query language that the saved queries use; any other is refused by its name.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r'"[^"]*"|@?[A-Za-z_][\w.]*|[0-9]+[a-z]*|\S')
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_NAME = re.compile(r"@?[A-Za-z_][\w.]*")
_PERIOD = re.compile(r"([1-9][0-9]*)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

TIMESTAMP = "@timestamp"

MAX_ROWS = 10_000
"""The maximum of Logs Insights, where a query has no `limit`."""

FUNCTIONS = ("avg", "count", "earliest", "latest", "max")
"""The aggregate functions."""


class UnsupportedQueryError(ValueError):
    """A query uses what is not understood here; the message names it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The command `fields`: the columns of the result.

    Attributes:
        names: Names of fields.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a filter.

    Attributes:
        field: Name of a field.
        values: What the field must be one of; None if it must only have a value.
    """

    field: str
    values: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Filter:
    """The command `filter`.

    Attributes:
        alternatives: Conditions, of which all of one group must hold.
    """

    alternatives: tuple[tuple[Condition, ...], ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A column of `stats`.

    Attributes:
        name: Name of the column.
        function: One of `FUNCTIONS`.
        field: Its argument; empty for `count(*)`.
    """

    name: str
    function: str
    field: str


@dataclass(frozen=True, slots=True)
class Group:
    """What `stats` groups by.

    Attributes:
        name: Name of the column, which is that of the field.
        period_s: Length of the periods for `bin`, seconds; 0 for a field.
    """

    name: str
    period_s: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """The command `stats`.

    Attributes:
        aggregates: Its columns.
        groups: What it groups by.
    """

    aggregates: tuple[Aggregate, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """The command `sort`.

    Attributes:
        keys: Fields, each with whether the order is descending.
    """

    keys: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The command `limit`.

    Attributes:
        count: The maximum number of rows.
    """

    count: int


type Command = Fields | Filter | Stats | Sort | Limit


def parse(text: str) -> tuple[Command, ...]:
    """Parse a query.

    Raises:
        UnsupportedQueryError: It uses what is not understood here.
    """
    tokens = _Tokens(_COMMENT.sub("", text))
    commands = [_command(tokens)]
    while tokens.accept("|"):
        commands.append(_command(tokens))
    if rest := tokens.take():
        raise UnsupportedQueryError(f"`{rest}` is not understood here")
    return tuple(commands)


def columns(commands: tuple[Command, ...]) -> tuple[str, ...]:
    """Return the columns of a query's result, in order."""
    found: tuple[str, ...] = ()
    for command in commands:
        if isinstance(command, Fields):
            found += command.names
        elif isinstance(command, Stats):
            found = (*(group.name for group in command.groups), *(each.name for each in command.aggregates))
    return found


def row_limit(commands: tuple[Command, ...]) -> int:
    """Return the maximum number of rows of a query's result."""
    return min((command.count for command in commands if isinstance(command, Limit)), default=MAX_ROWS)


def time_columns(commands: tuple[Command, ...]) -> frozenset[str]:
    """Return the columns with the time of a line, such as that of `earliest(@timestamp)`."""
    aggregates = [each for command in commands if isinstance(command, Stats) for each in command.aggregates]
    return frozenset(each.name for each in aggregates if each.field == TIMESTAMP and each.function != "count")


class _Tokens:
    """The words, texts and signs of a query, read from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._position = 0

    def peek(self) -> str:
        """Return the next token; empty at the end."""
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def take(self) -> str:
        """Return the next token, and go on to the one after it."""
        token = self.peek()
        self._position += 1
        return token

    def accept(self, token: str) -> bool:
        """Go on if the next token is this one; return whether it was."""
        if self.peek() != token:
            return False
        self._position += 1
        return True

    def expect(self, token: str) -> None:
        """Go on after this token.

        Raises:
            UnsupportedQueryError: Another token is next.
        """
        if not self.accept(token):
            raise UnsupportedQueryError(f"`{self.peek() or 'the end'}` is not understood here: expected `{token}`")

    def name(self) -> str:
        """Return the name of a field, which is next.

        Raises:
            UnsupportedQueryError: Something else is next.
        """
        token = self.take()
        if not _NAME.fullmatch(token):
            raise UnsupportedQueryError(f"`{token or 'the end'}` is not understood here: expected a field")
        if self.peek() == "(":
            raise UnsupportedQueryError(f"the function `{token}` is not understood here")
        return token

    def text(self) -> str:
        """Return a text in quotation marks, which is next.

        Raises:
            UnsupportedQueryError: Something else is next.
        """
        token = self.take()
        if not token.startswith('"'):
            raise UnsupportedQueryError(f"`{token or 'the end'}` is not understood here: expected a text in quotes")
        return token[1:-1]

    def listed[T](self, item: Callable[[], T]) -> tuple[T, ...]:
        """Return items that are separated by commas."""
        items = [item()]
        while self.accept(","):
            items.append(item())
        return tuple(items)


def _command(tokens: _Tokens) -> Command:
    name = tokens.take()
    if name not in _COMMANDS:
        known = ", ".join(_COMMANDS)
        raise UnsupportedQueryError(f"the command `{name}` is not understood here: {known} are")
    return _COMMANDS[name](tokens)


def _fields(tokens: _Tokens) -> Fields:
    return Fields(tokens.listed(tokens.name))


def _filter(tokens: _Tokens) -> Filter:
    alternatives = [_conditions(tokens)]
    while tokens.accept("or"):
        alternatives.append(_conditions(tokens))
    return Filter(tuple(alternatives))


def _conditions(tokens: _Tokens) -> tuple[Condition, ...]:
    conditions = [_condition(tokens)]
    while tokens.accept("and"):
        conditions.append(_condition(tokens))
    return tuple(conditions)


def _condition(tokens: _Tokens) -> Condition:
    if tokens.accept("ispresent"):
        tokens.expect("(")
        name = tokens.name()
        tokens.expect(")")
        return Condition(name, None)
    name = tokens.name()
    if tokens.accept("in"):
        tokens.expect("[")
        values = tokens.listed(tokens.text)
        tokens.expect("]")
        return Condition(name, frozenset(values))
    operator = tokens.take()
    if operator != "=":
        raise UnsupportedQueryError(f"the operator `{operator}` is not understood here: =, in and ispresent are")
    return Condition(name, frozenset({tokens.text()}))


def _stats(tokens: _Tokens) -> Stats:
    aggregates = tokens.listed(lambda: _aggregate(tokens))
    groups = tokens.listed(lambda: _group(tokens)) if tokens.accept("by") else ()
    return Stats(aggregates, groups)


def _aggregate(tokens: _Tokens) -> Aggregate:
    function = tokens.take()
    if function not in FUNCTIONS:
        raise UnsupportedQueryError(f"the function `{function}` is not understood here: {', '.join(FUNCTIONS)} are")
    tokens.expect("(")
    field = "" if function == "count" and tokens.accept("*") else tokens.name()
    tokens.expect(")")
    name = tokens.name() if tokens.accept("as") else f"{function}({field or '*'})"
    return Aggregate(name, function, field)


def _group(tokens: _Tokens) -> Group:
    if not tokens.accept("bin"):
        return Group(tokens.name())
    tokens.expect("(")
    text = tokens.take()
    period = _PERIOD.fullmatch(text)
    if period is None:
        raise UnsupportedQueryError(f"`bin({text})` is not understood here: a number and s, m, h or d is")
    tokens.expect(")")
    return Group(f"bin({text})", int(period[1]) * _SECONDS[period[2]])


def _sort(tokens: _Tokens) -> Sort:
    return Sort(tokens.listed(lambda: _sort_key(tokens)))


def _sort_key(tokens: _Tokens) -> tuple[str, bool]:
    name, order = tokens.name(), tokens.take()
    if order not in {"asc", "desc"}:
        raise UnsupportedQueryError(f"`sort {name}` is not understood here without `asc` or `desc`")
    return name, order == "desc"


def _limit(tokens: _Tokens) -> Limit:
    token = tokens.take()
    if not token.isdecimal():
        raise UnsupportedQueryError(f"`limit {token}` is not understood here: a number is")
    return Limit(int(token))


_COMMANDS: Mapping[str, Callable[[_Tokens], Command]] = {
    "fields": _fields,
    "filter": _filter,
    "limit": _limit,
    "sort": _sort,
    "stats": _stats,
}
