"""What the commands print fits the width of the terminal, and IDs stay whole: folded, never cut."""

import io
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from mep import terminal
from mep.dlq import render as dlq_render
from mep.dlq.sources import read_dead_letter
from mep.errors import Problem, Reason
from mep.local import render
from mep.local.summary import Summary
from mep.query.render import show_queries, show_result
from mep.query.result import QueryResult
from mep.trace.entries import SearchResult
from mep.trace.follow import Found
from mep.trace.hits import Hit
from mep.trace.render_hits import show_hits
from mep.trace.sources import Gap, Source
from mep.trace.timeline import make_timeline
from monitoring.queries import QUERIES
from tests.support import dead_letters
from tests.support.command_line import mep

WIDTHS = (40, 80, 200)

CORRELATION_ID = "c" * 120 + "-last"
UUIDS = [f"5f1d0c3e-0000-4000-8000-{number:012d}" for number in range(6)]
EVENT_ID, REQUEST_ID, MESSAGE_ID, *_ = UUIDS
TRACE_ID, SPAN_ID = "6b08f4c8b5a6ac7f1aa7adee54872635", "e00b531ba7284718"


def lines_of(width: int, what: RenderableType) -> list[str]:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(what)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


def check(lines: list[str], width: int, *ids: str) -> None:
    """Check that no line is longer than the width, nothing is shortened, and each ID is there."""
    assert [line for line in lines if len(line) > width] == []
    text = re.sub(r"[\s│├└─]", "", "".join(lines))
    assert "…" not in text
    assert [each for each in ids if each not in text] == []


def span(number: int, parent: str | None, **attributes: Any) -> dict[str, Any]:
    start = 1_795_749_065_328_940_624 + number * 1_000_000
    return {
        "name": "DynamoDB.TransactWriteItems" if parent else "MarkEarningsProcessed",
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID if parent is None else f"{number:016x}",
        "parent_span_id": parent,
        "kind": "CLIENT" if parent else "SERVER",
        "status": "UNSET",
        "status_message": "",
        "attributes": {"correlation_id": CORRELATION_ID, "aws.request_id": UUIDS[4], **attributes},
        "events": [
            {"name": "retry.backoff", "time_unix_nano": start + 10, "attributes": {"attempt": 1, "delay_ms": 1000}}
        ],
        "links": [{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "attributes": {}}],
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + 2_000_000,
        "duration_ms": 2.0,
        "resource": {"service.name": "MarkEarningsProcessed"},
        "scope": "mark-earnings-processed",
        "sampled": True,
    }


SPANS = [span(0, None, outcome="retry", error_category="throttling"), span(1, SPAN_ID)]
OUTCOME = {
    "timestamp": "2026-11-27T03:11:05.360278Z",
    "level": "INFO",
    "event_type": "event_outcome",
    "message": "the row is marked",
    "correlation_id": CORRELATION_ID,
    "event_id": EVENT_ID,
    "request_id": REQUEST_ID,
    "trace_id": TRACE_ID,
    "span_id": SPAN_ID,
    "outcome": "marked",
    "asset_symbol": "MSFT",
    "earnings_date": "2025-07-29",
}
DEAD_LETTER = dead_letters.from_handler(
    dead_letters.event(correlation_id=CORRELATION_ID),
    CORRELATION_ID=CORRELATION_ID,
    ERROR_MESSAGE="a long message of the function about the calendar, which has no row for this event",
    NAME="a further attribute of the message, " * 4,
)


@pytest.mark.parametrize("width", WIDTHS)
def test_tables_of_a_run(width: int) -> None:
    counts: dict[str, Any] = {field.name: 123_456 for field in fields(Summary)}
    summary = Summary(**counts | {"elapsed_s": 12.5, "interrupted": False, "incomplete": ()})
    metrics = {
        "EventsReceived": render.Metric("Count", [123_456.0]),
        "DynamoDBLatency": render.Metric("Milliseconds", [1.25, 123_456.75]),
    }
    points = [
        {"namespace": "AWS/Lambda", "metric": name, "unit": unit, "sum": 123_456, "maximum": 123_456}
        for name, unit in (("AsyncEventsDropped", "Count"), ("AsyncEventAge", "Milliseconds"))
    ]
    body, attributes = DEAD_LETTER
    message = {"message_id": MESSAGE_ID, "body": body, "attributes": attributes}

    outcomes = lines_of(width, render.outcomes_table(summary))
    check(outcomes, width, "dead_lettered")
    assert sum("123456" in line for line in outcomes) >= 6
    numbers = lines_of(width, render.metrics_table(metrics))
    check(numbers, width, "DynamoDBLatency", "milliseconds", "61729.0", "123456.8")
    check(lines_of(width, render.attempts_table([OUTCOME, OUTCOME])), width, CORRELATION_ID, REQUEST_ID)
    check(lines_of(width, render.platform_table(points)), width, "AsyncEventsDropped", "123,456ms")
    check(lines_of(width, render.dead_letters_table([message])), width, CORRELATION_ID)
    check(lines_of(width, render.trace_tree(SPANS)), width, CORRELATION_ID, TRACE_ID)


@pytest.mark.parametrize("width", WIDTHS)
def test_tables_of_dead_letters(width: int) -> None:
    dead_letter = read_dead_letter(MESSAGE_ID, *DEAD_LETTER)

    check(lines_of(width, dlq_render.listing([dead_letter], "category")), width, MESSAGE_ID, CORRELATION_ID)
    check(lines_of(width, dlq_render.overview([dead_letter], "correlation-id")), width, CORRELATION_ID, "not_found")
    check(lines_of(width, dlq_render.details(dead_letter)), width, MESSAGE_ID, CORRELATION_ID)


def write_run(folder: Path, *others: str) -> None:
    """Write the files of a run with one event, and with an outcome of each other event of the same row."""
    audit = {"action": "mark_processed", "entry_id": f"{OUTCOME['timestamp']}#{EVENT_ID}", "event_id": EVENT_ID}
    files = {
        "spans": SPANS,
        "logs": [OUTCOME, *({**OUTCOME, "correlation_id": other} for other in others)],
        "audit": [{**audit, "earnings_key": "MSFT#2025-07-29", "correlation_id": CORRELATION_ID}],
        **{name: [] for name in ("metrics", "platform", "dlq", "calendar", "rejected")},
    }
    for name, lines in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "summary.json").write_text("{}")


def test_a_long_error_in_the_list_is_marked_as_cut() -> None:
    messages = [dead_letters.from_handler(dead_letters.event(), ERROR_MESSAGE="e" * length) for length in (120, 121)]
    whole, cut = (
        "".join(lines_of(200, dlq_render.listing([read_dead_letter("1", *each)], "age"))) for each in messages
    )

    assert "e" * 120 in whole
    assert f"{'e' * 116} ..." in cut
    assert "e" * 117 not in cut


@pytest.mark.parametrize("width", WIDTHS)
def test_columns_is_honoured_in_a_pipe(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))

    assert mep(monkeypatch, "trace", CORRELATION_ID, "--run", tmp_path) == 0

    shown = capsys.readouterr().out.splitlines()
    check(shown, width, CORRELATION_ID, TRACE_ID, EVENT_ID, UUIDS[4])
    if width > terminal.WIDTH:
        assert max(map(len, shown)) > terminal.WIDTH


@pytest.mark.parametrize(("width", "indent"), [(40, 0), (80, 16)])
def test_what_is_known_of_an_event_is_wrapped_beside_its_names(
    width: int, indent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))

    assert mep(monkeypatch, "trace", CORRELATION_ID, "--run", tmp_path) == 0

    head, *_ = capsys.readouterr().out.split("\n\n")
    named = ("correlation ID  ", "verdict         ", "calendar row    ", "note            ")
    below = [line for line in head.splitlines() if not line.startswith(named)]
    assert below
    assert [line for line in below if len(line) - len(line.lstrip()) != indent] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_commands_that_show_events_are_not_wrapped(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run", "other")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))

    assert mep(monkeypatch, "trace", "MSFT", "--run", "run", "--html", "page.html") == 0

    output = capsys.readouterr()
    assert "mep trace other --run run" in output.out
    assert output.err == "mep: page.html is not written: a page shows one event\n"
    assert not Path("page.html").exists()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_events_fits(width: int) -> None:
    found = (
        Hit("other", "row", 1_795_749_065_328_940_624, "dead_lettered", ("MSFT", "2025-07-29")),
        Hit(EVENT_ID, "row", 0, "", ()),
    )
    screen = Console(file=io.StringIO(), width=width)
    gap = Gap(Source.AUDIT, "audit", Problem(Reason.ACCESS_DENIED, "the table cannot be read", "ask for access"))
    show_hits(Found(make_timeline("MSFT", [SearchResult(gaps=(gap,))]), found), ["--run", "out"], screen)
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()

    # A command is on one line, to be copied; the others fit.
    commands = [line for line in lines if "mep trace" in line]
    assert [re.sub(r".*(mep trace)", r"\1", line).strip() for line in commands] == [
        "mep trace other --run out",
        f"mep trace {EVENT_ID} --run out",
    ]
    check([line for line in lines if len(line) <= width or line not in commands], width)
    text = " ".join("".join(f"{line} " for line in lines).split())
    for word in ("2 events", "not read", "the table cannot be read", "dead_lettered", "MSFT 2025-07-29", "unknown"):
        assert word in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_result_of_a_query(width: int) -> None:
    row = {"@timestamp": "2026-11-27 03:11:05.360", "correlation_id": CORRELATION_ID, "trace_id": TRACE_ID}
    row |= {"message": "a message as long as those of the function", "events": "12", "error_category": "validation"}
    columns = (*row, "nothing")
    result = QueryResult("failed-events", "/aws/lambda/mark-earnings-processed-prod", columns, (row, row), 1234, 2)
    screen = Console(file=io.StringIO(), width=width)

    show_result(result, screen)

    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()
    check(lines, width, *(value.replace(" ", "") for value in row.values()), "2rows;1,234loglines", "theremaybemore")
    text = " ".join(" ".join(lines).split())
    assert "correlation_id c" in text, "a list names each value"
    assert "nothing" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_queries(width: int) -> None:
    screen = Console(file=io.StringIO(), width=width)

    show_queries(QUERIES, screen)

    assert isinstance(screen.file, io.StringIO)
    *lines, command = screen.file.getvalue().splitlines()
    check(lines, width, *(query.name for query in QUERIES))
    assert command.endswith("mep query NAME runs one"), "on one line, to be copied"


def test_a_heading_is_wrapped_and_not_cut() -> None:
    screen = Console(file=io.StringIO(), width=40)
    terminal.print_heading(screen, "Lambda retries", "after one and two minutes; then the event goes to the queue")
    assert isinstance(screen.file, io.StringIO)

    check(screen.file.getvalue().splitlines(), 40, "eventgoestothequeue")


def test_a_table_that_does_not_fit_is_a_list() -> None:
    table = terminal.plain_table("name", "count", "meaning")
    table.columns[1].justify = "right"
    table.add_row("a" * 12, "12", Text("some words about it"))
    table.add_section()
    table.add_row("b", "", "other words")

    assert [line.rstrip() for line in lines_of(30, table)] == [
        "name  meaning",
        "─" * 30,
        "aaaaaaaaaaaa  count 12",
        "  some words about it",
        "",
        "b",
        "  other words",
    ]
    assert "aaaaaaaaaaaa     12  some words about it" in "\n".join(lines_of(60, table))


def test_a_table_breaks_no_word() -> None:
    table = terminal.plain_table("command", "why")
    table.add_row(f"mep trace {EVENT_ID}", "words " * 20)

    for width in range(38, 120):
        assert any(EVENT_ID in line for line in lines_of(width, table))
        check(lines_of(width, table), width)


@pytest.mark.parametrize(("columns", "width"), [("57", 57), ("0", terminal.WIDTH), ("wide", terminal.WIDTH)])
def test_width_without_a_terminal(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert terminal.console().width == terminal.console(stderr=True).width == width
    assert terminal.is_width_known(terminal.console()) == (columns == "57")
