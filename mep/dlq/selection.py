"""Selects the dead letters that a command is about."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from handler.errors import ErrorCategory
from mep.dlq.model import UNCLASSIFIED, DeadLetter
from mep.errors import UsageError

MIN_PREFIX = 4
"""The minimum length of a message ID's prefix."""

CATEGORIES = (*(category.value for category in ErrorCategory), UNCLASSIFIED)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that a message must all meet; an empty selection matches every message.

    Attributes:
        ids: Message IDs, or prefixes of at least `MIN_PREFIX` characters.
        correlation_ids: Complete correlation IDs.
        categories: Values of `CATEGORIES`.
        older_than: The minimum age.
        newer_than: The maximum age.
    """

    ids: tuple[str, ...] = ()
    correlation_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    @property
    def empty(self) -> bool:
        """Whether the selection has no condition."""
        return self == Selection()

    @property
    def names(self) -> bool:
        """Whether the selection names messages or events."""
        return bool(self.ids or self.correlation_ids)

    def matches(self, dead_letter: DeadLetter, now: datetime) -> bool:
        """Return whether the message meets every condition. An unknown age meets none of the age conditions."""
        age = None if dead_letter.sent_at is None else now - dead_letter.sent_at  # may be negative: clocks differ
        return (
            (not self.ids or any(dead_letter.message_id.startswith(prefix) for prefix in self.ids))
            and (not self.correlation_ids or dead_letter.correlation_id in self.correlation_ids)
            and (not self.categories or dead_letter.group in self.categories)
            and (self.older_than is None or (age is not None and age >= self.older_than))
            and (self.newer_than is None or (age is not None and age <= self.newer_than))
        )

    def pick(self, dead_letters: Iterable[DeadLetter], now: datetime | None = None) -> list[DeadLetter]:
        """Return the messages that match, in their order."""
        now = now or datetime.now(UTC)
        return [dead_letter for dead_letter in dead_letters if self.matches(dead_letter, now)]

    def missing(self, dead_letters: Iterable[DeadLetter]) -> list[str]:
        """Return the named message IDs and correlation IDs that none of the messages has."""
        messages = list(dead_letters)
        ids = [prefix for prefix in self.ids if not any(message.message_id.startswith(prefix) for message in messages)]
        known = {message.correlation_id for message in messages}
        return ids + [correlation_id for correlation_id in self.correlation_ids if correlation_id not in known]


def select(
    ids: Iterable[str] = (),
    correlation_ids: Iterable[str] = (),
    categories: Iterable[str] = (),
    older_than: str | None = None,
    newer_than: str | None = None,
) -> Selection:
    """Return the selection of a command's options.

    Raises:
        UsageError: A category or an age is invalid, or a message ID is too short.
    """
    ids, categories = tuple(ids), tuple(categories)
    for category in categories:
        if category not in CATEGORIES:
            raise UsageError(f"--category {category}: must be one of {', '.join(CATEGORIES)}")
    for prefix in ids:
        if len(prefix) < MIN_PREFIX:
            raise UsageError(f"message ID {prefix!r}: must have at least {MIN_PREFIX} characters")
    return Selection(
        ids,
        tuple(correlation_ids),
        categories,
        parse_age("--older-than", older_than),
        parse_age("--newer-than", newer_than),
    )


def parse_age(option: str, text: str | None) -> timedelta | None:
    """Return the age that an option names: 90s, 15m, 2h, 3d; None where it is not given.

    Raises:
        UsageError: The text is not an age.
    """
    if text is None:
        return None
    if not (match := _DURATION.fullmatch(text)):
        raise UsageError(f"{option} {text}: must be an age such as 90s, 15m, 2h or 3d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
