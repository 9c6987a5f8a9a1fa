"""The first event after a restore: what is subtracted, what is shown, what is left out."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import first_events, restore
from bench.comparison import after_a_restore
from bench.counters import Counter
from bench.origin import FUNCTION_LIBRARIES, origin
from bench.run import Figures, Instructions, with_restored
from bench.target import NO_HANDLER, Ports, Target
from tests.unit.bench.test_bench import MEMORY

COUNTER = Counter("counter", lambda _: [], lambda _: None)
COUNTS: Mapping[tuple[str, int], int] = {
    ("bench.v0", 0): 1_000,
    ("bench.v0", 1): 1_170,
    ("handler.app", 0): 900,
    ("handler.app", 1): 1_000,
    (NO_HANDLER, 0): 10,
    (NO_HANDLER, 1): 15,
}
TARGETS = {"V0": Target("bench.v0"), "direct": Target("handler.app")}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """Counts without processes; the targets that were run."""
    targets: list[Target] = []

    def counts(target: Target, events: int, _: Counter) -> int:
        return COUNTS[target.module, events] * (2 if target.certificates else 1)

    monkeypatch.setattr(first_events, "run", lambda target, _: targets.append(target))
    monkeypatch.setattr(first_events, "instructions", counts)
    return targets


def test_the_start_and_the_driver_are_subtracted(counted: list[Target]) -> None:
    assert first_events.first_events(TARGETS, COUNTER) == {"V0": 165, "direct": 95}
    assert [target.restored for target in counted] == [True, True, False]


def test_a_run_has_them_beside_the_other_figures(counted: list[Target]) -> None:
    del counted
    figures = dict.fromkeys(TARGETS, Figures(Instructions(init=1, first=1, cold=2, warm=1.0), MEMORY))

    found = with_restored(figures, TARGETS, COUNTER)
    assert [of.instructions and of.instructions.restored for of in found.values()] == [165, 95]

    uncounted = dict.fromkeys(TARGETS, Figures(None, MEMORY))
    assert with_restored(uncounted, TARGETS, None) == uncounted


def test_the_table_has_both_primed_and_not() -> None:
    assert list(restore.rows()) == [
        *("V0", "V0, primed"),
        *("ours, layer, not primed", "ours, layer", "ours, direct, not primed", "ours, direct"),
    ]


def test_ratios_are_to_the_plain_function_with_the_same_transport() -> None:
    plain, tls = {"V0": 20_000_000, "ours": 10_000_000}, {"V0": 40_000_000, "ours": 10_000_000}
    run = {**origin(FUNCTION_LIBRARIES), "counter": "callgrind", "plain": plain, "tls": tls}
    described, blank, _, _, *shown = after_a_restore(run).splitlines()
    assert described.endswith(".")
    assert blank == ""
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in shown] == [
        ["V0", "20.00 M", "1.00"],
        ["ours", "10.00 M", "0.50"],
        ["V0, with TLS", "40.00 M", "1.00"],
        ["ours, with TLS", "10.00 M", "0.25"],
    ]


def test_a_recorded_run_has_the_counts_without_tls_and_with_it(
    counted: list[Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    monkeypatch.setattr(restore, "RESTORE", tmp_path / "restore.json")
    monkeypatch.setattr(restore, "write_documents", lambda: written.append("documents"))
    monkeypatch.setattr(restore, "find_counter", lambda: COUNTER)
    monkeypatch.setattr(restore, "V0_PRIMED", "bench.v0")

    assert restore.main(["--record", "--json"]) == 0

    run = json.loads((tmp_path / "restore.json").read_text())
    assert run == json.loads(capsys.readouterr().out)
    assert run["plain"] == {name: 95 if "ours" in name else 165 for name in restore.rows()}
    assert run["tls"] == {name: 195 if "ours" in name else 335 for name in restore.rows()}
    assert {bool(target.certificates) for target in counted if target.module != NO_HANDLER} == {True, False}
    assert written == ["documents"]


def test_without_a_counter_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(restore, "find_counter", lambda: None)
    assert restore.main([]) == 1
    assert capsys.readouterr().err == "bench: neither perf nor valgrind works here\n"


def test_a_snapshot_has_no_credentials_and_no_log_stream() -> None:
    target = dataclasses.replace(TARGETS["direct"], restored=True)
    variables = target.variables(Ports(http=1, udp=2, credentials=3), "/home")

    assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://127.0.0.1:3/credentials"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME", "BENCH_NOT_PRIMED"} & variables.keys()
    assert "BENCH_NOT_PRIMED" in dataclasses.replace(target, primed=False).variables(Ports(1, 2), "/home")
