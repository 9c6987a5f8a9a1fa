"""`mep calendar unmark` on DynamoDB Local: the mark is removed together with its audit entry, or neither is written."""

from datetime import datetime
from typing import Any

import pytest
import typer

from emulator.faults import FaultProxy, Reply, answer
from mep.errors import ExitStatus
from tests.integration.harness import OTHERS_ATTRIBUTES, Harness
from tests.support.command_line import mep
from tests.support.events import unique_event
from tests.support.stores import Tables

DATE = "2025-07-31"
REASON = ("--reason", "the producer's test of 27 November")
_JSON = {"Content-Type": "application/x-amz-json-1.0"}
DENIED = Reply(400, b'{"__type": "com.amazon.coral.service#AccessDeniedException", "message": "no"}', _JSON)
CANCELLED = (
    b'{"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "message": "cancelled",'
    b' "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}'
)


@pytest.fixture
def environ(environ: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The variables of a responder."""
    environ.setenv("MEP_OPERATOR", "alice")
    return environ


def marked(harness: Harness, symbol: str) -> dict[str, Any]:
    """Have the function mark a new row; return its event."""
    harness.services.tables.put_row(symbol, DATE, **OTHERS_ATTRIBUTES)
    event = unique_event({"asset_symbol": symbol, "earnings_date": DATE})
    assert harness(event).outcome_line["outcome"] == "marked"
    return event


def state(tables: Tables, symbol: str) -> tuple[Any, Any]:
    return tables.row(symbol, DATE), tables.audit(symbol, DATE)


def test_the_mark_is_removed_with_an_audit_entry(
    harness: Harness, tables: Tables, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = marked(harness, "WRONG")
    before, (mark,) = state(tables, "WRONG")
    assert before is not None

    assert mep(environ, "calendar", "unmark", "wrong", DATE, *REASON, "--yes") == ExitStatus.DONE

    shown = capsys.readouterr().out
    assert "WRONG on 2025-07-31 in the calendar is marked" in shown
    assert event["detail"]["correlation_id"] in shown
    row, audit = state(tables, "WRONG")
    of_the_mark = {"processed_at", "processed_by_event", "correlation_id", "updated_at", "is_processed"}
    assert row == {
        **{name: value for name, value in before.items() if name not in of_the_mark},
        "is_processed": False,
        "updated_at": row["updated_at"],
    }
    (entry,) = [each for each in audit if each != mark]
    assert entry == {
        "earnings_key": f"WRONG#{DATE}",
        "entry_id": f"{row['updated_at']}#{mark['event_id']}",
        "event_id": mark["event_id"],
        "action": "unmarked",
        "previous_state": "processed",
        "correlation_id": mark["correlation_id"],
        "processed_at": before["processed_at"],
        "recorded_at": row["updated_at"],
        "operator": "alice",
        "reason": REASON[1],
    }


def test_the_other_commands_know_of_it(
    harness: Harness, tables: Tables, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a lost mark nor, after the next event, two marks; the trace names operator and reason."""
    event = marked(harness, "AGAIN")
    asked = event["detail"]["correlation_id"]
    for _ in range(2):  # the function may mark the row again, and that mark can be removed, too
        assert mep(environ, "calendar", "unmark", "AGAIN", DATE, *REASON, "--yes") == ExitStatus.DONE
        assert mep(environ, "calendar", "check", "--symbol", "AGAIN", "--grace", "36500d") == ExitStatus.DONE
        capsys.readouterr()
        mep(environ, "trace", asked)
        shown = " ".join(capsys.readouterr().out.split())
        assert f"the row was marked; unmarked by alice: {REASON[1]}" in shown
        assert "the mark is removed by an operator" in shown

        assert harness(event).outcome_line["outcome"] == "marked"
        assert mep(environ, "calendar", "check", "--symbol", "AGAIN") == ExitStatus.DONE
        capsys.readouterr()
        mep(environ, "trace", asked)
        assert "the row is marked" in capsys.readouterr().out

    tables.put_row("AGAIN", DATE)
    assert mep(environ, "calendar", "check", "--symbol", "AGAIN", "--grace", "36500d") == ExitStatus.FAILED
    assert "mark_lost" in capsys.readouterr().out


def test_a_mark_of_a_migration(tables: Tables, environ: pytest.MonkeyPatch) -> None:
    tables.put_row("OLD", DATE, is_processed=True)

    assert mep(environ, "calendar", "unmark", "OLD", DATE, *REASON, "--yes") == ExitStatus.DONE

    row, (entry,) = state(tables, "OLD")
    assert row["is_processed"] is False
    assert (entry["action"], "event_id" in entry) == ("unmarked", False)


@pytest.mark.parametrize(
    ("options", "confirmed", "status", "words"),
    [
        (("--dry-run",), None, ExitStatus.DONE, "dry run: nothing was written"),
        ((), False, ExitStatus.FAILED, "not confirmed: nothing was written"),
        (("--yes", "--event-id", "other"), None, ExitStatus.FAILED, "is not marked by other: nothing was written"),
    ],
)
def test_nothing_is_written(
    options: tuple[str, ...],
    confirmed: bool | None,
    status: ExitStatus,
    words: str,
    harness: Harness,
    tables: Tables,
    environ: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    marked(harness, "KEPT")
    before = state(tables, "KEPT")
    if confirmed is not None:
        environ.setattr("sys.stdin.isatty", lambda: True)
        environ.setattr(typer, "confirm", lambda _: confirmed)

    assert mep(environ, "calendar", "unmark", "KEPT", DATE, *REASON, *options) == status

    output = capsys.readouterr()
    assert words in output.out + output.err
    assert "KEPT on 2025-07-31 in the calendar is marked" in output.out
    assert state(tables, "KEPT") == before


def test_a_mark_that_changed_meanwhile_stays(
    harness: Harness, tables: Tables, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    marked(harness, "RACE")

    def confirm(_: str) -> bool:
        tables.put_row("RACE", DATE, is_processed=True, processed_by_event="another", processed_at="t")
        return True

    environ.setattr("sys.stdin.isatty", lambda: True)
    environ.setattr(typer, "confirm", confirm)

    assert mep(environ, "calendar", "unmark", "RACE", DATE, *REASON) == ExitStatus.FAILED

    assert "has changed since it was read: nothing was written" in capsys.readouterr().err
    row, audit = state(tables, "RACE")
    assert row["processed_by_event"] == "another"
    assert [entry["action"] for entry in audit] == ["mark_processed"]


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (DENIED, ExitStatus.UNAVAILABLE, "AccessDeniedException at TransactWriteItems"),
        (
            DENIED,
            ExitStatus.UNAVAILABLE,
            "dynamodb:UpdateItem on the tables: the managed policies",
        ),
        (Reply(200, b"{}", _JSON), ExitStatus.UNAVAILABLE, "answered TransactWriteItems, but not as AWS does"),
        (Reply(400, CANCELLED, _JSON), ExitStatus.FAILED, "is being written to: nothing was written"),
    ],
)
def test_a_failed_write_is_reported(
    reply: Reply,
    status: ExitStatus,
    words: str,
    harness: Harness,
    environ: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    marked(harness, "FAILS")
    url = harness.services.tables.url
    with FaultProxy(url, answer(reply, name="reply"), operation="TransactWriteItems") as proxy:
        environ.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)

        assert mep(environ, "calendar", "unmark", "FAILS", DATE, *REASON, "--yes") == status

    output = capsys.readouterr()
    assert words in output.err
    assert "the mark is removed" not in output.out


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("NONE", DATE, *REASON), ExitStatus.FAILED, "there is no row for NONE on 2025-07-31 in the calendar"),
        (("OPEN", DATE, *REASON), ExitStatus.FAILED, "the row for OPEN on 2025-07-31 in the calendar is not marked"),
        (("OPEN", *REASON), ExitStatus.WRONG_USAGE, "the key of a row is ASSET_SYMBOL EARNINGS_DATE"),
        (("OPEN", "soon", *REASON), ExitStatus.WRONG_USAGE, "EARNINGS_DATE soon: must be a calendar day"),
        (("OPEN", DATE, "--reason", " "), ExitStatus.WRONG_USAGE, "--reason must be one line"),
        (("MEP-VERIFY", "2000-01-01", *REASON), ExitStatus.WRONG_USAGE, "is reserved for mep verify"),
        (("MEP-VERIFY", "2000-01-03", *REASON), ExitStatus.WRONG_USAGE, "is reserved for mep verify"),
    ],
)
def test_what_is_refused(
    words: tuple[str, ...],
    status: ExitStatus,
    text: str,
    tables: Tables,
    environ: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables.put_row("OPEN", DATE)

    assert mep(environ, "calendar", "unmark", *words, "--yes") == status

    assert text in capsys.readouterr().err
    assert tables.audit("OPEN", DATE) == []


def test_nobody_can_confirm(environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    environ.setattr("sys.stdin.isatty", lambda: False)
    assert mep(environ, "calendar", "unmark", "A", DATE, *REASON) == ExitStatus.WRONG_USAGE
    assert "check with --dry-run, then use --yes" in capsys.readouterr().err


def test_the_time_is_that_of_other_audit_entries(harness: Harness, tables: Tables, environ: pytest.MonkeyPatch) -> None:
    marked(harness, "TIME")
    mep(environ, "calendar", "unmark", "TIME", DATE, *REASON, "--yes")
    mark, removal = tables.audit("TIME", DATE)
    assert datetime.fromisoformat(removal["recorded_at"]) > datetime.fromisoformat(mark["recorded_at"])
