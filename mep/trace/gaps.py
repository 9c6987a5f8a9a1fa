"""What a timeline does not know because a source could not be asked, which is not the same as what is not there."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mep.problems import Problem, Reason


class Source(StrEnum):
    """Where what is known of an event comes from."""

    LOG = "log"
    TRACES = "traces"
    AUDIT = "audit"
    CALENDAR = "calendar"
    QUEUE = "queue"
    RUN = "run"


_WORDS = {
    Source.LOG: "the log",
    Source.TRACES: "the traces",
    Source.AUDIT: "the audit table",
    Source.CALENDAR: "the calendar",
    Source.QUEUE: "the dead-letter queue",
    Source.RUN: "the rest of the run",
}
_FIRST_WITNESSES = {Source.LOG, Source.TRACES, Source.AUDIT, Source.QUEUE}


@dataclass(frozen=True, slots=True)
class Gap:
    """A source that could not be asked, or not about everything.

    Attributes:
        source: Which.
        name: Of the log group, the table, the queue or the folder.
        problem: Why.
    """

    source: Source
    name: str
    problem: Problem

    def as_json(self) -> dict[str, str]:
        """Return it as a JSON object of texts."""
        return {"source": self.source.value, "name": self.name, **self.problem.as_json()}


def named(gaps: Iterable[Gap]) -> str:
    """The sources of gaps, each once, as a list in words."""
    return ", ".join(dict.fromkeys(_WORDS[gap.source] for gap in gaps))


def lines(gaps: Iterable[Gap]) -> list[str]:
    """Gaps in sentences, one for each cause: what was not asked, why, and what to do."""
    causes: dict[str, list[Gap]] = {}
    for gap in gaps:
        text = "; ".join(section for section in (gap.problem.text, gap.problem.advice) if section)
        causes.setdefault(text, []).append(gap)
    return [f"{named(members)}: {text}" for text, members in causes.items()]


def nobody_answered(gaps: Iterable[Gap]) -> bool:
    """Whether every source from which something could be known at first was silent."""
    silent: set[Any] = {gap.source for gap in gaps if gap.problem.reason is not Reason.INCOMPLETE}
    return silent >= _FIRST_WITNESSES
