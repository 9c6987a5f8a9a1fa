"""The files of a run."""

import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mep.errors import UsageError
from mep.local.run_files import JsonLines, RunFiles, count_lost_spans


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_output_is_split_into_logs_and_metrics(tmp_path: Path) -> None:
    with RunFiles(tmp_path) as outputs:
        outputs.function_line("stdout", '{"_aws": {}, "EventsReceived": 1}')
        outputs.function_line("stdout", '{"message": "event processed",  "n": 1.10}')
        outputs.function_line("stdout", "plain text")
        outputs.function_line("stdout", "[1]")
        outputs.function_line("stdout", "  ")
        outputs.function_line("stderr", '{"_aws": "not a metric on this stream"}')

    assert read(tmp_path / "metrics.jsonl") == [{"_aws": {}, "EventsReceived": 1}]
    first, *others = (tmp_path / "logs.jsonl").read_text().splitlines()
    assert first == '{"message": "event processed",  "n": 1.10}', "as the function wrote it"
    assert [(line["stream"], line["level"], line["message"]) for line in map(json.loads, others)] == [
        ("stdout", "INFO", "plain text"),
        ("stdout", "INFO", "[1]"),
        ("stderr", "ERROR", '{"_aws": "not a metric on this stream"}'),
    ]


def test_spans_that_were_not_exported_are_counted(tmp_path: Path) -> None:
    lost = {"event_type": "spans_lost", "lost_spans": 2}
    lines = [lost, {"event_type": "event_outcome", "correlation_id": "spans_lost", "lost_spans": 5}, lost]
    (tmp_path / "logs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert count_lost_spans(tmp_path) == 4


def test_an_earlier_runs_files_are_replaced_and_no_others(tmp_path: Path) -> None:
    with RunFiles(tmp_path) as outputs:
        outputs.spans.write({"name": "old"})
        outputs.summary({})
        outputs.undelivered(b"1")
        assert not outputs.replaced
    (tmp_path / "notes.txt").write_text("mine")

    with RunFiles(tmp_path) as outputs:
        outputs.spans.write({"name": "new"})
        assert outputs.replaced

    assert read(tmp_path / "spans.jsonl") == [{"name": "new"}]
    assert not (tmp_path / "summary.json").exists()
    assert not (tmp_path / "undelivered.jsonl").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["calendar.jsonl", "summary.json", "logs.jsonl", "kept.env"])
def test_a_file_that_no_run_wrote_is_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")

    with pytest.raises(UsageError, match=f"{name} would be replaced and is not of a run: choose another directory"):
        RunFiles(tmp_path)

    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_one_run_at_a_time_writes_to_a_directory(tmp_path: Path) -> None:
    with RunFiles(tmp_path) as outputs:
        outputs.spans.write(1)
        with pytest.raises(UsageError, match=f"another run is writing to {tmp_path}: choose another"):
            RunFiles(tmp_path)

    assert read(tmp_path / "spans.jsonl") == [1]
    with RunFiles(tmp_path):
        pass  # the lock ended with the run, and left no file
    assert not list(tmp_path.glob("*lock*"))


def test_a_rejected_record_gets_a_file(tmp_path: Path) -> None:
    with RunFiles(tmp_path) as outputs:
        outputs.undelivered(b'{"a":1}')
        outputs.undelivered(b'{"a":2}')

    assert read(tmp_path / "undelivered.jsonl") == [{"a": 1}, {"a": 2}]


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        out = JsonLines(file)

        def write() -> None:
            for _ in range(200):
                out.write("x" * 5000)

        threads = [Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert read(tmp_path / "x") == ["x" * 5000] * 800
    assert out.count == 800


def test_an_invalid_directory_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match=r"cannot write to .*file: "):
        RunFiles(tmp_path / "file")
