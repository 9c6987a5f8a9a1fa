"""The account alone: whatever is wrong in the stores is named."""

from collections.abc import Callable

import pytest

from emulator.pipeline.model import DeliveryResult, Disposition
from tests.soak.ledger import Ledger
from tests.soak.plan import Kind, Plan, Planned, Shares
from tests.soak.reconciliation import Reconciliation, ReconciliationInput, Stores, reconcile

PLAN = Plan(7, Shares(down=0.05, repeat=0.1, rival=0.1, no_row=0.1, invalid=0.1))
EVENTS = 500


def ending(number: int, disposition: Disposition) -> DeliveryResult:
    return DeliveryResult(
        disposition=disposition,
        payload=b"",
        tag=number,
        attempts=1,
        throttles=0,
        refusals=0,
        redelivered=False,
        age_s=0,
        request_id="",
        last=None,
        condition=None,
    )


def events(kind: Kind) -> list[Planned]:
    return [event for event in map(PLAN.event, range(EVENTS)) if event.kind is kind]


def good() -> tuple[Stores, Ledger]:
    """What a run without any trouble leaves behind."""
    stores, ledger = Stores(EVENTS), Ledger(EVENTS)
    for event in map(PLAN.event, range(EVENTS)):
        match event.kind:
            case Kind.FRESH | Kind.DOWN:
                mark(stores, event.number, event.number)
                ledger(ending(event.number, Disposition.MARKED))
            case Kind.REPEAT | Kind.RIVAL:
                ledger(ending(event.number, Disposition.DUPLICATE))
            case _:
                stores.read_dead_letters([dead_letter(event.number)])
                ledger(ending(event.number, Disposition.DEAD_LETTERED))
    return stores, ledger


def row(symbol: str, by: int | None) -> dict[str, dict[str, object]]:
    marked: dict[str, dict[str, object]] = {} if by is None else {"processed_by_event": {"S": f"soak-{by}"}}
    return {"asset_symbol": {"S": symbol}, "is_processed": {"BOOL": by is not None}, **marked}


def entry(symbol: str, by: int) -> dict[str, dict[str, object]]:
    return {
        "earnings_key": {"S": f"{symbol}#2025-07-31"},
        "action": {"S": "mark_processed"},
        "event_id": {"S": f"soak-{by}"},
    }


def dead_letter(number: int) -> dict[str, dict[str, str]]:
    return {"detail": {"event_id": f"soak-{number}"}}


def mark(stores: Stores, number: int, by: int) -> None:
    symbol = PLAN.symbol(PLAN.event(number))
    stores.read_calendar([row(symbol, by)])
    stores.read_audit([entry(symbol, by)])


def settled(stores: Stores, ledger: Ledger, sent: int = EVENTS) -> Reconciliation:
    return reconcile(ReconciliationInput(PLAN, sent, stores, ledger, 0))


def test_what_is_right_balances() -> None:
    account = settled(*good())

    assert account.is_consistent
    assert account.marked == len(events(Kind.FRESH)) + len(events(Kind.DOWN))
    assert account.duplicate == len(events(Kind.REPEAT)) + len(events(Kind.RIVAL))
    assert account.dead_lettered == len(events(Kind.NO_ROW)) + len(events(Kind.INVALID))
    assert min(account.marked, account.duplicate, account.dead_lettered) > 0


def test_a_rival_that_came_first_is_as_good() -> None:
    stores, ledger = good()
    rival = events(Kind.RIVAL)[0]
    stores.rows[rival.row] = stores.entries[rival.row] = 0
    mark(stores, rival.row, rival.number)

    assert settled(stores, ledger).is_consistent


def test_a_mark_whose_answer_was_lost_counts_by_the_store() -> None:
    """Killed after the commit: the only result of the event is `duplicate`."""
    stores, _ = good()
    ledger = Ledger(EVENTS)
    for event in map(PLAN.event, range(EVENTS)):
        lettered = event.kind in {Kind.NO_ROW, Kind.INVALID}
        ledger(ending(event.number, Disposition.DEAD_LETTERED if lettered else Disposition.DUPLICATE))

    assert settled(stores, ledger).is_consistent


def _unmark(stores: Stores) -> None:
    number = events(Kind.FRESH)[0].number
    stores.marked_by[number] = stores.audited_by[number] = stores.entries[number] = 0


def _second_entry(stores: Stores) -> None:
    number = events(Kind.FRESH)[0].number
    stores.read_audit([entry(PLAN.symbol(PLAN.event(number)), number)])


def _no_entry(stores: Stores) -> None:
    stores.entries[events(Kind.FRESH)[0].number] = 0


def _other_entry(stores: Stores) -> None:
    stores.audited_by[events(Kind.FRESH)[0].number] += 1


def _no_dead_letter(stores: Stores) -> None:
    stores.dead_letters[events(Kind.INVALID)[0].number] = 0


def _dead_letter(stores: Stores) -> None:
    stores.read_dead_letters([dead_letter(events(Kind.FRESH)[0].number)])


def _impossible(stores: Stores) -> None:
    number = events(Kind.NO_ROW)[0].number
    mark(stores, number, number)


def _other_row(stores: Stores) -> None:
    first, second = events(Kind.FRESH)[:2]
    stores.marked_by[first.number] = stores.audited_by[first.number] = second.number + 1


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        (_unmark, "lost: "),
        (_second_entry, "marked more than once: "),
        (_no_entry, "marked without an audit entry: "),
        (_other_entry, "row and audit entry name different events: "),
        (_no_dead_letter, "lost: "),
        (_dead_letter, "still in the queue: "),
        (_impossible, "marked, but cannot be: "),
        (_other_row, "marked by an event of another row: "),
    ],
)
def test_each_defect_is_named(defect: Callable[[Stores], None], said: str) -> None:
    stores, ledger = good()
    defect(stores)
    account = settled(stores, ledger)

    assert not account.is_consistent
    assert any(text.startswith(said) for text in account.differences), account.differences


def test_an_event_that_never_ended_is_lost() -> None:
    stores, _ = good()

    account = settled(stores, Ledger(EVENTS))

    # What the stores show needs no delivery result.
    assert account.lost == account.received - account.marked - account.dead_lettered
    assert account.lost > 0


@pytest.mark.parametrize("event", [None, "text", {}, {"detail": {"event_id": "other-1"}}, dead_letter(EVENTS)])
def test_an_unknown_dead_letter_is_counted(event: object) -> None:
    stores, _ = good()
    stores.read_dead_letters([event])

    assert stores.unknown_dead_letters == 1


def test_what_was_never_sent_is_not_there() -> None:
    assert "there, but never sent: 1 (499)" in settled(*good(), sent=EVENTS - 1).differences
