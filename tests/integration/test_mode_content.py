"""Every export mode sends the same content: each difference from `direct` mode is listed here, with its reason.

The list holds in both directions: a difference that is not listed fails, and so does one that is gone.
"""

from collections.abc import Callable
from functools import cache

import pytest

from otel.settings import LIMITS
from otel.settings.effect import COLLECTOR as COLLECTOR_VARIABLES
from otel.settings.effect import DIRECT as DIRECT_VARIABLES
from otel.settings.effect import LAYER as LAYER_VARIABLES
from tests.integration.harness import Services
from tests.integration.mode_content import Content, content_of, differences
from tests.integration.modes import COLLECTOR, DIRECT

FAST, FULL = "layer, fast start", "layer, full"
LAYERS = (FAST, FULL)

NO_UNSAMPLED = "a collector is sent sampled spans only: X-Ray's statistics, which count the others, are not there"
DECIDED_EARLY = "ADOT sends a span as its context says; the other modes send a failed event as sampled, at the flush"
SIGNALS = "ADOT's whole set-up sets more attributes for Application Signals than its fast start"
BY_PROCESSOR = "a collector's own processor, `awsapplicationsignals`, adds what Application Signals needs"
NO_ENVIRONMENT = "ADOT's whole set-up leaves that attribute of Application Signals to the backend"
TEXT = "the layer's script gives the resource as OTEL_RESOURCE_ATTRIBUTES, which has texts only"
COST = "the layer's encoder makes every attribute expensive, and `server.address` says the same"
NO_SCHEMA = "ADOT makes the resource, without a schema"
NO_LINKS = "ADOT's fast start has no links; `linked_trace_id` has the trace ID in every mode"
ADOTS = "ADOT's whole set-up sets it on every span or resource"

LOG_GROUP = "/aws/lambda/MarkEarningsProcessed"
OPERATION = "MarkEarningsProcessed/FunctionHandler"
ARN = "arn:aws:lambda:us-east-1:111122223333:function:mark-earnings-processed"

DIFFERENCES = [
    # modes, part, what, the value in direct mode, the value in this mode, reason
    ((COLLECTOR,), "spans", "unsampled", "2", "0", NO_UNSAMPLED),
    ((COLLECTOR,), "spans", "without a parent", "2", "0", NO_UNSAMPLED),
    *(
        ((COLLECTOR,), part, f"attribute aws.{name}", value, "None", BY_PROCESSOR)
        for part, name, value in (
            *((part, "local.service", "MarkEarningsProcessed") for part in ("root", "call")),
            *((part, "local.operation", OPERATION) for part in ("root", "call")),
            *((part, "local.environment", "lambda:default") for part in ("root", "call")),
            *(("call", "remote.service", service) for service in ("AWS::DynamoDB", "AWS::SQS")),
            *(("call", "remote.operation", operation) for operation in ("SendMessage", "TransactWriteItems")),
        )
    ),
    ((FULL,), "root", "sampled", "True", "False", DECIDED_EARLY),
    ((FULL,), "call", "sampled", "True", "False", DECIDED_EARLY),
    ((FAST,), "root", "links", '["the producer\'s"]', "[]", NO_LINKS),
    (LAYERS, "resource", "aws.log.group.names", f"['{LOG_GROUP}']", LOG_GROUP, TEXT),
    (LAYERS, "resource", "faas.max_memory", "134217728", "None", COST),
    (LAYERS, "call", "attribute net.peer.name", "...", "None", COST),
    (LAYERS, "resource", "schema", "https://opentelemetry.io/schemas/1.43.0", "", NO_SCHEMA),
    ((FULL,), "resource", "aws.local.service", "None", "MarkEarningsProcessed", SIGNALS),
    ((FULL,), "resource", "service.instance.id", "None", "...", ADOTS),
    ((FULL,), "resource", "telemetry.auto.version", "None", "0.21.0-aws", ADOTS),
    ((FULL,), "root", "attribute aws.local.environment", "lambda:default", "None", NO_ENVIRONMENT),
    ((FULL,), "call", "attribute aws.local.environment", "lambda:default", "None", NO_ENVIRONMENT),
    ((FULL,), "root", "attribute aws.span.kind", "None", "LOCAL_ROOT", SIGNALS),
    ((FULL,), "call", "attribute aws.span.kind", "None", "CLIENT", SIGNALS),
    *(
        ((FULL,), part, "attribute aws.trace.flag.sampled", "None", value, SIGNALS)
        for part in ("root", "call")
        for value in ("True", "False")
    ),
    ((FULL,), "call", "attribute aws.remote.resource.cfn.primary.identifier", "None", "...", SIGNALS),
    ((FULL,), "call", "attribute aws.remote.resource.identifier", "None", "...", SIGNALS),
    ((FULL,), "call", "attribute aws.remote.resource.region", "None", "us-east-1", SIGNALS),
    ((FULL,), "call", "attribute aws.remote.resource.type", "None", "AWS::SQS::Queue", SIGNALS),
    ((FULL,), "call", "attribute aws.sqs.queue.url", "None", "...", ADOTS),
    ((FULL,), "call", "attribute aws.auth.region", "None", "us-east-1", ADOTS),
    ((FULL,), "call", "attribute cloud.resource_id", "None", ARN, ADOTS),
]

OUTCOMES = {
    "raised after all attempts": "error",
    "marked at the second attempt": "marked",
    "marked": "marked",
    "the same again": "duplicate",
    "another for the same row": "duplicate",
    "no such row": "dead_lettered",
    "invalid": "dead_lettered",
    "redriven": "marked",
    "unsampled": "marked",
    "unsampled, no such row": "dead_lettered",
    "without a trace header": "marked",
    "without a parent": "marked",
}

_INTERNAL_METRICS = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
CHECKED = {
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),  # select another mode
    *("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
    *("OTEL_PYTHON_CONTEXT", "OTEL_PYTHON_TRACER_PROVIDER"),  # refused
    _INTERNAL_METRICS,  # they go nowhere
}
"""Variables that are read and have no effect."""

LAYER_CHECKED = {*CHECKED, *LIMITS, "OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER"} - {_INTERNAL_METRICS}
"""The same with ADOT's fast start, which has no limits; the last two are read to know whether they are `none`."""


@pytest.fixture(scope="module")
def content(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Content]:
    """Returns what arrives from a mode; one process for each."""
    folder = tmp_path_factory.mktemp("variables")
    return cache(lambda mode: content_of(services, mode, folder))


@pytest.mark.parametrize("mode", [COLLECTOR, FAST, FULL])
def test_each_difference_is_listed_and_each_listed_one_is_there(content: Callable[[str], Content], mode: str) -> None:
    listed = {tuple(row) for modes, *row, _reason in DIFFERENCES if mode in modes}
    found = differences(content(DIRECT), content(mode))

    assert found - listed == set(), "not listed"
    assert listed - found == set(), "listed, and gone"


def test_the_events_have_their_outcomes_and_spans_in_every_mode(content: Callable[[str], Content]) -> None:
    for mode in (DIRECT, COLLECTOR, FAST, FULL):
        assert content(mode).outcomes == OUTCOMES
    counts = {name: len(spans) for name, spans in content(DIRECT).spans.items()}
    assert counts == dict.fromkeys(OUTCOMES, 2) | {
        "raised after all attempts": 6,
        "marked at the second attempt": 3,
        "no such row": 3,
        "unsampled, no such row": 3,
    }


@pytest.mark.parametrize(
    ("mode", "effective", "without_effect"),
    [
        (DIRECT, DIRECT_VARIABLES, CHECKED),
        (COLLECTOR, COLLECTOR_VARIABLES, CHECKED - COLLECTOR_VARIABLES),
        (FAST, LAYER_VARIABLES, LAYER_CHECKED),
    ],
)
def test_the_variables_with_an_effect_are_those_that_are_read(
    content: Callable[[str], Content], mode: str, effective: frozenset[str], without_effect: set[str]
) -> None:
    read = {name for name in content(mode).variables if name.startswith("OTEL_")}
    of_a_ratio = {"OTEL_TRACES_SAMPLER_ARG"}  # the SDK reads it if the sampler is one
    assert read | of_a_ratio == effective | without_effect
