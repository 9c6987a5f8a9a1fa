"""Tables of a Markdown document."""

import re


def tables(text: str) -> list[tuple[str, list[list[str]]]]:
    """Return each table: its header line, and the cells of its rows."""
    found = re.findall(r"^(\|.*)\n\|---.*\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    return [
        (heading, [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()])
        for heading, rows in found
    ]
