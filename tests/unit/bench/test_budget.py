"""A regression is reported and fails; what cannot be counted is reported as well."""

import io
import json

import pytest

from bench import budget
from bench.budget import BASELINE, CEILINGS, SLACK, judge, main
from bench.run import MODES

USUAL = 0.4
KEPT = dict.fromkeys(SLACK, USUAL)


def in_each_mode(ratios: dict[str, float]) -> dict[str, dict[str, float]]:
    return dict.fromkeys(CEILINGS, KEPT) | {"layer": ratios}


def names_over(ratios: dict[str, float], *, counted: bool = True) -> list[str]:
    verdicts = judge(in_each_mode(KEPT), in_each_mode(ratios), counted=counted)
    return [verdict.name for verdict in verdicts if not verdict.within_budget]


def test_every_mode_that_is_measured_has_a_budget() -> None:
    assert [*CEILINGS] == [*MODES]


def test_the_baseline_keeps_its_own_budget() -> None:
    baseline = json.loads(BASELINE.read_text())
    assert all(verdict.within_budget for verdict in judge(baseline, baseline, counted=True))
    assert all(baseline[mode][name] <= most for mode, ceiling in CEILINGS.items() for name, most in ceiling.items())


@pytest.mark.parametrize("name", SLACK)
def test_a_figure_beyond_its_slack_is_over(name: str) -> None:
    slack = SLACK[name]
    assert names_over(KEPT | {name: USUAL * (1 + slack) - 1e-4}) == []
    assert names_over(KEPT | {name: USUAL * (1 + slack) + 1e-3}) == [name]


@pytest.mark.parametrize(("name", "ceiling"), CEILINGS["layer"].items())
def test_a_ceiling_holds_whatever_the_baseline(name: str, ceiling: float) -> None:
    baseline, ratios = ({**KEPT, name: value} for value in (ceiling - 0.001, ceiling + 0.001))
    verdicts = judge(in_each_mode(baseline), in_each_mode(ratios), counted=True)
    assert [(each.mode, each.name) for each in verdicts if not each.within_budget] == [("layer", name)]


def test_instructions_that_cannot_be_counted_are_left_out_with_a_word() -> None:
    ratios = {name: ratio for name, ratio in KEPT.items() if name not in budget.INSTRUCTIONS}
    verdicts = judge(in_each_mode(KEPT), dict.fromkeys(CEILINGS, ratios), counted=False)
    assert all(verdict.within_budget for verdict in verdicts)
    assert [str(verdict).split()[:3] for verdict in verdicts][:3] == [["left", "out", "layer"]] * 3


def test_a_figure_that_is_gone_is_loud() -> None:
    lacking = {name: 0.5 for name in SLACK if name != "peak_kb"}
    with pytest.raises(KeyError, match="peak_kb"):
        judge(in_each_mode(KEPT), in_each_mode(lacking), counted=True)
    with pytest.raises(KeyError, match="direct"):
        judge(in_each_mode(KEPT), {"layer": KEPT}, counted=True)


@pytest.mark.parametrize(("factor", "status", "word"), [(1.0, 0, "kept"), (1.2, 1, "OVER")])
def test_the_exit_status(
    factor: float, status: int, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ratios = json.loads(BASELINE.read_text())
    ratios["layer"]["init"] *= factor
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"ratios": ratios, "counter": "callgrind"})))
    assert main([]) == status
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " layer   init " in line]
    assert line.split()[0] == word
