"""The result of a query, and its JSON."""

from dataclasses import dataclass
from typing import Any

from mep.errors import Problem
from mep.query.engine import Row


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of a query.

    Attributes:
        query: Name of the saved query.
        source: The log group, or the folder of a run.
        columns: The columns, in order.
        rows: The rows.
        lines: The number of log lines that were searched.
        limit: The maximum number of rows of the query; where there are as many, there may be more.
        problem: Why the result is incomplete; None where it is complete.
    """

    query: str
    source: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lines: int
    limit: int
    problem: Problem | None = None

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows."""
        return len(self.rows) >= self.limit

    def as_json(self) -> dict[str, Any]:
        """Return the result as a JSON object; all values of rows are texts, as Logs Insights returns them."""
        return {
            "query": self.query,
            "source": self.source,
            "complete": self.problem is None,
            "problem": None if self.problem is None else self.problem.as_json(),
            "lines": self.lines,
            "limit": self.limit,
            "columns": list(self.columns),
            "rows": list(self.rows),
        }
