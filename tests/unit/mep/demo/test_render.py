"""The dead letters of a run as a table."""

import io
import json

from rich.console import Console

from mep.local.render import dead_letters_table
from mep.terminal import WIDTH


def test_dead_letters_show_their_reason() -> None:
    own = {"SOURCE": "handler", "ERROR_CODE": "not_found", "ERROR_MESSAGE": "no row", "CORRELATION_ID": "c-1"}
    record = {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": {"detail": {"correlation_id": "c-2"}},
        "responsePayload": {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 30 s"},
    }
    lines = [
        {"message_id": "1", "attributes": own, "body": "{}"},
        {"message_id": "2", "attributes": {}, "body": json.dumps(record)},
        {"message_id": "3", "attributes": {}, "body": "no json"},
    ]

    screen = Console(file=io.StringIO(), width=WIDTH)
    screen.print(dead_letters_table(lines))
    assert isinstance(screen.file, io.StringIO)
    shown = screen.file.getvalue().splitlines()
    rows = [line.split() for line in shown if line.strip()]

    assert ["not_found", "c-1", "no", "row"] in rows
    assert ["timeout", "c-2", "Task", "timed", "out", "after", "30", "s"] in rows
    assert ["unknown"] in rows
    assert max(map(len, shown)) <= WIDTH
