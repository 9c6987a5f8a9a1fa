"""The page of a run: complete, self-contained, and safe with whatever an event contains."""

import base64
import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mep.explorer.page import page
from mep.local.jsonl import read_jsonl
from tests.support.command_line import mep

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def document(folder: Path) -> str:
    return "".join(page(folder))


def data(document: str, name: str) -> Any:
    (text,) = re.findall(rf'<script type="application/gzip" id="{name}">([^<]*)</script>', document)
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_it_has_every_event_and_its_timeline(folder: Path, document: str) -> None:
    events, timelines = data(document, "events"), data(document, "timelines-0")

    logged = {line["correlation_id"] for line in read_jsonl(folder / "logs.jsonl") if "correlation_id" in line}
    assert {event[6] for event in events} == logged
    for event, timeline in zip(events, timelines, strict=True):
        assert f'data-copy="{event[6]}"' in timeline
        assert f">{event[2]}</span>" in timeline
        assert event[4] == len(re.findall(r">invocation \d+</span>", timeline))


def test_it_names_the_alarms_of_the_run_with_their_runbook_sections(document: str) -> None:
    fired = document.split('<ul class="alarm-list">')[1].split('<li class="dim">', maxsplit=1)[0]
    assert '<strong class="error">processing-failures</strong>' in fired
    assert fired.count("<summary>runbook</summary>") == fired.count("<li><strong") > 0
    assert "uv run mep" in fired


def test_it_loads_nothing_and_runs_its_own_script_only(document: str) -> None:
    assert re.findall(r"<[^>]+\s(?:src|href|srcset|action)=", document) == []
    (script,) = re.findall(r"<script>(.*?)</script>", document, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', document)
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert "url(" not in document.split("</style>", maxsplit=1)[0]


def test_values_are_escaped(folder: Path, tmp_path: Path) -> None:
    here = tmp_path / HOSTILE.replace("/", "|")
    shutil.copytree(folder, here)
    for name in ("logs", "spans", "dlq", "audit", "calendar"):
        path = here / f"{name}.jsonl"
        hostile = json.dumps(HOSTILE).encode()[1:-1]
        path.write_bytes(path.read_bytes().replace(b'"aapl-q3"', b'"' + hostile + b'"').replace(b"demo-msft", hostile))
    document = "".join(page(here))

    events, timelines = data(document, "events"), data(document, "timelines-0")
    assert any(event[6] == HOSTILE for event in events)
    for text in (document, *timelines):
        assert "<img" not in text


def test_the_command_writes_the_page_beside_the_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "run"
    shutil.copytree(folder, here)

    assert mep(monkeypatch, "open", here, "--no-browser") == 0
    assert capsys.readouterr().out == f"written to {here / 'run.html'}\n"
    assert (here / "run.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("open", "/nowhere"), "use the --out of a `mep local` run"),
        (("open", "RUN", "--out", "/"), "--out /: is a folder; name a file"),
        (("open", "RUN", "--out", "/nowhere/page.html"), "/nowhere/page.html"),
    ],
)
def test_wrong_usage_is_one_line(
    folder: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(folder) if argument == "RUN" else argument for argument in arguments]
    assert mep(monkeypatch, *given, "--no-browser") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_run_that_was_aborted_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    here = tmp_path / "run"
    shutil.copytree(folder, here)
    (here / "summary.json").unlink()
    document = "".join(page(here))

    assert "the run has not ended, or was aborted" in document
    assert all("<strong>not read</strong>" in timeline for timeline in data(document, "timelines-0"))
