"""`mep dlq discard`."""

from typing import Annotated

import typer

from mep.dlq import MAX_MESSAGES, VISIBILITY_TIMEOUT_S
from mep.dlq.options import (
    AsJson,
    Categories,
    CorrelationIds,
    DryRun,
    Ids,
    Limit,
    NewerThan,
    OlderThan,
    Operator,
    QueueUrl,
    VisibilityTimeout,
)
from mep.dlq.terminal import Report, check_confirmation, confirm, open_session, progress
from mep.errors import UsageError
from mep.stack.options import Environment


def discard_command(
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason; the audit table records it.")],
    environment: Environment = None,
    queue_url: QueueUrl = None,
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    operator: Operator = None,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Delete dead letters permanently. Needs a filter or an ID; unrecognised messages are never deleted.

    The exit status is 1 when a message or event that you named was not discarded.
    """
    from mep.dlq import render
    from mep.dlq.discard import check_reason, discard, plan
    from mep.dlq.results import ActionName, MessageState, Recorder
    from mep.dlq.selection import select
    from mep.stack.naming import Resource

    reason = check_reason(reason)
    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    if selection.empty:
        raise UsageError("no selection: use --id, --correlation-id, --category, --older-than or --newer-than")
    check_confirmation(yes=yes, dry_run=dry_run)
    with open_session(environment, queue_url, visibility_timeout, limit, needs=[Resource.AUDIT]) as session:
        selected = session.select(selection)
        recorder = Recorder(ActionName.DISCARD, selected, dry_run=dry_run)
        with Report(recorder, session.snapshot, as_json).json() as report, report.counts():
            planned = plan(selected)
            report.planned(selection, planned)
            if planned.selected:
                report.screen.print(render.overview(planned.selected))
                report.screen.print(render.listing(planned.selected, "category", render.SHOWN))
            if not planned.selected or dry_run:
                pass
            elif confirm(yes=yes, count=len(planned.selected), stderr=as_json):
                audit = session.audit(operator)
                with progress(planned.selected, "discarding") as messages:
                    discard(messages, reason, session.queue, audit, session.metrics, recorder)
            else:
                for dead_letter in planned.selected:
                    recorder.set(dead_letter, MessageState.SKIPPED, "not confirmed")
                report.incomplete = report.incomplete or selection.names
        report.exit()
