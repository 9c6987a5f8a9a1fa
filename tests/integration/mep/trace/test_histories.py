"""The timeline agrees with what really happened, whichever records of it are left.

The real function is invoked in this process. All of a history's invocations are within a fraction of a second, which is
what a time in whole seconds confuses most.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.faults import lost_reply, reset_before, throttled
from mep.dlq.audit import Action
from mep.trace.aws_sources import AwsSources
from mep.trace.cloud import find_in_aws
from mep.trace.local_run import find_in_folder
from mep.trace.sources import SpanStore
from mep.trace.timeline import Section, Timeline, make_timeline
from otel.event_types import EventType
from tests.integration.conftest import services
from tests.integration.harness import Harness, Services, make_harness
from tests.integration.mep.trace.history import History, Recorder
from tests.support.events import unique_event

__all__ = ["services"]

CLOCKS = 5_000_000
"""Nanoseconds by which two clocks of one machine may disagree."""
SOURCES = ("logs", "spans", "audit", "dlq")
PRESENT = [
    tuple(name for name, is_present in zip(SOURCES, flags, strict=True) if is_present)
    for flags in product((True, False), repeat=len(SOURCES))
]
THROTTLED = [throttled()] * 5
"""As many refusals as the deadline allows attempts."""
UNREACHABLE = [reset_before()] * 3


def raised(recorder: Recorder, raises: int) -> None:
    for number in range(raises):
        recorder.invoke(*(UNREACHABLE if number % 2 else THROTTLED))


def marked(harness: Harness, raises: int) -> History:
    recorder = Recorder(harness, harness.event_for_a_row())
    raised(recorder, raises)
    recorder.invoke(throttled(), throttled())
    return history(recorder, "marked")


def redelivered(harness: Harness, raises: int) -> History:
    recorder = Recorder(harness, harness.event_for_a_row())
    raised(recorder, raises)
    recorder.invoke()
    recorder.again()
    recorder.invoke()
    return history(recorder, "marked")


def lost(harness: Harness, raises: int) -> History:
    """The first invocation marks the row, but no response to its attempts arrives."""
    recorder = Recorder(harness, harness.event_for_a_row())
    raised(recorder, raises)
    recorder.invoke(*[lost_reply()] * 3)
    recorder.invoke()
    return history(recorder, "marked")


def duplicate(harness: Harness, raises: int) -> History:
    event = harness.event_for_a_row()
    harness(event)
    second = {**event, "detail": {**event["detail"], "correlation_id": f"{event['id']}-2", "event_id": "another"}}
    recorder = Recorder(harness, second)
    raised(recorder, raises)
    recorder.invoke()
    return History(second["detail"]["correlation_id"], tuple(recorder.invoked), truth="duplicate")


def dead_lettered(harness: Harness, raises: int) -> History:
    recorder = Recorder(harness, unique_event())
    raised(recorder, raises)
    recorder.invoke()
    return history(recorder, "dead_lettered", dead_letter=recorder.dead_letter())


def given_up(harness: Harness, raises: int) -> History:
    recorder = Recorder(harness, harness.event_for_a_row())
    raised(recorder, raises + 1)
    return history(recorder, "retry", dead_letter=recorder.on_failure_record())


def discarded(harness: Harness, raises: int) -> History:
    """The event is invalid, so that its audit entries name no row."""
    recorder = Recorder(harness, unique_event({"earnings_date": "soon"}))
    recorder.invoke()
    del raises
    entries = recorder.operate(recorder.dead_letter(), [Action.DISCARD_REQUESTED, Action.DISCARDED])
    return History(recorder.event["detail"]["correlation_id"], tuple(recorder.invoked), tuple(entries), (), "discarded")


def redriven(harness: Harness, raises: int) -> History:
    """The redrive's second audit entry is written after the function has marked the row."""
    event = unique_event()
    recorder = Recorder(harness, event)
    recorder.invoke()
    line = recorder.dead_letter()
    entries = recorder.operate(line, [Action.REDRIVE_REQUESTED])
    harness.services.tables.put_row(event["detail"]["asset_symbol"], event["detail"]["earnings_date"])
    recorder.again()
    raised(recorder, raises)
    recorder.invoke()
    entries += recorder.operate(line, [Action.REDRIVEN])
    return history(recorder, "marked", *entries)


CASES: dict[str, Callable[[Harness, int], History]] = {
    case.__name__: case for case in (marked, redelivered, lost, duplicate, dead_lettered, given_up, discarded, redriven)
}


def history(recorder: Recorder, truth: str, *entries: Any, dead_letter: Any = None) -> History:
    audit = (*recorder.harness.audit(recorder.event), *entries)
    messages = () if dead_letter is None else (dead_letter,)
    return History(recorder.event["detail"]["correlation_id"], tuple(recorder.invoked), audit, messages, truth)


@pytest.fixture(scope="module")
def histories(services: Services) -> Iterator[dict[tuple[str, int], History]]:
    """Each case with 0 to 2 raised invocations before its end."""
    with ExitStack() as stack:
        harness = make_harness(stack, services)
        yield {(name, raises): case(harness, raises) for name, case in CASES.items() for raises in range(3)}


ALL = [(name, raises) for name in CASES for raises in range(3) if raises == 0 or name != "discarded"]


@pytest.mark.parametrize(("case", "raises"), ALL)
def test_a_local_run(case: str, raises: int, histories: dict[tuple[str, int], History], tmp_path: Path) -> None:
    event = histories[case, raises]
    for present in PRESENT:
        event.write(tmp_path, present)
        timeline = make_timeline(event.correlation_id, [find_in_folder(event.correlation_id, tmp_path)])
        check(event, present, timeline)


@pytest.mark.parametrize(("case", "raises"), ALL)
def test_aws(case: str, raises: int, histories: dict[tuple[str, int], History], tmp_path: Path) -> None:
    """Lambda's own lines are there, and the runtime client's lines are sorted a second too early."""
    event = histories[case, raises].on_aws()
    for present in PRESENT:
        result = find_in_aws(event.correlation_id, AwsRecords(event, present))
        event.write(tmp_path, {"dlq"} & set(present))
        result_of_queue = find_in_folder(event.correlation_id, tmp_path)
        check(event, present, make_timeline(event.correlation_id, [result, result_of_queue]))


class AwsRecords(AwsSources):
    """The sources of an account that holds a history."""

    def __init__(self, event: History, present: tuple[str, ...]) -> None:
        self.gaps = []
        self.scope: Any = SimpleNamespace(spans=SpanStore.LOGS, bus="")
        self._event, self._present = event, present

    def span_records(self, _: str) -> Any:
        spans = [span for each in self._event.invoked for span in each.spans]
        return [(record(span), None) for span in spans] if "spans" in self._present else []

    def log_lines(self, condition: str) -> Any:
        lines = self._event.cloud_lines() if "logs" in self._present else []
        if condition.startswith("type in"):
            return lines
        return [(line, at) for line, at in lines if self._event.correlation_id in str(line)]

    def audit_items(self, *_: Any, **__: Any) -> Any:
        return list(self._event.audit) if "audit" in self._present else []

    def calendar_row(self, _: Any) -> Any:
        return []


def record(span: dict[str, Any]) -> dict[str, Any]:
    """Return a span as a record of the log group `aws/spans`."""
    return {
        "traceId": span["trace_id"],
        "spanId": span["span_id"],
        "parentSpanId": span["parent_span_id"],
        "name": span["name"],
        "kind": span["kind"],
        "startTimeUnixNano": span["start_time_unix_nano"],
        "endTimeUnixNano": span["end_time_unix_nano"],
        "status": {"code": span["status"]},
        "attributes": span["attributes"],
        "events": [
            {"name": event["name"], "timeUnixNano": event["time_unix_nano"]} | event for event in span["events"]
        ],
    }


def check(event: History, present: tuple[str, ...], timeline: Timeline) -> None:
    """Check a timeline against what happened, as far as the records that are present show."""
    invocations = [section for section in timeline.sections if section.title.startswith("invocation ")]
    expected = expected_outcome(event, present)
    assert (present, timeline.verdict.outcome) == (present, expected)
    reported = {"logs", "spans"} & set(present)
    by_audit = any("operator" not in item for item in event.audit) and "audit" in present
    known = event.invoked if reported else ()
    assert (present, timeline.invocations) == (present, len(known) if known else int(by_audit))
    assert len(invocations) == timeline.invocations
    for real, section in zip(known, invocations, strict=False):
        end = section.start + int(section.length_ms * 1e6)
        assert real.began - CLOCKS <= section.start <= end <= real.ended + CLOCKS, (present, section)
        outcomes = {e.attributes["outcome"] for e in section.entries if "outcome" in e.attributes}
        assert outcomes == {real.outcome}, present
        check_order(section)
    if reported and event.truth != "discarded" and len(known) > 1 and "according to" not in timeline.summary:
        assert f" of {len(known)}" in timeline.summary
    assert timeline.notes == () or "DEAD_LETTER" not in str(timeline.notes)


def check_order(section: Section) -> None:
    """Check that a mark's audit entry follows the write that made it, and that the exception comes last."""
    entries = section.entries
    has_spans = any(entry.kind == "span" for entry in entries)
    for number, entry in enumerate(entries):
        if entry.kind == "audit":
            writes = [each.end for each in entries if each.title == "DynamoDB.TransactWriteItems"]
            assert min(writes) <= entry.at if has_spans else not writes
            before = {each.attributes.get("event_type") for each in entries[:number]}
            assert EventType.EVENT_OUTCOME not in before
    writers = [entry.writer for entry in entries]
    if "runtime_client" in writers:
        assert set(writers[writers.index("runtime_client") + 1 :]) <= {"lambda_report"}
    assert entries[0].at >= section.start


def expected_outcome(event: History, present: tuple[str, ...]) -> str | None:
    """Return the outcome that the records prove."""
    reports = {"logs", "spans"} & set(present)
    audited = "audit" in present
    reported = event.invoked[-1].outcome if reports else None
    if event.truth == "marked":
        if audited:
            return "marked"
        return "marked" if reports and "marked" in {each.outcome for each in event.invoked} else reported
    if event.truth == "discarded":
        return "discarded" if audited else reported
    if event.truth in {"dead_lettered", "retry"}:
        return event.truth if reports or "dlq" in present else None
    return reported
