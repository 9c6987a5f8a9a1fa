"""Counts dead letters by what a person decides on: category, error code, source and age."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mep.dlq.error_mapping import not_processed_code, refused_code
from mep.dlq.model import DeadLetter, DeadLetterSource

GROUPINGS = ("category", "age", "correlation-id")

_AGES = ((timedelta(hours=1), "under 1 hour"), (timedelta(days=1), "under 1 day"), (timedelta(days=7), "under 7 days"))
_OLDEST = "7 days and more"
_UNKNOWN_AGE = "unknown"
AGE_GROUPS = (*(name for _, name in _AGES), _OLDEST, _UNKNOWN_AGE)
"""Names of the age groups, the youngest first."""

_MAX_CODE = 60


@dataclass(frozen=True, slots=True)
class Cause:
    """What dead letters of one kind have in common.

    Attributes:
        category: The category's name.
        code: The error code, at most 60 characters; of the function's own error the code in its message.
        source: The service that wrote the messages.
    """

    category: str
    code: str
    source: DeadLetterSource


@dataclass(frozen=True, slots=True)
class CauseCount:
    """How many dead letters have one cause.

    Attributes:
        cause: The cause.
        count: Number of messages.
        oldest: The maximum age; None if every age is unknown.
        newest: The minimum age; None if every age is unknown.
    """

    cause: Cause
    count: int
    oldest: timedelta | None
    newest: timedelta | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Dead letters counted by cause and by age. Each list adds up to `count`.

    Attributes:
        count: Number of messages.
        causes: The most frequent cause first.
        ages: Age groups that are not empty, the youngest first.
    """

    count: int
    causes: tuple[CauseCount, ...]
    ages: tuple[tuple[str, int], ...]


def summarize(dead_letters: Sequence[DeadLetter], now: datetime) -> Summary:
    """Count dead letters by cause and by age."""
    by_cause: dict[Cause, list[timedelta | None]] = defaultdict(list)
    for dead_letter in dead_letters:
        by_cause[cause_of(dead_letter)].append(dead_letter.age(now))
    ages = group_by(dead_letters, "age", now)
    return Summary(
        count=len(dead_letters),
        causes=tuple(sorted((_count(cause, found) for cause, found in by_cause.items()), key=_frequent_first)),
        ages=tuple((name, len(ages[name])) for name in AGE_GROUPS if name in ages),
    )


def cause_of(dead_letter: DeadLetter) -> Cause:
    """Return the category, code and source of a dead letter. The `ERROR_CODE` of the function is the category."""
    message = dead_letter.message
    code = not_processed_code(message) or refused_code(message) or dead_letter.code or message
    return Cause(dead_letter.group, code[:_MAX_CODE], dead_letter.shape)


def group_by(dead_letters: Iterable[DeadLetter], by: str, now: datetime) -> dict[str, list[DeadLetter]]:
    """Group dead letters, in their order.

    Args:
        dead_letters: The messages.
        by: One of `GROUPINGS`.
        now: For the age.
    """
    groups: dict[str, list[DeadLetter]] = defaultdict(list)
    for dead_letter in dead_letters:
        match by:
            case "age":
                name = _age_group(dead_letter.age(now))
            case "category":
                name = dead_letter.group
            case _:
                name = dead_letter.correlation_id or "none"
        groups[name].append(dead_letter)
    return groups


def first_of_each(groups: Mapping[str, Sequence[DeadLetter]], limit: int | None) -> list[Sequence[DeadLetter]]:
    """Return at most `limit` messages, the largest group first; every group gets the same share of the limit.

    Args:
        groups: The messages by group.
        limit: The maximum number of messages in total; None for all.
    """
    ordered = [members for _, members in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))]
    if limit is None:
        return ordered
    total = limit
    shares = [0] * len(ordered)
    while limit > 0 and (unfinished := [n for n, members in enumerate(ordered) if shares[n] < len(members)]):
        for number in unfinished[:limit]:
            share = min(max(1, limit // len(unfinished)), len(ordered[number]) - shares[number])
            shares[number] += share
        limit = total - sum(shares)
    return [members[:share] for members, share in zip(ordered, shares, strict=True) if share]


def _count(cause: Cause, ages: Sequence[timedelta | None]) -> CauseCount:
    known = [age for age in ages if age is not None]
    return CauseCount(cause, len(ages), max(known, default=None), min(known, default=None))


def _frequent_first(group: CauseCount) -> tuple[int, str, str, str]:
    return (-group.count, group.cause.category, group.cause.code, group.cause.source)


def _age_group(age: timedelta | None) -> str:
    if age is None:
        return _UNKNOWN_AGE
    return next((name for limit, name in _AGES if age < limit), _OLDEST)
