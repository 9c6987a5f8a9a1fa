"""Which events a soak sends: each by its number and the seed alone, so that nothing has to be remembered."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

DATE = "2025-07-31"
DOWN_PREFIX = "DOWN-"
"""Symbols of rows that the store cannot serve as long as its outage lasts."""

_EVENT_PREFIX = "soak-"
_NEAR, _FAR = 5, 400
_STEPS = 1 << 32


class Kind(StrEnum):
    """What an event is, and so how it must end.

    `fresh`: marks its row. `down`: its row cannot be written until the outage ends: it goes to the queue, is redriven,
    and marks its row then. `repeat`: an earlier fresh event, sent again. `rival`: another event for an earlier row: one
    of the two marks it. `no_row` and `invalid`: to the queue, for good.
    """

    FRESH = "fresh"
    DOWN = "down"
    REPEAT = "repeat"
    RIVAL = "rival"
    NO_ROW = "no_row"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Shares:
    """Share of the events of each kind; the rest is fresh."""

    down: float = 0.000_5
    repeat: float = 0.01
    rival: float = 0.005
    no_row: float = 0.002_5
    invalid: float = 0.002_5


@dataclass(frozen=True, slots=True)
class Planned:
    """An event of the plan.

    Attributes:
        number: Its own.
        kind: What it is.
        row: Number of the row that it is about; its own unless it is a repeat or a rival.
    """

    number: int
    kind: Kind
    row: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All events of a soak.

    Attributes:
        seed: Decides everything.
        shares: Of the kinds.
    """

    seed: int
    shares: Shares = Shares()

    def event(self, number: int) -> Planned:
        """What the event of a number is."""
        kind, draw = self._drawn(number)
        if kind in {Kind.REPEAT, Kind.RIVAL}:
            row = number - (_NEAR + draw % (_FAR - _NEAR))
            # One that would be about an event that is itself special is a fresh one instead.
            if row < 0 or self._drawn(row)[0] is not Kind.FRESH:
                return Planned(number, Kind.FRESH, number)
            return Planned(number, kind, row)
        return Planned(number, kind, number)

    def _drawn(self, number: int) -> tuple[Kind, int]:
        digest = hashlib.blake2b(b"%d %d" % (self.seed, number), digest_size=8).digest()
        share = int.from_bytes(digest[:4]) / _STEPS
        for kind, size in (
            (Kind.DOWN, self.shares.down),
            (Kind.REPEAT, self.shares.repeat),
            (Kind.RIVAL, self.shares.rival),
            (Kind.NO_ROW, self.shares.no_row),
            (Kind.INVALID, self.shares.invalid),
        ):
            share -= size
            if share < 0:
                return kind, int.from_bytes(digest[4:])
        return Kind.FRESH, 0

    def symbol(self, planned: Planned) -> str:
        """The symbol of the row that an event is about."""
        return symbol(planned.row, down=planned.kind is Kind.DOWN)

    def payload(self, planned: Planned) -> bytes:
        """The event as EventBridge delivers it."""
        # A repeat is the very same event; a rival is another event for the same row.
        own = planned.row if planned.kind is Kind.REPEAT else planned.number
        detail = {
            "asset_symbol": self.symbol(planned),
            "earnings_date": "soon" if planned.kind is Kind.INVALID else DATE,
            "event_id": f"{_EVENT_PREFIX}{own}",
            "correlation_id": f"{_EVENT_PREFIX}{own}",
        }
        return orjson.dumps(
            {
                "version": "0",
                "id": f"5a0c0000-0000-4000-8000-{own:012x}",
                "source": "signal9.advisor",
                "detail-type": "earningsProcessed",
                "account": "123456789012",
                "time": "2025-07-31T20:05:00Z",
                "region": "us-east-1",
                "resources": [],
                "detail": detail,
            }
        )


def symbol(row: int, *, down: bool = False) -> str:
    """The symbol of a row's number."""
    return f"{DOWN_PREFIX if down else 'S-'}{row:09d}"


def row_of(asset_symbol: str) -> int:
    """The row's number in a symbol of `symbol`."""
    return int(asset_symbol.rpartition("-")[2])


def number_of(event_id: str) -> int:
    """The event's number in its `event_id`."""
    return int(event_id.removeprefix(_EVENT_PREFIX))


def number_in(event: Any) -> int:
    """The number of an event, as JSON value."""
    return number_of(event["detail"]["event_id"])
