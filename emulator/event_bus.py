"""The chain's doors with the bus and the rule that are deployed, for `mep dlq redrive`."""

from collections.abc import Iterator
from contextlib import contextmanager

from emulator.environment import FunctionConfig
from emulator.pipeline.api import ServedRule, serve_api
from emulator.pipeline.patterns import emulated_matcher
from emulator.pipeline.pipeline import EventPipeline

BUS = "earnings"

_PATTERN = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}


@contextmanager
def event_bus(pipeline: EventPipeline) -> Iterator[str]:
    """Serve EventBridge's and Lambda's APIs in front of `pipeline` for the length of a `with` block.

    Yields:
        The URL of both.

    Raises:
        ServiceError: What judges event patterns did not start.
    """
    with (
        emulated_matcher() as test,
        serve_api(pipeline, ServedRule(_PATTERN, test, "mark", FunctionConfig().arn)) as url,
    ):
        yield url
