"""The round trip over the bus: an event that is processed, a dead letter and its redrive, the notification of an alarm.

Each step ends the trip if the next ones would prove nothing; whatever happens, the trip is cleaned up.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from mep.errors import Problem, Reason
from mep.verify.account import Account
from mep.verify.clean_up import clean_up
from mep.verify.delivery import check_entries, check_rule, deliver, open_rows
from mep.verify.failure import check_queue, check_redriven, fail_event, redrive
from mep.verify.notification import notify, sets_off
from mep.verify.results import ROUND_TRIP_CHECKS, Check, CheckName, Left, RoundTripReport
from mep.verify.telemetry import check_log, check_metrics, check_trace, of_delivery
from mep.verify.trip import Trip
from monitoring.round_trip import round_trip_events

type OnCheck = Callable[[CheckName], None]
type OnLeft = Callable[[Left], None]


def make_round_trip(
    account: Account, run: str, *, on_check: OnCheck, on_left: OnLeft
) -> tuple[list[Check], RoundTripReport]:
    """Make a round trip.

    Args:
        account: What is verified.
        run: The ID of the run.
        on_check: Called with each check before it is made.
        on_left: Called with what could not be cleaned up, if the result cannot be returned.

    Returns:
        The results, in order, and what the trip did. An interruption is not raised: the checks that were not made are
        not available.
    """
    delivered, failed = round_trip_events(run)
    trip = Trip(account, run, account.operator(), delivered, failed)
    checks: dict[CheckName, Check] = {}
    interrupted = False
    try:
        for check in _steps(trip, on_check):
            checks[check.name] = check
    except KeyboardInterrupt:
        interrupted = True
    except BaseException:
        for each in clean_up(trip)[1]:
            on_left(each)
        raise
    failing = next((check.name.value for check in checks.values() if not check.passed), "")
    try:
        on_check(CheckName.CLEAN_UP)
        checks[CheckName.CLEAN_UP], left = clean_up(trip)
    except KeyboardInterrupt:  # the first one: a second one ends the process
        interrupted = True
        checks[CheckName.CLEAN_UP], left = clean_up(trip)
    text = "not reached: interrupted" if interrupted else f"not reached, because of {failing}"
    results = [checks.get(name) or _not_reached(name, text) for name in ROUND_TRIP_CHECKS]
    events = (delivered.id, failed.id)
    return results, RoundTripReport(events, sets_off(account.target.names), left, interrupted)


def no_round_trip(account: Account, run: str, text: str) -> tuple[list[Check], RoundTripReport]:
    """Return the result of a round trip that was not begun.

    Args:
        account: What is verified.
        run: The ID of the run.
        text: Why.
    """
    events = tuple(event.id for event in round_trip_events(run))
    report = RoundTripReport(events, sets_off(account.target.names))
    return [_not_reached(name, text) for name in ROUND_TRIP_CHECKS], report


def _steps(trip: Trip, on_check: OnCheck) -> Iterator[Check]:
    def make(name: CheckName, step: Callable[[Trip], Check]) -> Check:
        on_check(name)
        return step(trip)

    for name, step in (
        (CheckName.RESERVED_ROWS, open_rows),
        (CheckName.RULE, check_rule),
        (CheckName.DELIVERY, deliver),
    ):
        started = trip.account.now()
        yield (check := make(name, step))
        if not check.passed:
            return
    yield make(CheckName.DELIVERY_ENTRY, lambda _: check_entries(trip, trip.delivered, CheckName.DELIVERY_ENTRY))
    for name, step in (
        (CheckName.DEAD_LETTER, fail_event),
        (CheckName.REDRIVE, redrive),
        (CheckName.REDRIVEN, check_redriven),
        (CheckName.QUEUE, check_queue),
    ):
        yield (check := make(name, step))
        if not check.passed:
            break
    yield make(CheckName.NOTIFICATION, notify)
    yield from _telemetry(trip, started, on_check)


def _telemetry(trip: Trip, started: datetime, on_check: OnCheck) -> Iterator[Check]:
    account, deadline, expected = trip.account, trip.deadline(), of_delivery(trip.delivered)
    on_check(expected.log)
    yield check_log(account, expected, deadline)
    on_check(expected.metrics)
    yield check_metrics(account, expected, started, deadline)
    on_check(expected.trace)
    yield check_trace(account, expected, deadline)


def _not_reached(name: CheckName, text: str) -> Check:
    # Incomplete, also beside an emulator: it was to be asked.
    return Check.not_available(name, Problem(Reason.INCOMPLETE, text))
