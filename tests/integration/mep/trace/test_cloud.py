"""A search of AWS: a fake of CloudWatch Logs and X-Ray, real tables and a real queue."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from emulator.clients import loopback_client
from emulator.lambda_runtime.platform_log import report_line, start_line
from emulator.services.sqs import create_queue, sqs_client
from handler.outcome import OUTCOME_TELEMETRY
from mep.dlq.model import DeadLetter
from mep.dlq.sources import read_dead_letter
from mep.errors import Reason
from mep.trace.account import read_queue
from mep.trace.asked import Asked, parse_asked
from mep.trace.aws_sources import AwsSources
from mep.trace.cloud import find_in_aws, find_requests_in_aws
from mep.trace.cloud_bus import find_on_bus
from mep.trace.cloud_lookup import look_up_in_aws
from mep.trace.entries import SearchResult
from mep.trace.follow import follow
from mep.trace.hits import Observation
from mep.trace.parsing import dead_letter_entry
from mep.trace.sources import SPAN_LOG_GROUP, Gap, SearchScope, Source, SpanStore, gap_lines
from mep.trace.timeline import make_timeline
from mep.trace.xray import segment_entries, xray_id
from tests.integration.mep.trace.aws_api import Account
from tests.support.aws_account import serving
from tests.support.stores import DeadLetters, Tables

GROUP = "/aws/lambda/mark-earnings-processed"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def lines_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]


def document(span: dict[str, Any]) -> str:
    """Return a span as an X-Ray segment document."""
    annotations = {name: span["attributes"][name] for name in span["attributes"]["aws.xray.annotations"]}
    aws = {"operation": span["attributes"]["rpc.method"]} if "rpc.method" in span["attributes"] else {}
    return json.dumps(
        {
            "name": span["attributes"].get("rpc.service", span["name"]),
            "id": span["span_id"],
            "trace_id": xray_id(span["trace_id"]),
            "parent_id": span["parent_span_id"],
            "start_time": span["start_time_unix_nano"] / 1e9,
            "end_time": span["end_time_unix_nano"] / 1e9,
            "fault": span["status"] == "ERROR",
            "annotations": annotations,
            "metadata": {"default": {"http.status_code": span["attributes"].get("http.status_code")}},
            "aws": aws,
        }
    )


@pytest.fixture
def account(folder: Path) -> Account:
    """A fake account with the records of the run."""
    spans = lines_of(folder, "spans")
    traces: dict[str, list[str]] = {}
    for span in spans:
        traces.setdefault(xray_id(span["trace_id"]), []).append(document(span))
    metrics = lines_of(folder, "metrics")
    return Account({GROUP: [json.dumps(line) for line in (*lines_of(folder, "logs"), *metrics)]}, traces)


Ask = Callable[[str], SearchResult]


@dataclass
class AwsSearch:
    """A search of the fake account and the real tables.

    Attributes:
        sources: Reads them.
        messages: The messages of the dead-letter queue.
        queue_reads: How often the queue was read.
    """

    sources: AwsSources
    messages: tuple[DeadLetter, ...] = ()
    queue_reads: int = 0

    def find(self, correlation_id: str) -> SearchResult:
        return find_in_aws(correlation_id, self.sources)

    def look_up(self, asked: Asked) -> tuple[list[Observation], tuple[Gap, ...]]:
        return look_up_in_aws(asked, self.sources), self.sources.take_gaps()

    def find_requests(self, request_ids: Iterable[str]) -> SearchResult:
        return find_requests_in_aws(request_ids, self.sources)

    def find_on_bus(self, ids: Iterable[str]) -> SearchResult:
        entries, notes = find_on_bus(ids, self.sources, is_explained=True)
        return SearchResult(tuple(entries), notes=tuple(notes), gaps=self.sources.take_gaps())

    def dead_letters(self) -> tuple[tuple[DeadLetter, ...], tuple[Gap, ...]]:
        self.queue_reads += 1
        return self.messages, ()


@pytest.fixture
def store() -> SpanStore:
    return SpanStore.AUTO


@pytest.fixture
def search(account: Account, tables: Tables, store: SpanStore) -> Iterator[AwsSearch]:
    with serving(account.respond) as url:

        def make(service: str) -> Any:
            return tables.client if service == "dynamodb" else loopback_client(service, url)

        scope = SearchScope(GROUP, store, tables.calendar_table, tables.audit_table, timedelta(1))
        yield AwsSearch(AwsSources(scope, make, now=lambda: NOW, sleep=lambda _: None))


@pytest.fixture
def ask(search: AwsSearch) -> Ask:
    return search.find


def put_audit(tables: Tables, folder: Path) -> None:
    for entry in lines_of(folder, "audit"):
        item = {name: {"S": value} for name, value in entry.items()}
        tables.client.put_item(TableName=tables.audit_table, Item=item)


def test_an_account_and_a_run_give_the_same_timeline(ask: Ask, account: Account, tables: Tables, folder: Path) -> None:
    put_audit(tables, folder)
    tables.put_row("AAPL", "2025-07-31", is_processed=True)
    found = make_timeline("demo-aapl", [ask("demo-aapl")])
    titles = [[entry.title for entry in section.entries] for section in found.sections]
    report = "Lambda's report: success"
    assert titles[0] == [
        "Lambda starts the invocation",
        "MarkEarningsProcessed",
        "DynamoDB.TransactWriteItems",
        "waiting after attempt 1",
        "DynamoDB.TransactWriteItems",
        "audit entry: mark_processed",
        OUTCOME_TELEMETRY["marked"].message,
        report,
    ]
    assert titles[1][-2:] == [OUTCOME_TELEMETRY["duplicate"].message, report]
    assert found.summary == "the row is marked, after 2 attempts, invocation 1 of 2"
    assert [row["asset_symbol"] for row in found.rows] == ["AAPL"]
    assert (found.notes, found.gaps) == ((), ())
    query = next(parameters for operation, parameters in account.asked if operation == "StartQuery")
    assert (query["startTime"], query["endTime"]) == (NOW.timestamp() - 86400, NOW.timestamp() + 1)


def test_annotations_find_the_trace_without_a_log(ask: Ask, account: Account) -> None:
    account.groups[GROUP] = []
    found = ask("demo-msft")
    assert [entry.title for entry in found.entries] == ["DynamoDB.TransactWriteItems", "MarkEarningsProcessed"]
    summaries = [parameters for operation, parameters in account.asked if operation == "GetTraceSummaries"]
    assert len(summaries) == 4  # a day, six hours each


def span_record(span: dict[str, Any]) -> str:
    """Return a span as a record of the log group of Transaction Search."""
    return json.dumps(
        {
            "traceId": span["trace_id"],
            "spanId": span["span_id"],
            "parentSpanId": span["parent_span_id"],
            "name": span["name"],
            "kind": f"SPAN_KIND_{span['kind']}" if span["kind"] == "CLIENT" else span["kind"],
            "startTimeUnixNano": span["start_time_unix_nano"],
            "endTimeUnixNano": span["end_time_unix_nano"],
            "status": {"code": span["status"]},
            "attributes": span["attributes"],
            "events": [
                {"name": event["name"], "timeUnixNano": event["time_unix_nano"], "attributes": event["attributes"]}
                for event in span["events"]
            ],
            "links": [{"traceId": link["trace_id"]} for link in span["links"]],
        }
    )


def spans_of(folder: Path, correlation_id: str) -> list[str]:
    spans = lines_of(folder, "spans")
    return sorted(span["span_id"] for span in spans if span["attributes"]["correlation_id"] == correlation_id)


def found_spans(found: SearchResult) -> list[str]:
    return sorted(entry.span_id for entry in found.entries if entry.kind == "span")


def use_transaction_search(account: Account, folder: Path) -> None:
    """Move the spans from X-Ray, which then finds no trace by its ID, to the log group."""
    account.traces.clear()
    account.groups[SPAN_LOG_GROUP] = [span_record(span) for span in lines_of(folder, "spans")]


@pytest.mark.parametrize("store", [SpanStore.LOGS])
def test_spans_may_be_in_the_log_only(ask: Ask, account: Account, folder: Path) -> None:
    account.groups[SPAN_LOG_GROUP] = [span_record(span) for span in lines_of(folder, "spans")]
    found = ask("demo-aapl")
    assert found_spans(found) == spans_of(folder, "demo-aapl")
    assert not [operation for operation, _ in account.asked if "Trace" in operation]


def test_spans_of_transaction_search_are_found(ask: Ask, account: Account, folder: Path) -> None:
    use_transaction_search(account, folder)
    found = ask("demo-aapl")
    assert found_spans(found) == spans_of(folder, "demo-aapl")
    assert (found.gaps, found.notes[0]) == (
        (),
        "the spans are in aws/spans: X-Ray does not have the trace, as with Transaction Search",
    )
    account.groups[GROUP] = []
    assert found_spans(ask("demo-aapl")) == spans_of(folder, "demo-aapl"), "without the log, too"


def test_the_log_group_is_not_asked_where_x_ray_has_all(ask: Ask, account: Account, folder: Path) -> None:
    found = ask("demo-aapl")
    assert found_spans(found) == spans_of(folder, "demo-aapl")
    assert {query["logGroupName"] for operation, query in account.asked if operation == "StartQuery"} == {GROUP}


@pytest.mark.parametrize(
    ("is_sampled", "reason"),
    [
        (False, "according to the log, not sampled"),
        (True, "according to the log sampled, so not there yet, or lost"),
        (None, "not sampled, not there yet, or lost"),
    ],
)
@pytest.mark.parametrize("is_on", [False, True])
def test_spans_that_are_nowhere_are_explained(
    is_sampled: bool | None, reason: str, is_on: bool, ask: Ask, account: Account, folder: Path
) -> None:
    account.traces.clear()
    if is_on:
        account.groups[SPAN_LOG_GROUP] = []
    lines = [json.loads(line) for line in account.groups[GROUP]]
    for line in lines:
        line.pop("trace_sampled", None)
        if is_sampled is not None and line.get("event_type") == "event_outcome":
            line["trace_sampled"] = is_sampled
    account.groups[GROUP] = [json.dumps(line) for line in lines]
    trace_id = next(line["trace_id"] for line in lines if line.get("correlation_id") == "demo-msft")
    found = ask("demo-msft")
    where = (
        "X-Ray and aws/spans were asked"
        if is_on
        else "X-Ray was asked, and Transaction Search is off (no log group aws/spans)"
    )
    assert (found.gaps, found.notes[0]) == ((), f"no span of trace {trace_id}: {where}; {reason}")


@pytest.mark.parametrize("store", [SpanStore.XRAY])
def test_x_ray_alone_names_the_other_store(ask: Ask, account: Account, folder: Path) -> None:
    use_transaction_search(account, folder)
    found = ask("demo-msft")
    assert (found_spans(found), found.gaps) == ([], ())
    assert found.notes[0].endswith("or in aws/spans, with Transaction Search: --spans auto asks there, too")


def test_spans_that_could_not_be_asked_for_are_a_gap(
    ask: Ask, account: Account, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X-Ray does not have them, and the log group may not be read: nothing is said about what is there."""
    account.traces.clear()
    monkeypatch.setattr(account, "refused_groups", {SPAN_LOG_GROUP})
    found = ask("demo-msft")
    assert [(gap.source, gap.name, gap.problem.reason) for gap in found.gaps] == [
        (Source.TRACES, SPAN_LOG_GROUP, Reason.ACCESS_DENIED)
    ]
    assert not [note for note in found.notes if "span" in note]


def test_the_log_group_replaces_x_ray_that_could_not_be_asked(ask: Ask, account: Account, folder: Path) -> None:
    use_transaction_search(account, folder)
    account.refused = {"BatchGetTraces", "GetTraceSummaries"}
    found = ask("demo-msft")
    assert (found_spans(found), found.gaps) == (spans_of(folder, "demo-msft"), ())
    assert found.notes[0].startswith("the spans are in aws/spans: X-Ray could not be asked (AccessDeniedException")


@pytest.mark.parametrize("is_on", [False, True])
def test_a_producers_trace_leads_to_the_event(
    search: AwsSearch, account: Account, folder: Path, *, is_on: bool
) -> None:
    if is_on:
        use_transaction_search(account, folder)
    timeline = follow(parse_asked("1-0af76519-16cd43dd8448eb211c80319c"), search, queue=False).timeline
    assert timeline.correlation_id == "demo-aapl"
    assert timeline.notes[0].endswith("is the linked trace ID of the event with the correlation ID demo-aapl")
    unknown = follow(parse_asked("f" * 32), search, queue=False).timeline
    assert (unknown.sections, unknown.gaps) == ((), ())


def test_a_denied_source_is_a_gap(ask: Ask, account: Account) -> None:
    account.refused = {"BatchGetTraces"}
    found = ask("demo-msft")
    assert [entry.kind for entry in found.entries] == ["log", "log", "log"]
    (gap,) = found.gaps
    assert (gap.source, gap.problem.reason) == (Source.TRACES, Reason.ACCESS_DENIED)
    (line,) = gap_lines(found.gaps)
    assert line.startswith("the traces: AccessDeniedException at BatchGetTraces (127.0.0.1:")
    assert "the credentials in use need xray:BatchGetTraces" in line
    assert "secret" not in line + json.dumps(gap.as_json())
    assert make_timeline("demo-msft", [found]).summary == "the row is marked (partial: without the traces)"


def test_no_log_group_is_a_gap(ask: Ask, account: Account) -> None:
    account.groups.clear()
    found = ask("nobody")
    assert found.entries == ()
    (gap,) = found.gaps
    assert (gap.source, gap.name, gap.problem.code) == (Source.LOG, GROUP, "ResourceNotFoundException")
    assert gap.problem.advice == "check ENVIRONMENT, or name another with --function or --log-group"


def test_records_before_an_error_are_retained(ask: Ask, account: Account) -> None:
    """Lambda's reports are queried after the log lines, in the same log group."""
    account.refuse_after = {"StartQuery": 1}
    found = ask("demo-msft")
    assert "log" in {entry.kind for entry in found.entries}
    assert [gap.source for gap in found.gaps] == [Source.LOG]


@pytest.mark.parametrize("status", ["Failed", "Timeout", "Cancelled"])
def test_a_failed_query_is_a_gap(ask: Ask, account: Account, status: str) -> None:
    account.ends_as = status
    found = ask("demo-msft")
    assert {(gap.source, gap.problem.reason) for gap in found.gaps} == {(Source.LOG, Reason.INCOMPLETE)}
    assert f"the query of {GROUP} ended as {status}: lines may be missing" in gap_lines(found.gaps)[0]


def found_as(search: AwsSearch, text: str) -> tuple[str, tuple[str, ...]]:
    timeline = follow(parse_asked(text), search).timeline
    return timeline.correlation_id, timeline.notes


def test_any_id_and_the_row_lead_to_the_event(search: AwsSearch, folder: Path, tables: Tables) -> None:
    line = next(line for line in lines_of(folder, "logs") if line.get("correlation_id") == "demo-msft")
    tables.put_row("MSFT", "2025-07-29", is_processed=True)
    put_audit(tables, folder)
    for name, value in {
        "event ID": line["event_id"],
        "request ID": line["request_id"],
        "trace ID": xray_id(line["trace_id"]),
    }.items():
        note = f"{value} is the {name} of the event with the correlation ID demo-msft"
        assert found_as(search, value) == ("demo-msft", (note,))
    for row in ("MSFT 2025-07-29", "msft#2025-07-29", "MSFT"):
        note = f"the event about {row} has the correlation ID demo-msft"
        assert found_as(search, row) == ("demo-msft", (note,))
    assert search.queue_reads == 0, "the row is marked: the queue adds nothing"


def test_a_row_is_found_without_the_log(search: AwsSearch, account: Account, tables: Tables, folder: Path) -> None:
    """The calendar's key leads to the audit entries, also of an event that is older than the log."""
    tables.put_row("AAPL", "2025-07-31", is_processed=True)
    put_audit(tables, folder)
    account.groups[GROUP] = []
    account.traces = {}
    timeline = follow(parse_asked("AAPL"), search).timeline
    assert (timeline.correlation_id, timeline.gaps) == ("demo-aapl", ())
    assert timeline.summary == "the row is marked, according to its audit entry"


def test_several_events_of_a_row_are_listed(search: AwsSearch) -> None:
    found = follow(parse_asked("AAPL"), search)
    assert [(hit.correlation_id, hit.outcome, hit.key) for hit in found.hits] == [
        ("demo-aapl-second", "duplicate", ("AAPL", "2025-07-31")),
        ("demo-aapl", "marked", ("AAPL", "2025-07-31")),
    ]
    assert not found.timeline.sections


def test_a_failed_lookup_is_a_gap(search: AwsSearch, account: Account) -> None:
    account.groups.clear()
    found = follow(parse_asked("AAPL"), search)
    assert found.hits == ()
    assert Source.LOG in {gap.source for gap in found.timeline.gaps}
    assert found.timeline.summary.startswith("unknown: nothing was found, but")


@pytest.mark.parametrize(
    ("correlation_id", "queue", "reads"),
    [
        ("demo-aapl", None, 0),
        ("demo-aapl-second", None, 0),
        ("demo-unknown-row", None, 0),
        ("demo-unknown-row", True, 1),
        ("unheard-of", None, 2),
        ("unheard-of", False, 0),
    ],
)
def test_the_queue_is_read_where_no_other_source_has_the_outcome(
    search: AwsSearch, correlation_id: str, queue: bool | None, reads: int
) -> None:
    timeline = follow(parse_asked(correlation_id), search, queue=queue).timeline
    assert search.queue_reads == reads
    assert bool(timeline.sections) == (correlation_id != "unheard-of")
    skipped = correlation_id == "demo-unknown-row" and not reads
    assert any("--queue shows the message" in note for note in timeline.notes) == skipped


def test_the_queue_is_read_for_an_event_that_was_raised(search: AwsSearch, account: Account) -> None:
    lines = [json.loads(line) for line in account.groups[GROUP] if '"demo-msft"' in line]
    account.groups[GROUP] = [json.dumps({**line, "outcome": "retry"}) for line in lines if "_aws" not in line]
    account.traces = {}
    assert follow(parse_asked("demo-msft"), search).timeline.verdict.outcome == "retry"
    assert search.queue_reads == 1


def test_an_id_that_only_a_dead_letter_has_leads_to_the_event(search: AwsSearch, account: Account) -> None:
    account.groups[GROUP] = []
    detail = {"asset_symbol": "QQQQ", "earnings_date": "soon", "correlation_id": "c-1", "earnings_id": "e-77"}
    event = {"id": "envelope-1", "detail": detail}
    attributes = {"SOURCE": "handler", "ERROR_CODE": "validation", "CORRELATION_ID": "c-1"}
    search.messages = (read_dead_letter("message-1", json.dumps(event), attributes),)
    for text, kind in {"envelope-1": "event ID", "e-77": "earnings ID", "message-1": "message ID"}.items():
        timeline = follow(parse_asked(text), search).timeline
        assert timeline.notes == (f"{text} is the {kind} of the event with the correlation ID c-1",)
        assert timeline.summary == "dead-lettered: permanent failure (validation), according to its dead letter"
    by_symbol = follow(parse_asked("qqqq"), search).timeline
    assert by_symbol.notes == ("the event about qqqq has the correlation ID c-1",)


def test_the_queue_adds_an_event_of_the_symbol_with_an_invalid_date(search: AwsSearch) -> None:
    event = {"id": "envelope-1", "detail": {"asset_symbol": "MSFT", "earnings_date": "soon", "correlation_id": "c-1"}}
    search.messages = (
        read_dead_letter("message-1", json.dumps(event), {"SOURCE": "handler", "ERROR_CODE": "validation"}),
    )
    assert follow(parse_asked("MSFT"), search).timeline.correlation_id == "demo-msft"
    found = follow(parse_asked("MSFT"), search, queue=True)
    assert {hit.correlation_id for hit in found.hits} == {"demo-msft", "c-1"}


def test_a_function_that_was_killed_in_every_invocation_is_counted(search: AwsSearch, account: Account) -> None:
    """It wrote no line: only Lambda's record in the queue has the correlation ID, and the request ID."""
    event = {"id": "envelope-1", "detail": {"asset_symbol": "QQQQ", "correlation_id": "c-1"}}
    context = {"requestId": "r-1", "condition": "RetriesExhausted", "approximateInvokeCount": 3}
    record = {"requestContext": context, "requestPayload": event, "timestamp": "2026-03-01T11:03:00.000Z"}
    search.messages = (read_dead_letter("message-1", json.dumps(record), {}),)
    crashed = report_line("r-1", "error", duration_s=0.2, memory_mb=128, trace_header="Root=1-0-0")
    for minute in (0, 1, 3):
        for line in (start_line("r-1"), crashed):
            account.groups[GROUP].append(json.dumps({**line, "time": f"2026-03-01T11:0{minute}:00.000Z"}))
    found = follow(parse_asked("c-1"), search).timeline
    assert (found.invocations, found.verdict.outcome) == (3, "retry")
    assert found.summary == "not processed: Lambda gave it up (unknown), according to its dead letter"


def test_dead_letters_are_not_consumed(dead_letters: DeadLetters) -> None:
    event = {"id": "e-1", "detail": {"correlation_id": "c-1"}}
    with closing(sqs_client(dead_letters.url)) as client:
        for correlation_id in ("c-1", "c-2"):
            client.send_message(
                QueueUrl=dead_letters.queue_url,
                MessageBody=json.dumps(event),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in {
                        "SOURCE": "handler",
                        "ERROR_CODE": "not_found",
                        "ERROR_MESSAGE": "no row",
                        "CORRELATION_ID": correlation_id,
                    }.items()
                },
            )
        found, gaps = read_queue(client, dead_letters.queue_url)
        assert (sorted(each.correlation_id or "" for each in found), gaps) == (["c-1", "c-2"], ())
        entry = dead_letter_entry(found[0], ())
        assert (entry.kind, entry.attributes["error_category"], entry.attributes["why"]) == (
            "dead_letter",
            "not_found",
            "no row",
        )
        _, (unset,) = read_queue(client, None)
        assert (unset.problem.reason, unset.problem.text) == (
            Reason.NOT_CONFIGURED,
            "DEAD_LETTER_QUEUE_URL is not set",
        )
        gone = create_queue(dead_letters.url, "to-be-deleted")
        client.delete_queue(QueueUrl=gone.queue_url)
        _, (deleted,) = read_queue(client, gone.queue_url)
        assert (deleted.source, deleted.problem.reason) == (Source.QUEUE, Reason.NOT_FOUND)
        (received,) = client.receive_message(QueueUrl=dead_letters.queue_url, VisibilityTimeout=60)["Messages"]
        _, (partial,) = read_queue(client, dead_letters.queue_url)
        assert partial.problem.reason is Reason.INCOMPLETE
        assert "about 1 more are in flight: another consumer has received them" in partial.problem.text
        handle = received["ReceiptHandle"]
        client.change_message_visibility(QueueUrl=dead_letters.queue_url, ReceiptHandle=handle, VisibilityTimeout=0)
    assert len(dead_letters.drain()) == 2


def test_subsegments_are_children_of_their_segment() -> None:
    segment = {
        "name": "function",
        "id": "a" * 16,
        "trace_id": "1-6b049eb4-e71876e7d90c05d6f9a30a7d",
        "start_time": 1.5,
        "end_time": 2.5,
        "subsegments": [{"name": "DynamoDB", "id": "b" * 16, "start_time": 1.6, "aws": {"operation": "PutItem"}}],
    }
    above, below = segment_entries(json.dumps(segment))
    assert (above.trace_id, above.duration_ms) == ("6b049eb4e71876e7d90c05d6f9a30a7d", 1000)
    assert (below.title, below.parent_id, below.duration_ms) == ("DynamoDB.PutItem", "a" * 16, None)
    assert list(segment_entries("no JSON")) == list(segment_entries("[]")) == list(segment_entries("{}")) == []
