"""Holds a run of the benchmark against the committed budget.

    python bench/run.py --json | python bench/budget.py            # 1 when a figure is over its budget
    python bench/run.py --json | python bench/budget.py --update   # make this run the new baseline

The figures are ratios to V0 of the same run: another machine, interpreter or version of a library moves both sides.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BASELINE = Path(__file__).with_name("baseline.json")

SLACK = {"init": 0.03, "cold": 0.03, "warm": 0.03, "peak_kb": 0.04, "modules_init": 0.02, "attempts_per_event": 0.0}
"""How far a figure may be above its baseline: what differs from run to run, and from machine to machine."""

CEILING = {"init": 0.55, "warm": 1.02, "peak_kb": 0.70}
"""What no new baseline may exceed: all telemetry on, and cheaper to start than the plain function."""

INSTRUCTIONS = frozenset({"init", "cold", "warm"})


@dataclass(frozen=True)
class Verdict:
    """One figure beside its budget.

    Attributes:
        name: of the figure, as `bench/run.py --json` calls it.
        baseline: the committed ratio.
        limit: the highest ratio that passes.
        measured: the ratio of this run; None where it could not be measured.
    """

    name: str
    baseline: float
    limit: float
    measured: float | None

    @property
    def within_budget(self) -> bool:
        """Whether the budget holds; what could not be measured has its word said elsewhere."""
        return self.measured is None or self.measured <= self.limit

    def __str__(self) -> str:
        if self.measured is None:
            return f"  left out  {self.name:20} cannot be counted on this machine"
        change = 100 * (self.measured / self.baseline - 1)
        word = "kept" if self.within_budget else "OVER"
        return (
            f"  {word:8}  {self.name:20} {self.measured:.3f} of V0, baseline {self.baseline:.3f} "
            f"({change:+.1f} %), limit {self.limit:.3f}"
        )


def judge(baseline: Mapping[str, float], ratios: Mapping[str, float], *, counted: bool) -> list[Verdict]:
    """Every budgeted figure of a run beside its budget.

    Args:
        baseline: committed ratios, by figure.
        ratios: this run's.
        counted: whether instructions could be counted.

    Raises:
        KeyError: when a figure is missing that should be there: a budget must not vanish silently.
    """
    verdicts = []
    for name, slack in SLACK.items():
        limit = min(baseline[name] * (1 + slack), CEILING.get(name, float("inf")))
        measured = ratios[name] if counted or name not in INSTRUCTIONS else None
        verdicts.append(Verdict(name, baseline[name], round(limit, 4), measured))
    return verdicts


def main(arguments: list[str] | None = None) -> int:
    """Read a run from standard input and judge it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write this run's ratios to bench/baseline.json")
    update = parser.parse_args(arguments).update
    run: dict[str, Any] = json.load(sys.stdin)
    ratios, counted = run["ratios"], run["counter"] is not None
    if update:
        BASELINE.write_text(json.dumps({name: ratios[name] for name in SLACK}, indent=2) + "\n")
    verdicts = judge(json.loads(BASELINE.read_text()), ratios, counted=counted)
    print("\n".join(["what the function costs, beside its budget:", *map(str, verdicts)]))
    return 0 if all(verdict.within_budget for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
