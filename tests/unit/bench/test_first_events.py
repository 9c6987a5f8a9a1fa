"""The first event after a restore: what is subtracted, what is shown, what is left out."""

import dataclasses
from collections.abc import Mapping

import pytest

from bench import first_events, restore
from bench.counters import Counter
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
    monkeypatch.setattr(first_events, "run", lambda target, _: targets.append(target))
    monkeypatch.setattr(first_events, "instructions", lambda target, events, _: COUNTS[target.module, events])
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
    rows = restore.rows()
    assert list(rows) == [
        *("V0", "V0, primed"),
        *("ours, layer, not primed", "ours, layer", "ours, direct, not primed", "ours, direct"),
    ]
    assert restore.table({"V0": 20_000_000, "ours": 10_000_000}).splitlines()[2:] == [
        "| V0   | 20.00 M | 1.00 |",
        "| ours | 10.00 M | 0.50 |",
    ]


def test_a_snapshot_has_no_credentials_and_no_log_stream() -> None:
    target = dataclasses.replace(TARGETS["direct"], restored=True)
    variables = target.variables(Ports(http=1, udp=2, credentials=3), "/home")

    assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://127.0.0.1:3/credentials"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME", "BENCH_NOT_PRIMED"} & variables.keys()
    assert "BENCH_NOT_PRIMED" in dataclasses.replace(target, primed=False).variables(Ports(1, 2), "/home")
