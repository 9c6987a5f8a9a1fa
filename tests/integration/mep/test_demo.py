"""The demo passes its checks, fits 100 columns, and names a check that fails."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint
from mep.demo import scenarios as demo_module
from mep.demo.checks import Check
from mep.demo.scenarios import DemoContext, demo
from mep.local import stack as stack_module
from mep.terminal import WIDTH
from tests.support.run_helpers import said
from tests.support.shown_output import blocks, matches
from tests.support.stores import delete_run_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def screen() -> Console:
    return Console(file=io.StringIO(), width=WIDTH)


def test_the_demo_passes_and_shows_everything(
    screen: Console,
    dynamodb_endpoint: DynamoDBEndpoint,
    dynamodb_client: "DynamoDBClient",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The step `demo` of .ci/run has it start a DynamoDB of its own."""
    delete_run_tables(dynamodb_client)
    monkeypatch.setattr(stack_module, "dynamodb", lambda **_: nullcontext(dynamodb_endpoint))

    assert demo(screen) == []
    text = said(screen)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "FAIL" not in text
    for shown in (
        "line 12 is not JSON",
        "DynamoDB.TransactWriteItems",
        "correlation_id=demo-msft",
        "linked to the producer's trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "IdempotencyViolations",
        "demo-unknown-row",
        "retry.backoff",
        "error.type=ProvisionedThroughputExceededException",
        "fix the cause, then use --force",
        "1 of 1 sent to bus:earnings and deleted",
    ):
        assert shown in text
    assert re.search(r"dead_lettered +5 ", text)
    assert text.count("retry.backoff") == 2
    assert "retry, then retry, then marked" in text
    assert "retry, then retry, then retry" in text
    assert re.search(r"AsyncEventsDropped +1 ", text)
    for page in ("README.md", "docs/tutorial.md"):
        shown = next(block.text for block in blocks((PROJECT_ROOT / page).read_text()) if block.language == "text")
        assert matches(shown, text), f"{page} shows something else"


def test_a_failed_check_is_named(screen: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def dynamodb(**_: object) -> Iterator[DynamoDBEndpoint]:
        yield DynamoDBEndpoint("http://127.0.0.1:9", "ministack", "there is no `java` on the PATH")

    @contextmanager
    def queue(_: str) -> Iterator[QueueEndpoint]:
        yield QueueEndpoint("http://127.0.0.1:9", "http://127.0.0.1:9/queue")

    def scenario(context: DemoContext) -> list[Check]:
        """Check two things."""
        assert Path(context.directory).is_dir()
        return [Check("the sky is up"), Check("rain falls up", "it\x1b falls down")]

    monkeypatch.setattr(stack_module, "dynamodb", dynamodb)
    monkeypatch.setattr(stack_module, "queue_service", queue)
    monkeypatch.setattr(demo_module, "SCENARIOS", (scenario,))

    failures = demo(screen)

    assert [check.text for check in failures] == ["rain falls up"]
    text = said(screen)
    assert "using a DynamoDB emulator: there is no `java` on the PATH" in text
    assert "PASS  the sky is up" in text
    assert "FAIL  rain falls up" in text
    assert "it\\x1b falls down" in text
