"""Searches the log of the event bus in AWS, and says what it means that there is none."""

import re
from collections.abc import Iterable
from itertools import batched

from mep.errors import Reason
from mep.trace.aws_sources import BUS_LOG_OFF, AwsSources
from mep.trace.bus import bus_entry
from mep.trace.entries import Entry
from mep.trace.sources import Source

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""What is part of a query text: the ID of an event that another account has published may be any text."""

_IDS_PER_QUERY = 50
GUIDE = "docs/deploy.md#the-log-of-the-bus"


def find_on_bus(ids: Iterable[str], sources: AwsSources, *, is_explained: bool) -> tuple[list[Entry], list[str]]:
    """Return the records of events, and notes about a log that is off or has none of them.

    Args:
        ids: Envelope IDs, or what may be one.
        sources: Reads the log.
        is_explained: Whether other records have the event's outcome: a log that has none of it is not worth a note.
    """
    wanted = sorted(each for each in set(ids) if _ID.fullmatch(each))
    if not sources.scope.bus or not wanted:
        return [], []
    entries: list[Entry] = []
    for batch in batched(wanted, _IDS_PER_QUERY, strict=False):
        condition = f"event_id in [{', '.join(f'"{each}"' for each in batch)}]"
        entries += [entry for line, _ in sources.bus_records(condition) if (entry := bus_entry(line)) is not None]
    missing = [gap for gap in sources.gaps if gap.source is Source.BUS and gap.problem.reason is Reason.NOT_FOUND]
    sources.gaps = [gap for gap in sources.gaps if gap not in missing]
    entries = [entry for entry in entries if _is_of_function(entry, sources.scope.function)]
    if entries or is_explained:
        return entries, []
    if missing:
        return [], [_is_off(sources.scope.bus)]
    failed = any(gap.source is Source.BUS for gap in sources.gaps)
    level = () if failed else sources.bus_log_level()
    if level == (BUS_LOG_OFF,):
        return [], [_is_off(sources.scope.bus)]
    return [], [_has_none(sources.scope.bus)] if level else []


def _is_of_function(entry: Entry, function: str) -> bool:
    """Return whether a record is not about the delivery to a target that is not the function."""
    targets = entry.attributes.get("target_arns") or [entry.attributes.get("target_arn")]
    named = [str(target) for target in targets if target]
    return not named or not function or any(f":function:{function}:" in f"{target}:" for target in named)


def _is_off(bus: str) -> str:
    command = f"aws events update-event-bus --name {bus} --log-config IncludeDetail=NONE,Level=INFO"
    return (
        f"the log of the bus {bus} is off: whether the event was published, and whether a rule matched, is not known; "
        f"`{command}` turns it on, and {GUIDE} delivers it to a log group"
    )


def _has_none(bus: str) -> str:
    return (
        f"the log of the bus {bus} has no event with this ID: it was not published there in this time, or its records, "
        "which AWS delivers within minutes and without a guarantee, have not arrived"
    )
