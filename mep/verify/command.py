"""The command `mep verify`."""

import json
import re
from typing import Annotated

import typer

from handler.contract import DEFAULT_SOURCE
from mep.errors import RunError, UnavailableError, UsageError
from mep.output import print_error

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
    wait: Annotated[
        int, typer.Option(min=0, max=900, help="Seconds to wait for the log, the metrics and the trace.")
    ] = _WAIT_S,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Verify a deployed function, without an effect: invoke it with an event that has been processed already.

    The event is for one reserved row of the calendar, which the same event has marked: the outcome is `duplicate`,
    nothing is written and no alarm fires. If the row is missing, the command puts it and reports it. Then it reads what
    the event leaves: the row and its audit entry, the log, the metrics, the trace; and the alarms and who gets them.

    The exit status is 0 when every check passed, 1 when one failed, 3 when none failed and one could not be asked. An
    emulator need not have CloudWatch, X-Ray and SNS; on AWS everything must be there.
    """
    from mep.aws import open_aws
    from mep.dlq.session import operator_name
    from mep.progress import ProgressBar
    from mep.stack.naming import Resource
    from mep.stack.resources import StackResources, check_environment, stack_names
    from mep.terminal import console
    from mep.verify.account import Account, Target, client_factory
    from mep.verify.engine import verify
    from mep.verify.results import Status
    from monitoring.names import PREFIX, PREFIX_RULE

    check_environment("--environment", environment)
    if prefix is not None and not re.fullmatch(PREFIX, prefix):
        raise UsageError(f"--prefix {prefix}: must be {PREFIX_RULE}")
    names = stack_names(environment, prefix)
    tables = {"--calendar-table": calendar_table, "--audit-table": audit_table}
    aws = open_aws({name: value for name, value in tables.items() if value})
    aws.check_credentials()
    client, emulated = client_factory(aws)
    resources = StackResources(aws, names, print_error)
    target = Target(
        names=names,
        calendar_table=calendar_table or resources.name_or_rule(Resource.CALENDAR),
        audit_table=audit_table or resources.name_or_rule(Resource.AUDIT),
        event_source=event_source,
        region=aws.region,
    )
    account = Account(target, client, lambda: operator_name(aws, None), wait, emulated)
    current = ["row"]
    label = f"verifying {names.alias}"
    with ProgressBar(console(stderr=True), label, status=lambda: f"{label}: {current[-1]}"):
        report = verify(account, on_check=lambda name: current.append(name.value))
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        from mep.verify.render import show_report

        show_report(report, console())
    if report.status is not Status.PASS:
        failed = ", ".join(check.name for check in report.checks if check.status is report.status)
        if report.status is Status.FAIL:
            raise RunError(f"{names.alias} is not as it should be: {failed}")
        raise UnavailableError(f"{names.alias} could not be verified completely: {failed}")
