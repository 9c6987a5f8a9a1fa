"""`mep dlq redrive`."""

from typing import TYPE_CHECKING, Annotated

import typer

from mep.dlq import MAX_MESSAGES, RATE, VISIBILITY_TIMEOUT_S
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
from mep.dlq.terminal import Report, open_session, progress, warn
from mep.errors import UsageError
from mep.stack.options import Environment

if TYPE_CHECKING:
    from mep.dlq.destinations import Destination
    from mep.dlq.redrive import Plan
    from mep.dlq.session import Session
    from mep.settings import Settings
    from mep.stack.naming import Given

WAIT = "60s"
_PRINTED_TARGETS = 5


def redrive_command(
    context: typer.Context,
    *,
    environment: Environment = None,
    queue_url: QueueUrl = None,
    bus: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            envvar="EVENT_BUS_NAME",
            help="Put the events onto this EventBridge bus again. Default: that of the environment.",
        ),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Invoke only this function, asynchronously, instead of a bus."),
    ] = None,
    id_: Ids = None,
    correlation_id: CorrelationIds = None,
    category: Categories = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also redrive permanent failures (use after fixing the cause).")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.01, max=1000, metavar="N", help="Maximum events per second.")] = RATE,
    wait: Annotated[
        bool, typer.Option("--wait", help="Then wait for events that fail again, and report how many did.")
    ] = False,
    wait_timeout: Annotated[
        str | None,
        typer.Option("--wait-timeout", metavar="AGE", help=f"How long `--wait` waits at most. Default: {WAIT}."),
    ] = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    operator: Operator = None,
    visibility_timeout: VisibilityTimeout = VISIBILITY_TIMEOUT_S,
    limit: Limit = MAX_MESSAGES,
) -> None:
    """Redrive dead letters: send their events to the bus, or directly to the function.

    The destination is the environment's bus, --bus (or `EVENT_BUS_NAME`), or --function. Without a filter (--id,
    --correlation-id, --category, --older-than, --newer-than) every message of the queue is redriven. Permanent failures
    stay in the queue unless you use --force. Queue, destination and audit table must be of one environment.

    A message is deleted only after its event was accepted. A redrive may be interrupted at any point and run again:
    no event is lost, and the function handles an event that is delivered twice as a duplicate.

    The exit status is 1 when an event was not accepted, when there was no answer about one, when a message or event
    that you named was not sent, or, with `--wait`, when an event failed again.
    """
    from mep.dlq import render
    from mep.dlq.redrive import Redriver, plan
    from mep.dlq.results import ActionName, Recorder
    from mep.dlq.selection import parse_age, select
    from mep.stack.naming import Resource

    selection = select(id_ or (), correlation_id or (), category or (), older_than, newer_than)
    timeout = parse_age("--wait-timeout", wait_timeout or WAIT)
    given = _given(bus, function, is_option=_is_option(context, "bus"))
    needs = [Resource.AUDIT] if function else [Resource.AUDIT, Resource.BUS]
    with open_session(environment, queue_url, visibility_timeout, limit, needs=needs, given=given) as session:
        destination = _destination(session.settings, function)
        selected = session.select(selection)
        recorder = Recorder(ActionName.REDRIVE, selected, destination.name, dry_run=dry_run)
        waits = bool((wait or wait_timeout) and timeout and not dry_run)
        with Report(recorder, session.snapshot, as_json).json() as report:
            with report.counts(then_waits=waits):
                with progress(selected, "checking") as messages:
                    planned = plan(
                        messages, destination, force=force, extend_visibility=session.queue.extend_visibility
                    )
                session.queue.release(entry.dead_letter for entry in planned.remaining)
                report.planned(selection, planned)
                report.other_targets = _other_targets(destination, planned)
                if not dry_run:
                    audit = session.audit(operator)
                    with progress(planned.selected, "redriving") as messages:
                        Redriver(session.queue, destination, audit, session.metrics, rate).run(messages, recorder)
                elif planned.selected:
                    report.screen.print(render.overview(planned.selected))
                    report.screen.print(render.listing(planned.selected, "category", render.SHOWN))
            if waits and timeout:
                _wait(report, session, timeout.total_seconds(), limit)
        report.exit()


def _is_option(context: typer.Context, name: str) -> bool:
    """Return whether a value comes from the command line, not from a variable."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _given(bus: str | None, function: str | None, *, is_option: bool) -> "list[Given]":
    """Return the destination that is named, if one is; `--function` overrides a bus of a variable.

    Raises:
        UsageError: Options name two.
    """
    from mep.settings import BUS_VARIABLE
    from mep.stack.naming import Given, Resource

    if bus and function and is_option:
        raise UsageError("--bus and --function: use one of them; --function reaches only the function")
    if function:
        return [Given("--function", Resource.FUNCTION, function)]
    return [Given("--bus" if is_option else BUS_VARIABLE, Resource.BUS, bus)] if bus else []


def _destination(settings: "Settings", function: str | None) -> "Destination":
    from mep.dlq.destinations import Bus, Function

    if function:
        return Function(settings.aws.client("lambda"), function)
    return Bus(settings.aws.client("events"), settings.bus, settings.function_name)


def _other_targets(destination: "Destination", plan: "Plan") -> list[str]:
    """Return what else receives the events, and warn about it: asked for one event of each source and detail-type."""
    from mep.dlq.destinations import RejectedError

    examples = {
        (event.get("source"), event.get("detail-type")): event
        for dead_letter in plan.selected
        if isinstance(event := dead_letter.event, dict)
    }
    try:
        targets = sorted({target for event in examples.values() for target in destination.other_targets(event)})
    except RejectedError as error:
        warn(f"whether {destination.name} delivers the events to other targets, too, is not known: {error}")
        return []
    if targets:
        more = f" and {len(targets) - _PRINTED_TARGETS} more" if len(targets) > _PRINTED_TARGETS else ""
        warn(
            f"{destination.name} delivers an event to every rule that matches, also to "
            f"{', '.join(targets[:_PRINTED_TARGETS])}{more}: use --function NAME to reach only the function"
        )
    return targets


def _wait(report: Report, session: "Session", timeout_s: float, limit: int) -> None:
    """Wait for events that come back as dead letters, and state how many did, also if this is interrupted."""
    from mep import terminal
    from mep.dlq.results import MessageState
    from mep.dlq.returns import ReturnWatch
    from mep.dlq.sentences import returns_sentence
    from mep.progress import ProgressBar

    accepted = report.recorder.result().of(MessageState.SENT, MessageState.NOT_DELETED, MessageState.UNCERTAIN)
    known = [dead_letter.message_id for dead_letter in session.snapshot.dead_letters]
    watch = ReturnWatch(session.queue, [message.dead_letter for message in accepted], known, limit)
    label = "waiting for events that fail again"
    with ProgressBar(terminal.console(stderr=True), label, "s", round(timeout_s)) as bar:
        shown = 0

        def on_poll(elapsed_s: float) -> None:
            nonlocal shown
            while shown < min(elapsed_s, timeout_s):
                shown += 1
                bar.advance()

        try:
            with report.stops():
                watch.wait(timeout_s, on_poll)
        finally:
            report.recorder.returns = watch.result()
    for note in watch.notes:
        warn(note)
    report.screen.print(returns_sentence(watch.result()), soft_wrap=True)
