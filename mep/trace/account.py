"""Searches an AWS account and its dead-letter queue, with the clients of the standard variables."""

from dataclasses import replace
from typing import Any

from mep.aws import AwsClients
from mep.dlq.queue import Queue
from mep.errors import AwsUnavailableError, MepError, Problem, Reason
from mep.settings import QUEUE_VARIABLE, Settings
from mep.trace.cloud import find_in_aws
from mep.trace.entries import SearchResult, dead_letter_entry
from mep.trace.sources import Gap, NotQueriedError, SearchScope, Source

_SERVICES = ("logs", "xray", "dynamodb")


def find_in_account(correlation_id: str, scope: SearchScope, settings: Settings) -> SearchResult:
    """Search AWS with the caller's credentials and region.

    Args:
        correlation_id: The correlation ID.
        scope: What to search.
        settings: The resources of the stack.

    Raises:
        UsageError: A boto3 setting is invalid.
    """
    aws, queue_url = settings.aws, settings.queue_url
    problem = aws.credentials_problem
    if problem is not None:
        names = {**scope.names(), Source.QUEUE: queue_url}
        return SearchResult(gaps=tuple(Gap(source, name, problem) for source, name in names.items()))
    services = (*_SERVICES, "sqs") if queue_url else _SERVICES
    # Create every client first: an invalid setting is reported before any call.
    emulated = {aws.is_emulated(service) for service in services}
    aws.emulated = True if True in emulated else None
    result = find_in_aws(correlation_id, scope, lambda service: _client(aws, service))
    try:
        sqs = _client(aws, "sqs") if queue_url else None
    except NotQueriedError as error:
        return replace(result, gaps=(*result.gaps, Gap(Source.QUEUE, queue_url, error.problem)))
    return with_dead_letters(result, correlation_id, sqs, queue_url)


def _client(aws: AwsClients, service: str) -> Any:
    """Return the client of a service.

    Raises:
        NotQueriedError: Its endpoint is AWS, although other endpoints are an emulator's.
    """
    if aws.is_allowed(service):
        return aws.client(service)
    text = "AWS is not called, because other endpoints are an emulator's"
    advice = "set AWS_ENDPOINT_URL_* for all of them or none; to search a run of `mep local`, use --run DIR"
    raise NotQueriedError(Problem(Reason.NOT_CONFIGURED, text, advice))


def with_dead_letters(result: SearchResult, correlation_id: str, sqs: Any, queue_url: str | None) -> SearchResult:
    """Add the dead letters of a correlation ID. The messages are not consumed.

    Args:
        result: The entries of the other sources.
        correlation_id: The correlation ID.
        sqs: boto3 client of SQS.
        queue_url: URL of the queue; None or empty if none is set.
    """
    if not queue_url:
        advice = "the stack's output DeadLetterQueueUrl has it"
        problem = Problem(Reason.NOT_CONFIGURED, f"{QUEUE_VARIABLE} is not set", advice)
        return replace(result, gaps=(*result.gaps, Gap(Source.QUEUE, "", problem)))
    queue = Queue(sqs, queue_url)
    try:
        snapshot = queue.read()
    except MepError as error:
        problem = error.problem if isinstance(error, AwsUnavailableError) else Problem(Reason.SETTING, str(error))
        if problem.reason is Reason.NOT_FOUND:
            problem = replace(problem, advice=f"check {QUEUE_VARIABLE}")
        return replace(result, gaps=(*result.gaps, Gap(Source.QUEUE, queue_url, problem)))
    finally:
        queue.release()
    entries = [
        dead_letter_entry(dead_letter, result.entries)
        for dead_letter in snapshot.dead_letters
        if dead_letter.correlation_id == correlation_id
    ]
    result = replace(result, entries=(*result.entries, *entries))
    if snapshot.complete:
        return result
    partial = Problem(Reason.INCOMPLETE, "; ".join(snapshot.notes()))
    return replace(result, gaps=(*result.gaps, Gap(Source.QUEUE, queue_url, partial)))
