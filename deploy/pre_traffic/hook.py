"""The hook before traffic: a new version of the function gets no events before it has answered the probe.

CodeDeploy invokes it (lifecycle event BeforeAllowTraffic). It invokes the new version with the probe of `mep verify`,
which writes nothing, and reports `Succeeded` or `Failed`. Whatever goes wrong is reported as `Failed`: CodeDeploy would
wait an hour for a report.

It runs on Lambda's Python runtime with the boto3 of that. The archive has the files of `deploy.stack.pre_traffic.FILES`
only: this module imports nothing else.
"""

import json
import logging
import os
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.contract import AUDIT, CALENDAR
from handler.validation import format_utc
from monitoring import probe

VERSION_VARIABLE = "FUNCTION_VERSION_ARN"
"""The environment variable with the version to probe: CodeDeploy's event does not name it."""

SOURCE_VARIABLE = "EVENT_SOURCE"
"""The environment variable with the `source` that the function accepts."""

ATTEMPTS = 3
CONNECT_SECONDS = 2
CALL_SECONDS = 5
INVOKE_SECONDS = 60
"""The function has 10 s to start, and 30 s to answer."""

TIMEOUT_SECONDS = 300
"""More than all calls take together if each of their attempts takes as long as it can."""

NOT_READY = "SnapStartNotReadyException"
"""https://docs.aws.amazon.com/lambda/latest/dg/snapstart-troubleshooting.html"""

NOT_READY_SECONDS = 5
NOT_READY_WAITS = 5

_MAX_SHOWN = 500

log = logging.getLogger(__name__)

for _library in ("boto3", "botocore", "urllib3"):
    # At level DEBUG they log whole requests: credentials, and the calendar.
    logging.getLogger(_library).setLevel(logging.WARNING)


class ReportError(Exception):
    """CodeDeploy did not take the report. Lambda repeats the invocation."""


def handle(event: Mapping[str, str], _context: object = None) -> dict[str, str]:
    """Probe the new version, and report the result to CodeDeploy.

    Args:
        event: CodeDeploy's event: `DeploymentId` and `LifecycleEventHookExecutionId`.

    Returns:
        The status that was reported.

    Raises:
        ReportError: CodeDeploy did not take the report, or did not answer.
    """
    log.setLevel(logging.INFO)
    deployment = event["DeploymentId"]
    codedeploy = _client("codedeploy")
    try:
        problem = _find_problem(codedeploy, deployment)
    except Exception as error:  # noqa: BLE001 - whatever it is, CodeDeploy must get a report
        problem = f"it could not be probed: {_describe(error)}"
    if problem:
        log.error("The new version must not get events: %s", problem)
    status = "Failed" if problem else "Succeeded"
    try:
        codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=deployment,
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )
    except (BotoCoreError, ClientError) as error:
        raise ReportError(_describe(error)) from None
    log.info("Reported %s for deployment %s", status, deployment)
    return {"status": status}


def _find_problem(codedeploy: Any, deployment: str) -> str:
    """Return why the new version must not get events; empty if it may."""
    creator = codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"].get("creator", "")
    if "rollback" in creator.lower():  # codeDeployRollback, CloudFormationRollback
        log.info("Not probed: deployment %s is a rollback, to a version that has had events", deployment)
        return ""
    problem = _prepare_row(deployment)
    return problem or _probe(os.environ[VERSION_VARIABLE])


def _prepare_row(deployment: str) -> str:
    """Put the reserved row if it is missing; return why it must not be used."""
    dynamodb = _client("dynamodb")
    calendar, audit = os.environ[CALENDAR.variable], os.environ[AUDIT.variable]
    key = {name: {"S": value} for name, value in probe.KEY.items()}
    item = dynamodb.get_item(TableName=calendar, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        now = format_utc(datetime.now(UTC))
        put = probe.put_transaction(calendar, audit, operator=f"CodeDeploy {deployment}", now=now)
        try:
            dynamodb.transact_write_items(**put)
        except ClientError as error:
            if not probe.was_faster(error.response):
                raise
        log.info("Put the reserved row into %s", calendar)
        return ""
    if probe.is_marked({name: next(iter(value.values())) for name, value in item.items()}):
        return ""
    return f"the row for {probe.ROW_NAME} ({calendar}) is not marked by the event {probe.EVENT_ID}: delete this row"


def _probe(version: str) -> str:
    """Invoke a version with the probe; return what is wrong with the answer."""
    correlation_id = f"{probe.EVENT_ID}-{uuid4()}"
    log.info("Invoking %s with the correlation ID %s", version, correlation_id)
    event = probe.probe_event(
        correlation_id, source=os.environ[SOURCE_VARIABLE], time=format_utc(datetime.now(UTC), "seconds")
    )
    # An attempt is repeated if there is no answer, which does no harm: the probe writes nothing.
    client = _client("lambda", read_timeout=INVOKE_SECONDS)
    response = _invoke(client, version, json.dumps(event).encode())
    answer = response["Payload"].read()
    if "FunctionError" not in response and probe.is_expected(json.loads(answer), correlation_id):
        return ""
    shown = answer[:_MAX_SHOWN].decode(errors="replace")
    return f"{version} answered {shown} instead of duplicate with same_event true"


def _invoke(client: Any, version: str, payload: bytes) -> Any:
    """Invoke a version; with SnapStart, wait for its snapshot."""
    for _ in range(NOT_READY_WAITS):
        try:
            return client.invoke(FunctionName=version, Payload=payload)
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_READY:
                raise
        log.info("The snapshot of the new version is not ready")
        time.sleep(NOT_READY_SECONDS)
    return client.invoke(FunctionName=version, Payload=payload)


def _describe(error: Exception) -> str:
    """Return the error code or the class of an error, and where it came from; its text may quote a header or a role."""
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']} at {error.operation_name}"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if frame.filename == __file__), frames[-1])
    return f"{type(error).__name__} at {frame.name}, line {frame.lineno}"


def _client(service: str, read_timeout: int = CALL_SECONDS) -> Any:
    retries: Any = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=read_timeout, retries=retries)
    new_client: Any = boto3.client  # typed by service, of which this one is any
    return new_client(service, config=config)
