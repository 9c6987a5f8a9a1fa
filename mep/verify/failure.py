"""The second half of the round trip: a dead letter with its attributes, and its redrive, by the code of `mep dlq`."""

from collections.abc import Mapping
from typing import Any

from mep.dlq.audit import Action
from mep.dlq.destinations import Bus
from mep.dlq.model import DeadLetter
from mep.dlq.redrive import Redriver, plan
from mep.dlq.results import ActionName, MessageState, Recorder
from mep.dlq.session import OperatorMetrics
from mep.errors import Problem, Reason, RunError, UnavailableError
from mep.text import escape_control, one_line
from mep.verify.delivery import check_entries, put_event, wait_for_mark
from mep.verify.results import Check, CheckName, Status
from mep.verify.stored import transact
from mep.verify.trip import POLL_S, Trip
from monitoring.round_trip import CATEGORY

_ALWAYS_PRESENT = ("ERROR_MESSAGE", "REQUEST_ID")
_UNKNOWN = {MessageState.UNVERIFIED, MessageState.UNCERTAIN, MessageState.NOT_DELETED}
_NOT_PROCESSED = "docs/troubleshooting.md: an event was not processed"


def fail_event(trip: Trip) -> Check:
    """Put the second event on the bus, and wait for its dead letter.

    The queue is read first: nothing is dead-lettered to a queue that cannot be read.
    """
    name, account = CheckName.DEAD_LETTER, trip.account

    def read(client: Any) -> Check:
        trip.before = len(trip.open_queue(client).read().dead_letters)
        return Check(name, Status.PASS, "")

    def look(client: Any) -> Check:
        for message in trip.open_queue(client).read().dead_letters:
            if message.correlation_id == trip.failed.id:
                trip.dead_letter = message
                return Check(name, Status.PASS, "")
        text = f"{account.target.queue} has no dead letter of {trip.failed.id} after {account.wait_s:g} s"
        return Check(name, Status.FAIL, text, _NOT_PROCESSED)

    check = account.ask(name, "sqs", read)
    if check.passed:
        check = put_event(trip, trip.failed, name)
    if check.passed:
        check = account.wait(lambda: account.ask(name, "sqs", look), trip.deadline(), POLL_S)
    return check if trip.dead_letter is None else _judge(trip, trip.dead_letter)


def redrive(trip: Trip) -> Check:
    """Put the row that was missing, and redrive the dead letter over the bus."""
    name, account, dead_letter, queue = CheckName.REDRIVE, trip.account, trip.dead_letter, trip.queue
    assert dead_letter is not None and queue is not None  # noqa: PT018, S101 - for the type checker

    def put(client: Any) -> Check:
        if transact(client, trip.rows.put(trip.failed, now=trip.now())):
            return Check(name, Status.PASS, "")
        return Check(name, Status.FAIL, f"the row for {trip.failed.row_name} is there, although it was deleted")

    def send(client: Any) -> Check:
        destination = Bus(client, account.target.event_bus, account.target.names.name)
        recorder = Recorder(ActionName.REDRIVE, [dead_letter], destination.name)
        metrics = OperatorMetrics(None, account.target.names.environment, lambda _: None)
        try:
            planned = plan([dead_letter], destination, force=True, extend_visibility=queue.extend_visibility)
            planned.record(recorder)
            redriver = Redriver(queue, destination, trip.audit, metrics, clock=account.monotonic, sleep=account.sleep)
            redriver.run(planned.selected, recorder)
        except UnavailableError:
            raise
        except RunError as error:
            return Check(name, Status.FAIL, str(error), "docs/runbook.md explains the redrive")
        (result,) = recorder.result().messages
        text = f"{result.state.value}: {result.reason}"
        if result.state is MessageState.SENT:
            return Check(name, Status.PASS, f"the row was put, and the event sent to {destination.name}")
        if result.state in _UNKNOWN:
            return Check.not_available(name, Problem(Reason.REFUSED, text))
        return Check(name, Status.FAIL, text, "docs/runbook.md explains the redrive")

    check = account.ask(name, "dynamodb", put)
    return account.ask(name, "events", send) if check.passed else check


def check_redriven(trip: Trip) -> Check:
    """Check that the redriven event has marked its row, and that the audit table has all of it."""
    check = wait_for_mark(trip, trip.failed, CheckName.REDRIVEN)
    if not check.passed:
        return check
    actions = (Action.REDRIVE_REQUESTED.value, Action.REDRIVEN.value)
    return check_entries(trip, trip.failed, CheckName.REDRIVEN, *actions)


def check_queue(trip: Trip) -> Check:
    """Check that no event of the round trip is in the queue again. The other messages are held in flight until then."""
    name, queue_name = CheckName.QUEUE, trip.account.target.queue

    def check(client: Any) -> Check:
        messages = trip.open_queue(client).read().dead_letters
        ids = {event.id for event in trip.events}
        if returned := [message for message in messages if message.correlation_id in ids]:
            text = f"{queue_name} has a dead letter of {returned[0].correlation_id} again: {_cause(returned[0])}"
            return Check(name, Status.FAIL, text, _NOT_PROCESSED)
        more = f", and {new} that came since" if (new := len(messages) - trip.before) > 0 else ""
        return Check(name, Status.PASS, f"{queue_name} is as before: {trip.before} messages{more}")

    return trip.account.ask(name, "sqs", check)


def _judge(trip: Trip, dead_letter: DeadLetter) -> Check:
    name, attributes = CheckName.DEAD_LETTER, dead_letter.attributes
    expected = {"SOURCE": "handler", "ERROR_CODE": CATEGORY, "CORRELATION_ID": trip.failed.id}
    wrong = [each for each, value in expected.items() if attributes.get(each) != value]
    wrong += [each for each in _ALWAYS_PRESENT if not attributes.get(each)]
    event = dead_letter.event
    if not isinstance(event, Mapping) or event.get("detail") != trip.failed.envelope("")["detail"]:
        wrong.append("the event")
    where = f"{trip.account.target.queue} has the event"
    if wrong:
        text = f"{where}, but not as the function's dead letter of a missing row: {_cause(dead_letter)}"
        return Check(name, Status.FAIL, f"{text}; wrong: {', '.join(wrong)}", "docs/runbook.md#dlq-arrival")
    text = f"{where} with its attributes: {', '.join((*expected, *_ALWAYS_PRESENT))}"
    return Check(name, Status.PASS, text)


def _cause(dead_letter: DeadLetter) -> str:
    text = f"{dead_letter.group} by {dead_letter.shape.value}, {dead_letter.code} {dead_letter.message}"
    return escape_control(one_line(text))[:300]
