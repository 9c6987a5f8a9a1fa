"""Searches an AWS account and its dead-letter queue, with the clients of the standard variables."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any

from mep.aws import AwsClients
from mep.dlq.model import DeadLetter
from mep.dlq.queue import Queue
from mep.errors import AwsUnavailableError, MepError, Problem, Reason
from mep.settings import QUEUE_VARIABLE, Settings
from mep.trace.asked import Asked
from mep.trace.aws_sources import AwsSources
from mep.trace.cloud import find_in_aws, find_requests_in_aws
from mep.trace.cloud_bus import find_on_bus
from mep.trace.cloud_lookup import look_up_in_aws
from mep.trace.entries import SearchResult
from mep.trace.hits import Observation
from mep.trace.sources import Gap, NotQueriedError, SearchScope, Source, beside_emulator

_SERVICES = ("logs", "xray", "dynamodb")

type DeadLetters = tuple[tuple[DeadLetter, ...], tuple[Gap, ...]]
"""Messages of the dead-letter queue, and why it could not be read, or not completely."""


class AccountSearch:
    """Searches AWS with the caller's credentials and region.

    Args:
        scope: What to search.
        settings: The resources of the stack.

    Raises:
        UsageError: A boto3 setting is invalid.
    """

    def __init__(self, scope: SearchScope, settings: Settings) -> None:
        self._aws, self._queue_url = settings.aws, settings.queue_url
        self._queue_problem = settings.queue_problem
        self._problem = self._aws.credentials_problem
        self._sources = AwsSources(scope, self._client)
        if self._problem is None:
            services = (*_SERVICES, "sqs") if self._queue_url else _SERVICES
            self._aws.prefer_emulator(services)

    def find(self, correlation_id: str) -> SearchResult:
        """Return the records of a correlation ID; see `mep.trace.follow.Search`."""
        if self._problem is not None:
            gaps = (Gap(source, name, self._problem) for source, name in self._sources.scope.names().items())
            return SearchResult(gaps=tuple(gaps))
        return find_in_aws(correlation_id, self._sources)

    def look_up(self, asked: Asked) -> tuple[list[Observation], tuple[Gap, ...]]:
        """Return the records that have an ID or name a row; see `mep.trace.follow.Search`."""
        if self._problem is not None:
            return [], self.find("").gaps
        return look_up_in_aws(asked, self._sources), self._sources.take_gaps()

    def find_requests(self, request_ids: Iterable[str]) -> SearchResult:
        """Return the lines about requests; see `mep.trace.follow.Search`."""
        return find_requests_in_aws(request_ids, self._sources) if self._problem is None else SearchResult()

    def find_on_bus(self, ids: Iterable[str]) -> SearchResult:
        """Return the records of the bus's log; see `mep.trace.follow.Search`."""
        if self._problem is not None:
            return SearchResult()
        entries, notes = find_on_bus(ids, self._sources, is_explained=True)
        return SearchResult(tuple(entries), notes=tuple(notes), gaps=self._sources.take_gaps())

    def dead_letters(self) -> DeadLetters:
        """Return the messages of the dead-letter queue, which are received once."""
        return self._dead_letters

    @cached_property
    def _dead_letters(self) -> DeadLetters:
        problem, sqs = self._problem, None
        try:
            sqs = _client(self._aws, "sqs") if self._queue_url and problem is None else None
        except NotQueriedError as error:
            problem = error.problem
        if problem is not None:
            return (), (Gap(Source.QUEUE, self._queue_url, problem),)
        return read_queue(sqs, self._queue_url, self._queue_problem)

    def _client(self, service: str) -> Any:
        return _client(self._aws, service)


def _client(aws: AwsClients, service: str) -> Any:
    """Return the client of a service.

    Raises:
        NotQueriedError: Its endpoint is AWS, although other endpoints are an emulator's.
    """
    if aws.is_allowed(service):
        return aws.client(service)
    raise NotQueriedError(beside_emulator("; to search a run of `mep local`, use --run DIR"))


def read_queue(sqs: Any, queue_url: str | None, not_known: Problem | None = None) -> DeadLetters:
    """Return the messages of a dead-letter queue, which are not consumed, and why it could not be read.

    Args:
        sqs: boto3 client of SQS.
        queue_url: URL of the queue; None or empty if none is set.
        not_known: Why its URL could not be looked up.
    """
    if not queue_url:
        advice = "the stack's output DeadLetterQueueUrl has it"
        not_set = Problem(Reason.NOT_CONFIGURED, f"{QUEUE_VARIABLE} is not set", advice)
        return (), (Gap(Source.QUEUE, "", not_known or not_set),)
    queue = Queue(sqs, queue_url)
    try:
        snapshot = queue.read()
    except MepError as error:
        problem = error.problem if isinstance(error, AwsUnavailableError) else Problem(Reason.SETTING, str(error))
        if problem.reason is Reason.NOT_FOUND:
            problem = replace(problem, advice=f"check {QUEUE_VARIABLE}")
        return (), (Gap(Source.QUEUE, queue_url, problem),)
    finally:
        queue.release()
    if snapshot.complete:
        return snapshot.dead_letters, ()
    partial = Problem(Reason.INCOMPLETE, "; ".join(snapshot.notes()))
    return snapshot.dead_letters, (Gap(Source.QUEUE, queue_url, partial),)
