"""What the head of the page says about a run as a whole: its counts, and the alarms that it would have set off."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from mep.dashboard.run import read_run
from mep.errors import UsageError
from mep.explorer.runbook import section_html
from mep.query.local_run import query_run
from mep.query.result import QueryResult
from monitoring.alarm_states import State
from monitoring.alarms import alarms
from monitoring.composites import COMPOSITES
from monitoring.model import Limits
from monitoring.queries import CORRELATION_ID_PLACEHOLDER, QUERIES

_COUNTS = ("received", "marked", "duplicate", "dead_lettered", "retry", "rejected")


@dataclass(frozen=True, slots=True)
class AlarmFact:
    """One alarm, evaluated with the run's metrics.

    Attributes:
        fired: Whether it was in ALARM at any minute of the run.
        summary: What it means.
        runbook: Its section of the runbook as HTML; empty where it is OK.
    """

    name: str
    fired: bool
    summary: str
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run as a whole.

    Attributes:
        counts: Names and values of its summary; empty until it has ended.
        alarms: All alarms; empty if the run had no event.
        results: Those of the saved queries that need no ID.
        problem: Why something is missing; empty where nothing is.
    """

    counts: tuple[tuple[str, str], ...] = ()
    alarms: tuple[AlarmFact, ...] = ()
    results: tuple[QueryResult, ...] = ()
    problem: str = ""


def run_facts(folder: Path) -> RunFacts:
    """Return what is known about a run as a whole."""
    try:
        summary = orjson.loads((folder / "summary.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return RunFacts(
            problem="the run has not ended, or was aborted: calendar, audit entries and dead letters follow"
        )
    known = summary if isinstance(summary, dict) else {}
    numbers = {name: value for name, value in known.items() if isinstance(value, int | float)}
    counts = [(name, f"{numbers[name]:,}") for name in _COUNTS if name in numbers]
    if "elapsed_s" in numbers:
        counts.append(("elapsed", f"{numbers['elapsed_s']:.1f} s"))
    problems: list[str] = []
    found = _unless_missing(_alarms, folder, problems)
    results = _unless_missing(_results, folder, problems)
    return RunFacts(tuple(counts), found, results, "; ".join(dict.fromkeys(problems)))


def _unless_missing[T](read: Callable[[Path], tuple[T, ...]], folder: Path, problems: list[str]) -> tuple[T, ...]:
    """Return what is read; nothing, and a problem, where a file of the run is missing."""
    try:
        return read(folder)
    except UsageError as error:
        problems.append(str(error))
        return ()


def _results(folder: Path) -> tuple[QueryResult, ...]:
    return query_run(
        folder, {query.name: query.text for query in QUERIES if CORRELATION_ID_PLACEHOLDER not in query.text}
    )


def _alarms(folder: Path) -> tuple[AlarmFact, ...]:
    limits = Limits()
    states = read_run(folder, limits).alarm_states()
    summaries = {alarm.name: alarm.summary for alarm in alarms(limits)}
    summaries |= {composite.name: composite.summary for composite in COMPOSITES}
    return tuple(
        AlarmFact(name, fired := state is State.ALARM, summaries[name], section_html(name) if fired else "")
        for name, state in states.items()
    )
