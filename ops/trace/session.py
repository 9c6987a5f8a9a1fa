"""An account's own clients, by the standard variables, and its dead-letter queue."""

from dataclasses import replace
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError

from local.errors import RunError, UsageError
from ops.trace.aws import Where, find_in_aws
from ops.trace.letters import letter_moment
from ops.trace.moments import Finding


@cache
def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    make: Any = boto3.client
    return make(service, config=Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"}))


def find_in_account(correlation_id: str, where: Where, queue_url: str | None) -> Finding:
    """Ask AWS, with the caller's own credentials and region.

    Args:
        correlation_id: what to look for.
        where: to look.
        queue_url: of the dead-letter queue; None to leave it out.

    Raises:
        UsageError: there is no region, or a setting of boto3's is wrong.
    """
    try:
        for service in ("logs", "xray", "dynamodb", "sqs"):
            _client(service)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"AWS cannot be asked: {' '.join(str(error).split())} (--run looks into a folder)") from error
    return with_letters(find_in_aws(correlation_id, where, _client), correlation_id, _client("sqs"), queue_url)


def with_letters(finding: Finding, correlation_id: str, sqs: Any, queue_url: str | None) -> Finding:
    """Add the dead letters of an ID. They are looked at, not consumed.

    Args:
        finding: what is known already.
        correlation_id: whose letters.
        sqs: a client of SQS.
        queue_url: of the queue; None to leave it out.
    """
    from ops.dlq.queue import Queue

    if not queue_url:
        note = "the dead-letter queue was not looked at: DEAD_LETTER_QUEUE_URL is not set"
        return replace(finding, notes=(*finding.notes, note))
    queue = Queue(sqs, queue_url)
    try:
        reading = queue.read()
    except RunError as error:
        return replace(finding, notes=(*finding.notes, str(error)))
    finally:
        queue.release()
    notes = finding.notes
    if not reading.complete:
        notes = (*notes, "some dead letters could not be seen: somebody else is working on them, or there are too many")
    letters = [letter for letter in reading.letters if letter.correlation_id == correlation_id]
    moments = [letter_moment(letter, finding.moments) for letter in letters]
    return replace(finding, moments=(*finding.moments, *moments), notes=notes)
