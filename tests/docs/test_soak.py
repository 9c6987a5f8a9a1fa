"""The committed result of the soak test is consistent and equals the document."""

import json
from typing import Any

from emulator.environment import PROJECT_ROOT
from tests.docs.markdown import tables

DOCS = PROJECT_ROOT / "docs"
ACCOUNT = json.loads((DOCS / "soak-account.json").read_text())
TEXT = (DOCS / "soak.md").read_text()
TABLES = dict(tables(TEXT))


def rows(header: str) -> dict[str, list[str]]:
    """Return the rows of the table with that header, by their first cell."""
    return {first: rest for first, *rest in TABLES[header]}


def counts(header: str) -> dict[str, int]:
    return {name: int(value.replace(",", "")) for name, (value,) in rows(header).items()}


def test_the_result_is_consistent() -> None:
    account = ACCOUNT["account"]
    assert ACCOUNT["balances"]
    assert account["differences"] == []
    assert account["received"] == ACCOUNT["options"]["events"] == 1_000_000
    assert account["received"] == account["marked"] + account["duplicate"] + account["dead_lettered"]
    assert account["lost"] == account["double"] == 0
    assert ACCOUNT["counters"]["committed"] == account["marked"]
    assert sum(ACCOUNT["kinds"].values()) == account["received"]


def test_results_in_the_document() -> None:
    account, counters = ACCOUNT["account"], ACCOUNT["counters"]
    assert counts("| result | events |") == {
        "received": account["received"],
        "marked": account["marked"],
        "duplicate": account["duplicate"],
        "dead-lettered": account["dead_lettered"],
        "redriven (each among these)": account["redriven"],
        "lost": account["lost"],
        "double": account["double"],
    }
    failed = sum(counters["faults"].values())
    by_fault, by_outage = f"{failed:,} calls failed by a fault", f"{counters['outage']:,} by the outage"
    numbers = f"{by_fault}, {by_outage}, and {ACCOUNT['kills']} processes"
    assert numbers in TEXT


def test_command_in_the_document() -> None:
    options = ACCOUNT["options"]
    asked = f"--seed {options['seed']} --workers {options['workers']} --json docs/soak-account.json"
    assert f'make soak N={options["events"]} SOAK_ARGS="{asked}"' in TEXT
    assert options["minutes"] is None


def test_costs_in_the_document() -> None:
    header = next(line for line in TEXT.splitlines() if line.startswith("| deliveries |"))
    first: float | None = None
    expected: dict[str, list[str]] = {}
    for moment in ACCOUNT["moments"]:
        costs: dict[str, dict[str, Any]] = moment["costs"]
        each = 1_000 * sum(cost["cpu_s"] for cost in costs.values()) / moment["events"]
        first = first or each
        expected[f"{moment['events']:,}"] = [
            f"{moment['events'] / moment['seconds']:.0f}",
            f"{each:.2f}",
            f"{each / first:.2f}",
            f"{costs['function']['peak_mb']:.0f}",
        ]
    shown = rows(header)
    assert list(shown) == ["1,000", "10,000", "100,000", "1,000,000"]
    assert shown == {events: expected[events] for events in shown}
