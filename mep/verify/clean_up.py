"""Cleans up after a round trip, also after one that failed or was interrupted; what it cannot clean up is named.

A row that is still open is put marked by its event: if the event comes later, it is a duplicate and no dead letter. A
dead letter of a round trip, also of an earlier one, is discarded by the code of `mep dlq discard`.
"""

import json
import shlex
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from mep.dlq.audit import earnings_key
from mep.dlq.discard import discard
from mep.dlq.discard import plan as plan_discard
from mep.dlq.model import DeadLetter
from mep.dlq.results import ActionName, Recorder
from mep.dlq.session import OperatorMetrics
from mep.program import program
from mep.verify.results import Check, CheckName, Left, Status
from mep.verify.stored import read_row, transact
from mep.verify.trip import Trip
from monitoring.round_trip import IN_PROGRESS, RoundTripEvent

REASON = "left by mep verify --full"
"""The reason of discards, in the audit table."""

_NAME = CheckName.CLEAN_UP


def clean_up(trip: Trip) -> tuple[Check, tuple[Left, ...]]:
    """Close the rows, discard the dead letters and release the others.

    Returns:
        The result, and what is left.
    """
    problems: list[Check] = []
    open_rows = [*_close_rows(trip, problems)]
    left = [*open_rows, *_discard_dead_letters(trip, problems)]
    left += [] if open_rows else _end(trip, problems)
    if not left:
        text = "the rows are marked by their events, and the queue has no dead letter of them"
        return Check(_NAME, Status.PASS, text if trip.opened else "nothing was changed"), ()
    reasons = "; ".join(dict.fromkeys(problem.text for problem in problems if problem.text))
    text = f"left: {'; '.join(each.what for each in left)}" + (f" ({reasons})" if reasons else "")
    return Check(_NAME, Status.FAIL, text, "the commands below remove it"), tuple(left)


def _close_rows(trip: Trip, problems: list[Check]) -> Iterator[Left]:
    """Put each row that may be open, marked by its event; yield those that could not be put."""
    if not trip.opened:
        return
    for event in trip.events:
        if event.id in trip.marked or (event is trip.failed and event.id not in trip.sent):
            continue
        check = trip.account.ask(_NAME, "dynamodb", partial(_close, trip, event))
        if not check.passed:
            problems.append(check)
            yield Left(f"the row for {event.row_name} without a mark", _delete_command(trip, event))


def _delete_command(trip: Trip, event: RoundTripEvent) -> str:
    table = trip.account.target.calendar_table
    key = shlex.quote(json.dumps({name: {"S": value} for name, value in event.key.items()}))
    return f"aws dynamodb delete-item --region {trip.account.target.region} --table-name {table} --key {key}"


def _end(trip: Trip, problems: list[Check]) -> Iterator[Left]:
    """Let the next run begin, after everything else is cleaned up; yield the row that stops it."""
    if not trip.opened:
        return
    event = trip.delivered

    def check(client: Any) -> Check:
        row = read_row(trip.account, client, event.key)
        if row is not None and event.has_marked(row) and IN_PROGRESS in row:
            transact(client, trip.rows.end(event, row))
        return Check(_NAME, Status.PASS, "")

    ended = trip.account.ask(_NAME, "dynamodb", check)
    if not ended.passed:
        problems.append(ended)
        text = f"the row for {event.row_name} in progress: it stops other runs for an hour"
        yield Left(text, _delete_command(trip, event))


def _close(trip: Trip, event: RoundTripEvent, client: Any) -> Check:
    parameters = trip.rows.close(event, now=trip.now(), may_be_missing=event is trip.failed)
    was_closed = event.id in trip.closed
    trip.closed.add(event.id)
    if (
        not transact(client, parameters)
        and not was_closed
        and event.has_marked(read_row(trip.account, client, event.key))
    ):
        trip.marked.add(event.id)
    return Check(_NAME, Status.PASS, "")


def _discard_dead_letters(trip: Trip, problems: list[Check]) -> Iterator[Left]:
    """Discard the dead letters of round trips; yield those that are left, or that may still come."""
    unfinished = [event for event in trip.events if event.id in trip.sent - trip.marked]
    if trip.queue is None and not unfinished:
        return

    def check(client: Any) -> Check:
        queue = trip.open_queue(client)
        keys = {event.audit_key for event in trip.events}
        own = [message for message in queue.read().dead_letters if earnings_key(message) in keys]
        _discard(trip, own)
        return Check(_NAME, Status.PASS, "")

    result = trip.account.ask(_NAME, "sqs", check)
    if trip.queue is not None:
        trip.queue.release()
    if not result.passed:
        problems.append(result)
    for event in unfinished if result.passed else [event for event in trip.events if event.id in trip.sent]:
        if event.id not in trip.discarded:
            queue_option = f" --queue-url {trip.queue_url}" if trip.queue_url else ""
            command = (
                f"{program()} dlq discard --correlation-id {event.id}{queue_option} --reason {shlex.quote(REASON)}"
            )
            yield Left(f"perhaps a dead letter of {event.id} in {trip.account.target.queue}", command)


def _discard(trip: Trip, dead_letters: Iterable[DeadLetter]) -> None:
    planned = plan_discard(dead_letters)
    if not planned.selected or trip.queue is None:
        return
    recorder = Recorder(ActionName.DISCARD, planned.selected)
    metrics = OperatorMetrics(None, trip.account.target.names.environment, lambda _: None)
    discard(planned.selected, REASON, trip.queue, trip.audit, metrics, recorder)
    trip.discarded |= {message.correlation_id for message in planned.selected if message.correlation_id}
