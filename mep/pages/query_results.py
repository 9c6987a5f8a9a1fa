"""The result of a saved query as HTML."""

from collections.abc import Iterator
from html import escape

from mep.query.result import QueryResult

_MAX_ROWS = 200
"""More rows than a person reads in a page; `mep query` has all of them."""


def result_table(result: QueryResult) -> Iterator[str]:
    """Yield a result as a table; without a row, as a sentence."""
    if result.problem is not None:
        yield f'<p class="note">incomplete: {escape(result.problem.text)}</p>'
    if not result.rows:
        yield f'<p class="dim">no line of {result.lines:,} matches</p>'
        return
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in result.columns)
    yield f'<div class="result"><table><thead><tr>{heads}</tr></thead><tbody>'
    for row in result.rows[:_MAX_ROWS]:
        yield f"<tr>{''.join(f'<td>{escape(row.get(name, ""))}</td>' for name in result.columns)}</tr>"
    yield "</tbody></table></div>"
    if len(result.rows) > _MAX_ROWS or result.is_cut:
        yield f'<p class="dim">the first {min(len(result.rows), _MAX_ROWS):,} rows; there are more</p>'
