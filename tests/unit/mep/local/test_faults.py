"""`mep local --fault`: the syntax, and which requests a fault applies to."""

from contextlib import ExitStack

import pytest

from mep.errors import UsageError
from mep.local.faults import KINDS, RequestedFault, Scope, list_help, parse_faults
from mep.local.rehearsal import Rehearsal


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("throttle", RequestedFault("throttle")),
        ("throttle=2", RequestedFault("throttle", 2)),
        ("throttle=2:aapl ", RequestedFault("throttle", 2, "AAPL")),
        ("denied:NSE:INFY", RequestedFault("denied", None, "NSE:INFY")),
        ("hang:EURUSD=X", RequestedFault("hang", None, "EURUSD=X")),
        ("queue-denied=1", RequestedFault("queue-denied", 1)),
    ],
)
def test_parsed(word: str, fault: RequestedFault) -> None:
    assert parse_faults([word]) == (fault,)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("thottle=2", "unknown; the faults are throttle, conflict,"),
        ("", "unknown"),
        ("throttle=0", "a whole number from 1, such as throttle=2"),
        ("throttle=", "a whole number from 1"),
        ("throttle=two", "a whole number from 1"),
        ("throttle=2:", "is not a symbol"),
        ("denied:<script>", "is not a symbol"),
        ("queue-denied:AAPL", "only faults of the write can be limited to a symbol"),
    ],
)
def test_refused(word: str, reason: str) -> None:
    with pytest.raises(UsageError, match="--fault ") as refused:
        parse_faults([word])

    assert reason in str(refused.value)


def test_the_help_names_every_fault_and_every_scope_has_one() -> None:
    assert all(f"- `{name}`: " in list_help() for name in KINDS)
    assert {kind.scope for kind in KINDS.values()} == set(Scope)


def test_a_fault_that_nothing_reached_is_known() -> None:
    """COUNT after SYMBOL reads as another symbol; a fault without an end masks those that follow."""
    words = ["rule-denied", "rule-denied=2", "throttle:AAPL=2", "queue-denied=1"]
    with ExitStack() as stack:
        rehearsal = Rehearsal(parse_faults(words), stack)
        assert rehearsal.invoke_api(b"{}") is not None
        assert sorted(map(str, rehearsal.unused())) == sorted(words[1:])
