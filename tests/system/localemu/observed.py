"""The outcome of an event, in a form in which two implementations of the platform can be compared."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.services.sqs import DeadLetter
from mep.dlq.sources import read_dead_letter
from tests.support.containers import ROOT
from tests.support.events import DATE
from tests.support.stores import Tables

type Facts = dict[str, Any]
"""Facts by their names: `tries`, `row.processed_by_event`, `dead_letter.attributes.ERROR_CODE`, ..."""

NOTHING = "nothing"
"""The value of a fact that one side does not have."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_IN_FUNCTION = re.compile(r'File "[^"]*/(\w+/\w+\.py)", line \d+, in (\w+)')


@dataclass(frozen=True)
class Difference:
    """Where the two differ, and who is right.

    Attributes:
        theirs: The fact as the emulator has it, or `NOTHING`.
        ours: The fact as our pipeline has it, or `NOTHING`.
        judge: What AWS's documentation says, and the page; or why it is of no consequence.
    """

    theirs: Any
    ours: Any
    judge: str


def facts(
    name: str,
    tables: Tables,
    symbol: str,
    *,
    tries: Sequence[Mapping[str, Any]],
    dead_letters: Sequence[DeadLetter],
    event_ids: set[str],
) -> Facts:
    """Gather the outcome of an event.

    What is different each time is replaced: IDs by whose they are, times by their form.

    Args:
        name: Of the function and the rule.
        tables: The function's.
        symbol: The event's.
        tries: The log line with the outcome of each attempt that ended.
        dead_letters: What is in the queue afterwards.
        event_ids: That the bus gave.
    """
    names = dict.fromkeys(event_ids, "<the event's ID>")
    names |= {line["request_id"]: "<the request's ID>" for line in tries}
    row = tables.row(symbol, DATE) or {}
    found: Facts = {
        "tries": [line["outcome"] for line in tries],
        "categories": sorted({line["error_category"] for line in tries if line.get("error_category")}),
        "requests": len({line["request_id"] for line in tries}),
        "row.processed_by_event": row.get("processed_by_event"),
        "audit": [entry["event_id"] for entry in tables.audit(symbol, DATE)],
        "dead_letters": len(dead_letters),
    }
    for dead_letter in dead_letters:
        read = read_dead_letter(dead_letter.message_id, dead_letter.body, dead_letter.attributes)
        found |= {
            "dead_letter.shape": read.shape.value,
            "dead_letter.category": read.group,
            "dead_letter.correlation_id": read.correlation_id,
            "dead_letter.tries": read.tries,
        }
        text = {"body": json.loads(dead_letter.body), "attributes": dict(dead_letter.attributes)}
        found |= {f"dead_letter.{path}": _steady(value, name, names) for path, value in _flat(text)}
    return found


def differences(theirs: Facts, ours: Facts) -> dict[str, tuple[Any, Any]]:
    """Return the facts in which two sides differ, as a pair: the emulator's, and ours."""
    return {
        name: (theirs.get(name, NOTHING), ours.get(name, NOTHING))
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name, NOTHING) != ours.get(name, NOTHING)
    }


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _flat(member, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _steady(value: Any, name: str, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_steady(member, name, names) for member in value]
    if not isinstance(value, str):
        return value
    value = _IN_FUNCTION.sub(lambda match: f"{match[1]} in {match[2]}", value.replace(str(ROOT), "/var/task"))
    value = value.replace(name, "<the name>")
    value = _ID.sub(lambda match: names.get(match[0], "<an ID>"), value)
    return _TIME.sub(lambda match: re.sub(r"\d", "0", match[0]), value)
