"""`mep local --fault`: the faults that a run can have, and their syntax, `NAME[=COUNT][:SYMBOL]`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from handler.validation import parse_symbol
from mep.errors import UsageError


class Scope(StrEnum):
    """What a fault applies to, and what its count counts."""

    WRITE = "of the first COUNT attempts to write each event"
    INVOCATION = "of the first COUNT invocations for each event"
    DELIVERY = "of the first COUNT deliveries of the run"
    MESSAGE = "of the first COUNT messages of the run"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault.

    Attributes:
        scope: What it applies to.
        meaning: What happens, and how the event ends.
    """

    scope: Scope
    meaning: str


KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "throttle": FaultKind(Scope.WRITE, "DynamoDB throttles the write"),
        "conflict": FaultKind(Scope.WRITE, "the transaction conflicts with another"),
        "server-error": FaultKind(Scope.WRITE, "DynamoDB responds with status 500"),
        "denied": FaultKind(Scope.WRITE, "AWS denies access to the table: a dead letter"),
        "missing-table": FaultKind(Scope.WRITE, "the table does not exist: a dead letter"),
        "hang": FaultKind(Scope.WRITE, "DynamoDB does not respond: the read timeout, or the function's"),
        "lost-reply": FaultKind(Scope.WRITE, "the write is committed, and its response is lost"),
        "raise": FaultKind(Scope.WRITE, "a response that the function does not expect: it raises"),
        "crash": FaultKind(Scope.WRITE, "the function's process is killed before its write arrives"),
        "no-concurrency": FaultKind(Scope.INVOCATION, "Lambda throttles the invocation"),
        "rule-denied": FaultKind(Scope.DELIVERY, "EventBridge may not invoke the function: the rule's dead letter"),
        "queue-denied": FaultKind(Scope.MESSAGE, "the dead-letter queue denies access"),
    }
)
"""Every kind of fault by name."""

_FORM = re.compile(r"(?P<name>[^=:]*)(?:=(?P<count>[^:]*))?(?::(?P<symbol>.*))?", re.DOTALL)
_COUNT = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class RequestedFault:
    """A fault that a run shall have.

    Attributes:
        name: A key of `KINDS`.
        count: How often, per event or per run (`Scope`); None for always.
        symbol: The symbol whose events have it; None for all events. For faults of the write only.
    """

    name: str
    count: int | None = None
    symbol: str | None = None

    @property
    def scope(self) -> Scope:
        """What it applies to."""
        return KINDS[self.name].scope

    def __str__(self) -> str:
        """Return the fault as the option has it."""
        count = "" if self.count is None else f"={self.count}"
        return f"{self.name}{count}{'' if self.symbol is None else f':{self.symbol}'}"


def parse_faults(words: Sequence[str]) -> tuple[RequestedFault, ...]:
    """Return the faults that `--fault` asks for.

    Args:
        words: The values of the option.

    Raises:
        UsageError: A fault is unknown, or its count or symbol is invalid.
    """
    return tuple(map(_parse, words))


def _parse(word: str) -> RequestedFault:
    match = _FORM.fullmatch(word)
    name, count, symbol = match.group("name", "count", "symbol") if match else (word, None, None)
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(f"--fault {word}: unknown; the faults are {', '.join(KINDS)}")
    if count is not None and not _COUNT.fullmatch(count):
        raise UsageError(f"--fault {word}: the count must be a whole number from 1, such as {name}=2")
    if symbol is not None and kind.scope is not Scope.WRITE:
        raise UsageError(f"--fault {word}: only faults of the write can be limited to a symbol; {name} is none")
    if symbol is not None:
        try:
            symbol = parse_symbol(symbol)
        except ValueError as error:
            raise UsageError(f"--fault {word}: {symbol!r} is not a symbol such as AAPL") from error
    return RequestedFault(name, None if count is None else int(count), symbol)


def option_help() -> str:
    """Return the help of the option, as Markdown."""
    return (
        "Make failures; repeat the option for several. `throttle=2` fails the first two attempts to write each event, "
        "`throttle` all of them, `throttle=2:AAPL` those of one symbol. The list is above."
    )


def list_help() -> str:
    """Return every fault for the help of the command, as a Markdown list."""
    intro = (
        "`--fault NAME[=COUNT][:SYMBOL]` makes failures. Without COUNT, they do not end. COUNT is per event; for "
        "`rule-denied` and `queue-denied`, per run. SYMBOL is for faults of the write, which follow each other:"
    )
    return "\n".join((intro, "", *(f"- `{name}`: {kind.meaning}" for name, kind in KINDS.items())))
