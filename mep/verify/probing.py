"""The checks of the probe itself: its row, its audit entry, the outcome, and that it has written nothing.

The row and its audit entries are read once before the probe and once after it.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from handler.contract import AUDIT_ACTION
from handler.validation import format_utc
from mep.errors import Problem, Reason
from mep.text import escape_control, one_line
from mep.verify.account import Account
from mep.verify.results import Check, CheckName, Status
from mep.verify.stored import Entries, Row, read_entries, read_row, transact
from monitoring import probe

_INVOKE_TIMEOUT_S = 60.0
_MAX_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class RowResult:
    """What was found of the reserved row.

    Attributes:
        check: The result.
        reads: What each read of the row has returned, in order; none if it could not be read.
        is_written: Whether the row has been put.
    """

    check: Check
    reads: tuple[Row | None, ...]
    is_written: bool


def check_row(account: Account) -> RowResult:
    """Check that the reserved row is there and marked; put it if it is missing."""
    reads: list[Row | None] = []
    written: list[bool] = []

    def check(client: Any) -> Check:
        reads.append(row := read_row(account, client, probe.KEY))
        if row is None:
            written.append(_put(account, client))
            reads.append(row := read_row(account, client, probe.KEY))
        where = f"{probe.ROW_NAME} ({account.target.calendar_table})"
        if row is None:
            return Check(CheckName.ROW, Status.FAIL, f"the row for {where} was put, and is not there")
        if not probe.is_marked(row):
            text = f"the row for {where} is not marked by the event {probe.EVENT_ID}: the probe would write to it"
            return Check(CheckName.ROW, Status.FAIL, text, "delete this row, and run the command again")
        found = "was missing, and was put" if any(written) else "is there"
        return Check(CheckName.ROW, Status.PASS, f"the row for {where} {found}, marked by the probe's event")

    result = account.ask(CheckName.ROW, "dynamodb", check)
    return RowResult(result, tuple(reads), any(written))


def check_audit_entry(account: Account, row: RowResult) -> tuple[Check, Entries | None]:
    """Check that the row has the audit entry of whoever put it, and none of the function.

    Args:
        account: What is verified.
        row: The result of `check_row`. If it could not be read, its audit entries decide nothing.

    Returns:
        The result, and the audit entries; None if they were not read.
    """
    if not row.reads:
        text = "the row, which decides it, could not be read"
        problem = Problem(Reason(row.check.reason), text, row.check.advice)
        return Check.not_available(CheckName.AUDIT_ENTRY, problem), None
    read: list[Entries] = []

    def check(client: Any) -> Check:
        read.append(entries := read_entries(account, client, probe.AUDIT_KEY))
        actions = [str(entry.get("action")) for entry in entries]
        where = f"{probe.AUDIT_KEY} in {account.target.audit_table}"
        if AUDIT_ACTION in actions:
            text = f"the function has marked the reserved row: {where} has an entry {AUDIT_ACTION}"
            return Check(CheckName.AUDIT_ENTRY, Status.FAIL, text, "find out which event named this row")
        if probe.ACTION not in actions:
            text = f"{where} has no entry {probe.ACTION}: this command did not put the row"
            return Check(CheckName.AUDIT_ENTRY, Status.FAIL, text, "delete the row, and run the command again")
        return Check(CheckName.AUDIT_ENTRY, Status.PASS, f"{where} has the entry {probe.ACTION}")

    return account.ask(CheckName.AUDIT_ENTRY, "dynamodb", check), read[0] if read else None


def check_outcome(account: Account, correlation_id: str) -> Check:
    """Invoke the function with the probe, once, and check what it returns."""
    name = account.target.names.alias
    # A second attempt after a lost response would be a second event.
    config = {"read_timeout": _INVOKE_TIMEOUT_S, "retries": {"mode": "standard", "total_max_attempts": 1}}
    now = account.now()
    event = probe.probe_event(correlation_id, source=account.target.event_source, time=f"{now:%Y-%m-%dT%H:%M:%SZ}")

    def check(_: Any) -> Check:
        client = account.client("lambda", **config)
        client.meta.events.register("before-call.lambda.Invoke", _trace_always, unique_id="mep-verify-trace")
        response = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        raw = response["Payload"].read()
        version = response.get("ExecutedVersion", "")
        try:
            body = json.loads(raw)
        except ValueError:
            text = f"{name} answered, but not as Lambda does"
            return Check.not_available(CheckName.OUTCOME, Problem(Reason.UNREADABLE_REPLY, text))
        if "FunctionError" not in response and probe.is_expected(body, correlation_id):
            of_version = f", version {version}" if version else ""
            return Check(CheckName.OUTCOME, Status.PASS, f"{name}{of_version}: duplicate, same event")
        text = f"{name} returned {_shown(body)} instead of duplicate with same_event true"
        return Check(CheckName.OUTCOME, Status.FAIL, text, _advice(body))

    return account.ask(CheckName.OUTCOME, "lambda", check)


def check_unchanged(account: Account, row: Row | None, entries: Entries) -> Check:
    """Check that the row and its audit entries are as they were before the probe."""

    def check(client: Any) -> Check:
        changed = [
            name
            for name, is_changed in (
                ("the row", read_row(account, client, probe.KEY) != row),
                ("its audit entries", read_entries(account, client, probe.AUDIT_KEY) != entries),
            )
            if is_changed
        ]
        if changed:
            text = f"the probe changed {' and '.join(changed)} of {probe.ROW_NAME}"
            return Check(CheckName.UNCHANGED, Status.FAIL, text, "the function does not write conditionally")
        return Check(CheckName.UNCHANGED, Status.PASS, "the probe changed neither the row nor its audit entries")

    return account.ask(CheckName.UNCHANGED, "dynamodb", check)


def _put(account: Account, client: Any) -> bool:
    """Put the row and its audit entry; return False if another verification was faster."""
    target = account.target
    parameters = probe.put_transaction(
        target.calendar_table, target.audit_table, operator=account.operator(), now=format_utc(account.now())
    )
    return transact(client, parameters)


def sampled_trace_header() -> str:
    """Return a trace header that asks for a sampled trace.

    Lambda samples by itself, and an event that it left out would have no trace to find.
    """
    return f"Root=1-{int(time.time()):08x}-{token_hex(12)};Sampled=1"


def _trace_always(params: dict[str, Any], **_: Any) -> None:
    params["headers"]["X-Amzn-Trace-Id"] = sampled_trace_header()


def _shown(body: object) -> str:
    """Return the part of a response that shows why it is not the expected one."""
    if not isinstance(body, Mapping):
        return escape_control(one_line(json.dumps(body)))[:_MAX_MESSAGE]
    names = ("outcome", "same_event", "error_category", "error_code", "correlation_id", "errorType", "errorMessage")
    shown = ", ".join(f"{name} {json.dumps(body[name])}" for name in names if name in body)
    return escape_control(one_line(shown or "no outcome"))[:_MAX_MESSAGE]


def _advice(body: object) -> str:
    outcome = body.get("outcome") if isinstance(body, Mapping) else None
    if outcome == "dead_lettered":
        return "the probe is in the dead-letter queue, which raises dlq-arrival: discard it when the cause is found"
    if outcome == "marked":
        return "the function works on other tables, or does not write conditionally"
    return "docs/runbook.md explains the error categories"
