"""Which dead letters a command is about."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from handler.errors import ErrorCategory
from mep.dlq.model import UNCLASSIFIED, DeadLetter
from mep.errors import UsageError

MIN_PREFIX = 4
"""Characters of a message ID that must be given at least."""

CATEGORIES = (*(category.value for category in ErrorCategory), UNCLASSIFIED)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that a letter must all meet; an empty one takes every letter.

    Attributes:
        ids: message IDs, or their beginnings of at least `MIN_PREFIX` characters.
        correlation_ids: whole ones.
        categories: of `CATEGORIES`.
        older_than: in the queue at least so long.
        newer_than: in the queue at most so long.
    """

    ids: tuple[str, ...] = ()
    correlation_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no condition."""
        return self == Selection()

    @property
    def names(self) -> bool:
        """Whether it names messages or events."""
        return bool(self.ids or self.correlation_ids)

    def matches(self, dead_letter: DeadLetter, now: datetime) -> bool:
        """Whether the letter meets every condition. One whose age nobody knows meets none about age."""
        age = None if dead_letter.sent_at is None else now - dead_letter.sent_at
        return (
            (not self.ids or any(dead_letter.message_id.startswith(wanted) for wanted in self.ids))
            and (not self.correlation_ids or dead_letter.correlation_id in self.correlation_ids)
            and (not self.categories or dead_letter.group in self.categories)
            and (self.older_than is None or (age is not None and age >= self.older_than))
            and (self.newer_than is None or (age is not None and age <= self.newer_than))
        )

    def pick(self, dead_letters: Iterable[DeadLetter], now: datetime | None = None) -> list[DeadLetter]:
        """The letters that match, in their order."""
        now = now or datetime.now(UTC)
        return [dead_letter for dead_letter in dead_letters if self.matches(dead_letter, now)]

    def missing(self, dead_letters: Iterable[DeadLetter]) -> list[str]:
        """The named IDs and correlation IDs that none of the letters has."""
        found = list(dead_letters)
        ids = [wanted for wanted in self.ids if not any(each.message_id.startswith(wanted) for each in found)]
        known = {each.correlation_id for each in found}
        return ids + [wanted for wanted in self.correlation_ids if wanted not in known]


def select(
    ids: Iterable[str] = (),
    correlation_ids: Iterable[str] = (),
    categories: Iterable[str] = (),
    older_than: str | None = None,
    newer_than: str | None = None,
) -> Selection:
    """Make a selection of what a person typed.

    Raises:
        UsageError: a category that is none, an age that is none, a message ID too short to mean one.
    """
    ids, categories = tuple(ids), tuple(categories)
    for wanted in categories:
        if wanted not in CATEGORIES:
            raise UsageError(f"--category {wanted}: one of {', '.join(CATEGORIES)} is needed")
    for wanted in ids:
        if len(wanted) < MIN_PREFIX:
            raise UsageError(f"message ID {wanted!r}: at least {MIN_PREFIX} characters are needed")
    return Selection(
        ids,
        tuple(correlation_ids),
        categories,
        _duration("--older-than", older_than),
        _duration("--newer-than", newer_than),
    )


def _duration(option: str, text: str | None) -> timedelta | None:
    if text is None:
        return None
    if not (match := _DURATION.fullmatch(text)):
        raise UsageError(f"{option} {text}: an age such as 90s, 15m, 2h or 3d is needed")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
