"""Finds the events of an ID or of a row in AWS: through the log, the calendar's key and the audit table."""

import re
from collections.abc import Iterator

from handler.contract import AUDIT, CALENDAR
from mep.trace.asked import Asked
from mep.trace.aws_sources import AwsSources
from mep.trace.aws_spans import find_linked
from mep.trace.hits import OTHER_IDS, Observation, observe_audit, observe_line, observe_linked, observe_row

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_MAX_ROWS = 25
"""Rows of one partition whose audit entries are read, the latest first."""


def look_up_in_aws(asked: Asked, sources: AwsSources) -> list[Observation]:
    """Return the records that have an ID or name a row.

    Args:
        asked: What a person asks for.
        sources: Reads the sources.
    """
    found = [*_in_log(asked, sources), *_in_tables(asked, sources)]
    if not found and _TRACE_ID.fullmatch(asked.id):  # no record of ours has it as its own: it may be a producer's
        found += [each for span in find_linked(asked.id, sources) for each in observe_linked(span, asked)]
    return found


def _in_log(asked: Asked, sources: AwsSources) -> Iterator[Observation]:
    conditions = [f'{name} = "{asked.id}"' for name in OTHER_IDS if asked.id]
    conditions += [
        " and ".join(f'{name} = "{part}"' for name, part in zip(CALENDAR.key, key, strict=False)) for key in asked.keys
    ]
    for line, _ in sources.log_lines(" or ".join(conditions)):
        yield from observe_line(line, asked)


def _in_tables(asked: Asked, sources: AwsSources) -> Iterator[Observation]:
    for key in asked.keys:
        complete = len(key) == len(CALENDAR.key)
        rows = sources.calendar_row(key) if complete else sources.calendar_rows(key[0], _MAX_ROWS)
        for row in rows:
            yield from observe_row(row, asked)
        row_keys = {key} if complete else {tuple(str(row.get(name)) for name in CALENDAR.key) for row in rows}
        for row_key in sorted(row_keys):
            for item in sources.audit_items({AUDIT.key[0]: "#".join(row_key)}):
                yield from observe_audit(item, asked)
