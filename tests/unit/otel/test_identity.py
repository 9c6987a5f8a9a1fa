"""Which function, which version, which account: on the root span, and in the metrics of a raised log level."""

import pytest

from otel.tracing.root_span import arn_attributes
from tests.support.telemetry import event_record
from tests.unit.otel.metric_lines import emitted

NAME = "arn:aws-cn:lambda:cn-north-1:123456789012:function:mark-earnings-processed"


@pytest.mark.parametrize(
    ("invoked", "version", "resource"),
    [
        (NAME, "$LATEST", NAME),
        (f"{NAME}:$LATEST", "$LATEST", NAME),
        (f"{NAME}:live", "7", f"{NAME}:7"),
        (f"{NAME}:7", "7", f"{NAME}:7"),
    ],
)
def test_the_resource_has_the_version_in_place_of_the_alias(invoked: str, version: str, resource: str) -> None:
    assert arn_attributes(invoked, version) == {
        "cloud.account.id": "123456789012",
        "cloud.resource_id": resource,
        "aws.lambda.invoked_arn": invoked,
    }


@pytest.mark.parametrize("text", ["", "mark-earnings-processed", "arn:aws:lambda:us-east-1", "x:" * 9])
def test_what_is_no_arn_says_nothing(text: str) -> None:
    assert arn_attributes(text, "7") == {}


@pytest.mark.parametrize(("level", "shown"), [(10, None), (20, None), (30, "WARN"), (40, "ERROR"), (50, "FATAL")])
def test_metrics_pass_lambdas_log_filter(level: int, shown: str | None) -> None:
    (document,) = emitted(event_record(outcome="marked"), log_level=level)

    assert document.get("level") == shown
    assert document["function_version"] == "7"
