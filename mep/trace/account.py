"""An account's own clients, by the standard variables, and its dead-letter queue."""

from dataclasses import replace
from typing import Any

from mep.aws import Aws
from mep.errors import LocalError
from mep.problems import AwsUnavailableError, Problem, Reason
from mep.settings import QUEUE_VARIABLE, Settings
from mep.trace.cloud import find_in_aws
from mep.trace.dead_letters import dead_letter_entry
from mep.trace.entries import SearchResult
from mep.trace.gaps import Gap, Source
from mep.trace.where import NotAskedError, SearchScope, names_of

_SERVICES = ("logs", "xray", "dynamodb")


def find_in_account(correlation_id: str, where: SearchScope, settings: Settings) -> SearchResult:
    """Ask AWS, with the caller's own credentials and region.

    Args:
        correlation_id: what to look for.
        where: to look.
        settings: of the stack.

    Raises:
        UsageError: a setting of boto3's is wrong.
    """
    aws, url = settings.aws, settings.queue_url
    problem = aws.credentials_problem
    if problem is not None:
        names = {**names_of(where), Source.QUEUE: url}
        return SearchResult(gaps=tuple(Gap(source, name, problem) for source, name in names.items()))
    services = (*_SERVICES, "sqs") if url else _SERVICES
    sides = {aws.is_emulated(service) for service in services}  # of all: a wrong setting is told before anything else
    aws.emulated = True if True in sides else None
    finding = find_in_aws(correlation_id, where, lambda service: _client(aws, service))
    try:
        sqs = _client(aws, "sqs") if url else None
    except NotAskedError as error:
        return replace(finding, gaps=(*finding.gaps, Gap(Source.QUEUE, url, error.problem)))
    return with_dead_letters(finding, correlation_id, sqs, url)


def _client(aws: Aws, service: str) -> Any:
    """The client of a service, if it may be asked beside the others.

    Raises:
        NotAskedError: the others are an emulator's.
    """
    if aws.reachable(service):
        return aws.client(service)
    text = "AWS itself is not asked, since other endpoints are an emulator's"
    advice = "AWS_ENDPOINT_URL_* name all of them or none; a run of `mep local` is read with --run DIR"
    raise NotAskedError(Problem(Reason.NOT_CONFIGURED, text, advice))


def with_dead_letters(finding: SearchResult, correlation_id: str, sqs: Any, queue_url: str | None) -> SearchResult:
    """Add the dead letters of an ID. They are looked at, not consumed.

    Args:
        finding: what is known already.
        correlation_id: whose letters.
        sqs: a client of SQS.
        queue_url: of the queue; None or empty if nobody has named it.
    """
    from mep.dlq.render import unread_notes
    from mep.dlq.sqs_queue import Queue

    if not queue_url:
        advice = "the stack's output DeadLetterQueueUrl has it"
        problem = Problem(Reason.NOT_CONFIGURED, f"{QUEUE_VARIABLE} is not set", advice)
        return replace(finding, gaps=(*finding.gaps, Gap(Source.QUEUE, "", problem)))
    queue = Queue(sqs, queue_url)
    try:
        reading = queue.read()
    except LocalError as error:
        given = error.problem if isinstance(error, AwsUnavailableError) else Problem(Reason.SETTING, str(error))
        if given.reason is Reason.NOT_FOUND:
            given = replace(given, advice=f"{QUEUE_VARIABLE} names it")
        return replace(finding, gaps=(*finding.gaps, Gap(Source.QUEUE, queue_url, given)))
    finally:
        queue.release()
    dead_letters = [dead_letter for dead_letter in reading.dead_letters if dead_letter.correlation_id == correlation_id]
    entries = [dead_letter_entry(dead_letter, finding.entries) for dead_letter in dead_letters]
    found = replace(finding, entries=(*finding.entries, *entries))
    if reading.complete:
        return found
    partial = Problem(Reason.INCOMPLETE, "; ".join(unread_notes(reading)))
    return replace(found, gaps=(*found.gaps, Gap(Source.QUEUE, queue_url, partial)))
