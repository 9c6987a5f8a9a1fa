"""The events that go through both pipelines, and their faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.support.events import DATE
from tests.system.image.events import event

NOBODY = "http://127.0.0.1:1"
"""An endpoint where nothing listens."""

type Trouble = Literal["no concurrency", "no function", "classic queue", "endless answer"]


@dataclass(frozen=True)
class Scenario:
    """Events, and the trouble they meet.

    Attributes:
        name: Of the test.
        tries: The outcomes that the function logs, in their order.
        shape: Of the dead letter; None where there is none.
        category: Of the dead letter.
        symbol: Whose row is looked at; it is in the calendar unless `row` says otherwise.
        events: Put on the bus one after the other; each is waited for.
        row: Whether the calendar has the row.
        settings: Environment variables of the function's.
        timeout_s: The function's timeout, seconds.
        retries: Retries after a function error.
        trouble: What else is wrong.
    """

    name: str
    tries: tuple[str, ...]
    shape: str | None = None
    category: str | None = None
    symbol: str = "AAPL"
    events: tuple[Mapping[str, Any], ...] = field(default_factory=lambda: (event(),))
    row: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    timeout_s: int = 30
    retries: int = 2
    trouble: Trouble | None = None


_BROKEN = event("<script>", "evt-broken")
_NO_ROW = event("NVDA", "evt-no-row")
_OTHER_SOURCE = {**event(event_id="evt-other-source"), "source": "another"}
_OTHER_TYPE = {**event(event_id="evt-other-type"), "detail-type": "earningsAnnounced"}
_CAMEL_CASE = {**event(), "detail": {"assetSymbol": "aapl", "earningsDate": DATE, "eventId": "evt-1"}}

SCENARIOS = (
    Scenario("marked", ("marked",)),
    Scenario("camel case", ("marked",), events=(_CAMEL_CASE,)),
    Scenario("the same event again", ("marked", "duplicate"), events=(event(), event())),
    Scenario("a second event", ("marked", "duplicate"), events=(event(), event(event_id="evt-2"))),
    Scenario("what the rule leaves out", ("marked",), events=(_OTHER_SOURCE, _OTHER_TYPE, event())),
    Scenario("broken", ("dead_lettered",), "handler", "validation", symbol="<script>", events=(_BROKEN,), row=False),
    Scenario("no row", ("dead_lettered",), "handler", "not_found", symbol="NVDA", events=(_NO_ROW,), row=False),
    Scenario(
        "no table",
        ("dead_lettered",),
        "handler",
        "configuration",
        settings={"EARNINGS_CALENDAR_TABLE": "there-is-none"},
    ),
    Scenario(
        "nobody answers",
        ("retry", "retry", "retry"),
        "on_failure",
        "network",
        settings={"AWS_ENDPOINT_URL_DYNAMODB": NOBODY},
    ),
    Scenario(
        "the function cannot reach its queue",
        ("retry", "retry"),
        "on_failure",
        "validation",
        symbol="<script>",
        events=(_BROKEN,),
        row=False,
        settings={"AWS_ENDPOINT_URL_SQS": NOBODY},
        retries=1,
    ),
    Scenario(
        "timed out",
        ("retry",),
        "on_failure",
        "timeout",
        settings={"AWS_READ_TIMEOUT_SECONDS": "1"},
        timeout_s=5,
        retries=0,
        trouble="endless answer",
    ),
    Scenario("no concurrency", (), "on_failure", "throttling", trouble="no concurrency"),
    Scenario("no function", (), "rule", "configuration", trouble="no function"),
    Scenario(
        "the classic queue",
        ("retry",),
        "lambda",
        "network",
        settings={"AWS_ENDPOINT_URL_DYNAMODB": NOBODY},
        retries=0,
        trouble="classic queue",
    ),
)
