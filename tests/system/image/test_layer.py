"""ADOT's layer, turned on in the container: what arrives at the agent's socket, and when."""

from collections import Counter

import pytest

from emulator.lambda_runtime.span_receiver import SpanDict, decode_datagram
from tests.support.containers import Function, Harness, frozen, output_of
from tests.support.events import DATE
from tests.support.stores import DeadLetters, Tables
from tests.system.image.events import event
from tests.system.image.exporters import EXPORT_MODES

EVENTS = 5
ACCESS_KEY = "AKIARECOGNISABLEKEY9"

layers = pytest.mark.parametrize("mode", ["layer", "layer, full"])


@layers
def test_spans_carry_the_ids_and_leave_before_the_answer(
    image: str, harness: Harness, tables: Tables, dead_letters: DeadLetters, environment: dict[str, str], mode: str
) -> None:
    for number in range(EVENTS):
        tables.put_row(f"S{number}", DATE)
    arrived: list[list[SpanDict]] = []
    with harness.agent() as agent, harness.function(image, {**environment, **EXPORT_MODES[mode].variables}) as function:
        function.wait_until("the agent listens", lambda: "listening" in output_of(agent))

        def received() -> list[SpanDict]:
            lines = [line for line in output_of(agent).splitlines() if line not in {"", "listening"}]
            return [span for line in lines for span in decode_datagram(bytes.fromhex(line))]

        def invoke(payload: dict[str, object], spans: int) -> None:
            before = len(received())
            assert function.invoke(payload).status == 200
            # As the sandbox freezes: what is not on its way by now comes with the next event, or never.
            with frozen(function.container):
                function.wait_until("its spans", lambda: len(received()) >= before + spans, seconds=10)
            arrived.append(received()[before:])

        for number in range(EVENTS):
            invoke(event(f"S{number}", f"evt-{number}"), 2)
        invoke(event("S0", "evt-0"), 2)
        invoke(event("NONE", "evt-none"), 3)
        spans, lines = received(), function.lines()

    assert len({span["span_id"] for span in spans}) == len(spans) == 2 * EVENTS + 2 + 3
    ids = [f"corr-evt-{number}" for number in range(EVENTS)] + ["corr-evt-0", "corr-evt-none"]
    assert [{span["attributes"]["correlation_id"] for span in each} for each in arrived] == [{one} for one in ids]
    assert Counter(span["kind"] for each in arrived for span in each if span["parent_span_id"] is None) == {
        "SERVER": EVENTS + 2  # the emulator sets no trace header: each is the root of a trace of its own
    }
    for span in spans:
        indexed = span["attributes"]["aws.xray.annotations"]
        assert {"correlation_id", "asset_symbol", "earnings_date"} <= set(indexed)
        assert all(name in span["attributes"] for name in indexed)
    roots = [span for span in spans if span["kind"] == "SERVER"]
    assert [root["attributes"]["outcome"] for root in roots] == ["marked"] * EVENTS + ["duplicate", "dead_lettered"]
    assert [root["status"] for root in roots] == ["UNSET"] * (EVENTS + 1) + ["ERROR"]
    # Lines of the function and spans name each other.
    assert [line["trace_id"] for line in lines if line.get("event_type") == "event_outcome"] == [
        root["trace_id"] for root in roots
    ]
    assert len(dead_letters.drain()) == 1


@layers
def test_no_access_key_is_in_a_span(image: str, harness: Harness, environment: dict[str, str], mode: str) -> None:
    environment |= {**EXPORT_MODES[mode].variables, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SESSION_TOKEN": ACCESS_KEY}
    with harness.agent() as agent, harness.function(image, environment) as function:
        function.wait_until("the agent listens", lambda: "listening" in output_of(agent))
        function.invoke(event())
        function.wait_until("a datagram", lambda: len(output_of(agent).splitlines()) > 1)
        datagrams = [bytes.fromhex(line) for line in output_of(agent).splitlines()[1:]]

    spans = [span for datagram in datagrams for span in decode_datagram(datagram)]
    assert "DynamoDB.TransactWriteItems" in {span["name"] for span in spans}
    assert ACCESS_KEY not in str(spans)
    assert not [name for span in spans for name in span["attributes"] if "access_key" in name]


@layers
def test_nothing_but_the_functions_lines_is_written(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str], mode: str
) -> None:
    tables.put_row("AAPL", DATE)
    with harness.function(image, {**environment, **EXPORT_MODES[mode].variables}) as function:
        function.invoke(event())
        function.invoke(event())
        output = _without_the_emulators(function)
    assert [line for line in output if not line.startswith("{")] == []
    assert not [line for line in output if '"logger"' in line], "what libraries warn of"


def _without_the_emulators(function: Function) -> list[str]:
    theirs = ("START ", "END ", "REPORT ")
    lines = output_of(function.container).splitlines()
    return [line for line in lines if line.strip() and not line.startswith(theirs) and "(rapid)" not in line]
