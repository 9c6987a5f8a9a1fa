"""The log of the event bus in AWS: a fake of CloudWatch Logs and EventBridge."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.clients import loopback_client
from mep.dlq.model import DeadLetter
from mep.dlq.sources import read_dead_letter
from mep.errors import Reason
from mep.trace.asked import Asked, parse_asked
from mep.trace.aws_sources import AwsSources
from mep.trace.cloud_bus import find_on_bus
from mep.trace.entries import SearchResult
from mep.trace.follow import Found, follow
from mep.trace.hits import Observation, observe_line
from mep.trace.parsing import log_entry
from mep.trace.sources import Gap, SearchScope, Source, SpanStore
from monitoring.names import bus_log_group
from tests.integration.mep.trace.aws_api import Account
from tests.support.aws_account import serving
from tests.support.events import event
from tests.support.pipeline_helpers import simulation

GROUP = bus_log_group("earnings")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FUNCTION = "MarkEarningsProcessed"
OWN = "own-1"
"""The correlation ID of the event, which the log of the bus does not have."""


def published(number: int, **more: Any) -> tuple[dict[str, Any], list[str]]:
    """Return an event with a correlation ID of its own, and the lines of the bus's log about it."""
    sent = event("AAPL", "2025-07-31", number)
    sent["detail"]["correlation_id"] = OWN
    lines: list[str] = []
    simulation(on_bus_record=lambda record: lines.append(json.dumps(record)), **more).deliver(json.dumps(sent).encode())
    return sent, lines


SENT, LINES = published(1)
EVENT_ID = SENT["id"]


@dataclass
class Search:
    """A search of the fake account: the bus, the lines of the function, the dead letters."""

    sources: AwsSources
    lines: tuple[dict[str, Any], ...] = ()
    messages: tuple[DeadLetter, ...] = ()

    def find(self, correlation_id: str) -> SearchResult:
        own = [line for line in self.lines if line["correlation_id"] == correlation_id]
        entries = [entry for line in own if (entry := log_entry(line)) is not None]
        ids = {correlation_id, *(line["envelope_id"] for line in own)}
        on_bus, notes = find_on_bus(ids, self.sources, is_explained=bool(entries))
        return SearchResult((*entries, *on_bus), notes=tuple(notes), gaps=self.sources.take_gaps())

    def look_up(self, asked: Asked) -> tuple[list[Observation], tuple[Gap, ...]]:
        return [each for line in self.lines for each in observe_line(line, asked)], ()

    def find_requests(self, _: object) -> SearchResult:
        return SearchResult()

    def find_on_bus(self, ids: Any) -> SearchResult:
        entries, _ = find_on_bus(ids, self.sources, is_explained=True)
        return SearchResult(tuple(entries), gaps=self.sources.take_gaps())

    def dead_letters(self) -> tuple[tuple[DeadLetter, ...], tuple[Gap, ...]]:
        return self.messages, ()


@pytest.fixture
def account() -> Account:
    return Account({GROUP: LINES})


@pytest.fixture
def search(account: Account) -> Iterator[Search]:
    scope = SearchScope("the-log", SpanStore.AUTO, "calendar", "audit", timedelta(1), "earnings", FUNCTION)
    with serving(account.respond) as url:
        sources = AwsSources(
            scope, lambda service: loopback_client(service, url), now=lambda: NOW, sleep=lambda _: None
        )
        yield Search(sources)


def trace(search: Search, text: str = EVENT_ID) -> Found:
    return follow(parse_asked(text), search, queue=None)


def test_the_id_of_put_events_finds_the_way_to_the_function(search: Search) -> None:
    found = trace(search).timeline

    assert [entry.title for entry in found.entries] == ["published", "a rule matched", "delivered to the target"]
    assert found.summary.startswith("delivered to Lambda: no record of the function has its ID")
    assert found.gaps == ()


def test_it_leads_to_the_function_s_records_under_another_id(search: Search) -> None:
    line = {
        "timestamp": "2026-03-01T11:00:00Z",
        "event_type": "event_outcome",
        "outcome": "marked",
        "message": "done",
        "correlation_id": OWN,
        "event_id": "theirs",
        "envelope_id": EVENT_ID,
        "span_id": "1" * 16,
    }
    search.lines = (line,)

    for text in (EVENT_ID, OWN):
        found = trace(search, text).timeline
        assert found.correlation_id == OWN
        assert found.summary == "the row is marked"
        assert "on the event bus" in [section.title for section in found.sections]
        assert len([entry for entry in found.entries if entry.kind == "bus"]) == 3


def test_a_dead_letter_of_the_rule_has_its_way_on_the_bus(search: Search) -> None:
    attributes = {"RULE_ARN": "r", "TARGET_ARN": "t", "ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "m"}
    search.messages = (read_dead_letter("m-1", json.dumps(SENT), attributes),)

    for text in (EVENT_ID, OWN):
        found = trace(search, text).timeline
        assert found.verdict.outcome == "undelivered"
        assert {entry.kind for entry in found.entries} == {"bus", "dead_letter"}


def test_deliveries_to_others_are_left_out(account: Account, search: Search) -> None:
    """Of a bus that others use, too."""
    account.groups[GROUP] = [line.replace(f":function:{FUNCTION}", ":function:Other") for line in LINES]

    found = trace(search).timeline

    assert [entry.title for entry in found.entries] == ["published"]
    assert found.summary.startswith("published; no rule that delivers to the function has matched it so far")


def test_an_event_that_the_log_does_not_have_was_not_published(account: Account, search: Search) -> None:
    account.groups[GROUP] = []

    found = trace(search).timeline

    (note,) = found.notes
    assert "has no event with this ID: it was not published there" in note
    assert (found.summary, found.gaps) == ("no record of this ID", ())


@pytest.mark.parametrize("groups", [{}, {GROUP: []}], ids=["no group", "an old group"])
@pytest.mark.parametrize("level", ["", "OFF"])
def test_a_log_that_is_off_is_said_with_the_command_that_turns_it_on(
    groups: dict[str, list[str]], level: str, account: Account, search: Search
) -> None:
    account.groups, account.bus_level = groups, level

    found = trace(search).timeline

    (note,) = found.notes
    assert "the log of the bus earnings is off" in note
    assert "`aws events update-event-bus --name earnings --log-config IncludeDetail=NONE,Level=INFO`" in note
    assert found.gaps == (), "a log that is off was asked"


def test_a_log_that_may_not_be_read_says_nothing_about_the_event(account: Account, search: Search) -> None:
    account.refused_groups = {GROUP}

    found = trace(search).timeline

    assert found.notes == ()
    (gap,) = found.gaps
    assert (gap.source, gap.problem.reason) == (Source.BUS, Reason.ACCESS_DENIED)
    assert found.summary.startswith("unknown: nothing was found, but the log of the bus")


def test_a_bus_that_may_not_be_described_says_nothing_about_the_event(account: Account, search: Search) -> None:
    account.groups[GROUP], account.refused = [], {"DescribeEventBus"}

    found = trace(search).timeline

    assert found.notes == ()
    assert [(gap.source, gap.name) for gap in found.gaps] == [(Source.BUS, "earnings")]


def test_an_id_of_others_is_no_part_of_a_query(search: Search) -> None:
    entries, _ = find_on_bus(['" or event_id like /./ or "'], search.sources, is_explained=False)

    assert entries == []


def test_without_a_known_bus_nothing_is_asked(account: Account, search: Search) -> None:
    scope = SearchScope("the-log", SpanStore.AUTO, "calendar", "audit", timedelta(1))
    search.sources = AwsSources(scope, lambda _: None)

    assert trace(search).timeline.sections == ()
    assert account.asked == []
