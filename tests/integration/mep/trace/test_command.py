"""The command `mep trace` and its output."""

import json
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mep.trace.entries import Entry, SearchResult
from mep.trace.render_html import page
from mep.trace.timeline import make_timeline
from tests.support.command_line import mep

HOSTILE = '</td><script>alert("x")</script>\x1b[31m'


def test_the_timeline_of_a_run_fits_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mep(monkeypatch, "trace", "demo-aapl", "--run", folder) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert re.search(r"verdict +the row is marked, after 2 attempts, invocation 1 of 2", shown)
    assert re.search(r"AAPL 2025-07-31: processed at \S+ by event aapl-q3", " ".join(shown.split()))
    waits = re.findall(r"waiting after attempt 1  ([\d.]+ m?s)", shown)
    assert len(waits) == 1


def test_json_has_everything(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert mep(monkeypatch, "trace", "demo-aapl", "--run", folder, "--json") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    keys = ("correlation_id", "verdict", "outcome", "invocations", "complete", "not_asked", "parts", "rows", "notes")
    assert tuple(answer) == keys
    assert (answer["complete"], answer["not_asked"]) == (True, [])
    assert (answer["outcome"], answer["invocations"]) == ("marked", 2)
    first = next(part["moments"] for part in answer["parts"] if part["title"] == "invocation 1")
    start, root = first[:2]
    assert (start["title"], start["writer"]) == ("Lambda starts the invocation", "lambda_start")
    assert root["facts"]["outcome"] == "marked"
    assert root["facts"]["links"] == ["0af7651916cd43dd8448eb211c80319c"]
    assert [entry["depth"] for entry in first if entry["kind"] == "span"] == [0, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (
            ("trace", "no/such;id", "--run", "."),
            2,
            "neither an ID (1 to 128 characters of A-Z a-z 0-9 . _ : -) nor a row",
        ),
        (("trace", "abc", "--run", "/nowhere"), 2, "use the --out of a `mep local` run"),
        (("trace", "abc", "--since", "soon"), 2, "--since soon: must be a number and m, h or d"),
        (("trace", "abc", "--spans", "paper"), 2, "--spans paper: must be auto, xray or logs"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: tuple[str, ...],
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert mep(monkeypatch, *arguments) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_without_a_region_aws_is_not_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert mep(monkeypatch, "trace", "abc") == 2
    err = capsys.readouterr().err
    assert err.startswith("mep: AWS_REGION is not set: set it to the stack's region, such as eu-central-1; ")
    assert "--environment is not given" in err
    assert err.endswith("; to search a run of `mep local`, use --run DIR\n")


def test_an_unknown_id_is_exit_status_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mep(monkeypatch, "trace", "unheard-of", "--run", folder) == 1
    assert f"no record of unheard-of in {folder}" in capsys.readouterr().err


def test_another_id_shows_the_event(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mep(monkeypatch, "trace", "aapl-q3", "--run", folder) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "aapl-q3 is the event ID of the event with the correlation ID demo-aapl" in shown


def test_each_of_several_events_has_its_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mep(monkeypatch, "trace", "AAPL", "2025-07-31", "--run", folder) == 0
    shown = capsys.readouterr().out
    assert "AAPL 2025-07-31: 2 events, the newest first" in shown
    assert mep(monkeypatch, "trace", "AAPL", "--run", folder, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["asked"], answer["complete"], answer["not_asked"]) == ("AAPL", True, [])
    newest, oldest = answer["events"]
    assert newest["timestamp"] > oldest["timestamp"]
    assert oldest["row"] == {"asset_symbol": "AAPL", "earnings_date": "2025-07-31"}
    assert (oldest["outcome"], newest["outcome"]) == ("marked", "duplicate")
    for event in (newest, oldest):
        program, *arguments = shlex.split(event["command"])
        assert program == "mep"
        assert mep(monkeypatch, *arguments) == 0
        assert event["correlation_id"] in capsys.readouterr().out


def test_the_page_is_self_contained_and_escaped(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "aapl.html"
    assert mep(monkeypatch, "trace", "demo-aapl", "--run", folder, "--html", file) == 0
    text = file.read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://127.0.0.1", "")
    assert text.count("<script") == 1, "that of the copy buttons"
    assert " src=" not in text
    assert text.count('class="span ') == 5

    entries = (
        Entry(1, "span", HOSTILE, duration_ms=2.0, span_id="a", attributes={HOSTILE: HOSTILE}),
        Entry(2, "log", "a line", span_id="a", attributes={"violations": [{"field": HOSTILE}]}),
    )
    hostile = page(make_timeline(HOSTILE, [SearchResult(entries, ({HOSTILE: HOSTILE},), (HOSTILE,))]))
    tags = Tags()
    tags.feed(hostile)
    assert hostile.count("<script") == 1
    assert tags.open == []


class Tags(HTMLParser):
    """The tags of a page, and those that were not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - as HTMLParser
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_control_characters_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"timestamp": "2026-01-01T00:00:00Z", "correlation_id": "c", "message": HOSTILE, "code": HOSTILE}
    (tmp_path / "logs.jsonl").write_text(json.dumps(line) + "\n")
    assert mep(monkeypatch, "trace", "c", "--run", tmp_path) == 3, "the run has not ended"
    assert "\x1b" not in capsys.readouterr().out


def test_the_command_runs_in_its_own_process(folder: Path) -> None:
    """Its imports do not depend on the test run."""
    command = [
        sys.executable,
        "-c",
        "from mep.__main__ import main; main()",
        "trace",
        "demo-msft",
        "--run",
        str(folder),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert "the row is marked" in result.stdout
