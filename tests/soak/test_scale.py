"""`make bench-scale`: what is counted, what is refused, and a small real run."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mep.errors import RunError
from tests.soak import scale
from tests.soak.scale import Checkpoint, Processes, ScaleRun, checkpoints, measure


def test_checkpoints_are_powers_of_ten_and_the_end() -> None:
    assert checkpoints(1) == [1]
    assert checkpoints(10) == [1, 10]
    assert checkpoints(2_500) == [1, 10, 100, 1_000, 2_500]


@pytest.mark.timeout(300)
def test_a_run_counts_the_processes_of_each_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "BLOCK", 4)
    processed: list[int] = []
    run = measure(11, 2, ("direct",), processed.append)

    assert [checkpoint.events for checkpoint in run.checkpoints] == [1, 10, 11]
    assert set(run.init_s) == {"v0", "direct"}
    assert min(run.init_s.values()) > 0
    for name in run.init_s:
        spent = [checkpoint.cpu_s[name] for checkpoint in run.checkpoints]
        assert 0 < spent[0] < spent[1] < spent[2]
    assert run.datagrams == 11
    assert processed == [1, 5, 9, 10, 11]


def test_a_function_whose_process_ended_is_not_compared() -> None:
    worker: Any = SimpleNamespace(pid=1)
    processes = Processes("direct", [worker], 0)
    worker.pid = 2
    with pytest.raises(RunError, match="a process of direct ended during the run"):
        processes.cpu_s()


def test_a_recorded_run_replaces_the_one_of_the_same_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorded, written = tmp_path / "scale.json", []
    recorded.write_text("[]")
    monkeypatch.setattr(scale, "SCALE", recorded)
    monkeypatch.setattr(scale, "write_documents", lambda: written.append(recorded.read_text()))
    monkeypatch.setattr(
        scale,
        "measure",
        lambda events, workers, modes, _: ScaleRun(
            workers,
            events,
            dict.fromkeys(("v0", *modes), 0.5),
            [Checkpoint(events, dict.fromkeys(("v0", *modes), 1.0))],
            0,
            1.0,
        ),
    )
    scale.main(events=10, record=True)
    scale.main(events=20, workers=[8], record=True)
    scale.main(events=20, workers=[8], mode=["direct"], record=True)

    runs = json.loads(recorded.read_text())
    assert [(run["workers"], run["events"]) for run in runs] == [(1, 10), (8, 10), (8, 20)]
    assert written[-1] == recorded.read_text()
    assert set(runs[0]["init_s"]) == {"v0", "direct", "layer"}
    assert set(runs[2]["init_s"]) == {"v0", "direct"}
