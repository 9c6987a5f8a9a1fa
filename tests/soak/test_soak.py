"""Small soaks, whole: the real function in real processes. Those with a defect must not balance."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from handler.startup import ADOT_FAILED
from tests.soak.__main__ import run_and_report
from tests.soak.faults import FaultRates
from tests.soak.plan import Shares
from tests.soak.run import FunctionOutput, SoakOptions, SoakResult, soak
from tests.support.thorough import few

MANY = Shares(down=0.03, repeat=0.3, rival=0.1, no_row=0.05, invalid=0.05)
FEW = FaultRates.none()
EVENTS = 120


def soaked(options: SoakOptions) -> SoakResult:
    return soak(options, lambda *_: None, lambda _: None)


@pytest.mark.parametrize("dynamodb_local", few([False, True], of=2))
@pytest.mark.timeout(300)
def test_a_soak_with_every_fault_balances(dynamodb_local: bool) -> None:
    """In short: `make soak` sends thousands of events, as the step `soak` does on both stores and in both modes."""
    rates = replace(FEW, conflict=0.06, server_error=0.06, reset=0.06, lost_reply=0.06, garbled=0.06)
    # With this seed every fault, and a kill, is drawn early on.
    options = SoakOptions(EVENTS, seed=20, workers=2, rates=rates, shares=MANY, kill=0.04, moments=(50,))
    export_mode = "direct" if dynamodb_local else "layer"
    result = soaked(replace(options, dynamodb_local=dynamodb_local, export_mode=export_mode))
    account = result.account

    assert account.differences == ()
    assert account.is_consistent
    assert (account.received, account.lost, account.double) == (EVENTS, 0, 0)
    assert account.marked + account.duplicate + account.dead_lettered == EVENTS
    assert account.dead_lettered == result.kinds["no_row"] + result.kinds["invalid"]
    assert account.redriven >= result.kinds["down"] > 0
    # It was not because nothing happened.
    assert min(account.duplicate, account.dead_lettered, result.kills) > 0
    for name in ("conflict", "server_error", "reset", "lost_reply", "garbled"):
        assert result.counters["faults"][name] > 0
    assert result.counters["datagrams"] > 0
    if not dynamodb_local:
        assert account.marked == result.counters["committed"]
        assert result.counters["replayed"] > 0
    assert result.moments[0].events == 50


@pytest.mark.parametrize(
    ("store", "difference"),
    # The next test but one has a store that forgets what it wrote.
    few([("careless", "marked more than once"), ("losing", "lost")], of=2),
)
@pytest.mark.timeout(300)
def test_a_defect_does_not_balance(store: str, difference: str) -> None:
    result = soaked(
        SoakOptions(
            EVENTS,
            seed=4,
            workers=2,
            rates=FEW,
            shares=MANY,
            kill=0,
            redeliver=0,
            store=f"tests.soak.faulty_stores.{store}",
        )
    )

    assert not result.account.is_consistent
    assert any(text.startswith(f"{difference}: ") for text in result.account.differences)
    assert (result.account.double if "once" in difference else result.account.lost) > 0


def test_a_start_that_leaves_the_layer_is_counted() -> None:
    """The account of a soak in the layer would say nothing about it."""
    output = FunctionOutput()
    for line in ('{"message": "marked"}', f'{{"message": "{ADOT_FAILED}"}}', ""):
        output("stdout", line)

    assert output.starts_without_adot == 1


@pytest.mark.timeout(300)
def test_the_command_reports_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "account.json"
    options = SoakOptions(
        60, seed=4, workers=1, rates=FEW, shares=MANY, kill=0, store="tests.soak.faulty_stores.forgetful"
    )

    assert not run_and_report(options, file)

    shown = capsys.readouterr().out
    assert "does not balance: lost: " in shown
    assert "the account does not balance" in shown
    written = json.loads(file.read_text())
    assert written["balances"] is False
    assert written["account"]["lost"] > 0
