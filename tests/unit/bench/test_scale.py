"""How runs of `make bench-scale` are shown."""

from typing import Any

from bench.scale import scale


def run(workers: int, **cpu_s: list[float]) -> dict[str, Any]:
    events = (1, 10, 100, 1_000, 2_000)
    return {
        "workers": workers,
        "events": events[-1],
        "date": "2026-11-27",
        "machine": "2 cores",
        "python": "3.13.0",
        "init_s": dict.fromkeys(cpu_s, 0.5 * workers),
        "checkpoints": [
            {"events": number, "cpu_s": {name: spent[position] for name, spent in cpu_s.items()}}
            for position, number in enumerate(events)
        ],
    }


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[0:1] == "|"]


def test_each_row_is_the_cost_since_the_checkpoint_before() -> None:
    v0 = [0.004, 0.022, 0.202, 2.002, 4.002]
    direct = [0.012, 0.030, 0.210, 1.83, 3.93]
    head, _, *shown = rows(scale([run(1, v0=v0, direct=direct)]))
    assert head == ["events", "workers", "V0, ms per event", "direct / V0"]
    assert shown == [
        ["1", "1", "4.00", "3.00"],
        ["2 to 10", "1", "2.00", "1.00"],
        ["11 to 100", "1", "2.00", "1.00"],
        ["101 to 1,000", "1", "2.00", "0.90"],
        ["1,001 to 2,000", "1", "2.00", "1.05"],
    ]


def test_flat_is_the_last_row_relative_to_the_first_warm_one() -> None:
    """As ratios to V0, which other work on the machine slows down as well."""
    v0 = [0.004, 0.022, 0.202, 2.002, 6.002]
    direct = [0.012, 0.030, 0.210, 2.01, 6.41]
    line = scale([run(8, v0=v0, direct=direct)]).splitlines()[-1]
    assert line.startswith("- 8 workers, 2,000 events (2026-11-27, 2 cores, Python 3.13.0): ")
    assert "the last ratio relative to that of events 101 to 1,000: direct 1.10." in line
    assert line.endswith("A start costs v0 0.50 s, direct 0.50 s.")


def test_a_mode_that_a_run_left_out_has_no_figure() -> None:
    spent = [0.004, 0.022, 0.202, 2.002, 4.002]
    *_, last = rows(scale([run(1, v0=spent, direct=spent, layer=spent), run(8, v0=spent, direct=spent)]))
    assert last == ["1,001 to 2,000", "8", "2.00", "1.00", "-"]
