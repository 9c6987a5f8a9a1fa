"""The command `mep verify`."""

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from handler.contract import DEFAULT_SOURCE
from mep.errors import RunError, StoppedError, UnavailableError, UsageError
from mep.output import print_error

if TYPE_CHECKING:
    from mep.verify.results import Report

_WAIT_S = 120


def verify_command(
    *,
    environment: Annotated[
        str,
        typer.Option(metavar="NAME", envvar="ENVIRONMENT", help="dev, staging or prod: all names follow from it."),
    ],
    prefix: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The prefix of the names. Default: that of the environment's file."),
    ] = None,
    calendar_table: Annotated[
        str | None, typer.Option(metavar="NAME", help="The calendar table. Default: that of the stack.")
    ] = None,
    audit_table: Annotated[
        str | None, typer.Option(metavar="NAME", help="The audit table. Default: that of the stack.")
    ] = None,
    event_source: Annotated[
        str, typer.Option(metavar="TEXT", help="The source of events, if the stack was deployed with another.")
    ] = DEFAULT_SOURCE,
    event_bus: Annotated[
        str | None, typer.Option(metavar="NAME", help="The event bus of --full. Default: that of the stack.")
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Then make the round trip over the bus: it writes to reserved rows and notifies people."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Allow --full in prod.")] = False,
    role: Annotated[
        str | None,
        typer.Option(metavar="ARN", envvar="MEP_VERIFY_ROLE", help="The role under which every call is made."),
    ] = None,
    wait: Annotated[
        int, typer.Option(min=0, max=900, help="Seconds to wait for what arrives late, for each step of --full.")
    ] = _WAIT_S,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Verify a deployed function, without an effect: invoke it with an event that has been processed already.

    The event is for one reserved row of the calendar, which the same event has marked: the outcome is `duplicate`,
    nothing is written and no alarm fires. If the row is missing, the command puts it and reports it. Then it reads what
    the event leaves: the row and its audit entry, the log, the metrics, the trace; and the alarms and who gets them.

    With --full, it then puts two events for two more reserved rows on the bus: one marks its row; the other is
    dead-lettered, because its row is missing, and redriven when the row is there. It sets off two alarms, `dlq-age`
    and `dead-letters`, which it names first. It cleans up after itself, also when it is interrupted. In prod it needs
    --yes.

    The exit status is 0 when every check passed, 1 when one failed, 3 when none failed and one could not be asked. An
    emulator need not have CloudWatch, X-Ray and SNS; on AWS everything must be there.
    """
    from mep.progress import ProgressBar
    from mep.stack.naming import Resource
    from mep.stack.resources import StackResources, check_environment, stack_names
    from mep.terminal import console
    from mep.verify.account import Account, Target
    from mep.verify.connection import connect
    from mep.verify.engine import verify
    from mep.verify.notification import sets_off
    from monitoring.names import PREFIX, PREFIX_RULE

    check_environment("--environment", environment)
    if prefix is not None and not re.fullmatch(PREFIX, prefix):
        raise UsageError(f"--prefix {prefix}: must be {PREFIX_RULE}")
    names = stack_names(environment, prefix)
    alarms = ", ".join(sets_off(names))
    if full and environment == "prod" and not yes:
        raise UsageError(f"--full in prod sets off {alarms}: warn those who are notified, then use --yes")
    options = {"--calendar-table": calendar_table, "--audit-table": audit_table, "--event-bus": event_bus}
    connection = connect({name: value for name, value in options.items() if value}, role, full=full)
    resources = StackResources(connection.aws, names, print_error)
    # The round trip writes, so that its names must be certain.
    find = resources.name if full else resources.name_or_rule
    target = Target(
        names=names,
        calendar_table=calendar_table or find(Resource.CALENDAR),
        audit_table=audit_table or find(Resource.AUDIT),
        event_source=event_source,
        region=connection.aws.region,
        event_bus=event_bus or (find(Resource.BUS) if full else names.bus),
        queue=names.dead_letter_queue,
    )
    account = Account(target, connection.client, connection.operator, wait, connection.emulated)
    if full:
        print_error(f"--full puts two events on {target.event_bus}, and sets off {alarms}: their topic is notified")
    current = ["row"]
    label = f"verifying {names.alias}"
    with ProgressBar(console(stderr=True), label, status=lambda: f"{label}: {current[-1]}"):
        report = verify(
            account,
            full=full,
            on_check=lambda name: current.append(name.value),
            on_left=lambda left: print_error(f"left: {left.what}: {left.command}"),
        )
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        from mep.verify.render import show_report

        show_report(report, console())
    _end(report)


def _end(report: "Report") -> None:
    """End the command with the exit status of a report.

    Raises:
        StoppedError: The round trip was interrupted.
        RunError: A check failed.
        UnavailableError: A check could not be asked.
    """
    from mep.verify.results import Status

    if report.round_trip is not None and report.round_trip.interrupted:
        left = len(report.round_trip.left)
        done = f"not cleaned up: {left}, with the commands above" if left else "the round trip was cleaned up"
        raise StoppedError(f"interrupted; {done}")
    if report.status is not Status.PASS:
        failed = ", ".join(check.name for check in report.checks if check.status is report.status)
        if report.status is Status.FAIL:
            raise RunError(f"{report.function} is not as it should be: {failed}")
        raise UnavailableError(f"{report.function} could not be verified completely: {failed}")
