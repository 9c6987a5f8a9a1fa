"""Every text of every log line reworded in a function that runs: what reads the log still finds the same."""

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
from mep.demo.checks import correlation
from mep.trace.local_run import find_in_folder
from mep.trace.timeline import Timeline, make_timeline
from monitoring.queries import QUERIES
from otel import event_types
from tests.integration.harness import Services
from tests.integration.monitoring.conftest import TROUBLE, keeps_failing, make_harness
from tests.support.events import unique_event
from tests.support.insights import matching
from tests.support.invocation import Invoked
from tests.support.telemetry import output_file

REWORDED = "reworded"


@dataclass(frozen=True)
class Round:
    """The same story, told once.

    Attributes:
        lines: All log lines.
        timelines: What `mep trace` makes of each event, in the order of the story.
        failure: Promises of the demo about the log that were broken.
    """

    lines: list[dict[str, Any]]
    timelines: list[Timeline]
    failure: list[str]


def scenario(services: Services) -> list[Invoked]:
    """Events that make the function write every kind of line."""
    with ExitStack() as stack:
        harness = make_harness(stack, services, AWS_LAMBDA_LOG_LEVEL="DEBUG")
        harness.dynamodb.script(throttled(), throttled())
        event = harness.event_for_a_row()
        told = [harness.function(each) for each in (event, event, unique_event({"earnings_date": "soon"}))]
        told += [keeps_failing(category)(harness) for category in ("access_denied", "conflict")]
        told += [run(harness) for run in TROUBLE]
    with ExitStack() as stack:
        small = make_harness(
            stack, services, AWS_LAMBDA_FUNCTION_MEMORY_SIZE="16", OTEL_EXPORTER_OTLP_ENDPOINT="http://[::1]:1"
        )
        return [*told, small.function(small.event_for_a_row())]


def tell(services: Services, folder: Path) -> Round:
    told = scenario(services)
    with output_file() as output:
        with pytest.raises(SystemExit):
            start_or_exit({}, output.write, 0)
        lines = [line for each in told for line in each.logs] + output.logs()
    folder.mkdir()
    for name, values in {"logs": lines, "spans": [span for each in told for span in each.spans]}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(value) + "\n" for value in values))
    (folder / "summary.json").write_text("{}")
    ids = dict.fromkeys(each.outcome_line["correlation_id"] for each in told)
    timelines = [make_timeline(each, [find_in_folder(each, folder)]) for each in ids]
    return Round(lines, timelines, [promise.text for promise in correlation(folder) if promise.failure])


@pytest.fixture(scope="module")
def rounds(services: Services, tmp_path_factory: pytest.TempPathFactory) -> tuple[Round, Round]:
    """The story as it is, and with other words."""
    folder = tmp_path_factory.mktemp("reworded")
    usual = tell(services, folder / "usual")
    with pytest.MonkeyPatch.context() as patch:
        for kind in event_types.MESSAGES:
            patch.setitem(cast("dict[str, str]", event_types.MESSAGES), kind, f"{REWORDED} {kind}")
        for name, outcome in OUTCOME_TELEMETRY.items():
            reworded = outcome._replace(message=f"{REWORDED} {name}")
            patch.setitem(cast("dict[str, Any]", OUTCOME_TELEMETRY), name, reworded)
        return usual, tell(services, folder / "reworded")


def test_every_kind_of_line_was_written_and_every_text_is_another(rounds: tuple[Round, Round]) -> None:
    usual, reworded = rounds

    assert {line["event_type"] for line in usual.lines} == set(event_types.EventType)
    assert [line["event_type"] for line in usual.lines] == [line["event_type"] for line in reworded.lines]
    for line in reworded.lines:
        assert line["message"].startswith(REWORDED) or line["event_type"] == "library"
    assert not [line for line in usual.lines if REWORDED in line["message"]]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_saved_query_finds_the_same_lines(query: Any, rounds: tuple[Round, Round]) -> None:
    found = []
    for each in rounds:
        text = re.sub("PUT-[A-Z-]+", each.lines[0]["correlation_id"], query.text)
        numbers = [each.lines.index(dict(line)) for line in matching(text, each.lines)]
        found.append(numbers)

    assert found[0] == found[1]
    of_other_lines = {"memory", "cold-starts", "invocations"}
    assert bool(found[0]) == (query.name not in of_other_lines)


def what_it_says(timeline: Timeline) -> tuple[str, list[Any]]:
    """A timeline without what differs from one run to the next: IDs, times and the texts of lines."""
    sections = [
        [
            (entry.kind, entry.severity, depth, "" if entry.kind == "log" else entry.title)
            for entry, depth in zip(section.entries, section.depths, strict=True)
        ]
        for section in timeline.sections
    ]
    return timeline.summary, sections


def test_a_trace_tells_the_same_story(rounds: tuple[Round, Round]) -> None:
    usual, reworded = ([what_it_says(timeline) for timeline in each.timelines] for each in rounds)

    assert usual == reworded
    assert usual[0][0].startswith("the row is marked, after 3 attempts, invocation 1 of 2 (partial: ")
    assert sum(kind == "backoff" for _, sections in usual for section in sections for kind, *_ in section) > 5
    titles = [entry.title for timeline in rounds[1].timelines for entry in timeline.entries if entry.kind == "log"]
    assert len([title for title in titles if title.startswith(REWORDED)]) > 10


def test_the_demo_finds_its_promises_kept(rounds: tuple[Round, Round]) -> None:
    assert [each.failure for each in rounds] == [[], []]
