"""docs/events.md: its command, its tables and its violations are those of the function."""

import json
import re
from typing import Any

import pytest

from emulator.environment import PROJECT_ROOT
from handler import contract
from handler.calendar_store import CalendarStore
from handler.errors import ErrorCategory, ProcessingError
from handler.event import ValidEvent, camel_case, parse_event, traceparent
from mep.calendar import UNMARKED
from mep.dlq.audit import Action
from otel.tracing.root_span import read_traceparent
from tests.docs.markdown import tables
from tests.docs.test_event_schema import SCHEMA_ACCEPTS
from tests.support.aws_cli import parse, texts
from tests.support.events import eventbridge_event
from tests.support.strategies import MARKET_SYMBOLS
from tests.support.telemetry import event_record
from tests.unit.handler.harness import settings

PAGE = (PROJECT_ROOT / "docs" / "events.md").read_text()
LOCAL = (PROJECT_ROOT / "docs" / "local.md").read_text()
OPTIONAL = (*contract.OPTIONAL_FIELDS, *contract.UNCHECKED_FIELDS)


def table(first: str) -> list[list[str]]:
    """The rows of the only table with this first column."""
    (rows,) = (rows for heading, rows in tables(PAGE) if heading.startswith(f"| {first} |"))
    return rows


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def section(title: str) -> str:
    return PAGE.partition(f"# {title}\n")[2].partition("\n#")[0]


def attributes(title: str) -> dict[str, str]:
    """The attributes of a table of the page, each with the rest of its row."""
    ((_, rows),) = tables(section(title) + "\n")
    return {name: " ".join(rest) for first, *rest in rows for name in codes(first)}


def failure(event: Any) -> ProcessingError | None:
    try:
        parse_event(event, source=contract.DEFAULT_SOURCE)
    except ProcessingError as error:
        return error
    return None


def test_the_command_publishes_an_event_that_the_function_accepts() -> None:
    (command,) = texts(PAGE)
    call = parse(command)
    assert (call.service, call.operation) == ("events", "PutEvents")
    (entry,) = call.parameters["Entries"]
    detail = json.loads(entry["Detail"])

    event = eventbridge_event(detail, source=entry["Source"], detail_type=entry["DetailType"])

    assert failure(event) is None
    assert SCHEMA_ACCEPTS(event)
    assert f"mep trace {detail['correlation_id']}" in PAGE


def test_the_example_of_a_local_run_is_valid() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", LOCAL, re.DOTALL)
    assert failure(json.loads(example)) is None
    assert SCHEMA_ACCEPTS(json.loads(example))


def test_every_field_is_listed_with_both_spellings() -> None:
    listed = {codes(name)[0]: (codes(other)[0], required) for name, other, required, *_ in table("field")}
    # The one field whose two spellings differ only in the case of a character.
    spellings = {name: camel_case(name) for name in (*contract.KEY_FIELDS, *OPTIONAL)} | {"traceparent": "traceParent"}
    assert listed == {
        name: (other, "yes" if name in contract.KEY_FIELDS else "no") for name, other in spellings.items()
    }
    assert traceparent({"detail": {"traceParent": "x"}}) == "x"


@pytest.mark.parametrize(("detail", "violation"), [[codes(cell)[0] for cell in row] for row in table("detail")])
def test_a_violation_is_the_one_that_the_page_shows(detail: str, violation: str) -> None:
    event = eventbridge_event(json.loads(detail))
    found = failure(event)
    assert found is not None
    assert (found.category, found.message) == (ErrorCategory.VALIDATION, violation)
    assert not SCHEMA_ACCEPTS(event)


def test_each_symbol_of_the_page_is_valid_and_stays_as_it_is() -> None:
    valid, spellings = section("Symbols").partition(" are valid.")[0], ("BRK B", "BRK.B", "BRK-B", "BRK/B")
    named = codes(valid.rpartition("\n\n")[2])
    assert set(named) <= set(MARKET_SYMBOLS)
    for symbol in (*named, *spellings):
        event = eventbridge_event({"asset_symbol": symbol, "earnings_date": "2026-10-29"})
        assert parse_event(event, source=contract.DEFAULT_SOURCE).key["asset_symbol"] == symbol
    assert all(f"`{symbol}`" in PAGE for symbol in spellings)


def test_the_trace_context_of_the_page_is_valid() -> None:
    (context,) = re.findall(r"^ {4}(00-\S+)$", PAGE, re.MULTILINE)
    assert read_traceparent(context).is_valid
    assert f"mep trace {context.split('-')[1]}" in PAGE


def written() -> tuple[dict[str, Any], dict[str, Any]]:
    """The update and the put of the function's transaction."""
    event = ValidEvent({"asset_symbol": "AAPL", "earnings_date": "2026-10-29"}, "report-4711", None)
    store = CalendarStore(None, settings())  # type: ignore[arg-type]
    update, put = store.transaction(event, event_record())["TransactItems"]
    return update["Update"], put["Put"]["Item"]


def test_the_attributes_of_the_row_are_those_of_the_update() -> None:
    update, _ = written()
    assert list(attributes("Calendar row")) == re.findall(r"(\w+) = :", update["UpdateExpression"])


def test_the_attributes_of_the_audit_entry_are_those_that_are_put() -> None:
    _, item = written()
    listed = attributes("Audit entry")
    assert {name for name, rest in listed.items() if rest.startswith(("all", "function"))} == item.keys() | {"trace_id"}
    for action in (contract.AUDIT_ACTION, UNMARKED, *Action):
        assert f"`{action}`" in listed["action"]
