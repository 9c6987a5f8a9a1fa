"""Holds what was measured against what is committed in `baseline.json`."""

import json
from pathlib import Path

import pytest

_FILE = Path(__file__).with_name("baseline.json")


def hold(name: str, measured: float, *, detail: str = "") -> None:
    """Fail if a measure is worse than its baseline by more than its slack.

    Args:
        name: In `baseline.json`, which has `value`, `slack_percent` and `unit` for it.
        measured: What it is now; less is better.
        detail: What to say with it.
    """
    entry = json.loads(_FILE.read_text())[name]
    baseline, slack, unit = entry["value"], entry["slack_percent"], entry["unit"]
    change = (measured / baseline - 1) * 100
    text = f"{name}: {measured:.4g} {unit}, baseline {baseline:.4g} {unit} ({change:+.1f} %, {slack} % allowed)"
    print(text, f"[{detail}]" if detail else "")
    if change > slack:
        pytest.fail(
            f"{text}\n  {detail}\n  If that is how it must be, write the new value into {_FILE.name} and say why "
            "in the commit.",
            pytrace=False,
        )
