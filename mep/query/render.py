"""Shows the saved queries, and the result of one."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from mep.program import program
from mep.query.result import QueryResult
from mep.terminal import plain_table
from mep.text import count_of, escape_control
from monitoring.model import Query


def show_queries(queries: Iterable[Query], screen: Console) -> None:
    """Print the names and purposes of the saved queries."""
    table = plain_table("query", "purpose")
    for query in queries:
        table.add_row(query.name, query.purpose)
    screen.print(table)
    screen.print(Text(f"{program()} query NAME runs one", "dim"), soft_wrap=True)


def show_result(result: QueryResult, screen: Console) -> None:
    """Print the rows of a result, then how many they are. A column without any value is left out."""
    shown = [name for name in result.columns if any(name in row for row in result.rows)]
    if shown:
        table = plain_table(*shown, named=True)
        for row in result.rows:
            table.add_row(*(Text(escape_control(row.get(name, ""))) for name in shown))
        screen.print(table)
    searched = f"{count_of(result.lines, 'log line')} searched in {result.source}"
    screen.print(Text(f"{count_of(len(result.rows), 'row')}; {searched}"))
    if result.is_cut:
        screen.print(Text(f"{result.limit:,} rows is the limit of the query: there may be more", "yellow"))
