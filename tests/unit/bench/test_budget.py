"""A regression is reported and fails; what cannot be counted is reported as well."""

import io
import json

import pytest

from bench import budget
from bench.budget import BASELINE, CEILING, SLACK, judge, main

KEPT = dict.fromkeys(SLACK, 0.5)


def names_over(ratios: dict[str, float], *, counted: bool = True) -> list[str]:
    return [verdict.name for verdict in judge(KEPT, ratios, counted=counted) if not verdict.within_budget]


def test_the_baseline_keeps_its_own_budget() -> None:
    baseline = json.loads(BASELINE.read_text())
    assert all(verdict.within_budget for verdict in judge(baseline, baseline, counted=True))
    assert all(baseline[name] <= ceiling for name, ceiling in CEILING.items())


@pytest.mark.parametrize("name", SLACK)
def test_a_figure_beyond_its_slack_is_over(name: str) -> None:
    slack = SLACK[name]
    assert names_over(KEPT | {name: 0.5 * (1 + slack) - 1e-4}) == []
    assert names_over(KEPT | {name: 0.5 * (1 + slack) + 1e-3}) == [name]


def test_a_ceiling_holds_whatever_the_baseline() -> None:
    (init, *_) = judge(KEPT | {"init": 0.54}, KEPT | {"init": 0.551}, counted=True)
    assert not init.within_budget


def test_instructions_that_cannot_be_counted_are_left_out_with_a_word() -> None:
    ratios = {name: ratio for name, ratio in KEPT.items() if name not in budget.INSTRUCTIONS}
    verdicts = judge(KEPT, ratios, counted=False)
    assert all(verdict.within_budget for verdict in verdicts)
    assert [str(verdict).split()[:2] for verdict in verdicts][:3] == [["left", "out"]] * 3


def test_a_figure_that_is_gone_is_loud() -> None:
    with pytest.raises(KeyError, match="peak_kb"):
        judge(KEPT, {name: 0.5 for name in SLACK if name != "peak_kb"}, counted=True)


@pytest.mark.parametrize(("factor", "status", "word"), [(1.0, 0, "kept"), (1.2, 1, "OVER")])
def test_the_exit_status(
    factor: float, status: int, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ratios = json.loads(BASELINE.read_text())
    ratios["init"] *= factor
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"ratios": ratios, "counter": "callgrind"})))
    assert main([]) == status
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " init " in line]
    assert line.split()[0] == word
