"""What the tests of the round trip share: where a link breaks, and what must be left."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from mep.verify.results import CheckName, Report
from tests.integration.mep.verify.conftest import ABSENT, PRESENT, SYMBOL, Endpoint
from tests.integration.mep.verify.deployed import NAME, DeployedAccount
from tests.support.aws_account import error
from tests.support.invocation import Invoked
from tests.support.stores import Tables

DENIED = error("AccessDeniedException", "not authorized")
ALARM = f"{NAME}-prod-dlq-age"
AFTER_DELIVERY = {"delivery_entry", "dead_letter", "redrive", "redriven", "queue", "notification"}
TELEMETRY = {"delivery_log", "delivery_metrics", "delivery_trace"}


def at(name: CheckName, act: Callable[[], object]) -> Callable[[CheckName], None]:
    """Return what does something just before a check."""

    def on_check(check: CheckName) -> None:
        if check is name:
            act()

    return on_check


def not_reached(report: Report) -> set[str]:
    """Return the checks that were not made."""
    return {check.name.value for check in report.checks if check.reason == "incomplete"}


def marks(tables: Tables) -> dict[str, str | None]:
    """Return by which event each row of the round trip is marked."""
    rows = {date: tables.row(SYMBOL, date) for date in (PRESENT, ABSENT)}
    return {date: row["processed_by_event"] if row["is_processed"] else "" for date, row in rows.items() if row}


def actions(tables: Tables, date: str) -> list[str]:
    return [entry["action"] for entry in tables.audit(SYMBOL, date)]


def put_message(account: DeployedAccount, endpoint: Endpoint, body: str, **attributes: str) -> None:
    """Put a message into the dead-letter queue."""
    endpoint.sqs.send_message(
        QueueUrl=account.harness.services.queue.queue_url,
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )


def assert_clean(report: Report, account: DeployedAccount, tables: Tables) -> None:
    """Check that no row is open, and that the queue has no dead letter of the round trip."""
    assert report.round_trip is not None
    assert "" not in marks(tables).values()
    assert account.harness.services.queue.drain() == []


def failing(event_number: int, account: DeployedAccount, *, redriven: bool = False) -> Callable[[Any, str], Invoked]:
    """Return a function that raises for one event, or for its redrive, as Lambda calls it."""
    invoke = account.bus.invoke

    def fail(event: Any, header: str) -> Invoked:
        detail = event["detail"]
        if detail["event_id"].endswith(f"-{event_number}") and ("redrive_count" in detail) is redriven:
            return cast("Invoked", SimpleNamespace(error=RuntimeError("category=internal : KeyError"), answer=None))
        return invoke(event, header)

    return fail
