"""Every message of every log line is reworded in a function that runs, and what reads the log finds the same."""

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from emulator.faults import throttled
from handler.bootstrap import start_or_exit
from handler.outcome import OUTCOME_TELEMETRY
from handler.startup import report_without_effect
from mep.demo.checks import correlation
from mep.query.engine import matching
from mep.trace.local_run import find_in_folder
from mep.trace.timeline import Timeline, make_timeline
from monitoring.queries import QUERIES
from otel import event_types
from otel.json_logs import JsonLogger
from tests.integration.harness import Services, make_harness
from tests.integration.monitoring.conftest import TROUBLE, keeps_failing
from tests.support.events import unique_event
from tests.support.invocation import Invoked
from tests.support.telemetry import output_file, telemetry_settings

REWORDED = "reworded"


@dataclass(frozen=True)
class LogRun:
    """One run of the same events.

    Attributes:
        lines: All log lines.
        timelines: The timeline of each event in `mep trace`, in the order of the events.
        failures: Checks of the demo that failed.
    """

    lines: list[dict[str, Any]]
    timelines: list[Timeline]
    failures: list[str]


def invoke_all(services: Services) -> list[Invoked]:
    """Invoke the function with events that make it write every kind of line."""
    with ExitStack() as stack:
        harness = make_harness(stack, services, AWS_LAMBDA_LOG_LEVEL="DEBUG")
        harness.dynamodb.script(throttled(), throttled())
        event = harness.event_for_a_row()
        events = (event, event, unique_event({"earnings_date": "soon"}))
        invocations = [harness.function(payload) for payload in events]
        invocations += [keeps_failing(category)(harness) for category in ("access_denied", "conflict")]
        invocations += [run(harness) for run in TROUBLE]
    with ExitStack() as stack:
        small = make_harness(
            stack, services, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="16", OTEL_EXPORTER_OTLP_ENDPOINT="http://[::1]:1"
        )
        return [*invocations, small.function(small.event_for_a_row())]


def run_events(services: Services, folder: Path) -> LogRun:
    invocations = invoke_all(services)
    with output_file() as output:
        with pytest.raises(SystemExit):
            start_or_exit({}, output.write, 0)
        settings = telemetry_settings()
        report_without_effect(settings, {"OTEL_METRICS_EXPORTER": "otlp"}, JsonLogger(output.write, settings))
        lines = [line for invoked in invocations for line in invoked.logs] + output.logs()
    folder.mkdir()
    for name, values in {"logs": lines, "spans": [span for invoked in invocations for span in invoked.spans]}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(value) + "\n" for value in values))
    (folder / "summary.json").write_text("{}")
    ids = dict.fromkeys(invoked.outcome_line["correlation_id"] for invoked in invocations)
    timelines = [make_timeline(name, [find_in_folder(name, folder)]) for name in ids]
    return LogRun(lines, timelines, [check.text for check in correlation(folder) if check.failure])


@pytest.fixture(scope="module")
def rounds(services: Services, tmp_path_factory: pytest.TempPathFactory) -> tuple[LogRun, LogRun]:
    """The events with the messages as they are, and with others."""
    folder = tmp_path_factory.mktemp("reworded")
    usual = run_events(services, folder / "usual")
    with pytest.MonkeyPatch.context() as patch:
        for kind in event_types.MESSAGES:
            patch.setitem(cast("dict[str, str]", event_types.MESSAGES), kind, f"{REWORDED} {kind}")
        for name, outcome in OUTCOME_TELEMETRY.items():
            reworded = outcome._replace(message=f"{REWORDED} {name}")
            patch.setitem(cast("dict[str, Any]", OUTCOME_TELEMETRY), name, reworded)
        return usual, run_events(services, folder / "reworded")


def test_every_kind_of_line_was_written_and_every_text_is_another(rounds: tuple[LogRun, LogRun]) -> None:
    usual, reworded = rounds

    assert {line["event_type"] for line in usual.lines} == set(event_types.EventType)
    assert [line["event_type"] for line in usual.lines] == [line["event_type"] for line in reworded.lines]
    for line in reworded.lines:
        assert line["message"].startswith(REWORDED) or line["event_type"] == "library"
    assert not [line for line in usual.lines if REWORDED in line["message"]]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_saved_query_finds_the_same_lines(query: Any, rounds: tuple[LogRun, LogRun]) -> None:
    found = []
    for run in rounds:
        text = re.sub("PUT-[A-Z-]+", run.lines[0]["correlation_id"], query.text)
        numbers = [run.lines.index(dict(line)) for line in matching(text, run.lines)]
        found.append(numbers)

    assert found[0] == found[1]
    of_other_lines = {"memory", "cold-starts", "invocations"}
    assert bool(found[0]) == (query.name not in of_other_lines)


def comparable(timeline: Timeline) -> tuple[str, list[Any]]:
    """Return a timeline without what differs from run to run: IDs, times and messages."""
    sections = [
        [
            (entry.kind, entry.severity, depth, "" if entry.kind == "log" else entry.title)
            for entry, depth in zip(section.entries, section.depths, strict=True)
        ]
        for section in timeline.sections
    ]
    return timeline.summary, sections


def test_a_trace_is_the_same(rounds: tuple[LogRun, LogRun]) -> None:
    usual, reworded = ([comparable(timeline) for timeline in run.timelines] for run in rounds)

    assert usual == reworded
    assert usual[0][0].startswith("the row is marked, after 3 attempts, invocation 1 of 2 (partial: ")
    assert sum(kind == "backoff" for _, sections in usual for section in sections for kind, *_ in section) > 5
    titles = [entry.title for timeline in rounds[1].timelines for entry in timeline.entries if entry.kind == "log"]
    assert len([title for title in titles if title.startswith(REWORDED)]) > 10


def test_the_checks_of_the_demo_pass(rounds: tuple[LogRun, LogRun]) -> None:
    assert [run.failures for run in rounds] == [[], []]
