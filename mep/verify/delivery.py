"""The first half of the round trip: an event goes over the bus, and its row is marked."""

import json
from typing import Any

from handler.contract import AUDIT_ACTION
from mep.dlq.bus_rules import read_rules
from mep.dlq.destinations import Bus, CannotSendError, RejectedError
from mep.errors import Problem, Reason, RunError, UnavailableError
from mep.text import escape_control, one_line
from mep.verify.probing import sampled_trace_header
from mep.verify.results import Check, CheckName, Status
from mep.verify.stored import read_entries, read_row, transact
from mep.verify.trip import POLL_S, Trip
from monitoring.round_trip import RUN, RoundTripEvent

_RESTORE = "enable or restore the rule: docs/runbook.md, `make restore` after changes by hand"


def open_rows(trip: Trip) -> Check:
    """Put the row of the first event without a mark, and delete that of the second one."""

    def check(client: Any) -> Check:
        trip.opened = True
        target = trip.account.target
        if transact(client, trip.rows.open(trip.delivered, trip.failed, now=trip.now(), stale=trip.stale())):
            names = " and ".join(event.row_name for event in trip.events)
            text = f"open: {names} ({target.calendar_table}); entries {trip.run} in {target.audit_table}"
            return Check(CheckName.RESERVED_ROWS, Status.PASS, text)
        trip.opened = False
        row = read_row(trip.account, client, trip.delivered.key) or {}
        text = (
            f"another verification has opened the row for {trip.delivered.row_name}: "
            f"{row.get(RUN, 'unknown')}, {row.get('updated_at', 'unknown time')}"
        )
        advice = "wait for it; if it was killed, its rows can be taken over after an hour"
        return Check(CheckName.RESERVED_ROWS, Status.FAIL, escape_control(one_line(text)), advice)

    return trip.account.ask(CheckName.RESERVED_ROWS, "dynamodb", check)


def check_rule(trip: Trip) -> Check:
    """Check that an enabled rule of the bus matches the event, and invokes the function's alias."""
    target = trip.account.target
    bus, event = target.event_bus, trip.delivered.envelope(target.event_source)

    def fail(text: str, advice: str = _RESTORE) -> Check:
        return Check(CheckName.RULE, Status.FAIL, text, advice)

    def check(client: Any) -> Check:
        destination = Bus(client, bus, target.names.name)
        try:
            destination.check(event)
            rules = [rule.name for rule in read_rules(client, bus, target.names.name).own]
            others = destination.other_targets(event)
        except UnavailableError:
            raise
        except (CannotSendError, RunError) as error:
            return fail(str(error))
        except RejectedError as error:
            return Check.not_available(CheckName.RULE, Problem(Reason.REFUSED, str(error)))
        invoked = [
            str(each["Arn"])
            for rule in rules
            for each in client.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
        ]
        if not any(arn.endswith(f":function:{target.names.alias}") for arn in invoked):
            return fail(f"rule {', '.join(rules)} of bus {bus} invokes {', '.join(invoked)}, not {target.names.alias}")
        more = f"; the events of this run reach other targets, too: {', '.join(others)}" if others else ""
        return Check(CheckName.RULE, Status.PASS, f"{', '.join(rules)} of bus {bus} invokes {target.names.alias}{more}")

    return trip.account.ask(CheckName.RULE, "events", check)


def put_event(trip: Trip, event: RoundTripEvent, name: CheckName) -> Check:
    """Put an event on the bus.

    Args:
        trip: The round trip.
        event: The event.
        name: The check that this is part of.
    """
    target = trip.account.target
    envelope = event.envelope(target.event_source)

    def check(client: Any) -> Check:
        trip.sent.add(event.id)  # before the call: there may be no answer
        entry = {
            "EventBusName": target.event_bus,
            "Source": envelope["source"],
            "DetailType": envelope["detail-type"],
            "Detail": json.dumps(envelope["detail"]),
            "TraceHeader": sampled_trace_header(),
        }
        reply = client.put_events(Entries=[entry])
        result: dict[str, Any] = (reply["Entries"] or [{}])[0]
        if reply.get("FailedEntryCount") or not result.get("EventId"):
            trip.sent.discard(event.id)
            reason = f"{result.get('ErrorCode')}: {result.get('ErrorMessage', '')}"
            return Check(name, Status.FAIL, f"bus {target.event_bus} did not accept the event: {reason}")
        return Check(name, Status.PASS, f"bus {target.event_bus} accepted it as {result['EventId']}")

    return trip.account.ask(name, "events", check)


def wait_for_mark(trip: Trip, event: RoundTripEvent, name: CheckName) -> Check:
    """Wait until an event has marked its row.

    Args:
        trip: The round trip.
        event: The event.
        name: The check that this is part of.
    """
    began = trip.account.monotonic()

    def check(client: Any) -> Check:
        if event.has_marked(read_row(trip.account, client, event.key)):
            trip.marked.add(event.id)
            took = f"within {trip.account.monotonic() - began:.0f} s"
            return Check(name, Status.PASS, f"the row for {event.row_name} is marked by {event.id}, {took}")
        text = f"the row for {event.row_name} is not marked by {event.id} after {trip.account.wait_s:g} s"
        return Check(name, Status.FAIL, text, "docs/troubleshooting.md: an event was not processed")

    return trip.account.wait(lambda: trip.account.ask(name, "dynamodb", check), trip.deadline(), POLL_S)


def deliver(trip: Trip) -> Check:
    """Put the first event on the bus, and wait until its row is marked."""
    put = put_event(trip, trip.delivered, CheckName.DELIVERY)
    return wait_for_mark(trip, trip.delivered, CheckName.DELIVERY) if put.passed else put


def check_entries(trip: Trip, event: RoundTripEvent, name: CheckName, *actions: str) -> Check:
    """Check that each action of an event has one audit entry.

    Args:
        trip: The round trip.
        event: The event.
        name: The check.
        actions: The actions, besides that of the mark.
    """

    def check(client: Any) -> Check:
        entries = read_entries(trip.account, client, event.audit_key)
        found = [str(entry.get("action")) for entry in entries if entry.get("event_id") == event.id]
        where = f"{event.audit_key} in {trip.account.target.audit_table}"
        for action in (*actions, AUDIT_ACTION):
            if (count := found.count(action)) != 1:
                text = f"{where} has {count} entries {action} of {event.id} instead of one"
                return Check(name, Status.FAIL, text, "docs/security.md: the audit trail")
        return Check(name, Status.PASS, f"{where} has one entry each: {', '.join((*actions, AUDIT_ACTION))}")

    return trip.account.ask(name, "dynamodb", check)
