"""A run whose folder is incomplete, or removed while it is shown: the page has what is there, and says what is not."""

import json
import shutil
from pathlib import Path

import pytest

from mep.explorer.page import page
from mep.explorer.run_facts import run_facts
from mep.explorer.server import FollowedRun

_FILES = ("calendar", "spans", "audit", "dlq", "logs", "metrics")


def _line(correlation_id: str) -> str:
    line = {
        "timestamp": "2026-11-27T10:00:00.000000Z",
        "level": "INFO",
        "event_type": "event_outcome",
        "outcome": "marked",
        "message": "marked",
        "request_id": f"request-{correlation_id}",
        "correlation_id": correlation_id,
    }
    return json.dumps(line) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in _FILES:
        (tmp_path / f"{name}.jsonl").touch()
    (tmp_path / "logs.jsonl").write_text(_line("one") + _line("two"))
    (tmp_path / "summary.json").write_text('{"received": 2}')
    return tmp_path


@pytest.mark.parametrize("name", _FILES)
def test_a_missing_file_leaves_the_rest_of_the_page(folder: Path, name: str) -> None:
    (folder / f"{name}.jsonl").unlink()

    assert run_facts(folder).counts == (("received", "2"),)
    assert "".join(page(folder)).startswith("<!doctype html>")
    if name in {"logs", "metrics"}:
        assert f"{name}.jsonl" in run_facts(folder).problem


@pytest.mark.parametrize("summary", ["[]", "null", '{"received": "2", "elapsed_s": null}'])
def test_a_summary_of_another_program(folder: Path, summary: str) -> None:
    (folder / "summary.json").write_text(summary)

    assert run_facts(folder).counts == ()


def test_events_of_a_folder_that_was_removed_are_gone(folder: Path) -> None:
    run = FollowedRun(folder)
    news = run.news("")
    assert news is not None
    assert run.timeline("one")
    shutil.rmtree(folder)

    later = run.news(news["version"])

    assert later is not None
    assert later["events"] == []
    assert run.timeline("one") is None


def test_events_of_files_that_were_replaced(folder: Path) -> None:
    run = FollowedRun(folder)
    news = run.news("")
    assert news is not None
    (folder / "logs.jsonl").write_text(_line("new"))

    later = run.news(news["version"])

    assert later is not None
    assert later["changed"] == ["new"]
    assert run.timeline("new")
    assert run.timeline("one") is None
