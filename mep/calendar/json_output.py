"""The result of a check as JSON. The keys are documented in `docs/calendar.md`."""

from typing import Any

from handler.contract import CALENDAR
from handler.validation import format_utc
from mep.calendar.model import CheckResult, Finding
from mep.calendar.rules import ZONE


def to_json(result: CheckResult, limit: int | None = None) -> dict[str, Any]:
    """Return a result as a JSON object.

    Args:
        result: The result.
        limit: The maximum number of findings in it; None for all.
    """
    return {
        "complete": result.complete,
        "interrupted": result.interrupted,
        "problem": result.problem and result.problem.as_json(),
        "checked_at": format_utc(result.checked_at),
        "today": result.today.isoformat(),
        "time_zone": ZONE,
        "grace_s": int(result.grace.total_seconds()),
        "from": result.scope.first,
        "to": result.scope.last,
        "symbol": result.scope.symbol,
        "rows": result.rows,
        "undated": result.undated,
        "counts": {kind.value: count for kind, count in result.counts.items()},
        "findings": [_finding(finding) for finding in result.findings[:limit]],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        **dict(zip(CALENDAR.key, finding.row.key, strict=True)),
        "last_sync_timestamp": finding.row.synced_at or None,
        "marks": [
            {
                "recorded_at": mark.recorded_at or None,
                "event_id": mark.event_id or None,
                "correlation_id": mark.correlation_id or None,
            }
            for mark in finding.marks
        ],
    }
