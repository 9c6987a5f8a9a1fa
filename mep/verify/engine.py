"""Verifies a deployed function: the probe, then everything that it leaves and that can be read."""

from collections.abc import Callable
from copy import replace
from uuid import uuid4

from mep.errors import Problem, Reason
from mep.verify.account import Account
from mep.verify.alerting import check_alerting
from mep.verify.probing import (
    check_audit_entry,
    check_outcome,
    check_row,
    check_unchanged,
)
from mep.verify.results import Check, CheckName, Report, RoundTripReport, Status
from mep.verify.round_trip import OnCheck, OnLeft, make_round_trip, no_round_trip
from mep.verify.telemetry import check_log, check_metrics, check_trace, of_probe
from monitoring import probe

_AFTER_PROBE = (CheckName.UNCHANGED, CheckName.LOG, CheckName.METRICS, CheckName.TRACE)


def verify(
    account: Account,
    *,
    full: bool = False,
    on_check: OnCheck = lambda _: None,
    on_left: OnLeft = lambda _: None,
) -> Report:
    """Verify an environment.

    The probe is sent only if its row is there and marked: it then writes nothing. What could not be asked is never
    reported as passed.

    Args:
        account: What is verified.
        full: Whether to make the round trip over the bus, too, if the function has answered the probe as expected.
        on_check: Called with each check before it is made.
        on_left: As for `make_round_trip`.

    Raises:
        UsageError: A boto3 setting is invalid.
    """
    correlation_id = f"{probe.EVENT_ID}-{uuid4()}"
    on_check(CheckName.ROW)
    row = check_row(account)
    on_check(CheckName.AUDIT_ENTRY)
    audit_entry, entries = check_audit_entry(account, row)
    checks = [row.check, audit_entry]
    if row.check.status is Status.PASS:

        def unchanged() -> Check:
            if entries is None:
                return replace(audit_entry, name=CheckName.UNCHANGED)
            return check_unchanged(account, row.reads[-1], entries)

        checks += _probe(account, correlation_id, unchanged, on_check)
    else:
        checks += _not_sent((CheckName.OUTCOME, *_AFTER_PROBE), "the probe was not sent, because of its row")
    on_check(CheckName.ALARMS)
    checks += check_alerting(account)
    round_trip = None
    if full:
        more, round_trip = _round_trip(account, correlation_id, checks, on_check, on_left)
        checks += more
    target = account.target
    return Report(
        environment=target.names.environment,
        function=target.names.alias,
        region=target.region,
        correlation_id=correlation_id,
        row_written=row.is_written,
        emulated=account.emulated,
        checks=tuple(checks),
        round_trip=round_trip,
    )


def _round_trip(
    account: Account, run: str, checks: list[Check], on_check: OnCheck, on_left: OnLeft
) -> tuple[list[Check], RoundTripReport]:
    needed = {CheckName.OUTCOME, CheckName.UNCHANGED}
    if failed := [check.name.value for check in checks if check.name in needed and not check.passed]:
        return no_round_trip(account, run, f"no event was put on the bus, because of {failed[0]}")
    return make_round_trip(account, run, on_check=on_check, on_left=on_left)


def _probe(account: Account, correlation_id: str, unchanged: Callable[[], Check], on_check: OnCheck) -> list[Check]:
    started = account.now()
    on_check(CheckName.OUTCOME)
    outcome = check_outcome(account, correlation_id)
    if outcome.status is Status.NOT_AVAILABLE:
        return [outcome, *_not_sent(_AFTER_PROBE, "the function has not answered the probe")]
    deadline = account.monotonic() + account.wait_s
    expected = of_probe(correlation_id)
    checks = [outcome]
    reads: list[tuple[CheckName, Callable[[], Check]]] = [
        (CheckName.UNCHANGED, unchanged),
        (CheckName.LOG, lambda: check_log(account, expected, deadline)),
        (CheckName.METRICS, lambda: check_metrics(account, expected, started, deadline)),
        (CheckName.TRACE, lambda: check_trace(account, expected, deadline)),
    ]
    for name, check in reads:
        on_check(name)
        checks.append(check())
    return checks


def _not_sent(names: tuple[CheckName, ...], text: str) -> list[Check]:
    # Incomplete, also beside an emulator: it was to be asked.
    return [Check.not_available(name, Problem(Reason.INCOMPLETE, text)) for name in names]
