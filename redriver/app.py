"""The entry point of Lambda: `redriver.app.lambda_handler`."""

import logging
import os
import time
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Any

from mep.dlq.audit import AuditTrail
from mep.dlq.queue import Queue
from mep.errors import AwsUnavailableError, MepError, Reason, RunError
from redriver import CALENDAR_TASK, OPERATOR, REDRIVE_TASK, VISIBILITY_TIMEOUT_S, policy
from redriver.calendar import CalendarCheck
from redriver.clock import Clock
from redriver.invocation import Invocation, lambda_client
from redriver.pause import find_pause
from redriver.redrive import AutoRedrive, RunResult, Status
from redriver.report import Counts, Report
from redriver.room import Room
from redriver.settings import RedriverSettings, load_settings
from redriver.stores import Attempts, Rows

_PASSES = frozenset({Reason.NETWORK, Reason.SERVICE_ERROR, Reason.THROTTLED, Reason.UNREADABLE_REPLY})
"""Reasons of a failed call that pass by themselves: the next run tries again, and no person is needed."""

for _library in ("boto3", "botocore", "urllib3"):
    # At level DEBUG they log whole requests: credentials, and the events in them.
    logging.getLogger(_library).setLevel(logging.WARNING)


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run one task.

    Args:
        event: `{"task": "redrive"}` or `{"task": "calendar"}`.
        context: Lambda's context object.

    Returns:
        The task and its status.

    Raises:
        RunError: The task failed, and the next run will fail as well. The invocation fails, which the alarm counts.
            Lambda's runtime client logs the text, so that it has neither AWS's own message nor the text of a library.
    """
    try:
        return _run_task(event, context)
    except Exception as error:  # noqa: BLE001 - Lambda's runtime client logs the text of whatever is raised
        raise RunError(_text(error)) from None


def _run_task(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    task = str(event.get("task", REDRIVE_TASK))
    settings = _settings()
    report = Report(settings.environment, context.aws_request_id, context.function_version)
    clock = Clock(lambda: float(context.get_remaining_time_in_millis()) / 1000)
    if task == REDRIVE_TASK:
        status = redrive(settings, report, clock)
    elif task == CALENDAR_TASK:
        status = check_calendar(settings, report, clock)
    else:
        raise RunError(f"the event names no task: {REDRIVE_TASK} or {CALENDAR_TASK}")
    return {"task": task, "status": status.value}


def redrive(settings: RedriverSettings, report: Report, clock: Clock) -> Status:
    """Redrive, and write the lines of the run also if it fails.

    Args:
        settings: The settings.
        report: Writes the lines.
        clock: The time.

    Raises:
        MepError: A call was denied, or a setting is wrong.
        Exception: A defect.
    """
    started, counts = time.monotonic(), Counts()
    result, run = RunResult(), None
    try:
        if pause := find_pause(settings):
            result.status, result.problem = Status.PAUSED, pause.value
        else:
            run = _new_run(settings, counts, clock)
            result = run.result
            run.run()
    except Exception as error:
        result.status, result.problem = _status(error), _text(error)
        if result.status is Status.FAILED:
            raise
    finally:
        report.redrive(result, counts, time.monotonic() - started)
    return result.status


def check_calendar(settings: RedriverSettings, report: Report, clock: Clock) -> Status:
    """Check the calendar, and write the lines of the check.

    Args:
        settings: The settings.
        report: Writes the lines.
        clock: The time.

    Raises:
        MepError: The check is incomplete: it proves nothing, and there is no other one on this day.
    """
    started = time.monotonic()
    result = CalendarCheck(settings, clock).run()
    report.calendar(result, time.monotonic() - started)
    if not result.complete:
        reason = result.problem.text if result.problem else "the time of this function was over"
        raise RunError(f"the calendar check is incomplete after {result.rows:,} rows: {reason}")
    return Status.DONE


@cache  # clients live as long as the sandbox
def _settings() -> RedriverSettings:
    return load_settings(os.environ)


def _new_run(settings: RedriverSettings, counts: Counts, clock: Clock) -> AutoRedrive:
    dynamodb, room = settings.client("dynamodb"), Room(policy.MAX_CHARACTERS)
    return AutoRedrive(
        queue=Queue(
            settings.client("sqs"),
            settings.queue_url,
            visibility_timeout_s=VISIBILITY_TIMEOUT_S,
            with_content=room,
        ),
        room=room,
        function=Invocation(lambda_client(settings.aws), settings.function, Rows(dynamodb, settings.calendar_table)),
        audit=AuditTrail(dynamodb, settings.audit_table, OPERATOR, clock.now),
        attempts=Attempts(dynamodb, settings.audit_table),
        metrics=counts,
        clock=clock,
    )


def _status(error: Exception) -> Status:
    """Return the status that an error gives a run."""
    passes = isinstance(error, AwsUnavailableError) and error.problem.reason in _PASSES
    return Status.UNAVAILABLE if passes else Status.FAILED


def _text(error: Exception) -> str:
    """Return the text of an error without AWS's own message, which names roles; of a defect, its class and place."""
    if isinstance(error, AwsUnavailableError):
        return f"{error.what}: {error.problem.text}"
    if isinstance(error, MepError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"a defect: {type(error).__name__} at {PurePath(frame.filename).name}:{frame.lineno}"
