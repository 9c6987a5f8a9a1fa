"""The plan: the same seed is the same events, and each is what it says."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from handler.errors import ProcessingError
from handler.event import parse_event
from tests.soak.plan import Kind, Plan, Shares, number_in, row_of

SEEDS = st.integers(0, 1 << 40)
NUMBERS = st.integers(0, 10_000_000)


@given(SEEDS, NUMBERS)
def test_an_event_is_what_its_kind_says(seed: int, number: int) -> None:
    import orjson

    plan = Plan(seed, Shares(down=0.1, repeat=0.2, rival=0.2, no_row=0.1, invalid=0.1))
    event = plan.event(number)
    payload = orjson.loads(plan.payload(event))

    assert plan.event(number) == event
    assert row_of(payload["detail"]["asset_symbol"]) == event.row
    if event.kind in {Kind.REPEAT, Kind.RIVAL}:
        assert event.row < number
        assert plan.event(event.row).kind is Kind.FRESH
        original = orjson.loads(plan.payload(plan.event(event.row)))
        assert (payload == original) is (event.kind is Kind.REPEAT)
    else:
        assert event.row == number
    assert number_in(payload) == (event.row if event.kind is Kind.REPEAT else number)
    try:
        parse_event(payload, source="signal9.advisor")
        valid = True
    except ProcessingError:
        valid = False
    assert valid is (event.kind is not Kind.INVALID)


def test_the_shares_are_those_asked_for() -> None:
    kinds = Counter(Plan(1, Shares(0.1, 0.1, 0.1, 0.1, 0.1)).event(number).kind for number in range(10_000))

    for kind in (Kind.DOWN, Kind.NO_ROW, Kind.INVALID):
        assert 900 < kinds[kind] < 1_100
    # Half of these find no fresh event to be about.
    for kind in (Kind.REPEAT, Kind.RIVAL):
        assert 400 < kinds[kind] < 1_100
